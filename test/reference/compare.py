"""Compare our pose tracker with MediaPipe's on images and videos, landmark by landmark.

`python test/reference/compare.py FILES... --model full`. Both get the same decoded frames and
the same clock. Videos are compared twice: each tracker following its own ROIs, where differences
in the last bit grow from frame to frame, and ours with MediaPipe's ROI in every frame.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
from mediapipe_pose import FOLDER, MODELS, Arrays, Image, MediaPipeError, run_mediapipe

sys.path.append(str(FOLDER.parents[1]))

from pose_ros.blazepose import Pose, PoseError, PoseTracker, PoseTrackerOptions, Roi
from pose_ros.blazepose.datatypes import ImageSize, NormalizedRect
from pose_ros.blazepose.models import MODELS as POSE_MODELS
from pose_ros.tools.frames import ImageFiles, open_frames

VISIBLE = 0.5
VALUES = ("px", "visibility", "world mm")
PERCENTILES = {"median": 50, "p95": 95, "max": 100}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """How far each landmark is from MediaPipe's: arrays (frames, landmarks) by value.

    NaN where there is nothing to compare: MediaPipe or we see no pose, MediaPipe calls the
    landmark invisible, or, for visibility and world, a loss came before (MediaPipe keeps the
    filters of these two over a loss, ours start anew).
    """

    distances: dict[str, Floats]
    presence_differs: list[int]


def compare(
    frames: Iterable[Image], reference: Arrays, tracker: PoseTracker, is_forced: bool
) -> Comparison:
    """Run our tracker over the frames, with MediaPipe's ROIs if `is_forced`."""
    shape = reference["landmarks"].shape[:2]
    distances = {value: np.full(shape, np.nan) for value in VALUES}
    differs, has_lost = [], False
    for index, image in zip(range(shape[0]), frames, strict=False):
        size = ImageSize(image.shape[1], image.shape[0])
        roi = given_roi(reference["roi"][index], size) if is_forced else None
        poses = tracker.track(image, int(reference["timestamp_ns"][index]), roi)
        is_found = bool(reference["found"][index])
        has_lost |= not is_found and bool(reference["found"][:index].any())
        if bool(poses) != is_found:
            differs.append(index)
        elif poses:
            for value, row in frame_distances(poses[0], reference, index, size).items():
                if value == "px" or not has_lost:
                    distances[value][index] = row
    return Comparison(distances, differs)


def given_roi(row: npt.NDArray[np.float32], size: ImageSize) -> Roi | None:
    """Return the ROI of a reference's row, None if there was none."""
    return Roi.from_normalized(NormalizedRect(*row), size) if np.isfinite(row).all() else None


def frame_distances(
    pose: Pose, reference: Arrays, index: int, size: ImageSize
) -> dict[str, Floats]:
    """Return the distance of each landmark (N,) by value; NaN where it is invisible."""
    landmarks, world = reference["landmarks"][index], reference["world"][index]
    is_hidden = landmarks[:, 3] <= VISIBLE
    assert pose.world_landmarks_m is not None
    distances = {
        "px": np.hypot(*(pose.landmarks_px[:, :2].astype(float) - landmarks[:, :2] * size).T),
        "visibility": np.abs(pose.visibility.astype(float) - landmarks[:, 3]),
        "world mm": 1e3 * np.linalg.norm(pose.world_landmarks_m - world[:, :3], axis=1),
    }
    return {value: np.where(is_hidden, np.nan, row) for value, row in distances.items()}


def table(comparison: Comparison, names: tuple[str, ...]) -> list[str]:
    """Return a line per landmark, and one over all of them."""
    columns = len(PERCENTILES)
    lines = [
        " " * 24 + "".join(f"{value:>{9 * columns}}" for value in VALUES),
        "landmark          frames" + "".join(f"{head:>9}" for head in PERCENTILES) * len(VALUES),
    ]
    rows: list[tuple[str, int | slice]] = [(name, index) for index, name in enumerate(names)]
    for name, index in [*rows, ("all", slice(None))]:
        values = [comparison.distances[value][:, index] for value in VALUES]
        frames = int(np.isfinite(values[0]).sum())
        cells = [cell for value in values for cell in _percentiles(value)]
        lines.append(f"{name:<17} {frames:6d}" + "".join(f"{cell:>9}" for cell in cells))
    differs = comparison.presence_differs
    return [*lines, f"frames in which only one of both sees a pose: {differs or 'none'}"]


def _percentiles(values: Floats) -> list[str]:
    known = values[np.isfinite(values)]
    if not known.size:
        return ["-"] * len(PERCENTILES)
    return [f"{np.percentile(known, q):.2g}" for q in PERCENTILES.values()]


def report(file: str, model: str, kernel: int, is_static: bool) -> None:
    """Run both on one file and print the tables."""
    source = open_frames(file)
    is_static |= isinstance(source, ImageFiles)
    options = PoseTrackerOptions(model=model, heatmap_kernel=kernel, static_image_mode=is_static)
    mode = "static" if is_static else "smooth"
    reference = run_mediapipe((frame.image for frame in source), model, mode, kernel)
    for is_forced in (False,) if is_static else (False, True):
        frames = (frame.image for frame in islice(source, len(reference["found"])))
        comparison = compare(frames, reference, PoseTracker(options), is_forced)
        level = "with MediaPipe's ROI given" if is_forced else "each on its own"
        print(f"\n{file}: {model}, kernel {kernel}, {mode}, {level}")
        print("\n".join(table(comparison, POSE_MODELS[model].topology.names)))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Compare our poses with MediaPipe's.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="image, video or folder")
    parser.add_argument("--model", choices=MODELS, default="full")
    parser.add_argument("--kernel", type=int, choices=(7, 9), default=9, help="of the heatmap")
    parser.add_argument("--static", action="store_true", help="treat frames as unrelated")
    arguments = parser.parse_args()
    try:
        for file in arguments.files:
            report(file, arguments.model, arguments.kernel, arguments.static)
    except (MediaPipeError, PoseError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

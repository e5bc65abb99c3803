"""Time tracked frames with the compiled library against numpy, in turn on the same images.

    python test/benchmark/native.py [--models lite full heavy] [--rounds 3]

Prints CPU time per frame, and the median ratio of pairs. Both must give the same landmarks.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.native.library import native_library

FRAME_NS = 33_333_333
IMAGES = 100


def options(model: str) -> PoseTrackerOptions:
    """Return options by which both run the same networks."""
    return PoseTrackerOptions(model=model, inference="onnxruntime")


def numpy_tracker(model: str, models_dir: Path | None) -> PoseTracker:
    """Return a tracker that does without the library."""
    crop, landmarker = (
        mock.patch(f"pose_ros.blazepose.{stage}.native_library", return_value=None)
        for stage in ("crop", "landmarker")
    )
    with crop, landmarker:
        return PoseTracker(options(model), models_dir)


def timed(tracker: PoseTracker, image: ImageArray, time_ns: int) -> tuple[float, bytes]:
    """Return the CPU ms of an image, which is in nobody's cache yet, and the landmarks."""
    own = image.copy()
    start_ns = time.process_time_ns()
    poses = tracker.track(own, time_ns)
    cpu_ms = (time.process_time_ns() - start_ns) / 1e6
    return cpu_ms, b"".join(pose.landmarks_px.tobytes() for pose in poses)


def compare(model: str, images: list[ImageArray], rounds: int, other_models: Path | None) -> None:
    trackers = PoseTracker(options(model)), numpy_tracker(model, other_models)
    times_ms: list[tuple[float, float]] = []
    for number in range(rounds * len(images)):
        image, time_ns = images[number % len(images)], (number + 1) * FRAME_NS
        order = (0, 1) if number % 2 else (1, 0)
        found = {which: timed(trackers[which], image, time_ns) for which in order}
        assert other_models or found[0][1] == found[1][1]
        times_ms.append((found[0][0], found[1][0]))
    native_ms, numpy_ms = np.array(times_ms).T
    print(
        f"{model:10} native {np.median(native_ms):6.2f} ms, numpy {np.median(numpy_ms):6.2f} ms, "
        f"x{np.median(numpy_ms / native_ms):.3f}"
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=["lite", "full", "heavy", "upper_body"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--other-models", type=Path, help="folder of the models for numpy")
    arguments = parser.parse_args()
    if native_library() is None:
        sys.exit("the package was built without a C compiler: there is nothing to compare")
    images = [image for _, image in zip(range(IMAGES), media.frames("walker"), strict=False)]
    for model in arguments.models:
        compare(model, images, arguments.rounds, arguments.other_models)


if __name__ == "__main__":
    main()

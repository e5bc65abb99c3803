"""How steady bones are on real clips: `python test/body/bone_lengths.py`.

For each bone it prints the mean length over all images in which both ends are visible, and the
spread: the standard deviation as a part of the mean. Both are those of each track by itself,
then the median of the tracks. A bone of a real person has no spread. The last line is by how much
a left bone and its right one differ in their means, as a part of them.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media
import numpy as np

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.models import MODELS
from pose_ros.body.bones import BONES, bone_lengths_m

CLIPS = (
    *("walker", "sports2d_demo", "cap12_edit", "p2s_multi_cam01", "p2s_multi_cam03"),
    *(f"p2s_single_cam0{camera}" for camera in range(1, 5)),
)
MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
NAMES = [bone.name for bone in BONES]
MIN_IMAGES = 30
FRAME_NS = 33_333_333
MIN_VISIBILITY = 0.5

Lengths = dict[int, "list[list[float]]"]
"""The lengths of the bones in each image, by person."""


def main() -> int:
    """Track the clips and print the table."""
    models = [name for name, row in MODELS.items() if row.world_values]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", choices=models, default="full")
    parser.add_argument("--clips", nargs="+", choices=CLIPS, default=CLIPS)
    asked = parser.parse_args()
    people: list[np.ndarray] = []
    for clip in asked.clips:
        found = [np.array(rows) for rows in lengths(poses_of(clip, asked.model)).values()]
        found = [rows for rows in found if len(rows) >= MIN_IMAGES]
        people += found
        print(f"{clip}: {len(found)} tracks, {sum(map(len, found))} poses", flush=True)
    report(people)
    return 0


def poses_of(clip: str, model: str) -> Iterator[Pose]:
    """Yield the poses of all people of a clip, image by image."""
    options = PoseTrackerOptions(model=model, max_persons=4)
    tracker = PoseTracker(options, MODELS_DIR)
    images = media.frames(clip)
    return chain.from_iterable(
        tracker.track(image, (1 + number) * FRAME_NS) for number, image in enumerate(images)
    )


def lengths(poses: Iterable[Pose]) -> Lengths:
    """Return the lengths of the bones that are visible, NaN of others, by person."""
    found: Lengths = defaultdict(list)
    for pose in poses:
        assert pose.world_landmarks_m is not None
        is_visible = pose.visibility >= MIN_VISIBILITY
        points_m = np.where(is_visible[:, None], pose.world_landmarks_m, np.nan)
        found[pose.person_id].append([*bone_lengths_m(points_m).values()])
    return found


def report(people: list[np.ndarray]) -> None:
    """Print a line for each bone, then the medians over all."""
    means_m, spreads = (
        np.array([[of_bone(column, ratio) for column in rows.T] for rows in people])
        for ratio in (False, True)
    )
    for index, name in enumerate(NAMES):
        known = np.isfinite(means_m[:, index])
        if known.any():
            mean_m, spread = (np.median(of[known, index]) for of in (means_m, spreads))
            print(f"{name:16} {mean_m:.3f} m, spread {spread:.1%}, {known.sum()} tracks")
    print(f"all bones: median spread {np.nanmedian(spreads):.1%}")
    left, right = (
        means_m[:, [index for index, name in enumerate(NAMES) if name.startswith(side)]]
        for side in ("left_", "right_")
    )
    print(f"left against right: median {np.nanmedian(2 * abs(left - right) / (left + right)):.1%}")


def of_bone(lengths_m: np.ndarray, is_ratio: bool) -> float:
    """Return the mean of a bone's lengths, or their spread; NaN if it is seen too rarely."""
    known_m = lengths_m[np.isfinite(lengths_m)]
    if len(known_m) < MIN_IMAGES:
        return float("nan")
    return float(known_m.std() / known_m.mean() if is_ratio else known_m.mean())


if __name__ == "__main__":
    sys.exit(main())

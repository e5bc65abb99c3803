"""How far the angles of one walk, seen by four cameras, differ: `python test/body/views.py`.

A line for each joint: the median and the 90th percentile of the difference between two cameras, in
degrees, over all images and pairs of cameras in which both see it. The cameras are in step within
some images; a walk in between is part of the differences.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media
import numpy as np

from body.bone_lengths import FRAME_NS, MIN_VISIBILITY, MODELS_DIR
from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.body.joints import JOINT_ANGLES, joint_angles

CLIPS = [f"p2s_single_cam0{number}" for number in range(1, 5)]

Angles = dict[str, float]


def main() -> int:
    """Track the clips and print the table."""
    views = [angles_of(clip) for clip in CLIPS]
    pairs = [
        pair for one, other in combinations(views, 2) for pair in zip(one, other, strict=False)
    ]
    for row in JOINT_ANGLES:
        names = [f"{side}{row.name}" for side in row.sides]
        found = [a[name] - b[name] for a, b in pairs for name in names if name in a and name in b]
        differences_deg = abs((np.array(found) + 180) % 360 - 180)
        median, high = np.percentile(differences_deg, (50, 90))
        print(f"{row.name:22} {median:4.0f} {high:4.0f}   of {len(found)} differences")
    return 0


def angles_of(clip: str) -> list[Angles]:
    """Return the angles in degrees of the first person of each image of a clip."""
    tracker = PoseTracker(PoseTrackerOptions(), MODELS_DIR)
    found: list[Angles] = []
    for number, image in enumerate(media.frames(clip)):
        angles: Angles = {}
        for pose in tracker.track(image, (1 + number) * FRAME_NS):
            assert pose.world_landmarks_m is not None
            angles = joint_angles(pose.world_landmarks_m, pose.visibility, MIN_VISIBILITY)
        found.append({name: float(np.degrees(value)) for name, value in angles.items()})
    return found


if __name__ == "__main__":
    sys.exit(main())

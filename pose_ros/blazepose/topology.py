"""Names, connections and sides of the landmarks.

Left and right are the person's own. ref: mediapipe/python/solutions/pose.py (0.8.3 for the
upper body, 0.10.21 for the full body).
"""

from __future__ import annotations

from dataclasses import dataclass

_NAMES = (
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
)

_FACE = ((0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10))
_LEFT_ARM = ((11, 13), (13, 15), (15, 17), (15, 19), (15, 21), (17, 19))
_RIGHT_ARM = ((12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (18, 20))
_TORSO = ((11, 12), (11, 23), (12, 24), (23, 24))
_LEFT_LEG = ((23, 25), (25, 27), (27, 29), (29, 31), (27, 31))
_RIGHT_LEG = ((24, 26), (26, 28), (28, 30), (30, 32), (28, 32))


@dataclass(frozen=True)
class Topology:
    """Landmark names in their fixed order, and the index pairs that a skeleton connects."""

    names: tuple[str, ...]
    connections: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        """Return the number of landmarks."""
        return len(self.names)


UPPER_BODY = Topology(_NAMES[:25], _FACE + _LEFT_ARM + _RIGHT_ARM + _TORSO)
FULL_BODY = Topology(_NAMES, UPPER_BODY.connections + _LEFT_LEG + _RIGHT_LEG)

# Left and right, as lists, which select rows of an array. Knees and ankles are FULL_BODY's only.
EARS, SHOULDERS, HIPS, KNEES, ANKLES = (
    [_NAMES.index(f"{side}_{part}") for side in ("left", "right")]
    for part in ("ear", "shoulder", "hip", "knee", "ankle")
)

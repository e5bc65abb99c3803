"""A body whose limbs lead in given directions.

Everything is in the camera's optical frame: x right, y down, z forward; a person with heading 0
faces the camera.
"""

from __future__ import annotations

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array
from synthetic import skeleton
from synthetic.skeleton import SIDES, Points, of_side, rotation_about

HEAD_M = 0.1
# Directions of upper arm, forearm, thigh and shank, of the left side and of the right side.
Limbs = tuple[tuple[float, float, float], ...]
DOWN, FORWARD, UP = (0.0, 1.0, 0.0), (0.0, 0.1, -1.0), (0.2, -1.0, 0.0)
ASIDE, BACK_DOWN, FRONT_DOWN = (0.25, 1.0, 0.0), (0.05, 1.0, 0.35), (0.05, 1.0, -0.35)
POSES = {
    "standing": ((ASIDE, ASIDE, DOWN, DOWN), (ASIDE, ASIDE, DOWN, DOWN)),
    "reaching": ((FORWARD, FORWARD, DOWN, DOWN), (ASIDE, DOWN, DOWN, DOWN)),
    "arms up": ((UP, UP, DOWN, DOWN), ((1.0, 0.0, 0.0), UP, DOWN, DOWN)),
    "walking": (
        (FRONT_DOWN, FRONT_DOWN, BACK_DOWN, BACK_DOWN),
        (BACK_DOWN, DOWN, FRONT_DOWN, DOWN),
    ),
    "sitting": ((ASIDE, FORWARD, FORWARD, DOWN), (ASIDE, FORWARD, FORWARD, DOWN)),
}


def body_in_pose(pose: str) -> Float64Array:
    """Return the joints (33, 3) of one of `POSES`."""
    return body_of_limbs(*POSES[pose])


def body_of_limbs(left: Limbs, right: Limbs) -> Float64Array:
    """Return the joints (33, 3) of a body with these limbs, mid-hip in the origin."""
    found = _face()
    for (side, sign), limbs in zip(SIDES.items(), (left, right), strict=True):
        mirror = np.array((sign, 1, 1))
        upper_arm, forearm, thigh, shank = (
            np.array(limb) / np.linalg.norm(limb) * mirror for limb in limbs
        )
        shoulder = np.array((sign * skeleton.SHOULDER_M, -skeleton.TRUNK_M, 0))
        parts = skeleton.arm(shoulder, upper_arm, forearm)
        parts |= skeleton.leg(np.array((sign * skeleton.HIP_M, 0, 0)), thigh, shank)
        parts |= _hand(parts["wrist"], forearm)
        parts["heel"] = parts["ankle"] + np.array((0, 0.05, 0.04))
        parts["foot_index"] = parts["ankle"] + np.array((0.02 * sign, 0.06, -0.15))
        found |= of_side(side, parts)
    return skeleton.landmarks(found)


def _hand(wrist: Float64Array, forearm: Float64Array) -> Points:
    across = np.cross(forearm, (0.3, 0.2, 1.0))
    across /= np.linalg.norm(across)
    return {
        "pinky": wrist + 0.08 * forearm + 0.03 * across,
        "index": wrist + 0.09 * forearm - 0.03 * across,
        "thumb": wrist + 0.05 * forearm - 0.05 * across,
    }


def _face() -> Points:
    """Return the landmarks of the face, on the sphere of the head; the nose stands out."""
    directions = {"nose": (0, 0.1, -1.15), "mouth_left": (0.28, 0.5, -1), "left_ear": (1, 0, 0.05)}
    directions |= {"left_eye_inner": (0.2, -0.3, -1), "left_eye": (0.35, -0.3, -1)}
    directions |= {"left_eye_outer": (0.5, -0.3, -1)}
    center = np.array((0, -0.7, 0))
    face: Points = {}
    for name, direction in directions.items():
        length = 0.115 if name == "nose" else HEAD_M
        point = np.array(direction) / np.linalg.norm(direction) * length
        face[name] = point + center
        face[name.replace("left", "right")] = point * (-1, 1, 1) + center
    return face


def heading_and_tilt(heading_deg: float, tilt_deg: float = 0.0) -> Float64Array:
    """Return the rotation (3, 3) of a body by its heading and by a tilt of the camera."""
    right, down, _ = np.eye(3)
    heading = rotation_about(down, np.radians(heading_deg))
    return rotation_about(right, np.radians(tilt_deg)) @ heading

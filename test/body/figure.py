"""A body whose joints are set to angles by turning its parts one after the other.

This is written apart from the package: rotation matrices from the trunk outward, nothing of the
formulas that find the angles again. The axes are forward, left and up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.topology import FULL_BODY

FORWARD, LEFT, UP = np.eye(3)
SIDES = {"left_": 1.0, "right_": -1.0}
Points = dict[str, Float64Array]
Get = Callable[[str], float]
MIRROR = np.diag((1.0, -1.0, 1.0))
MIRRORED_INDEX = [
    FULL_BODY.names.index(
        name.replace("left", "\0").replace("right", "left").replace("\0", "right")
    )
    for name in FULL_BODY.names
]


def turn(axis: Float64Array, angle_rad: float) -> Float64Array:
    """Return the rotation (3, 3) about an axis, in the right hand's sense; times its length."""
    rotation, _ = cv2.Rodrigues(axis * angle_rad)
    return np.asarray(rotation, np.float64)


def figure(degrees: Mapping[str, float] | None = None, length_m: float = 1.0) -> Float64Array:
    """Return the landmarks (33, 3) of a body with some joints at angles in degrees, others at 0.

    The pelvis is upright at the origin and faces along x.
    """
    angles = {name: float(np.radians(value)) for name, value in (degrees or {}).items()}

    def get(name: str) -> float:
        return angles.get(name, 0.0)

    # leaning to the left turns about the backward axis
    lean = turn(-FORWARD, get("trunk_lateral_flexion"))
    trunk = lean @ turn(UP, get("trunk_rotation"))
    points: Points = {}
    neck = trunk @ (0.5 * UP)
    for side, sign in SIDES.items():
        points |= _leg(side, sign, get)
        points |= _arm(side, sign, get, trunk, neck)
    points |= _head(get, trunk, neck)
    return length_m * np.array([points[name] for name in FULL_BODY.names])


def _leg(side: str, sign: float, get: Get) -> Points:
    # of the left leg: forward is against the left axis, outward is about the forward one
    flexion = turn(-LEFT, get(f"{side}hip_flexion"))
    abduction = turn(FORWARD, sign * get(f"{side}hip_abduction"))
    rotation = turn(-UP, sign * get(f"{side}hip_rotation"))
    thigh = flexion @ abduction @ rotation
    shank = thigh @ turn(LEFT, get(f"{side}knee_flexion"))
    foot = shank @ turn(-LEFT, get(f"{side}ankle_flexion"))
    hip = 0.1 * sign * LEFT
    knee = hip - thigh @ (0.42 * UP)
    ankle = knee - shank @ (0.41 * UP)
    heel = ankle + foot @ (-0.04 * FORWARD - 0.05 * UP)
    toes = heel + foot @ (0.2 * FORWARD)
    parts = {"hip": hip, "knee": knee, "ankle": ankle, "heel": heel, "foot_index": toes}
    return {f"{side}{part}": point for part, point in parts.items()}


def _arm(side: str, sign: float, get: Get, trunk: Float64Array, neck: Float64Array) -> Points:
    # flexion and abduction are parts of one turn; then the arm turns about itself
    raising = -LEFT * get(f"{side}shoulder_flexion")
    raising = raising + FORWARD * sign * get(f"{side}shoulder_abduction")
    arm = trunk @ turn(raising, 1.0) @ turn(-UP, sign * get(f"{side}shoulder_rotation"))
    forearm = arm @ turn(-LEFT, get(f"{side}elbow_flexion"))
    shoulder = neck + trunk @ (0.18 * sign * LEFT)
    elbow = shoulder - arm @ (0.29 * UP)
    wrist = elbow - forearm @ (0.26 * UP)
    hand = {"pinky": -0.03, "index": 0.03, "thumb": 0.05}
    parts = {"shoulder": shoulder, "elbow": elbow, "wrist": wrist}
    for finger, ahead in hand.items():
        parts[finger] = wrist + forearm @ (-0.08 * UP + ahead * FORWARD)
    return {f"{side}{part}": point for part, point in parts.items()}


def _head(get: Get, trunk: Float64Array, neck: Float64Array) -> Points:
    flexion = turn(LEFT, get("neck_flexion"))
    lateral = turn(-FORWARD, get("neck_lateral_flexion"))
    head = trunk @ flexion @ lateral @ turn(UP, get("neck_rotation"))
    middle = neck + head @ (0.2 * UP)
    points = {"nose": middle + head @ (0.11 * FORWARD)}
    for side, sign in SIDES.items():
        points[f"{side}ear"] = middle + head @ (0.08 * sign * LEFT + 0.03 * UP)
        for part, out in (("eye_inner", 0.02), ("eye", 0.035), ("eye_outer", 0.05)):
            points[f"{side}{part}"] = middle + head @ (
                0.09 * FORWARD + out * sign * LEFT + 0.03 * UP
            )
        points[f"mouth_{side[:-1]}"] = middle + head @ (
            0.09 * FORWARD + 0.03 * sign * LEFT - 0.05 * UP
        )
    return points


def mirrored(points_m: Float64Array) -> Float64Array:
    """Return the landmarks (33, 3) of the mirror image, left and right exchanged."""
    return np.asarray(points_m[MIRRORED_INDEX] @ MIRROR, np.float64)

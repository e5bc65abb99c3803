"""A body whose joints are set to angles by turning its parts one after the other.

This is written apart from the package: rotation matrices from the trunk outward, nothing of the
formulas that find the angles again. The axes are forward, left and up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.topology import FULL_BODY
from synthetic import skeleton
from synthetic.skeleton import SIDES, Points, of_side, rotation_about

FORWARD, LEFT, UP = np.eye(3)
Get = Callable[[str], float]
MIRROR = np.diag((1.0, -1.0, 1.0))
MIRRORED_INDEX = [
    FULL_BODY.names.index(
        name.replace("left", "\0").replace("right", "left").replace("\0", "right")
    )
    for name in FULL_BODY.names
]


def body_at_angles(degrees: Mapping[str, float] | None = None, scale: float = 1.0) -> Float64Array:
    """Return the landmarks (33, 3) of a body with some joints at angles in degrees, others at 0.

    The pelvis is upright at the origin and faces along x. `scale` multiplies all lengths.
    """
    angles = {name: float(np.radians(value)) for name, value in (degrees or {}).items()}

    def get(name: str) -> float:
        return angles.get(name, 0.0)

    # leaning to the left turns about the backward axis
    lean = rotation_about(-FORWARD, get("trunk_lateral_flexion"))
    trunk = lean @ rotation_about(UP, get("trunk_rotation"))
    points: Points = {}
    neck = trunk @ (skeleton.TRUNK_M * UP)
    for side, sign in SIDES.items():
        points |= _leg(side, sign, get)
        points |= _arm(side, sign, get, trunk, neck)
    points |= _head(get, trunk, neck)
    return scale * skeleton.landmarks(points)


def _leg(side: str, sign: float, get: Get) -> Points:
    # of the left leg: forward is against the left axis, outward is about the forward one
    flexion = rotation_about(-LEFT, get(f"{side}_hip_flexion"))
    abduction = rotation_about(FORWARD, sign * get(f"{side}_hip_abduction"))
    rotation = rotation_about(-UP, sign * get(f"{side}_hip_rotation"))
    thigh = flexion @ abduction @ rotation
    shank = thigh @ rotation_about(LEFT, get(f"{side}_knee_flexion"))
    foot = shank @ rotation_about(-LEFT, get(f"{side}_ankle_flexion"))
    parts = skeleton.leg(skeleton.HIP_M * sign * LEFT, thigh @ -UP, shank @ -UP)
    parts["heel"] = parts["ankle"] + foot @ (-0.04 * FORWARD - 0.05 * UP)
    parts["foot_index"] = parts["heel"] + foot @ (0.2 * FORWARD)
    return of_side(side, parts)


def _arm(side: str, sign: float, get: Get, trunk: Float64Array, neck: Float64Array) -> Points:
    # flexion and abduction are parts of one turn; then the arm turns about itself
    raising = -LEFT * get(f"{side}_shoulder_flexion")
    raising = raising + FORWARD * sign * get(f"{side}_shoulder_abduction")
    upper_arm = (
        trunk
        @ rotation_about(raising, 1.0)
        @ rotation_about(-UP, sign * get(f"{side}_shoulder_rotation"))
    )
    forearm = upper_arm @ rotation_about(-LEFT, get(f"{side}_elbow_flexion"))
    shoulder = neck + trunk @ (skeleton.SHOULDER_M * sign * LEFT)
    parts = skeleton.arm(shoulder, upper_arm @ -UP, forearm @ -UP)
    for finger, ahead in (("pinky", -0.03), ("index", 0.03), ("thumb", 0.05)):
        parts[finger] = parts["wrist"] + forearm @ (-0.08 * UP + ahead * FORWARD)
    return of_side(side, parts)


def _head(get: Get, trunk: Float64Array, neck: Float64Array) -> Points:
    flexion = rotation_about(LEFT, get("neck_flexion"))
    lateral = rotation_about(-FORWARD, get("neck_lateral_flexion"))
    head = trunk @ flexion @ lateral @ rotation_about(UP, get("neck_rotation"))
    middle = neck + head @ (0.2 * UP)
    points = {"nose": middle + head @ (0.11 * FORWARD)}
    for side, sign in SIDES.items():
        points[f"{side}_ear"] = middle + head @ (0.08 * sign * LEFT + 0.03 * UP)
        for part, out in (("eye_inner", 0.02), ("eye", 0.035), ("eye_outer", 0.05)):
            points[f"{side}_{part}"] = middle + head @ (
                0.09 * FORWARD + out * sign * LEFT + 0.03 * UP
            )
        points[f"mouth_{side}"] = middle + head @ (0.09 * FORWARD + 0.03 * sign * LEFT - 0.05 * UP)
    return points


def mirrored(points_m: Float64Array) -> Float64Array:
    """Return the landmarks (33, 3) of the mirror image, left and right exchanged."""
    return np.asarray(points_m[MIRRORED_INDEX] @ MIRROR, np.float64)

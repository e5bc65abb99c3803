"""The skeleton of an adult of about 1.75 m: lengths, limbs, and landmarks in their order.

Origin is the middle of the hips; which axes there are is up to who sets the limbs.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.topology import FULL_BODY

HIP_M, SHOULDER_M = 0.1, 0.18
"""From the middle of the body to the side."""
TRUNK_M, UPPER_ARM_M, FOREARM_M, THIGH_M, SHANK_M = 0.5, 0.29, 0.26, 0.42, 0.41
SIDES = {"left": 1.0, "right": -1.0}
Points = dict[str, Float64Array]


def arm(shoulder_m: Float64Array, upper_arm: Float64Array, forearm: Float64Array) -> Points:
    """Return the joints (3,) of an arm whose parts have these unit directions (3,)."""
    elbow_m = shoulder_m + UPPER_ARM_M * upper_arm
    wrist_m = elbow_m + FOREARM_M * forearm
    return {"shoulder": shoulder_m, "elbow": elbow_m, "wrist": wrist_m}


def leg(hip_m: Float64Array, thigh: Float64Array, shank: Float64Array) -> Points:
    """Return the joints (3,) of a leg whose parts have these unit directions (3,)."""
    knee_m = hip_m + THIGH_M * thigh
    return {"hip": hip_m, "knee": knee_m, "ankle": knee_m + SHANK_M * shank}


def of_side(side: str, parts: Mapping[str, Float64Array]) -> Points:
    """Return the points by the names that they have on a side."""
    return {f"{side}_{part}": point for part, point in parts.items()}


def landmarks(points: Mapping[str, Float64Array]) -> Float64Array:
    """Return the landmarks (33, 3) of points by name, in the order of the model."""
    return np.array([points[name] for name in FULL_BODY.names], np.float64)


def rotation_about(axis: Float64Array, angle_rad: float) -> Float64Array:
    """Return the rotation (3, 3) about an axis, in the right hand's sense; times its length."""
    rotation, _ = cv2.Rodrigues(axis * angle_rad)
    return np.asarray(rotation, np.float64)

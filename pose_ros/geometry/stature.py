"""How tall the body of the world landmarks is, and the body of somebody whose height is known.

The network gives every person much the same metric body, so its size says little about the person.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, Pose
from pose_ros.blazepose.topology import ANKLES, EARS, HIPS, KNEES, SHOULDERS

# Ankles are at 0.04 of the height of somebody who stands, ears at 0.93. ref: Drillis and Contini,
# Body Segment Parameters (1966), for the ankle; ANSUR II (2012), tragion height.
_ANKLE_TO_EAR = 0.89


def stature_m(world_m: Float32Array) -> float:
    """Return the height in m that a body of world landmarks (33, 3) has when it stands.

    It is that of the chain from the ankles to the ears, so it hardly depends on the posture.
    """
    points_m = world_m.astype(np.float64)
    legs_m = _lengths_m(points_m[ANKLES], points_m[KNEES])
    legs_m += _lengths_m(points_m[KNEES], points_m[HIPS])
    hips_m, shoulders_m, ears_m = (points_m[pair].mean(axis=0) for pair in (HIPS, SHOULDERS, EARS))
    trunk_m = _lengths_m(hips_m, shoulders_m) + _lengths_m(shoulders_m, ears_m)
    return float(legs_m.mean() + trunk_m) / _ANKLE_TO_EAR


def _lengths_m(one_m: Float64Array, other_m: Float64Array) -> Float64Array:
    lengths_m: Float64Array = np.linalg.norm(other_m - one_m, axis=-1)
    return lengths_m


def with_stature(pose: Pose, height_m: float) -> Pose:
    """Return the pose with a metric body so tall; as it is if 0, or without such a body."""
    if height_m == 0 or pose.world_landmarks_m is None:
        return pose
    model_m = stature_m(pose.world_landmarks_m)
    if not model_m > 0:
        return pose
    scale = np.float32(height_m / model_m)
    return replace(pose, world_landmarks_m=pose.world_landmarks_m * scale)

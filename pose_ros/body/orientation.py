"""Which way a body faces."""

from __future__ import annotations

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array, Pose
from pose_ros.blazepose.topology import FULL_BODY

_MIN_SINE = 0.2
"""Of the angle between spine and shoulders; below it (12 degrees) there is no front."""
_MIN_VISIBILITY = 0.5
_LEFT, _RIGHT = (
    [FULL_BODY.names.index(f"{side}_{part}") for part in ("shoulder", "hip")]
    for side in ("left", "right")
)


def body_axes(left: Float64Array, up: Float64Array) -> Float64Array | None:
    """Return unit axes (3, 3) with z along `up` and y on the side of `left`; None without a front.

    They are the columns: x leads out of the chest, y to the person's left, z along the spine.
    """
    length = np.linalg.norm(left) * np.linalg.norm(up)
    forward = np.cross(left, up)
    if not np.linalg.norm(forward) > _MIN_SINE * length:
        return None
    x, z = forward / np.linalg.norm(forward), up / np.linalg.norm(up)
    return np.column_stack((x, np.cross(z, x), z))


def facing_axes(pose: Pose) -> Float64Array | None:
    """Return the axes (3, 3) of `body_axes` of a pose, in the directions of the camera's frame.

    They are those of the shoulders and hips of the world landmarks. None where a model has no
    such landmarks, or one of the four is not visible.
    """
    if pose.world_landmarks_m is None:
        return None
    if not (pose.visibility[[*_LEFT, *_RIGHT]] >= _MIN_VISIBILITY).all():
        return None
    points_m = pose.world_landmarks_m.astype(np.float64)
    left_m, right_m = points_m[_LEFT], points_m[_RIGHT]
    shoulders_m, hips_m = (left_m + right_m) / 2
    return body_axes((left_m - right_m).sum(axis=0), shoulders_m - hips_m)

"""Which way a body faces."""

from __future__ import annotations

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array, Pose
from pose_ros.blazepose.topology import FULL_BODY

_MIN_SINE = 0.2
"""Of the angle between spine and shoulders; below it (12 degrees) there is no front."""
_MIN_VISIBILITY = 0.5
_SHOULDERS, _HIPS = (
    [FULL_BODY.names.index(f"{side}_{part}") for side in ("left", "right")]
    for part in ("shoulder", "hip")
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

    They are those of the shoulders and hips of the world landmarks; hips that are not visible only
    say which way is up. None where a model has no such landmarks, or a shoulder is not visible.
    """
    is_visible = pose.visibility >= _MIN_VISIBILITY
    if pose.world_landmarks_m is None or not is_visible[_SHOULDERS].all():
        return None
    points_m = pose.world_landmarks_m.astype(np.float64)
    pairs = (_SHOULDERS, _HIPS) if is_visible[_HIPS].all() else (_SHOULDERS,)
    left = np.sum([points_m[pair] for pair in pairs], axis=0)
    up = points_m[_SHOULDERS].mean(axis=0) - points_m[_HIPS].mean(axis=0)
    return body_axes(left[0] - left[1], up)

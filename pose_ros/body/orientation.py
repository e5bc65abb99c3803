"""Which way a body faces."""

from __future__ import annotations

import math

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array, Pose
from pose_ros.blazepose.topology import HIPS, SHOULDERS
from pose_ros.body.vectors import Triple, Vector, cross

_MIN_SINE = 0.2
"""Of the angle between spine and shoulders; below it (12 degrees) there is no front."""
_MIN_VISIBILITY = 0.5
_TORSO = np.array([*SHOULDERS, *HIPS])


def body_axes(left: Float64Array, up: Float64Array) -> Float64Array | None:
    """Return unit axes (3, 3) with z along `up` and y on the side of `left`; None without a front.

    They are the columns: x leads out of the chest, y to the person's left, z along the spine.
    """
    axes = plain_axes(left.tolist(), up.tolist())
    return None if axes is None else np.array(axes).T


def plain_axes(left: Vector, up: Vector) -> tuple[Triple, Triple, Triple] | None:
    """Return the three axes of `body_axes` as plain vectors."""
    forward, up_length = cross(left, up), math.hypot(*up)
    length = math.hypot(*forward)
    if not length > _MIN_SINE * math.hypot(*left) * up_length:
        return None
    x = (forward[0] / length, forward[1] / length, forward[2] / length)
    z = (up[0] / up_length, up[1] / up_length, up[2] / up_length)
    return x, cross(z, x), z


def facing_axes(pose: Pose) -> Float64Array | None:
    """Return the axes (3, 3) of `body_axes` of a pose, in the directions of the camera's frame.

    They are those of the shoulders and hips of the world landmarks; hips that are not visible only
    say which way is up. None where a model has no such landmarks, or a shoulder is not visible.
    """
    if pose.world_landmarks_m is None:
        return None
    shoulder, other_shoulder, hip, other_hip = pose.visibility.take(_TORSO).tolist()
    if not min(shoulder, other_shoulder) >= _MIN_VISIBILITY:
        return None
    points_m = pose.world_landmarks_m.take(_TORSO, axis=0).tolist()
    has_hips = min(hip, other_hip) >= _MIN_VISIBILITY
    left, up = [], []
    for left_shoulder, right_shoulder, left_hip, right_hip in zip(*points_m, strict=True):
        hips_m = left_hip - right_hip if has_hips else 0.0
        left.append(left_shoulder - right_shoulder + hips_m)
        up.append((left_shoulder + right_shoulder - left_hip - right_hip) / 2)
    axes = plain_axes(left, up)
    return None if axes is None else np.array(axes).T

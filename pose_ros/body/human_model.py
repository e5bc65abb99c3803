"""The joint values of the human model of REP 155, from world landmarks.

ref: ros4hri/human_description, urdf/human-tpl.xacro: the joints of each limb and their axes. Limbs
are seen along forward, outward and up of the trunk, as in `joint_geometry`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.body.joint_geometry import (
    HEAD,
    TRUNK,
    Body,
    Side,
    front_of_raised,
    front_of_thigh,
    is_bent,
)
from pose_ros.body.vectors import angle, cross, dot

_SHOULDER_YAW_RAD = (-1.1, 1.9)
"""The model's limits: an arm beyond is raised to the other side of the trunk instead."""
_SIDES = (("l", "left_", 1.0), ("r", "right_", -1.0))


def model_joints(
    world_m: npt.ArrayLike, visibility: npt.ArrayLike, min_visibility: float
) -> dict[str, float]:
    """Return the values in rad of the joints of the model, by name.

    Arguments are those of `joint_angles`. A limb is left out if a landmark that it needs is less
    visible than `min_visibility`, and everything without a trunk.
    """
    is_visible = dict(
        zip(FULL_BODY.names, (np.asarray(visibility) >= min_visibility).tolist(), strict=True)
    )
    body = Body(np.asarray(world_m, np.float64).tolist())
    found = {
        name: value
        for needed, values in _limbs(body)
        if all(is_visible[landmark] for landmark in needed)
        for name, value in values.items()
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _limbs(body: Body) -> Iterator[tuple[tuple[str, ...], dict[str, float]]]:
    """Yield the landmarks that a part of the body needs, and the values of its joints."""
    if not math.isnan(body.trunk[0][0]):
        yield TRUNK, {"waist": 0.0}
        yield HEAD, _head(body)
    for letter, name, sign in _SIDES:
        side = Side(body, name)
        for landmarks, values in (
            (("elbow", "wrist"), _arm(side)),
            (("knee", "ankle"), _leg(side, sign)),
        ):
            needed = (*TRUNK, *(f"{name}{landmark}" for landmark in landmarks))
            yield needed, {f"{letter}_{joint}": value for joint, value in values.items()}


def _head(body: Body) -> dict[str, float]:
    forward, left, up = ([dot(axis, part) for axis in body.trunk] for part in body.head)
    return {
        "r_head": math.atan2(left[2], left[1]),
        "y_head": math.atan2(-left[0], math.hypot(left[1], left[2])),
        "p_head": -math.atan2(up[0], forward[0]),
    }


def _arm(side: Side) -> dict[str, float]:
    """Return yaw and elevation of the arm, its rotation about itself, and the elbow's flexion.

    An elbow that is not bent does not show the rotation: it is that of the shortest turn then.
    """
    arm = forward, outward, up = side.upper_arm
    forearm = side.seen(side.body.trunk, side.limb("elbow", "wrist"))
    yaw, raised = math.atan2(forward, outward), math.atan2(math.hypot(forward, outward), -up)
    if not _SHOULDER_YAW_RAD[0] <= yaw <= _SHOULDER_YAW_RAD[1]:
        yaw, raised = yaw - math.copysign(math.pi, yaw), -raised
    ahead, out, _ = _turned(yaw, raised)
    shown = forearm if is_bent(arm, forearm) else front_of_raised(arm)
    rotation = math.atan2(dot(shown, out), dot(shown, ahead))
    return {
        "y_shoulder": yaw,
        "p_shoulder": raised,
        "r_shoulder": rotation,
        "elbow": angle(arm, forearm),
    }


def _leg(side: Side, sign: float) -> dict[str, float]:
    """Return the two turns that lay the axis of the knee, and the flexion of hip and knee.

    A knee that is not bent does not show its axis: it is that of a thigh without rotation then.
    """
    thigh = side.seen(side.body.trunk, side.limb("hip", "knee"))
    shank = side.seen(side.body.trunk, side.limb("knee", "ankle"))
    axis = cross(thigh, shank) if is_bent(thigh, shank) else cross(front_of_thigh(thigh), thigh)
    yaw, raised = math.atan2(axis[0], axis[1]), math.atan2(axis[2], math.hypot(axis[0], axis[1]))
    ahead, _, up = _turned(yaw, raised)
    return {
        # unlike the shoulders, both hips turn the same way
        "y_hip": sign * yaw,
        "p_hip": raised,
        "r_hip": math.atan2(dot(thigh, ahead), -dot(thigh, up)),
        "knee": -angle(thigh, shank),
    }


def _turned(yaw: float, raised: float) -> tuple[tuple[float, float, float], ...]:
    """Return forward, outward and up after a turn about the latter and then about the first."""
    sin_yaw, cos_yaw, sin_up, cos_up = (
        *(math.sin(yaw), math.cos(yaw)),
        *(math.sin(raised), math.cos(raised)),
    )
    return (
        (cos_yaw, -sin_yaw, 0.0),
        (cos_up * sin_yaw, cos_up * cos_yaw, sin_up),
        (-sin_up * sin_yaw, -sin_up * cos_yaw, cos_up),
    )

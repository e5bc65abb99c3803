"""The angles of joints: one table of their names, zeros and signs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.body import joint_geometry as geometry
from pose_ros.body.joint_geometry import HEAD, TRUNK, Body, Side


@dataclass(frozen=True)
class JointAngle:
    """A row of the table: an angle, when it is 0, what makes it positive, and how it is found.

    `landmarks` are those that must be visible; "*" stands for each of the `sides`.
    """

    name: str
    zero: str
    positive: str
    landmarks: tuple[str, ...]
    find: Callable[[Side], float]
    sides: tuple[str, ...] = ("left_", "right_")

    def needed(self, side: str) -> tuple[str, ...]:
        """Return the landmarks of the angle of one side."""
        return tuple(name.replace("*", side) for name in self.landmarks)


_MIDDLE = ("",)

JOINT_ANGLES = (
    JointAngle(
        "shoulder_flexion",
        "the arm hangs along the trunk",
        "forward",
        (*TRUNK, "*elbow"),
        geometry.shoulder_flexion,
    ),
    JointAngle(
        "shoulder_abduction",
        "the arm hangs along the trunk",
        "outward",
        (*TRUNK, "*elbow"),
        geometry.shoulder_abduction,
    ),
    JointAngle(
        "shoulder_rotation",
        "the bent forearm of a hanging arm points forward",
        "inward",
        (*TRUNK, "*elbow", "*wrist"),
        geometry.shoulder_rotation,
    ),
    JointAngle(
        "elbow_flexion",
        "the arm is straight",
        "bent; never negative",
        ("*shoulder", "*elbow", "*wrist"),
        geometry.elbow_flexion,
    ),
    JointAngle(
        "hip_flexion",
        "the thigh is in line with the trunk",
        "forward",
        (*TRUNK, "*knee"),
        geometry.hip_flexion,
    ),
    JointAngle(
        "hip_abduction",
        "the thigh is at a right angle to the line of the hips",
        "outward",
        (*TRUNK, "*knee"),
        geometry.hip_abduction,
    ),
    JointAngle(
        "hip_rotation",
        "the bent knee points where flexion and abduction take it",
        "knee inward, foot outward",
        (*TRUNK, "*knee", "*ankle"),
        geometry.hip_rotation,
    ),
    JointAngle(
        "knee_flexion",
        "the leg is straight",
        "bent; never negative",
        ("*hip", "*knee", "*ankle"),
        geometry.knee_flexion,
    ),
    JointAngle(
        "ankle_flexion",
        "the sole is at a right angle to the shank",
        "toes up (dorsiflexion)",
        ("*knee", "*ankle", "*heel", "*foot_index"),
        geometry.ankle_flexion,
    ),
    JointAngle(
        "neck_flexion",
        "the line from the ears to the eyes is at a right angle to the trunk",
        "chin down",
        HEAD,
        geometry.neck_flexion,
        _MIDDLE,
    ),
    JointAngle(
        "neck_lateral_flexion",
        "the ears are at the same height above the trunk",
        "to the person's left",
        HEAD,
        geometry.neck_lateral_flexion,
        _MIDDLE,
    ),
    JointAngle(
        "neck_rotation",
        "the face looks where the chest does",
        "to the person's left",
        HEAD,
        geometry.neck_rotation,
        _MIDDLE,
    ),
    JointAngle(
        "trunk_lateral_flexion",
        "the trunk is at a right angle to the line of the hips",
        "to the person's left",
        TRUNK,
        geometry.trunk_lateral_flexion,
        _MIDDLE,
    ),
    JointAngle(
        "trunk_rotation",
        "the shoulders are parallel to the hips",
        "to the person's left",
        TRUNK,
        geometry.trunk_rotation,
        _MIDDLE,
    ),
)
"""All angles, in the order in which they are published."""

_INDEX = {name: index for index, name in enumerate(FULL_BODY.names)}
_FOUND = tuple(
    (f"{side}{row.name}", side, row.find, [_INDEX[name] for name in row.needed(side)])
    for row in JOINT_ANGLES
    for side in row.sides
)


def joint_angles(
    world_m: npt.ArrayLike, visibility: npt.ArrayLike, min_visibility: float
) -> dict[str, float]:
    """Return the angles of somebody's joints in rad, by name, in the order of the table.

    `world_m` (33, 3) are the world landmarks; their scale and where they are do not count, nor
    how the body is turned. A joint is left out if a landmark that it needs is less visible than
    `min_visibility`, or if the angle is not defined: of a limb without length, or a rotation that
    no bent limb shows.
    """
    is_visible = (np.asarray(visibility) >= min_visibility).tolist()
    body = Body(np.asarray(world_m, np.float64).tolist())
    sides = {side: Side(body, side) for side in ("", "left_", "right_")}
    found = {
        name: find(sides[side])
        for name, side, find, needed in _FOUND
        if all(is_visible[index] for index in needed)
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}

"""How the angles of joints are measured on the world landmarks.

A vector is seen along the axes of trunk, pelvis or head: forward, outward and up. Outward is to
the person's left on the left side and to the right on the right side, so that both sides have the
same formulas. What is unknown is NaN all the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.body.orientation import plain_axes
from pose_ros.body.vectors import Triple, Vector, angle, angle_about, cross, direction, dot, middle

MIN_BEND_RAD = math.radians(30)
"""How much elbow or knee must be bent, or short of folded, to show the rotation of the limb."""

_UNKNOWN = (math.nan,) * 3
_FORWARD = (1.0, 0.0, 0.0)
_INDEX = {name: index for index, name in enumerate(FULL_BODY.names)}

Axes: TypeAlias = Sequence[Vector]


class Body:
    """The landmarks of somebody, and the axes (forward, left, up) of the parts of the body."""

    def __init__(self, points_m: Sequence[Vector]) -> None:
        self._points_m = points_m

    def at(self, name: str) -> Vector:
        """Return a landmark."""
        return self._points_m[_INDEX[name]]

    def between(self, part: str) -> Vector:
        """Return the middle of a landmark's left and right one."""
        left, right = both_sides(part)
        return middle(self.at(left), self.at(right))

    def leftward(self, part: str) -> Vector:
        """Return the direction from a landmark's right one to its left one."""
        left, right = both_sides(part)
        return direction(self.at(right), self.at(left))

    @cached_property
    def spine(self) -> Vector:
        """The direction from the hips to the shoulders."""
        return direction(self.between("hip"), self.between("shoulder"))

    @cached_property
    def trunk(self) -> Axes:
        """Up is along the spine, left as far as it can be along the shoulders."""
        return plain_axes(self.leftward("shoulder"), self.spine) or (_UNKNOWN,) * 3

    @cached_property
    def pelvis(self) -> Axes:
        """Left is along the hips, up as far as it can be along the spine."""
        left = self.leftward("hip")
        axes = plain_axes(left, self.spine)
        return (_UNKNOWN,) * 3 if axes is None else (axes[0], left, cross(axes[0], left))

    @cached_property
    def head(self) -> Axes:
        """Forward leads from the ears to the eyes, left as far as it can along the ears."""
        left = self.leftward("ear")
        forward = direction(self.between("ear"), self.between("eye"))
        return plain_axes(left, cross(forward, left)) or (_UNKNOWN,) * 3


def both_sides(part: str) -> tuple[str, str]:
    """Return the names of a landmark's left and right one."""
    return f"left_{part}", f"right_{part}"


TRUNK = (*both_sides("shoulder"), *both_sides("hip"))
HEAD = (*TRUNK, *both_sides("eye"), *both_sides("ear"))
"""The landmarks that the axes of trunk and pelvis, and those of the head as well, need."""


class Side:
    """The limbs of one side of a body."""

    def __init__(self, body: Body, side: str) -> None:
        self.body, self._side = body, side

    def limb(self, start: str, end: str) -> Triple:
        """Return the direction from a landmark of this side to another one."""
        return direction(self.body.at(f"{self._side}{start}"), self.body.at(f"{self._side}{end}"))

    def seen(self, axes: Axes, vector: Vector) -> Triple:
        """Return a vector along forward, outward and up of some axes."""
        sign = -1.0 if self._side == "right_" else 1.0
        return dot(axes[0], vector), sign * dot(axes[1], vector), dot(axes[2], vector)

    @cached_property
    def upper_arm(self) -> Triple:
        """The upper arm along the axes of the trunk."""
        return self.seen(self.body.trunk, self.limb("shoulder", "elbow"))

    @cached_property
    def thigh(self) -> Triple:
        """The thigh along the axes of the pelvis."""
        return self.seen(self.body.pelvis, self.limb("hip", "knee"))

    @cached_property
    def up_of_head(self) -> Triple:
        """The upward axis of the head along those of the trunk."""
        return self.seen(self.body.trunk, self.body.head[2])


def _elevation(side: Side) -> tuple[float, float]:
    """Return how far the arm is raised, forward and outward: the parts of one shortest turn."""
    forward, outward, up = side.upper_arm
    across = math.hypot(forward, outward)
    raised = math.atan2(across, -up)
    if across == 0.0:
        return raised, 0.0
    return raised * forward / across, raised * outward / across


def shoulder_flexion(side: Side) -> float:
    """Return the forward part of the turn that raises the hanging arm."""
    return _elevation(side)[0]


def shoulder_abduction(side: Side) -> float:
    """Return the outward part of the turn that raises the hanging arm."""
    return _elevation(side)[1]


def shoulder_rotation(side: Side) -> float:
    """Return how the forearm is turned about the upper arm, from the front of a raised arm."""
    forearm = side.seen(side.body.trunk, side.limb("elbow", "wrist"))
    return _rotation(side.upper_arm, front_of_raised(side.upper_arm), forearm)


def front_of_raised(arm: Triple) -> Triple:
    """Return where forward goes with the shortest turn that raises a hanging arm to where it is.

    The arm is seen along forward, outward and up; one straight up is raised by flexion.
    """
    forward, outward, up = arm
    below = 1.0 - up
    if below > 0.0:
        return 1 - forward**2 / below, -forward * outward / below, forward
    return -1.0, 0.0, 0.0


def front_of_thigh(thigh: Triple) -> Triple:
    """Return where the knee points with flexion and abduction alone."""
    flexion = math.atan2(thigh[0], -thigh[2])
    return math.cos(flexion), 0.0, math.sin(flexion)


def is_bent(limb: Vector, next_limb: Vector) -> bool:
    """Return whether two limbs show the plane in which they are bent; not if one is unknown."""
    return math.sin(angle(limb, next_limb)) >= math.sin(MIN_BEND_RAD)


def _rotation(limb: Triple, front: Triple, next_limb: Triple) -> float:
    """Return the rotation of a limb that the next limb shows; NaN if it is not bent enough."""
    return angle_about(limb, front, next_limb) if is_bent(limb, next_limb) else math.nan


def elbow_flexion(side: Side) -> float:
    """Return the angle between upper arm and forearm, 0 if they are in line."""
    return angle(side.limb("shoulder", "elbow"), side.limb("elbow", "wrist"))


def hip_flexion(side: Side) -> float:
    """Return how far the thigh is forward, seen from the side of the pelvis."""
    forward, _, up = side.thigh
    return math.atan2(forward, -up)


def hip_abduction(side: Side) -> float:
    """Return the angle between the thigh and the plane across the line of the hips."""
    forward, outward, up = side.thigh
    return math.atan2(outward, math.hypot(forward, up))


def hip_rotation(side: Side) -> float:
    """Return how the shank is turned about the thigh, from where the knee's front would be."""
    shank = side.seen(side.body.pelvis, side.limb("ankle", "knee"))
    return _rotation(side.thigh, front_of_thigh(side.thigh), shank)


def knee_flexion(side: Side) -> float:
    """Return the angle between thigh and shank, 0 if they are in line."""
    return angle(side.limb("hip", "knee"), side.limb("knee", "ankle"))


def ankle_flexion(side: Side) -> float:
    """Return how far the angle between sole and shank is below a right one."""
    return math.pi / 2 - angle(side.limb("ankle", "knee"), side.limb("heel", "foot_index"))


def neck_flexion(side: Side) -> float:
    """Return how far the head leans forward, seen from the side of the trunk."""
    forward, _, up = side.up_of_head
    return math.atan2(forward, up)


def neck_lateral_flexion(side: Side) -> float:
    """Return the angle between the head and the plane of symmetry of the trunk."""
    forward, left, up = side.up_of_head
    return math.atan2(left, math.hypot(forward, up))


def neck_rotation(side: Side) -> float:
    """Return how the face is turned about the head's own upward axis."""
    flexion = neck_flexion(side)
    front = (math.cos(flexion), 0.0, -math.sin(flexion))
    return angle_about(side.up_of_head, front, side.seen(side.body.trunk, side.body.head[0]))


def trunk_lateral_flexion(side: Side) -> float:
    """Return how far the spine leans across the line of the hips."""
    _, left, up = side.seen(side.body.pelvis, side.body.spine)
    return math.atan2(left, up)


def trunk_rotation(side: Side) -> float:
    """Return how the shoulders are turned against the hips, about the spine."""
    front, _, spine = (side.seen(side.body.pelvis, axis) for axis in side.body.trunk)
    return angle_about(spine, _FORWARD, front)

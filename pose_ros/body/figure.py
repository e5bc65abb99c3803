"""The landmarks of one person, measured against gravity, in parts of the body's own lengths."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pose_ros.blazepose.topology import ANKLES, FULL_BODY, HIPS, KNEES, SHOULDERS
from pose_ros.body.vectors import Vector, dot, middle

LEVEL_CAMERA_UP: Vector = (0.0, -1.0, 0.0)
"""The direction away from the ground, in the optical frame of a camera that is level."""
SIDES = ("left", "right")
_MIN_VISIBILITY = 0.5
# Of an elbow whose shoulder and wrist are visible.
_ELBOW_VISIBILITY = 0.3
# Of a knee whose ankle is not visible. Below it the model may guess, as of who sits at a table.
_SURE_VISIBILITY = 0.7
_NO_LENGTH = 1e-12
_ELBOWS, _WRISTS, _FEET = (
    [FULL_BODY.names.index(f"{side}_{part}") for side in SIDES]
    for part in ("elbow", "wrist", "foot_index")
)
_TORSO = (*SHOULDERS, *HIPS)
# Parts of the body's mass: head, arms and trunk; thighs; shanks with feet. How high the center of
# the first lies on the way from the hips to the shoulders. ref: Winter, Biomechanics and Motor
# Control of Human Movement, 4th ed., table 4.1
_UPPER_MASS, _THIGH_MASS, _SHANK_MASS, _UPPER_CENTER = 0.68, 0.20, 0.12, 0.63


class Arm(NamedTuple):
    """One arm. `rise` is how high the wrist is above the shoulder, as a part of the arm's length.

    `forearm_rise` is how high the wrist is above the elbow, as a part of the forearm's length, and
    `swing_rad` the forearm's angle with upright as the camera sees it, positive to the right.
    `direction` is the unit vector from shoulder to wrist: right, up and forward. `to_head` is the
    distance of the wrist from the nose as a part of the trunk's length, and `along_trunk` the
    cosine of the angle between arm and trunk, downward: 1 for an arm that lies against it. An
    elbow that is hardly visible is good enough for the arm as a whole, not for the forearm.
    """

    rise: float
    elbow_deg: float
    forearm_rise: float
    swing_rad: float
    direction: Vector
    to_head: float
    along_trunk: float
    is_elbow_visible: bool


class Leg(NamedTuple):
    """One leg. `rise` is how high the hip is above the ankle, as a part of the leg's length.

    Of a leg whose ankle is not visible it is that above the knee, as a part of the thigh's, and
    `knee_deg` is NaN.
    """

    rise: float
    knee_deg: float


class Figure:
    """A person's landmarks (N, 3), their visibility (N,), and `up`, the unit vector upward.

    All three are in the directions of the camera's optical frame. The unit is any: what is derived
    has none. N is 25 or 33; with 25 there are no legs.
    """

    __slots__ = ("_points", "_right", "_up", "_visibility")

    def __init__(
        self,
        points: Sequence[Vector],
        visibility: Sequence[float],
        up: Vector = LEVEL_CAMERA_UP,
    ) -> None:
        self._points, self._visibility = points, visibility
        self._up = up
        self._right = _perpendicular_to(up)

    @property
    def has_torso(self) -> bool:
        """Whether shoulders and hips are visible, and known."""
        return self._sees(_TORSO)

    @property
    def tilt_deg(self) -> float:
        """The angle of the spine, from the hips to the shoulders, with the vertical."""
        spine = _minus(self._middle(SHOULDERS), self._middle(HIPS))
        return math.degrees(math.acos(_clipped(dot(spine, self._up) / _length(spine))))

    def arm(self, side: str) -> Arm | None:
        """Return an arm; None if shoulder, elbow or wrist is not visible."""
        index = SIDES.index(side)
        joints = (SHOULDERS[index], _ELBOWS[index], _WRISTS[index])
        if not self._sees(joints[::2]) or not self._sees(joints[1:2], _ELBOW_VISIBILITY):
            return None
        shoulder, elbow, wrist = (self._points[joint] for joint in joints)
        upper, forearm, whole = (
            _minus(elbow, shoulder), _minus(wrist, elbow), _minus(wrist, shoulder)
        )  # fmt: skip
        length = _length(upper) + _length(forearm)
        trunk = _minus(self._middle(HIPS), self._middle(SHOULDERS))
        forearm_up = dot(forearm, self._up)
        return Arm(
            dot(whole, self._up) / length,
            _bend_deg(upper, forearm),
            forearm_up / _length(forearm),
            math.atan2(dot(forearm, self._right), forearm_up),
            self._in_view(whole),
            math.dist(wrist, self._points[0]) / _length(trunk),
            dot(whole, trunk) / (_length(whole) * _length(trunk)),
            self._sees(joints[1:2]),
        )

    def leg(self, side: str) -> Leg | None:
        """Return a leg; None if hip or knee is not visible, or the figure has none.

        Where the ankle is not visible, the knee has to be clearly so.
        """
        index = SIDES.index(side)
        hip, knee, ankle = HIPS[index], KNEES[index], ANKLES[index]
        if len(self._points) <= ankle or not self._sees((hip, knee)):
            return None
        thigh = _minus(self._points[hip], self._points[knee])
        if not self._sees((ankle,)):
            if self._visibility[knee] < _SURE_VISIBILITY:
                return None
            return Leg(dot(thigh, self._up) / _length(thigh), math.nan)
        shank = _minus(self._points[knee], self._points[ankle])
        length = _length(thigh) + _length(shank)
        return Leg(dot(_plus(thigh, shank), self._up) / length, _bend_deg(thigh, shank))

    @property
    def lean(self) -> float | None:
        """How far the body's center of mass is from above the feet, as a part of a leg's length.

        Somebody whose weight rests on the feet has it above them. If one leg alone is visible, it
        is taken for both. None if neither is.
        """
        seen = [i for i in (0, 1) if len(self._points) > _FEET[i] and self._sees_leg(i)]
        if not seen:
            return None
        hips, shoulders = self._middle(HIPS), self._middle(SHOULDERS)
        knees, ankles, toes = (
            middle(self._points[joints[seen[0]]], self._points[joints[seen[-1]]])
            for joints in (KNEES, ANKLES, _FEET)
        )
        feet = middle(ankles, toes)
        centers = (
            (_UPPER_MASS, _between(hips, shoulders, _UPPER_CENTER)),
            (_THIGH_MASS, _between(hips, knees, 0.5)),
            (_SHANK_MASS, _between(knees, ankles, 0.5)),
        )
        mass = [sum(part * center[axis] for part, center in centers) for axis in range(3)]
        away = _minus(mass, feet)
        height = dot(away, self._up)
        aside = math.sqrt(max(dot(away, away) - height * height, 0.0))
        return aside / (_length(_minus(hips, knees)) + _length(_minus(knees, ankles)))

    def _sees_leg(self, index: int) -> bool:
        return self._sees((KNEES[index], ANKLES[index]))

    def _sees(self, joints: Sequence[int], least: float = _MIN_VISIBILITY) -> bool:
        """Return whether all of some landmarks are visible, and known."""
        points, visibility = self._points, self._visibility
        for joint in joints:  # a loop takes half the time of all() with a generator
            if not (visibility[joint] >= least and math.isfinite(sum(points[joint]))):
                return False
        return True

    def _middle(self, joints: Sequence[int]) -> Vector:
        left, right = joints
        return middle(self._points[left], self._points[right])

    def _in_view(self, vector: Vector) -> Vector:
        """Return a vector's unit vector: to the right of the camera, up, and the rest."""
        length = _length(vector)
        right, up = dot(vector, self._right) / length, dot(vector, self._up) / length
        return right, up, math.sqrt(max(1 - right * right - up * up, 0.0))


def figure_of(
    world_m: Sequence[Vector] | None,
    in_image: Callable[[], Sequence[Vector]],
    visibility: Sequence[float],
    up: Vector,
) -> Figure:
    """Return the figure of world landmarks (N, 3), or in the image where they are not known."""
    if world_m is None or not math.isfinite(world_m[0][0]):
        return Figure(in_image(), visibility, up)
    return Figure(world_m, visibility, up)


def _perpendicular_to(up: Vector) -> Vector:
    """Return the horizontal unit vector nearest to the camera's x axis."""
    x, y, z = up
    aside = (1 - x * x, -x * y, -x * z)
    length = math.hypot(*aside)
    return tuple(value / length for value in aside) if length > 0 else (0.0, 0.0, 1.0)


def _bend_deg(one: Vector, other: Vector) -> float:
    """Return the angle between two bones that follow each other; 180 if they are straight."""
    cosine = dot(one, other) / (_length(one) * _length(other))
    return 180 - math.degrees(math.acos(_clipped(cosine)))


def _between(one: Vector, other: Vector, part: float) -> Vector:
    return [a + part * (b - a) for a, b in zip(one, other, strict=True)]


def _length(vector: Vector) -> float:
    """Return a length to divide by: never 0, as landmarks may coincide."""
    return math.hypot(*vector) or _NO_LENGTH


def _clipped(cosine: float) -> float:
    return min(1.0, max(-1.0, cosine))


def _minus(one: Vector, other: Vector) -> Vector:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def _plus(one: Vector, other: Vector) -> Vector:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]

"""Vectors of three plain numbers: with so few of them this is faster than NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

Vector: TypeAlias = Sequence[float]
Triple: TypeAlias = "tuple[float, float, float]"


def dot(one: Vector, other: Vector) -> float:
    """Return the scalar product."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def cross(one: Vector, other: Vector) -> Triple:
    """Return the vector product."""
    (a, b, c), (x, y, z) = one, other
    return b * z - c * y, c * x - a * z, a * y - b * x


def middle(one: Vector, other: Vector) -> Triple:
    """Return the point halfway between two."""
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2, (one[2] + other[2]) / 2


def direction(start: Vector, end: Vector) -> Triple:
    """Return the unit vector from one point to another.

    All of it is NaN if they are the same, or not finite.
    """
    x, y, z = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    length = math.hypot(x, y, z)
    if not 0 < length < math.inf:
        return math.nan, math.nan, math.nan
    return x / length, y / length, z / length


def angle(one: Vector, other: Vector) -> float:
    """Return the angle between two vectors in rad, from 0 to pi."""
    return math.atan2(math.hypot(*cross(one, other)), dot(one, other))


def angle_about(axis: Vector, start: Vector, end: Vector) -> float:
    """Return by how much a turn about a unit `axis` takes `start`, across it, to `end`, in rad.

    What `end` has along the axis does not count. Positive is the right hand's sense.
    """
    return math.atan2(dot(cross(start, end), axis), dot(start, end))

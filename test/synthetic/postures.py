"""Bodies of known posture whose arms move, as figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.body.figure import Figure
from synthetic.limbs import ASIDE, DOWN, FORWARD, Limbs, body_of_limbs, heading_and_tilt

# Directions of upper arm, forearm, thigh and shank: aside, down, and away from the viewer, who the
# body faces.
HANGING: Limbs = (ASIDE, ASIDE)
LEGS: Mapping[str, Limbs] = {
    "standing": (DOWN, DOWN),
    "sitting": (FORWARD, DOWN),
    "crouching": ((0.15, -0.05, -1.0), (0.0, 0.5, 0.86)),
}
OUT = (1.0, 0.0, 0.0)
ALL_VISIBLE = np.full(33, 0.95)


def body_in_posture(posture: str, left: Limbs = HANGING, right: Limbs = HANGING) -> Float64Array:
    """Return the joints (33, 3) of a body with these arms; who lies has the head to the left."""
    legs = LEGS.get(posture, LEGS["standing"])
    points_m = body_of_limbs(left + legs, right + legs)
    if posture != "lying":
        return points_m
    x, y, z = points_m.T
    return np.column_stack((y, -x, z))


def figure_of(points_m: Float64Array, heading_deg: float = 0.0, tilt_deg: float = 0.0) -> Figure:
    """Return a figure of visible joints, turned, seen by a camera that is tilted and knows it."""
    tilt = heading_and_tilt(0, tilt_deg)
    up = (tilt @ (0.0, -1.0, 0.0)).tolist()
    return Figure(
        (points_m @ heading_and_tilt(heading_deg, tilt_deg).T).tolist(), ALL_VISIBLE.tolist(), up
    )


def waving_arm(time_s: float, hz: float = 1.5, swing_deg: float = 25.0) -> Limbs:
    """Return an arm whose forearm swings to both sides of the vertical."""
    angle = math.radians(swing_deg) * math.sin(2 * math.pi * hz * time_s)
    return (0.6, 0.8, 0.0), (math.sin(angle), -math.cos(angle), -0.2)


def times(seconds: float, hz: float = 30.0) -> Iterator[tuple[float, int]]:
    """Give the times of images, in s from the first one and as stamps."""
    for index in range(round(seconds * hz)):
        yield index / hz, 5_000_000_000 + round(index * 1e9 / hz)

"""What people do with their arms. A gesture is a row of `GESTURES`; nothing else knows it.

A row names a function that is asked in every image; what it is asked with is in `Trace`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from pose_ros.body.figure import SIDES, Arm, Figure
from pose_ros.body.swings import Swings

_KEPT_NS = 1_000_000_000
"""How long arms are remembered: longer than whoever points keeps the arm still."""

# Parts of the arm's length that the wrist must be above the shoulder, to begin and to go on.
_RAISED, _STRETCHED_RAISED, _STILL_RAISED = 0.18, 0.13, 0.08
_STRETCHED_DEG = 135.0
"""A stretched arm needs less: the hand of a bent one is near the head also for other reasons."""
_AT_TRUNK = 0.75
"""The arm of somebody who lies can be level and yet only be at the side."""
_FOLDED_DEG = 40.0
"""An arm is not folded more than that: it is hidden, and the model guesses."""
_PROPPED_TO_HEAD, _PROPPED_DEG = 0.5, 115.0
"""A hand that touches the head is there, with the elbow bent: that is not a raised arm."""

# The elbow of an arm that points, and how far it is from hanging and from upright.
_POINTING_DEG, _STILL_POINTING_DEG = 140.0, 130.0
_MIN_POINTING_RISE, _MAX_POINTING_RISE = -0.65, 0.7
_MAX_POINTING_ALONG_TRUNK = 0.65
"""An arm nearer to the trunk than some 50 degrees rests, as on a lap, or swings."""
_AIMING_NS, _MAX_AIM_TURN = 400_000_000, 0.25
"""Who points keeps the arm still for so long: its direction turns by less than this (rad)."""

_MIN_SWINGS, _MIN_MORE_SWINGS = 3, 2
"""To begin and to go on. The first is how the hand came up; who lowers it again makes two."""


class Trace:
    """The arms of one person in the images of the last second, and how they have swung.

    `arms` has the time and the arm, if visible, by side.
    """

    __slots__ = ("_swings", "arms")

    def __init__(self) -> None:
        self.arms: dict[str, deque[tuple[int, Arm | None]]] = {side: deque() for side in SIDES}
        self._swings = {side: Swings() for side in SIDES}

    def add(self, figure: Figure, time_ns: int) -> None:
        """Take the figure of another image."""
        for side, arms in self.arms.items():
            arm = figure.arm(side)
            self._swings[side].add(arm, time_ns)
            arms.append((time_ns, arm))
            while time_ns - arms[0][0] > _KEPT_NS:
                arms.popleft()

    def arm(self, side: str) -> Arm | None:
        """Return the arm in the newest image; None if it is not visible there."""
        return self.arms[side][-1][1]

    def swings(self, side: str) -> int:
        """Return how often a hand that is held up has swung aside in the last 2 s."""
        return self._swings[side].count(self.arms[side][-1][0])


class Gesture(NamedTuple):
    """`is_made` gets the trace, the side and whether the gesture is going on."""

    name: str
    side: str
    is_made: Callable[[Trace, str, bool], bool]


def is_raised(trace: Trace, side: str, is_going_on: bool = False) -> bool:
    """Return whether the hand is above the shoulder, and not only at the head."""
    arm = trace.arm(side)
    if arm is None or arm.elbow_deg < _FOLDED_DEG or arm.along_trunk > _AT_TRUNK:
        return False
    is_propped = arm.to_head < _PROPPED_TO_HEAD and arm.elbow_deg < _PROPPED_DEG
    needed = _STRETCHED_RAISED if arm.elbow_deg >= _STRETCHED_DEG else _RAISED
    return not is_propped and arm.rise >= (_STILL_RAISED if is_going_on else needed)


def is_pointing(trace: Trace, side: str, is_going_on: bool = False) -> bool:
    """Return whether one arm alone is stretched out, neither up nor down, and still."""
    arm, other = trace.arm(side), trace.arm(_other(side))
    if not _is_stretched_out(arm, _STILL_POINTING_DEG if is_going_on else _POINTING_DEG):
        return False
    return not _is_stretched_out(other, _STILL_POINTING_DEG) and _is_aimed(trace, side)


def is_waving(trace: Trace, side: str, is_going_on: bool = False) -> bool:
    """Return whether a hand that is held up has swung to and fro."""
    return trace.swings(side) >= (_MIN_MORE_SWINGS if is_going_on else _MIN_SWINGS)


GESTURES = (
    Gesture("raising_left_arm", "left", is_raised),
    Gesture("raising_right_arm", "right", is_raised),
    Gesture("waving_left", "left", is_waving),
    Gesture("waving_right", "right", is_waving),
    Gesture("pointing_left", "left", is_pointing),
    Gesture("pointing_right", "right", is_pointing),
)
"""All gestures, in the order in which they are published."""


def _other(side: str) -> str:
    return SIDES[1 - SIDES.index(side)]


def _is_stretched_out(arm: Arm | None, elbow_deg: float) -> bool:
    return (
        arm is not None
        and arm.elbow_deg >= elbow_deg
        and _MIN_POINTING_RISE <= arm.rise <= _MAX_POINTING_RISE
        and arm.along_trunk <= _MAX_POINTING_ALONG_TRUNK
    )


def _is_aimed(trace: Trace, side: str) -> bool:
    """Return whether an arm has had the direction of the newest image for long enough."""
    arms = trace.arms[side]
    now_ns, newest = arms[-1]
    if newest is None or now_ns - arms[0][0] < _AIMING_NS:
        return False
    return all(
        arm is not None and math.dist(arm.direction, newest.direction) <= _MAX_AIM_TURN
        for time_ns, arm in arms
        if now_ns - time_ns <= _AIMING_NS
    )

"""How often a forearm that is held up has swung to and fro."""

from __future__ import annotations

import math

from pose_ros.body.figure import Arm

_MIN_FOREARM_RISE, _MIN_HAND_RISE = 0.4, -0.5
"""Who waves holds the hand above the elbow, and not far below the shoulder."""
_MIN_SWING = 0.3
"""How far (rad) the forearm swings aside, seen by the camera, to count; some 17 degrees."""
_MAX_SWING_NS = 800_000_000
"""A swing that takes longer is none: it begins another row."""
_COUNTED_NS = 2_000_000_000
"""Swings are counted for so long."""


class Swings:
    """The swings of one forearm, from one turning point to the next, that follow each other."""

    __slots__ = ("_angle", "_direction", "_since_ns", "_times_ns")

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._times_ns: list[int] = []
        self._angle, self._since_ns, self._direction = math.nan, 0, 0

    def add(self, arm: Arm | None, time_ns: int) -> None:
        """Take the arm in another image; one that hangs, or is not visible, ends the row."""
        if arm is None or not _is_held_up(arm):
            self._begin()
            return
        angle = arm.swing_rad
        if math.isnan(self._angle) or self._direction * (angle - self._angle) > 0:
            self._angle, self._since_ns = angle, time_ns  # the first, or further on
        elif abs(angle - self._angle) >= _MIN_SWING:  # back
            self._turn(angle, time_ns)

    def _turn(self, angle: float, time_ns: int) -> None:
        is_next = time_ns - self._since_ns <= _MAX_SWING_NS
        earlier = [item for item in self._times_ns if time_ns - item <= _COUNTED_NS]
        self._times_ns = [*(earlier if is_next else ()), time_ns]
        self._direction = 1 if angle > self._angle else -1
        self._angle, self._since_ns = angle, time_ns

    def count(self, time_ns: int) -> int:
        """Return how many swings there were in the last 2 s."""
        return sum(time_ns - item <= _COUNTED_NS for item in self._times_ns)


def _is_held_up(arm: Arm) -> bool:
    return arm.forearm_rise >= _MIN_FOREARM_RISE and arm.rise >= _MIN_HAND_RISE

"""How often a forearm that is held up has swung to and fro."""

from __future__ import annotations

from typing import NamedTuple

from pose_ros.body.figure import Arm

_MIN_FOREARM_RISE, _MIN_HAND_RISE = 0.4, -0.5
"""Who waves holds the hand above the elbow, and not far below the shoulder."""
_MIN_SWING = 0.3
"""How far (rad) the forearm swings from side to side, seen by the camera, to count: 17 degrees."""
_MIN_SWING_NS, _MAX_SWING_NS = 120_000_000, 800_000_000
"""How long it takes. An arm that the model misplaces for a moment is back sooner."""
_MAX_GAP_NS, _MAX_SPEED = 250_000_000, 18.0
"""Swings before and after a longer gap do not follow each other, nor do those around a jump: a
forearm that swings 45 degrees to each side, 2.6 times a second, is at 13 rad/s in the middle."""
_COUNTED_NS = 2_000_000_000
"""Swings are counted for so long."""


class _Moment(NamedTuple):
    time_ns: int
    angle: float


class Swings:
    """The swings of one forearm, from one turning point to the next, that follow each other.

    `_ends` are where it was furthest to the left (-1) and to the right (1); the one that it swings
    away from stays.
    """

    __slots__ = ("_before", "_direction", "_ends", "_times_ns")

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, now: _Moment | None) -> None:
        self._times_ns: list[int] = []
        self._direction, self._before = 0, now
        self._ends = {} if now is None else {-1: now, 1: now}

    def add(self, arm: Arm | None, time_ns: int) -> None:
        """Take the arm in another image; one that hangs, or is not visible, ends the row."""
        if arm is None or not _is_held_up(arm):
            self._begin(None)
            return
        now = _Moment(time_ns, arm.swing_rad)
        if self._before is None or _is_apart(self._before, now):
            self._begin(now)
        self._before = now
        for side in (-1, 1):
            self._move(side, now)

    def _move(self, side: int, now: _Moment) -> None:
        """Take what leads further to a side, or turns toward it."""
        if self._direction != -side and side * (now.angle - self._ends[side].angle) > 0:
            self._ends[side] = now
        if self._direction != side and side * (now.angle - self._ends[-side].angle) >= _MIN_SWING:
            self._turn(side, now)

    def _turn(self, side: int, now: _Moment) -> None:
        """Begin to swing to a side; the swing before is whole by that."""
        began_ns = self._ends[-side].time_ns
        is_next = now.time_ns - began_ns <= _MAX_SWING_NS
        if self._direction:
            is_next = is_next and began_ns - self._ends[side].time_ns >= _MIN_SWING_NS
        earlier = [item for item in self._times_ns if now.time_ns - item <= _COUNTED_NS]
        self._times_ns = [*(earlier if is_next else ()), now.time_ns]
        self._direction, self._ends[side] = side, now

    def count(self, time_ns: int) -> int:
        """Return how many swings there were in the last 2 s."""
        return sum(time_ns - item <= _COUNTED_NS for item in self._times_ns)


def _is_held_up(arm: Arm) -> bool:
    is_up = arm.forearm_rise >= _MIN_FOREARM_RISE and arm.rise >= _MIN_HAND_RISE
    return is_up and arm.is_elbow_visible


def _is_apart(before: _Moment, now: _Moment) -> bool:
    """Return whether it is not known how an arm came from one moment to the next."""
    passed_ns = now.time_ns - before.time_ns
    turned = abs(now.angle - before.angle)
    return passed_ns > _MAX_GAP_NS or turned > _MAX_SPEED * passed_ns * 1e-9

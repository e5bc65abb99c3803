"""When the gesture node publishes."""

from __future__ import annotations

from pose_ros.body.behavior import Doing
from pose_ros.outputs.gesture_schedule import Schedule

STANDING, SITTING = Doing("standing"), Doing("sitting")
MS = 10**6


def test_what_is_new_is_due_at_once_and_the_rest_after_half_a_second() -> None:
    schedule = Schedule()
    assert schedule.due({1: STANDING, 2: STANDING}, 0) == {1, 2}
    assert schedule.due({1: STANDING, 2: SITTING}, 100 * MS) == {2}
    assert schedule.due({1: STANDING, 2: SITTING}, 499 * MS) == set()
    assert schedule.due({1: STANDING, 2: SITTING}, 500 * MS) == {1}
    assert schedule.due({1: STANDING, 2: SITTING}, 600 * MS) == {2}


def test_who_is_gone_is_forgotten() -> None:
    schedule = Schedule()
    for number in range(1000):
        assert schedule.due({number: STANDING}, number * 100 * MS) == {number}
    assert len(schedule._last) <= 5


def test_markers_are_due_ten_times_a_second() -> None:
    schedule = Schedule()
    due = [schedule.are_markers_due(round(index * 1e9 / 30)) for index in range(30)]
    assert sum(due) == 10

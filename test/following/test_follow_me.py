"""The follower of docs/following.md as it stands there follows somebody whom the node sees."""

from __future__ import annotations

import math

import pytest

from following.runs import HOLD_S, Moment, follow
from following.simulation import DISTANCE_M, LEAVES_AT_S, STANDS_FROM_S, WAIT_S

WALKING_M, STANDING_M = 0.3, 0.1
SETTLED_S, STOPPED_S = 3.0, HOLD_S + 0.5


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    """A person waits, walks 6 s straight at 0.8 m/s, turns by 90 degrees, stands, and is gone."""
    return follow()


def largest_error_m(moments: list[Moment], start_s: float, end_s: float) -> float:
    between = [moment for moment in moments if start_s <= moment.time_s < end_s]
    assert len(between) > 10
    return max(abs(moment.distance_m - DISTANCE_M) for moment in between)


def test_the_distance_is_kept_while_the_person_walks_and_turns(moments: list[Moment]) -> None:
    assert largest_error_m(moments, WAIT_S, STANDS_FROM_S) <= WALKING_M


def test_the_distance_is_right_three_seconds_after_the_person_stands(
    moments: list[Moment],
) -> None:
    assert largest_error_m(moments, STANDS_FROM_S + SETTLED_S, LEAVES_AT_S) <= STANDING_M


def test_the_robot_has_gone_where_the_person_went(moments: list[Moment]) -> None:
    last = max((one for one in moments if one.time_s < LEAVES_AT_S), key=lambda one: one.time_s)
    assert last.robot.x_m > 4.0
    assert last.robot.yaw_rad == pytest.approx(math.pi / 2, abs=0.6)


def test_the_robot_stops_when_the_person_has_left(moments: list[Moment]) -> None:
    after = [moment for moment in moments if moment.time_s >= LEAVES_AT_S + STOPPED_S]
    assert len(after) > 5
    assert {(moment.speed_m_s, moment.turn_rad_s) for moment in after} == {(0.0, 0.0)}


def test_the_node_sees_the_person_where_they_are(moments: list[Moment]) -> None:
    errors_m = [
        abs(moment.seen_m - moment.distance_m)
        for moment in moments
        if math.isfinite(moment.seen_m) and math.isfinite(moment.distance_m)
    ]
    assert len(errors_m) > 0.9 * LEAVES_AT_S * 15
    assert sorted(errors_m)[len(errors_m) // 2] < 0.1

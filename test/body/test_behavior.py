"""What is steady in time: postures and gestures of moving bodies."""

from __future__ import annotations

import pytest
from synthetic.limbs import UP, Limbs
from synthetic.postures import HANGING, body_in_posture, figure_of, times, waving_arm

from pose_ros.body.behavior import Behavior, Doing

RAISED: Limbs = (UP, UP)
SECOND_NS = 1_000_000_000


def watched(behavior: Behavior, posture: str, arm: Limbs, first_ns: int, seconds: float) -> Doing:
    """Let a body be in a posture for some time; return what is known at the end."""
    for _, stamp_ns in times(seconds):
        stamp_ns += first_ns - 5 * SECOND_NS
        doing = behavior.update({7: figure_of(body_in_posture(posture, arm))}, stamp_ns)[7]
    return doing


def test_posture_and_gestures_are_taken_after_some_time_only() -> None:
    behavior = Behavior()
    assert watched(behavior, "standing", RAISED, 0, 0.15) == Doing()
    doing = watched(behavior, "standing", RAISED, SECOND_NS // 5, 0.6)
    assert doing == Doing("standing", ("raising_left_arm",))


def test_a_posture_of_a_moment_changes_nothing() -> None:
    behavior = Behavior()
    watched(behavior, "standing", HANGING, 0, 1)
    assert watched(behavior, "sitting", HANGING, SECOND_NS, 0.3).posture == "standing"
    assert watched(behavior, "sitting", HANGING, 13 * SECOND_NS // 10, 0.4).posture == "sitting"


def test_a_gesture_ends_some_time_after_it_was_last_made() -> None:
    behavior = Behavior()
    watched(behavior, "standing", RAISED, 0, 1)
    assert watched(behavior, "standing", HANGING, SECOND_NS, 0.3).gestures
    assert not watched(behavior, "standing", HANGING, 13 * SECOND_NS // 10, 0.3).gestures


@pytest.mark.parametrize("step_ns", [-SECOND_NS, 5 * SECOND_NS])
def test_a_jump_of_time_lets_everybody_begin_anew(step_ns: int) -> None:
    behavior = Behavior()
    watched(behavior, "standing", RAISED, 10 * SECOND_NS, 1)
    stamp_ns = 11 * SECOND_NS + step_ns
    assert behavior.has_jumped(stamp_ns)
    assert behavior.update({7: figure_of(body_in_posture("standing"))}, stamp_ns)[7] == Doing()


def test_stamps_that_stay_zero_still_let_time_go_on() -> None:
    behavior = Behavior()
    for _ in range(30):
        doing = behavior.update({1: figure_of(body_in_posture("sitting", RAISED))}, 0)[1]
    assert doing == Doing("sitting", ("raising_left_arm",))


def test_who_was_away_begins_anew_and_others_go_on() -> None:
    behavior = Behavior()
    seen = figure_of(body_in_posture("standing"))
    for index, (_, stamp_ns) in enumerate(times(3)):
        people = {1: seen} if 20 <= index < 80 else {1: seen, 2: seen}
        doing = behavior.update(people, stamp_ns)
        if index in (19, 80):
            assert doing[1].posture == "standing"
            assert doing[2].posture == ("standing" if index == 19 else "unknown")


@pytest.mark.parametrize("hz", [1.0, 1.5, 2.5])
def test_a_wave_is_found_within_a_second_and_a_half(hz: float) -> None:
    behavior = Behavior()
    for time_s, stamp_ns in times(1.5):
        doing = behavior.update(
            {1: figure_of(body_in_posture("standing", waving_arm(time_s, hz)))}, stamp_ns
        )
    assert "waving_left" in doing[1].gestures

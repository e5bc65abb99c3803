"""What is steady in time: postures and gestures of moving bodies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic.limbs import UP, Limbs
from synthetic.postures import HANGING, body_in_posture, figure_of, times, waving_arm

from pose_ros.body.behavior import Behavior, Doing
from pose_ros.body.figure import Figure
from pose_ros.body.gestures import GESTURES
from pose_ros.body.posture import POSTURES

RAISED: Limbs = (UP, UP)
SECOND_NS = 1_000_000_000

NUMBERS = st.floats(width=32) | st.floats(-1, 1, width=32)
VECTORS = st.tuples(NUMBERS, NUMBERS, NUMBERS)
COUNTS = st.sampled_from([25, 33])
STEPS_NS = st.integers(0, 3 * SECOND_NS) | st.sampled_from([1, -5, -(2**62), 2**62])


@st.composite
def any_figure(draw: st.DrawFn) -> Figure:
    """Landmarks, visibilities and an upward direction of any numbers, NaN among them."""
    count = draw(COUNTS)
    points = draw(st.lists(VECTORS, min_size=count, max_size=count))
    visibility = draw(st.lists(NUMBERS, min_size=count, max_size=count))
    return Figure(points, visibility, draw(VECTORS))


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
    assert behavior.update({7: figure_of(body_in_posture("standing"))}, stamp_ns)[7] == Doing()
    assert behavior.has_jumped


@pytest.mark.parametrize("first_ns", [0, 5, 10 * SECOND_NS])
@pytest.mark.parametrize("step_ns", [0, 1, 33_333])
def test_stamps_that_stand_still_or_creep_let_time_go_on(first_ns: int, step_ns: int) -> None:
    """Each image counts as a frame, as it does in the tracker."""
    behavior = Behavior()
    for index in range(30):
        stamp_ns = first_ns + index * step_ns
        doing = behavior.update({1: figure_of(body_in_posture("sitting", RAISED))}, stamp_ns)[1]
    assert doing == Doing("sitting", ("raising_left_arm",))
    assert behavior.time_ns == pytest.approx(SECOND_NS, rel=0.04)


@pytest.mark.parametrize("hz", [0.51, 0.9, 1.0])
def test_a_slow_camera_shows_postures_and_raised_arms(hz: float) -> None:
    behavior, seen = Behavior(), figure_of(body_in_posture("sitting", RAISED))
    for _, stamp_ns in times(3 / hz, hz):
        doing = behavior.update({1: seen}, stamp_ns)[1]
    assert doing == Doing("sitting", ("raising_left_arm",))


def test_who_was_away_between_two_images_of_a_slow_camera_begins_anew() -> None:
    behavior, seen = Behavior(), figure_of(body_in_posture("standing"))
    for index, (_, stamp_ns) in enumerate(times(6, 1.0)):
        behavior.update({} if index == 3 else {1: seen}, stamp_ns)
        if index == 2:
            assert behavior.update({1: seen}, stamp_ns)[1].posture == "standing"
        if index == 4:
            assert behavior.update({1: seen}, stamp_ns)[1].posture == "unknown"


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


@given(st.lists(st.tuples(st.dictionaries(st.integers(0, 2), any_figure()), STEPS_NS), max_size=6))
def test_no_numbers_and_no_stamps_give_anything_but_known_words(
    images: list[tuple[dict[int, Figure], int]],
) -> None:
    behavior, stamp_ns = Behavior(), 0
    for figures, step_ns in images:
        stamp_ns += step_ns
        doings = behavior.update(figures, stamp_ns)
        assert doings.keys() == figures.keys()
        for doing in doings.values():
            assert doing.posture in POSTURES
            assert set(doing.gestures) <= {item.name for item in GESTURES}

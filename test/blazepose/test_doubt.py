"""Whose pose it is, where people are close."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazepose.standing import COLORS, OPTIONS, person, sighting
from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.doubt import doubted, exchanged, taken_up
from pose_ros.blazepose.people import People
from pose_ros.blazepose.person import PersonState, TrackedPerson
from pose_ros.blazepose.sighting import Sighting

STEP_NS = 10**9 // 30
DARKER = np.array((-40.0, 0.0, 0.0))
ONE = person(person_id=1)


def darker(seen: Sighting, difference: Float64Array = DARKER) -> Sighting:
    return seen._replace(colors=COLORS + difference)


def in_dark(one: TrackedPerson) -> TrackedPerson:
    """Return somebody who wears darker clothes."""
    return replace(one, colors=COLORS + DARKER)


def is_doubted(one: TrackedPerson, seen: Sighting, *others: Sighting) -> bool:
    after = doubted(one, seen, [other.skeleton for other in others], STEP_NS)
    return after.doubted_ns == STEP_NS


@pytest.mark.parametrize("difference", [DARKER, -DARKER])
def test_a_pose_that_moved_and_has_other_colors_is_doubtful_beside_somebody(
    difference: Float64Array,
) -> None:
    seen = darker(sighting(530), 0.7 * difference)
    assert is_doubted(ONE, seen, sighting(530))
    assert not is_doubted(ONE, seen, sighting(800))
    assert not is_doubted(ONE, seen)


@pytest.mark.parametrize("height_px", [160.0, 240.0])
def test_a_pose_of_another_size_is_doubtful_beside_somebody(height_px: float) -> None:
    assert is_doubted(ONE, sighting(530, height_px), sighting(530))
    assert not is_doubted(ONE, sighting(530, 0.98 * ONE.size_px), sighting(530))


def test_a_pose_in_the_same_place_is_doubtful_only_in_quite_other_colors() -> None:
    assert not is_doubted(ONE, darker(sighting(500), 0.6 * DARKER), sighting(520))
    assert is_doubted(ONE, darker(sighting(500), 2 * DARKER), sighting(520))


def test_the_doubt_lasts_while_the_looks_are_other_ones_for_a_second_at_most() -> None:
    one, seen = ONE, darker(sighting(530))
    doubts = []
    for image in range(1, 40):
        others = [sighting(530).skeleton] if image == 1 else []
        one = doubted(one, seen, others, image * STEP_NS)
        doubts.append(one.doubted_ns == image * STEP_NS)
        again = one.seen(seen, image * STEP_NS, OPTIONS)
        assert again is not None
        one = again
    assert doubts == [True] * 30 + [False] * 9 or doubts == [True] * 31 + [False] * 8
    assert np.allclose(one.colors, seen.colors)
    assert not doubted(ONE, sighting(530), [], 2 * STEP_NS).is_doubtful


def test_looks_that_are_doubtful_are_not_learned() -> None:
    seen = darker(sighting(530))
    after = doubted(ONE, seen, [sighting(530).skeleton], STEP_NS).seen(seen, STEP_NS, OPTIONS)
    learned = ONE.seen(seen, STEP_NS, OPTIONS)
    assert after is not None
    assert learned is not None
    assert np.array_equal(after.colors, ONE.colors)
    assert not np.array_equal(learned.colors, ONE.colors)


def suspected(one: TrackedPerson) -> TrackedPerson:
    return replace(one, doubted_ns=STEP_NS, suspected_ns=STEP_NS)


def ids(people: list[TrackedPerson]) -> list[int]:
    return [one.person_id for one in people]


@given(st.permutations(range(3)))
def test_two_who_are_taken_for_each_other_are_exchanged(order: list[int]) -> None:
    bright, dark = suspected(person(500, person_id=1)), in_dark(person(540, person_id=2))
    other = in_dark(person(900, person_id=3))
    known = [bright, suspected(dark), other]
    seen = [darker(sighting(500)), sighting(540), darker(sighting(900))]
    sightings = {index: seen[place] for index, place in enumerate(order)}
    after = exchanged([known[place] for place in order], sightings, STEP_NS)
    assert ids(after) == [(2, 1, 3)[place] for place in order]
    assert {one.person_id: float(one.colors[0, 0]) for one in after} == {1: 100, 2: 60, 3: 60}


def test_nobody_is_exchanged_who_is_sure_or_far_away() -> None:
    dark, seen = in_dark(person(540, person_id=2)), {0: darker(sighting(500)), 1: sighting(540)}
    assert ids(exchanged([ONE, dark], seen, STEP_NS)) == [1, 2]
    far = in_dark(person(900, person_id=2))
    assert ids(exchanged([suspected(ONE), far], seen, STEP_NS)) == [1, 2]


def test_a_doubtful_one_with_the_looks_of_one_who_is_held_is_that_one() -> None:
    held = replace(in_dark(person(540, person_id=2)), state=PersonState.HELD)
    after = exchanged([suspected(ONE), held], {0: darker(sighting(500))}, STEP_NS)
    assert ids(after) == [2, 1]
    assert [one.state for one in after] == [PersonState.TRACKED, PersonState.HELD]


def test_a_new_one_with_the_looks_of_a_doubtful_one_is_that_one() -> None:
    seen = {0: darker(sighting(500)), 1: sighting(540)}
    after = exchanged([suspected(ONE), person(540)], seen, STEP_NS)
    assert ids(after) == [0, 1]
    assert [one.state for one in after] == [PersonState.TENTATIVE, PersonState.TRACKED]
    assert np.array_equal(after[0].colors, seen[0].colors)
    assert ids(exchanged([suspected(ONE), person(540)], {0: seen[0]}, STEP_NS)) == [1, 0]


@pytest.mark.parametrize(("x_px", "expected"), [(520, [None, 7]), (900, [7, 0])])
def test_a_new_one_where_one_who_is_held_should_be_is_that_one(
    x_px: float, expected: list[int | None]
) -> None:
    held = replace(person(500, person_id=7), state=PersonState.HELD)
    after = taken_up([held, person(x_px)], {1: sighting(x_px)}, STEP_NS)
    assert [one and one.person_id for one in after] == expected


def test_a_new_one_is_confirmed_later_beside_one_who_is_held() -> None:
    held = replace(person(500, person_id=7), state=PersonState.HELD)

    def images(new: TrackedPerson) -> int:
        count = 1
        while new.confirmed([held], new.seen_ns).state == PersonState.TENTATIVE:
            again = new.seen(sighting(520), new.seen_ns + STEP_NS, OPTIONS)
            assert again is not None
            new, count = again, count + 1
        return count

    assert images(person(520)) == 6
    assert person(900).confirmed([held], 0).state == PersonState.TENTATIVE
    assert replace(person(900), hits=3).confirmed([held], 0).state == PersonState.TRACKED


def seen_for(one: TrackedPerson, images: int) -> TrackedPerson:
    for _ in range(images):
        again = one.seen(sighting(500), one.seen_ns + STEP_NS, OPTIONS)
        assert again is not None
        one = again
    return one


def test_a_doubtful_pose_is_not_published_until_it_was_sure_for_a_while() -> None:
    now = seen_for(replace(ONE, doubted_ns=ONE.seen_ns + STEP_NS), 1)
    people = [seen_for(now, count) for count in range(8)]
    published = [bool(People(2, (one,)).poses(PersonState.TRACKED, one.seen_ns)) for one in people]
    assert published == [False] * 5 + [True] * 3
    assert len(People(2, (now,)).tracked()) == 1


def test_the_looks_are_those_of_the_last_second() -> None:
    grown = replace(ONE, hits=100).seen(sighting(500, 250), STEP_NS, OPTIONS)
    assert grown is not None
    assert ONE.size_px == 200
    assert 200 < grown.size_px < 205
    young = ONE.seen(sighting(500, 250), STEP_NS, OPTIONS)
    assert young is not None
    assert young.size_px == pytest.approx(225), "the mean of two images"

"""Whose pose it is, where people are close."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blazepose.standing import COLOR, OPTIONS, person, sighting
from pose_ros.blazepose.association import Skeleton
from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.doubt import is_doubtful
from pose_ros.blazepose.people import People, PersonState, TrackedPerson

STEP_NS = 10**9 // 30
DARKER = np.array((-30.0, 0.0, 0.0))
ONE = person(person_id=1)


def somebody_at(x_px: float) -> list[Skeleton]:
    return [sighting(x_px).skeleton]


@pytest.mark.parametrize("darkness", [DARKER, -DARKER])
def test_a_pose_that_moved_and_has_another_color_is_doubtful_beside_somebody(
    darkness: Float64Array,
) -> None:
    seen = sighting(530)._replace(color=COLOR + darkness)
    assert is_doubtful(ONE, seen, somebody_at(530))
    assert not is_doubtful(ONE, seen, somebody_at(800))
    assert not is_doubtful(ONE, seen, [])


@pytest.mark.parametrize("height_px", [160.0, 240.0])
def test_a_pose_of_another_size_is_doubtful_beside_somebody(height_px: float) -> None:
    seen = sighting(530, height_px)
    assert is_doubtful(ONE, seen, somebody_at(530))
    assert not is_doubtful(ONE, sighting(530, 0.98 * ONE.size_px), somebody_at(530))


def test_a_pose_in_the_same_place_is_not_doubtful_whatever_its_color() -> None:
    assert not is_doubtful(ONE, sighting(500)._replace(color=COLOR + DARKER), somebody_at(520))


def seen_for(one: TrackedPerson, images: int) -> TrackedPerson:
    for _ in range(images):
        again = one.seen(sighting(500), one.seen_ns + STEP_NS, OPTIONS)
        assert again is not None
        one = again
    return one


def test_a_doubtful_pose_is_not_published_until_it_was_sure_for_a_while() -> None:
    doubted = seen_for(replace(ONE, doubted_ns=ONE.seen_ns + STEP_NS), 1)
    people = [seen_for(doubted, count) for count in range(8)]
    published = [bool(People(2, (one,)).poses(PersonState.TRACKED, one.seen_ns)) for one in people]
    assert published == [False] * 5 + [True] * 3
    assert len(People(2, (doubted,)).tracked()) == 1


def test_the_size_is_that_of_the_last_second() -> None:
    taller = ONE.seen(sighting(500, 250), STEP_NS, OPTIONS)
    assert taller is not None
    assert ONE.size_px == 200
    assert 200 < taller.size_px < 205

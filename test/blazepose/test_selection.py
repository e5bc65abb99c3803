"""Who is tracked of more people than may be, and what is remembered of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blazepose.standing import COLORS, OPTIONS, SIZE, person, sighting
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.person import PersonState, TrackedPerson
from pose_ros.blazepose.selection import select_people

SECOND_NS = 10**9
GREENER = np.array((0.0, 1.0, 0.0))


def select(
    known: list[TrackedPerson],
    max_persons: int,
    select: str = "sticky",
    time_ns: int = 0,
    distances_m: dict[int, float] | None = None,
) -> tuple[TrackedPerson, ...]:
    options = PoseTrackerOptions(model="lite", max_persons=max_persons, select=select)
    return select_people(known, options, SIZE, time_ns, distances_m or {})


def walk(one: TrackedPerson, speed_px_s: float, images: int) -> TrackedPerson:
    """Let somebody walk to the right at 10 Hz."""
    for _ in range(images):
        time_ns = one.seen_ns + SECOND_NS // 10
        x_px = float(one.skeleton.hips_px[0] + speed_px_s / 10)
        offset_px = float(sighting(0).skeleton.hips_px[0])
        again = one.seen(sighting(x_px - offset_px), time_ns, OPTIONS)
        assert again is not None
        one = again
    return one


def test_who_is_seen_three_times_is_tracked() -> None:
    (once,) = select([person()], max_persons=2)
    (twice,) = select([walk(person(), 0, 1)], max_persons=2)
    (thrice,) = select([walk(person(), 0, 2)], max_persons=2)
    assert [one.state for one in (once, twice, thrice)] == [
        PersonState.TENTATIVE,
        PersonState.TENTATIVE,
        PersonState.TRACKED,
    ]


def test_who_is_tracked_stays_and_others_find_no_room() -> None:
    tracked, held = person(person_id=3), replace(person(person_id=1), state=PersonState.HELD)
    assert set(select([person(height_px=900), tracked, held], max_persons=1)) == {tracked, held}


def test_fewer_people_may_be_tracked_from_now_on() -> None:
    people = [person(person_id=number) for number in (4, 2, 3)]
    kept = select(people, max_persons=2)
    assert {one.person_id for one in kept} == {2, 3}


@pytest.mark.parametrize(
    ("choice", "better", "worse"),
    [
        ("largest", {"height_px": 260}, {"height_px": 240}),
        ("center", {"x_px": 500}, {"x_px": 540}),
    ],
)
def test_who_is_clearly_preferred_for_a_second_takes_the_place(
    choice: str, better: dict[str, float], worse: dict[str, float]
) -> None:
    tracked = [person(x_px=560, person_id=1, height_px=200), person(person_id=2, height_px=5000)]
    if choice == "center":
        tracked[1] = person(x_px=500, person_id=2)
    same = select([*tracked, person(**{"x_px": 560, **worse})], 2, choice)
    assert set(same) == set(tracked)
    *_, challenger = select([*tracked, person(**{"x_px": 560, **better})], 2, choice)
    assert challenger.state == PersonState.TENTATIVE
    early = select([*tracked, challenger], 2, choice, SECOND_NS - 1)
    late = select([*tracked, challenger], 2, choice, SECOND_NS)
    assert {one.person_id for one in early} == {0, 1, 2}
    assert {one.person_id for one in late} == {0, 2}
    assert {one.state for one in late} == {PersonState.TRACKED}


def are_replaced(distances_m: dict[int, float], height_px: float = 200.0) -> list[int]:
    """Return who of two tracked people of 200 px somebody new replaces within a second."""
    tracked = [person(person_id=1), person(person_id=2)]
    early = select([*tracked, person(height_px=height_px)], 2, "nearest", 0, distances_m)
    late = select(list(early), 2, "nearest", SECOND_NS, distances_m)
    return sorted({1, 2} - {one.person_id for one in late})


def test_who_is_clearly_nearer_for_a_second_takes_the_place_of_the_farthest() -> None:
    assert are_replaced({1: 5.0, 2: 4.0, 0: 3.9}) == [1]
    assert are_replaced({1: 4.0, 2: 5.0, 0: 3.9}) == [2]
    assert are_replaced({1: 4.0, 2: 5.0, 0: 4.1}) == []
    assert are_replaced({1: 4.0, 2: 5.0, 0: 4.1}, height_px=900) == [], "size does not count"


@pytest.mark.parametrize("distances_m", [{}, {1: 5.0, 2: 4.0}, {1: 5.0, 0: 1.0}])
def test_the_largest_takes_it_while_distances_are_unknown(distances_m: dict[int, float]) -> None:
    assert are_replaced(distances_m, height_px=240) == []
    assert are_replaced(distances_m, height_px=260) == [1]


def test_a_held_person_is_expected_where_the_way_leads_but_not_forever() -> None:
    walking = replace(walk(person(300, person_id=1), 200, 20), state=PersonState.HELD)
    here_px = walking.skeleton.hips_px[0]
    ways_px = [
        walking.expected(walking.seen_ns + gap * SECOND_NS // 10).hips_px[0] - here_px
        for gap in (0, 1, 2, 100)
    ]
    assert ways_px[0] == 0
    assert ways_px[1] == pytest.approx(20, rel=0.1)
    assert ways_px[2] == pytest.approx(40, rel=0.2)
    assert ways_px[3] == pytest.approx(200, rel=0.05)


def test_a_held_person_is_looked_for_a_while_where_expected() -> None:
    walking = walk(person(300, person_id=1), 200, 20)
    held = replace(walking, state=PersonState.HELD)
    there = held.next_rect(held.seen_ns + SECOND_NS // 10, SIZE)
    last = walking.next_rect(walking.seen_ns + SECOND_NS // 10, SIZE)
    assert there is not None
    assert last is not None
    assert float(there.x_center - last.x_center) * SIZE.width_px == pytest.approx(20, rel=0.1)
    assert held.next_rect(held.seen_ns + SECOND_NS // 2, SIZE) is None


def test_likeness_is_of_place_and_colors() -> None:
    one, here = person(person_id=1), sighting(500)
    assert one.likeness(here, 0) == pytest.approx(1)
    assert one.likeness(here._replace(colors=COLORS + 15 * GREENER), 0) < 0.9
    greener, elsewhere = COLORS + 40 * GREENER, sighting(515)
    assert 0 < one.likeness(here._replace(colors=greener), 0) < 0.2
    assert one.likeness(elsewhere, 0) > 0
    assert one.likeness(elsewhere._replace(colors=greener), 0) == 0
    assert one.likeness(sighting(700), 0) == 0


def test_colors_that_change_slowly_are_learned() -> None:
    one = person(person_id=1)
    for step in range(1, 31):
        seen = sighting(500)._replace(colors=COLORS + step * GREENER)
        assert one.likeness(seen, one.seen_ns) > 0
        again = one.seen(seen, one.seen_ns + SECOND_NS // 10, OPTIONS)
        assert again is not None
        one = again
    assert np.all(one.colors[:, 1] > COLORS[:, 1] + 15)

"""Who becomes the target, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.body.target import FOLLOW, Candidate, TargetChoice, off_center

SECOND_NS = 10**9
HOLD_NS = 2 * SECOND_NS
# The first is the nearest one, the second the next to the center, the third the largest.
NEAR, CENTRAL, LARGE = (
    Candidate(3, 1.0, 0.3, 100.0),
    Candidate(5, 2.0, 0.1, 150.0),
    Candidate(7, 3.0, 0.2, 200.0),
)
EVERYBODY = (LARGE, NEAR, CENTRAL)
CANDIDATES = st.builds(
    Candidate, st.integers(1, 9), st.floats(0.1, 9), st.floats(0, 0.5), st.floats(1, 500)
)


def after(
    choice: TargetChoice,
    *candidates: Candidate,
    follow: str = "nearest",
    seconds: float = 0.0,
) -> TargetChoice:
    ids = [candidate.person_id for candidate in candidates]
    return choice.updated(ids, candidates, follow, HOLD_NS, round(seconds * SECOND_NS))


@pytest.mark.parametrize(
    ("follow", "expected"),
    [("none", None), ("nearest", 3), ("center", 5), ("largest", 7), ("gesture", 3)],
)
def test_the_best_one_is_chosen(follow: str, expected: int | None) -> None:
    assert after(TargetChoice(), *EVERYBODY, follow=follow).person_id == expected


def test_the_target_stays_it_whoever_is_nearer() -> None:
    choice = after(TargetChoice(), CENTRAL)
    assert after(choice, *EVERYBODY, seconds=9).person_id == 5


def test_the_target_stays_it_out_of_sight_for_the_hold_time_and_no_longer() -> None:
    choice = after(TargetChoice(), CENTRAL)
    for seconds in (1.0, 2.0):
        choice = after(choice, NEAR, LARGE, seconds=seconds)
        assert (choice.person_id, choice.seen_ns) == (5, 0)
    assert after(choice, *EVERYBODY, seconds=2.0).person_id == 5
    assert after(choice, NEAR, LARGE, seconds=2.1).person_id == 3
    assert after(choice, seconds=2.1).person_id is None


def test_being_seen_again_counts_the_time_anew() -> None:
    choice = after(TargetChoice(), CENTRAL)
    choice = after(choice, CENTRAL, seconds=1.9)
    assert after(choice, NEAR, seconds=3.8).person_id == 5


def test_who_is_there_but_no_candidate_stays_the_target() -> None:
    """Somebody whose position is unknown for a while."""
    choice = after(TargetChoice(), CENTRAL)
    assert choice.updated([5], [NEAR], "nearest", 0, SECOND_NS).person_id == 5


def test_the_next_one_goes_round_by_id() -> None:
    choice, found = after(TargetChoice(), CENTRAL), []
    for _ in range(4):
        choice = choice.next(EVERYBODY, 0)
        found.append(choice.person_id)
    assert found == [7, 3, 5, 7]


def test_the_next_one_of_nobody_else_is_the_same() -> None:
    choice = after(TargetChoice(), CENTRAL)
    assert choice.next([CENTRAL], 0).person_id == 5
    assert choice.next([], 0).person_id == 5


def test_nobody_is_the_target_after_a_release_until_the_next_is_asked_for() -> None:
    choice = after(TargetChoice(), CENTRAL).released()
    for seconds in (0, 1, 5):
        choice = after(choice, *EVERYBODY, seconds=seconds)
        assert choice.person_id is None
    choice = after(choice.next(EVERYBODY, 5 * SECOND_NS), *EVERYBODY, seconds=5)
    assert choice.person_id == 3
    assert after(choice, *EVERYBODY, seconds=6).person_id == 3


def test_follow_none_forgets_the_target_and_the_release() -> None:
    released = after(TargetChoice(), CENTRAL).released()
    assert after(released, *EVERYBODY, follow="none") == TargetChoice()


@given(
    st.sampled_from(FOLLOW),
    st.lists(
        st.tuples(
            st.lists(CANDIDATES, max_size=4, unique_by=lambda one: one.person_id),
            st.sampled_from(["", "next", "release"]),
            st.integers(0, HOLD_NS),
        ),
        max_size=12,
    ),
)
def test_a_target_is_somebody_who_was_there_within_the_hold_time(
    follow: str, images: list[tuple[list[Candidate], str, int]]
) -> None:
    choice, time_ns = TargetChoice(), 0
    seen_ns: dict[int, int] = {}
    for candidates, request, step_ns in images:
        time_ns += step_ns
        seen_ns |= {candidate.person_id: time_ns for candidate in candidates}
        if request == "next":
            choice = choice.next(candidates, time_ns)
        elif request == "release":
            choice = choice.released()
        ids = [candidate.person_id for candidate in candidates]
        choice = choice.updated(ids, candidates, follow, HOLD_NS, time_ns)
        if choice.person_id is not None:
            assert follow != "none"
            assert not choice.is_released
            assert time_ns - seen_ns[choice.person_id] <= HOLD_NS


def test_off_center_is_a_part_of_the_diagonal() -> None:
    assert off_center((320, 240), (640, 480)) == 0
    assert off_center((0, 0), (640, 480)) == pytest.approx(0.5)
    assert off_center((320, 0), (640, 480)) == pytest.approx(0.3)

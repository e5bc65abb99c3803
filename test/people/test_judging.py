from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from people.judging import (
    JOINTS,
    SIGMAS,
    Figures,
    Frame,
    Points,
    Row,
    TruePerson,
    best_overlap,
    judge,
    match,
    merged,
    oks,
)
from pose_ros.blazepose.topology import FULL_BODY

AREA_PX = 10_000.0
# A body of 33 different points, about 200 px tall.
BODY = np.random.RandomState(0).uniform((-40, -100), (40, 100), (33, 2))
FAR_PX = 400


def moved(x_px: float) -> Points:
    return np.asarray(BODY + np.array((x_px, 0)))


def person(identity: int, x_px: float = 0.0, visible_share: float = 1.0) -> TruePerson:
    return TruePerson(identity, moved(x_px), np.ones(33, np.bool_), AREA_PX, visible_share)


def row(person_id: int, x_px: float = 0.0) -> Row:
    return Row(person_id, moved(x_px))


def repeated(frame: Frame, count: int) -> list[Frame]:
    return [frame] * count


# Similarity


def test_the_joints_are_the_seventeen_of_coco() -> None:
    names = {FULL_BODY.names[index] for index in JOINTS}
    sided = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    assert names == {"nose", *(f"{side}_{name}" for side in ("left", "right") for name in sided)}


def test_a_joint_two_sigmas_off_has_the_similarity_of_coco() -> None:
    points_px = BODY.copy()
    points_px[JOINTS, 0] += 2 * SIGMAS * AREA_PX**0.5
    assert oks(person(0), Row(1, points_px)) == pytest.approx(np.exp(-0.5))


def test_only_labeled_joints_count() -> None:
    points_px = BODY.copy()
    points_px[JOINTS[0]] += FAR_PX
    is_labeled = np.arange(33) != JOINTS[0]
    assert oks(TruePerson(0, BODY, is_labeled, AREA_PX, 1.0), Row(1, points_px)) == 1
    assert oks(person(0), Row(1, points_px)) == pytest.approx(16 / 17)


def test_a_person_without_labeled_joints_is_like_nobody() -> None:
    assert oks(TruePerson(0, BODY, np.zeros(33, np.bool_), AREA_PX, 1.0), row(1)) == 0


def test_a_row_of_the_upper_body_is_judged_by_its_own_joints() -> None:
    assert oks(person(0), Row(1, BODY[:25])) == 1


@given(st.floats(0, 300), st.floats(0.1, 10))
def test_similarity_does_not_depend_on_the_scale_of_the_image(x_px: float, scale: float) -> None:
    one = person(0)
    scaled = TruePerson(0, BODY * scale, one.is_labeled, AREA_PX * scale**2, 1.0)
    assert oks(scaled, Row(1, row(1, x_px).landmarks_px * scale)) == pytest.approx(
        oks(one, row(1, x_px)), abs=1e-9
    )


# Matching


def test_a_row_belongs_to_the_nearest_person_and_each_person_has_one() -> None:
    people = [person(0), person(1, FAR_PX)]
    rows = [row(7, FAR_PX + 2), row(8, 1), row(9, 5)]
    matches = match(Frame(people, rows))
    assert matches.ids == {0: 8, 1: 7}
    assert matches.ghosts == 1


def test_a_row_far_from_everybody_is_a_ghost() -> None:
    matches = match(Frame([person(0)], [row(7, FAR_PX)]))
    assert (matches.ids, matches.ghosts) == ({}, 1)


def test_a_row_of_a_hidden_person_is_neither_found_nor_a_ghost() -> None:
    matches = match(Frame([person(0, visible_share=0.59)], [row(7)]))
    assert (matches.ids, matches.ghosts) == ({}, 0)


def test_a_visible_person_is_served_before_a_hidden_one() -> None:
    frame = Frame([person(0, 12), person(1, visible_share=0.1)], [row(7)])
    assert match(frame).ids == {0: 7}


@given(st.permutations(range(4)), st.permutations(range(5)))
def test_the_order_of_people_and_rows_does_not_matter(
    people: Sequence[int], rows: Sequence[int]
) -> None:
    some = [person(identity, 30.0 * identity) for identity in people]
    others = [row(person_id, 29.0 * person_id + 1) for person_id in rows]
    assert match(Frame(some, others)) == match(
        Frame(sorted(some, key=lambda one: one.identity), sorted(others, key=lambda one: one[0]))
    )


# Figures of sequences


def test_rows_that_are_the_truth_are_judged_perfect() -> None:
    frame = Frame([person(0), person(1, FAR_PX)], [row(5), row(6, FAR_PX)])
    figures = judge(repeated(frame, 10))
    assert (figures.recall, figures.idf1) == (1, 1)
    assert (figures.ghosts, figures.switches, figures.ids, figures.people) == (0, 0, 2, 2)


def test_no_rows_are_judged_zero() -> None:
    figures = judge(repeated(Frame([person(0)], []), 10))
    assert (figures.recall, figures.idf1, figures.ghosts, figures.people) == (0, 0, 0, 1)


def test_without_people_every_row_is_a_ghost() -> None:
    figures = judge(repeated(Frame([], [row(1), row(2, FAR_PX)]), 10))
    assert figures.ghosts_per_frame == 2
    assert (figures.people, figures.idf1) == (0, 0)


def test_acquisition_lowers_the_recall() -> None:
    late = [*repeated(Frame([person(0)], []), 5), *repeated(Frame([person(0)], [row(1)]), 15)]
    assert judge(late).recall == 0.75


def test_two_people_who_exchange_ids_switch_both_and_keep_half_the_idf1() -> None:
    people = [person(0), person(1, FAR_PX)]
    before, after = [row(5), row(6, FAR_PX)], [row(6), row(5, FAR_PX)]
    frames = [*repeated(Frame(people, before), 10), *repeated(Frame(people, after), 10)]
    figures = judge(frames)
    assert (figures.recall, figures.switches, figures.idf1) == (1, 2, 0.5)
    assert figures.switches_per_person == 1


def test_an_id_that_comes_back_after_a_gap_is_no_switch() -> None:
    seen, unseen = Frame([person(0)], [row(5)]), Frame([person(0)], [])
    assert judge([seen, unseen, seen]).switches == 0


def test_a_new_id_after_a_gap_is_a_switch() -> None:
    frames = [Frame([person(0)], [row(5)]), Frame([person(0)], []), Frame([person(0)], [row(6)])]
    figures = judge(frames)
    assert (figures.switches, figures.ids) == (1, 2)


def test_rows_and_changes_of_their_number_are_counted() -> None:
    two = Frame([], [row(1), row(2)])
    figures = judge([two, two, Frame([], [row(1)]), Frame([], []), two])
    assert (figures.rows_per_frame, figures.changes) == (7 / 5, 3)


def test_figures_of_scenes_add_up() -> None:
    good = judge(repeated(Frame([person(0)], [row(5)]), 10))
    empty = judge(repeated(Frame([person(0)], []), 30))
    both = good + empty
    assert (both.recall, both.people, both.frames, both.ids) == (0.25, 2, 40, 1)
    assert good + Figures() == good


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_idf1_is_never_above_the_share_of_found_people(pairs: list[tuple[int, int]]) -> None:
    figures = judge([Frame([person(who)], [row(person_id)]) for who, person_id in pairs])
    assert figures.identified <= figures.found
    assert figures.idf1 <= figures.recall


# Identities


def test_the_best_overlap_is_not_the_greedy_one() -> None:
    assert best_overlap({(0, 5): 10, (0, 6): 9, (1, 5): 9}) == 18


def test_no_overlap_is_zero() -> None:
    assert best_overlap({}) == 0


PEOPLE, IDS = range(4), range(5, 9)
OVERLAPS = st.tuples(st.sampled_from(PEOPLE), st.sampled_from(IDS))


@given(st.dictionaries(OVERLAPS, st.integers(1, 50)))
def test_the_best_overlap_is_that_of_all_ways_to_choose(
    overlaps: dict[tuple[int, int], int],
) -> None:
    sums = [
        sum(overlaps.get(pair, 0) for pair in zip(PEOPLE, ids, strict=True))
        for ids in permutations(IDS)
    ]
    assert best_overlap(overlaps) == max(sums)


# Merged people


def mixed(left_joints: int) -> Row:
    """A row with so many joints of the person on the left, the others of the one on the right."""
    points_px = moved(FAR_PX)
    points_px[JOINTS[:left_joints]] = BODY[JOINTS[:left_joints]]
    return Row(5, points_px)


@pytest.mark.parametrize(("joints", "is_merged"), [(5, False), (6, True), (11, True), (12, False)])
def test_a_row_with_a_third_of_the_joints_of_each_of_two_people_merges_them(
    joints: int, is_merged: bool
) -> None:
    frame = Frame([person(0), person(1, FAR_PX)], [mixed(joints)])
    assert list(merged(frame)) == [(5, 0, 1)] * is_merged


def test_people_at_one_place_are_not_merged_by_a_row_that_fits_both() -> None:
    assert list(merged(Frame([person(0), person(1, 1.0)], [row(5)]))) == []


def test_a_hidden_person_is_not_merged() -> None:
    frame = Frame([person(0), person(1, FAR_PX, visible_share=0.5)], [mixed(8)])
    assert list(merged(frame)) == []


def test_the_longest_run_of_merged_frames_is_reported() -> None:
    people = [person(0), person(1, FAR_PX)]
    apart, together = Frame(people, [row(5)]), Frame(people, [mixed(8)])
    figures = judge([together, together, apart, together, together, together, apart])
    assert figures.merged_frames == 3
    assert (figures + judge([together])).merged_frames == 3

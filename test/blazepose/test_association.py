"""Who is who: properties of comparing people, whatever they do and wherever they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.association import (
    Skeleton,
    is_ghost,
    is_known,
    is_part,
    match_best_first,
    overlap,
    return_score,
    shared_joints,
    similarity,
    skeleton,
    without_ghosts,
)
from pose_ros.blazepose.datatypes import Float32Array, Float64Array

CIRCLE_PX = 200.0
SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.floats(0.1, 10)
MIRRORED = np.array((-1.0, 1.0))
BODIES = pytest.mark.parametrize("count", [25, 33])


def person(seed: int, count: int = 33) -> Skeleton:
    """Return somebody who stands upright around the origin, limbs anywhere near."""
    rng = np.random.default_rng(seed)
    points_px = rng.uniform((-25, -90), (25, 90), (33, 2))
    points_px[11:13] = ((15, -50), (-15, -50))
    points_px[23:25] = ((10, 0), (-10, 0))
    visibility = rng.uniform(0.5, 1, 33)
    return skeleton(
        points_px[:count].astype(np.float32), visibility[:count].astype(np.float32), CIRCLE_PX
    )


def beside(one: Skeleton, distance: float) -> Skeleton:
    """Return the same skeleton farther right, by a share of the circle."""
    return one.moved(np.array((distance * one.circle_px, 0.0)))


def transformed(one: Skeleton, factors: Float64Array) -> Skeleton:
    return one._replace(
        joints_px=one.joints_px * factors, circle_px=one.circle_px * abs(float(factors[1]))
    )


def crowd(seed: int) -> list[Skeleton]:
    """Return people of whom some overlap."""
    rng = np.random.default_rng(seed)
    return [beside(person(seed + index), rng.uniform(0, 1.5)) for index in range(5)]


def mixture(one: Skeleton, other: Skeleton) -> Skeleton:
    """Return a pose with every second joint of another one."""
    joints_px = one.joints_px.copy()
    joints_px[::2] = other.joints_px[::2]
    return one._replace(joints_px=joints_px, weights=np.ones(len(joints_px)))


@BODIES
@given(seed=SEEDS)
def test_a_pose_is_like_itself_and_less_so_with_distance(count: int, seed: int) -> None:
    one = person(seed, count)
    values = [similarity(one, beside(one, distance)) for distance in (0, 0.02, 0.1, 1)]
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.01


@given(SEEDS, SEEDS, SCALES)
def test_similarity_knows_no_order_size_or_mirror(a: int, b: int, scale: float) -> None:
    one, other = person(a), beside(person(b), 0.05)
    expected = similarity(one, other)
    assert similarity(other, one) == pytest.approx(expected)
    for factors in (np.full(2, scale), MIRRORED):
        changed = [transformed(two, factors) for two in (one, other)]
        assert similarity(*changed) == pytest.approx(expected)


def test_a_joint_that_is_not_seen_counts_little() -> None:
    one = person(0)
    moved = one._replace(joints_px=one.joints_px + ((0.0, 0.0), (500.0, 0.0))[1])
    joints_px, weights = one.joints_px.copy(), one.weights.copy()
    joints_px[-1], weights[-1] = moved.joints_px[-1], 1e-3
    assert similarity(one, one._replace(joints_px=joints_px, weights=weights)) > 0.99


@given(SEEDS, SEEDS)
def test_who_is_doubled_is_a_ghost_once_and_who_stands_apart_is_not(a: int, b: int) -> None:
    one, other = person(a), beside(person(b), 1.0)
    assert without_ghosts([one, other]) == [0, 1]
    assert without_ghosts([one, beside(one, 0.01), other, beside(other, 0.01)]) == [0, 2]


@given(SEEDS, st.permutations(range(5)))
def test_a_ghost_is_one_whatever_the_order_of_the_others(seed: int, order: list[int]) -> None:
    one, others = person(seed), crowd(seed)
    assert is_ghost(one, others) == is_ghost(one, [others[index] for index in order])
    assert shared_joints(one, others) >= max(shared_joints(one, [other]) for other in others)


@given(SEEDS, SCALES)
def test_ghosts_are_the_same_in_a_mirror_and_at_any_size(seed: int, scale: float) -> None:
    people = crowd(seed)
    kept = without_ghosts(people)
    assert without_ghosts([transformed(one, MIRRORED) for one in people]) == kept
    # not at a scale of the last bit: a joint may lie just at its tolerance
    assert without_ghosts([transformed(one, np.full(2, 2.0)) for one in people]) == kept


@given(SEEDS, SEEDS)
def test_a_mixture_of_two_people_is_a_ghost_of_both_together(a: int, b: int) -> None:
    one, other = person(a), beside(person(b), 0.6)
    assert is_ghost(mixture(one, other), [one, other])


def test_nobody_is_a_ghost_of_nobody() -> None:
    assert not is_ghost(person(0), [])
    assert without_ghosts([]) == []


@pytest.mark.parametrize(("scale", "expected"), [(0.3, True), (0.8, False)])
def test_a_small_pose_inside_of_a_person_is_a_part(scale: float, expected: bool) -> None:
    one = person(1)
    small = transformed(one, np.full(2, scale))
    assert is_part(small, [beside(one, 5.0), one]) == expected
    assert not is_part(small, [beside(one, 1.0)])
    assert not is_part(one, [small])


def detection_of(one: Skeleton, size: float = 1.0) -> Float32Array:
    """Return the detector's keypoints (4, 2) for a person."""
    hips_px, shoulders_px = one.hips_px, one.shoulders_px
    up_px = np.array((0.0, -size * one.circle_px / 2))
    return np.array((hips_px, hips_px + up_px, shoulders_px, shoulders_px + up_px), np.float32)


@given(SEEDS, st.integers(0, 4))
def test_the_detection_of_a_person_is_known_among_others(seed: int, index: int) -> None:
    people = crowd(seed)
    keypoints_px = detection_of(people[index])
    assert is_known(keypoints_px, people)
    assert is_known(keypoints_px, people[::-1])
    assert not is_known(keypoints_px, [])


@pytest.mark.parametrize(
    ("distance", "size", "expected"),
    [(0.1, 1, True), (0.15, 1, False), (0, 1.9, True), (0, 2.1, False), (0, 0.45, False)],
)
def test_a_detection_elsewhere_or_of_another_size_is_new(
    distance: float, size: float, expected: bool
) -> None:
    one = person(2)
    assert is_known(detection_of(beside(one, distance), size), [one]) == expected


def test_a_return_is_likely_nearby_soon_and_in_the_same_clothes() -> None:
    one = person(3)

    def score(distance: float = 0, gap_s: float = 0.5, color: float = 0, size: float = 1) -> float:
        found = transformed(beside(one, distance), np.full(2, size))
        return return_score(found, one, gap_s, color)

    assert score() == pytest.approx(1)
    for worse in ({"distance": 0.5}, {"color": 20.0}, {"size": 2.0}):
        assert score(**worse) < 0.8
    assert score(distance=1.0, gap_s=0.1) < 0.1 < score(distance=1.0, gap_s=2.0)
    assert score(color=100.0, gap_s=0.1) > 0.15, "who turns around is the same"
    assert score(color=100.0, gap_s=0.5) < 0.15
    assert score(color=100.0, gap_s=0.1, distance=0.6) < 0.15
    assert score(size=0.5) == pytest.approx(score(size=2.0))


@given(SEEDS, st.permutations(range(4)))
def test_matches_do_not_depend_on_the_order(seed: int, order: list[int]) -> None:
    scores = np.random.default_rng(seed).uniform(0, 1, (4, 3))
    pairs = match_best_first(scores)
    assert len(set(pairs.values())) == len(pairs)
    again = match_best_first(scores[order])
    assert {order[row]: column for row, column in again.items()} == pairs


def test_the_best_pair_is_matched_first_and_poor_ones_are_not() -> None:
    scores = np.array(((0.9, 0.8), (0.95, 0.1)))
    assert match_best_first(scores) == {1: 0, 0: 1}
    assert match_best_first(np.full((2, 2), 0.1)) == {}
    assert match_best_first(np.empty((0, 2))) == {}
    assert not math.isnan(scores.sum()), "scores stay as they are"


@given(SEEDS, SEEDS, SCALES)
def test_overlap_knows_no_order_size_or_mirror(a: int, b: int, scale: float) -> None:
    one, other = person(a), beside(person(b), 0.1)
    expected = overlap(one, other)
    assert 0 < expected <= 1
    assert overlap(other, one) == pytest.approx(expected)
    factors = scale * MIRRORED
    changed = overlap(transformed(one, factors), transformed(other, factors))
    assert changed == pytest.approx(expected)


@given(SEEDS)
def test_a_person_overlaps_with_nobody_far_away_and_wholly_with_the_same_place(seed: int) -> None:
    one = person(seed)
    assert overlap(one, one) == pytest.approx(1)
    assert overlap(one, beside(one, 2)) == 0

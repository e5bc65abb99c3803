"""Boxes from another detector: which are used, and which are of people who are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pose_ros.blazepose.association import Skeleton
from pose_ros.blazepose.boxes import (
    boxes_within,
    check_boxes,
    mirror_boxes,
    unknown_boxes,
    visible_boxes,
)
from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.regions import Region

SIZE = ImageSize(100, 80)
WHOLE = Region(0, 0, 100, 80)
BAD = [
    (np.nan, 10, 20, 20),
    (10, 10, np.inf, 20),
    (10, 10, 10, 20),
    (20, 10, 10, 20),
    (-50, 10, -1, 20),
    (100, 10, 150, 20),
    (10, 80, 20, 200),
    (10, 10, 10.5, 20),
]


def boxes(*rows: tuple[float, ...]) -> Any:
    return np.array(rows, np.float64).reshape(-1, 4)


def person(*box: float) -> Skeleton:
    """A person whose joints fill a box."""
    corners = np.array(box, np.float64).reshape(2, 2)
    return Skeleton(np.tile(corners, (8, 1))[:15], np.ones(15), 1.0)


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_box_of_nothing_is_left_out(bad: tuple[float, ...]) -> None:
    good = (10, 20, 30, 60)
    assert boxes_within(boxes(bad, good), WHOLE, SIZE).tolist() == [list(good)]
    assert np.isnan(visible_boxes(boxes(bad, good), SIZE)).all(axis=1).tolist() == [True, False]


def test_of_a_box_that_reaches_outside_the_part_in_the_image_counts() -> None:
    found = boxes_within(boxes((-20, -1e30, 40, 50), (90, 70, 1e300, 90)), WHOLE, SIZE)
    assert found.tolist() == [[0, 0, 40, 50], [90, 70, 100, 80]]


def test_a_box_is_within_the_area_that_its_middle_is_in() -> None:
    left, right = (0, 0, 60, 80), (40, 0, 101, 80)
    half = Region(0, 0, 50, 80)
    assert boxes_within(boxes(left, right), half, SIZE).tolist() == [list(left)]


def test_the_mirror_image_of_a_mirror_image_is_the_same() -> None:
    some = boxes((-3, 5, 20, 40), (50, 0, 99, 80))
    mirrored = mirror_boxes(some, 100)
    assert mirrored[1].tolist() == [0, 0, 49, 80]
    assert mirror_boxes(mirrored, 100).tolist() == some.tolist()


def test_each_known_person_has_the_box_that_fits_best_and_no_other() -> None:
    one, other = (10, 10, 30, 70), (60, 10, 80, 70)
    beside = (14, 10, 34, 70)
    assert unknown_boxes(boxes(one, other), [], SIZE).tolist() == [list(one), list(other)]
    known = [person(*one)]
    assert unknown_boxes(boxes(beside, other, one), known, SIZE).tolist() == [
        list(beside),
        list(other),
    ]
    assert unknown_boxes(boxes(beside), known, SIZE).tolist() == []
    assert unknown_boxes(boxes(one, other), [*known, person(*other)], SIZE).tolist() == []
    assert len(unknown_boxes(boxes(), known, SIZE)) == 0


def test_a_box_within_another_person_is_not_theirs() -> None:
    small = (10, 10, 20, 30)
    assert unknown_boxes(boxes(small), [person(5, 5, 45, 75)], SIZE).tolist() == [list(small)]


def test_joints_outside_of_the_image_do_not_count() -> None:
    close_up = (20, 10, 80, 80)
    assert unknown_boxes(boxes(close_up), [person(20, 10, 80, 500)], SIZE).tolist() == []
    assert len(unknown_boxes(boxes(close_up), [person(20, 110, 80, 500)], SIZE)) == 1


@pytest.mark.parametrize("given", [[[1, 2, 3]], [1, 2, 3, 4], [[[1, 2, 3, 4]]]], ids=str)
def test_boxes_of_another_shape_are_rejected(given: Any) -> None:
    with pytest.raises(ValueError, match="shape"):
        check_boxes(given)


def test_no_boxes_are_fine_in_any_shape() -> None:
    assert check_boxes([]).shape == check_boxes(np.empty((0, 4))).shape == (0, 4)

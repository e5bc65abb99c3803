"""Regions of the image in which the detector looks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.regions import (
    Region,
    region_within,
    search_regions,
    squares,
)

FRACTIONS = st.floats(0, 1)
SIDES_PX = st.integers(1, 3000)


@given(FRACTIONS, FRACTIONS, FRACTIONS, FRACTIONS, SIDES_PX, SIDES_PX)
def test_limits_give_a_part_of_the_image_that_is_not_empty(
    x_min: float, y_min: float, x_max: float, y_max: float, width_px: int, height_px: int
) -> None:
    region = region_within((x_min, y_min, x_max, y_max), ImageSize(width_px, height_px))
    assert 0 <= region.x_min < region.x_max <= width_px
    assert 0 <= region.y_min < region.y_max <= height_px


def test_limits_are_fractions_of_the_image() -> None:
    size = ImageSize(200, 100)
    assert region_within((0, 0, 1, 1), size) == Region(0, 0, 200, 100)
    assert region_within((0.25, 0.5, 0.75, 1), size) == Region(50, 50, 150, 100)
    assert region_within((0.25, 0.5, 0.75, 1), size).size == (100, 50)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(40, 200), st.integers(0, 30))
def test_squares_cover_the_area_and_overlap(
    width_px: int, height_px: int, side_px: int, offset_px: int
) -> None:
    area = Region(offset_px, 0, offset_px + width_px, height_px)
    covered = np.zeros((height_px, offset_px + width_px), int)
    found = squares(area, side_px)
    for square in found:
        assert square.size == (min(side_px, width_px), min(side_px, height_px))
        covered[square.y_min : square.y_max, square.x_min : square.x_max] += 1
    assert (covered[:, offset_px:] > 0).all()
    assert (covered[:, :offset_px] == 0).all()
    lefts = sorted({square.x_min for square in found})
    # whole pixels may take one of the overlap
    assert all(b - a <= 0.88 * side_px + 1 for a, b in itertools.pairwise(lefts))


@pytest.mark.parametrize(("side_px", "count"), [(1080, 2), (720, 6), (432, 15)])
def test_no_more_squares_than_the_overlap_needs(side_px: int, count: int) -> None:
    assert len(squares(Region(0, 0, 1920, 1080), side_px)) == count


@pytest.mark.parametrize(("size", "count"), [((1920, 1080), 24), ((480, 640), 21), ((50, 50), 14)])
def test_the_area_itself_is_searched_first_and_no_region_twice(
    size: tuple[int, int], count: int
) -> None:
    area = region_within((0, 0, 1, 1), ImageSize(*size))
    found = search_regions(area)
    assert found[0] == area
    assert len(set(found)) == len(found) == count


def test_a_pixel_is_searched_too() -> None:
    pixel = Region(3, 4, 4, 5)
    assert search_regions(pixel) == (pixel,)

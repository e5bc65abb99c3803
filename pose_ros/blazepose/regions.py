"""Where the detector looks: the whole image, and squares of it for people who are small in it.

The detector sees 224 px of whatever it is given, so people far away are found only in a part of
the image that shows them larger.
"""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import numpy as np

from pose_ros.blazepose.datatypes import ImageSize

_OVERLAP = 0.12
"""Smallest part of a square that the next one shows too, so that a person is whole in one."""


class Region(NamedTuple):
    """An upright rectangle of whole pixels; the maximum is outside."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int

    @property
    def size(self) -> ImageSize:
        """Width and height in px."""
        return ImageSize(self.x_max - self.x_min, self.y_max - self.y_min)


def region_within(limits: tuple[float, ...], image_size: ImageSize) -> Region:
    """Return the part of the image within x_min, y_min, x_max, y_max in [0, 1]; never empty."""
    x_min, y_min, x_max, y_max = limits
    left, right = _span(x_min, x_max, image_size.width_px)
    top, bottom = _span(y_min, y_max, image_size.height_px)
    return Region(left, top, right, bottom)


def _span(start: float, stop: float, length_px: int) -> tuple[int, int]:
    first = min(math.floor(start * length_px), length_px - 1)
    return first, max(math.ceil(stop * length_px), first + 1)


def squares(area: Region, side_px: int) -> tuple[Region, ...]:
    """Return squares that cover an area row by row; one that is too narrow bounds them."""
    columns = _starts(area.x_min, area.x_max, side_px)
    rows = _starts(area.y_min, area.y_max, side_px)
    return tuple(
        Region(x, y, min(x + side_px, area.x_max), min(y + side_px, area.y_max))
        for y, x in product(rows, columns)
    )


def _starts(start: int, stop: int, side_px: int) -> list[int]:
    free_px = max(stop - start - side_px, 0)
    count = 1 + math.ceil(free_px / ((1 - _OVERLAP) * side_px))
    return [int(position) for position in np.linspace(start, start + free_px, count)]


def search_regions(area: Region) -> tuple[Region, ...]:
    """Return all regions of an area that are searched for people, the area itself first.

    A person is found where the height is 0.3 to 1 times that of the region: so the squares have
    1, 0.67 and 0.4 of the shorter side.
    """
    side_px = min(area.size)
    sides_px = (side_px, side_px * 2 // 3, side_px * 2 // 5)
    found = [area, *(square for side in sides_px for square in squares(area, max(side, 1)))]
    return tuple(dict.fromkeys(found))

"""Anchor centres: how many, where, in which order."""

from __future__ import annotations

import numpy as np
import pytest

from pose_ros.blazepose.anchors import make_anchors
from pose_ros.blazepose.models import MODELS


@pytest.mark.parametrize(
    ("input_size", "strides", "count"),
    [(128, (8, 16, 16, 16), 896), (224, (8, 16, 32, 32, 32), 2254)],
)
def test_the_published_detectors_have_this_many_anchors(
    input_size: int, strides: tuple[int, ...], count: int
) -> None:
    anchors = make_anchors(input_size, strides)
    assert anchors.shape == (count, 2)
    assert anchors.dtype == np.float32


def test_anchors_are_cell_centres_row_by_row_repeated_for_each_layer_of_a_stride() -> None:
    anchors = make_anchors(32, (8, 16, 16))
    fine = [((x + 0.5) / 4, (y + 0.5) / 4) for y in range(4) for x in range(4) for _ in range(2)]
    coarse = [((x + 0.5) / 2, (y + 0.5) / 2) for y in range(2) for x in range(2) for _ in range(4)]
    assert np.array_equal(anchors, np.array(fine + coarse, np.float32))


def test_a_size_that_is_no_multiple_of_the_stride_gets_a_partial_cell() -> None:
    assert make_anchors(9, (8,))[::2, 0].tolist() == [0.25, 0.75, 0.25, 0.75]


@pytest.mark.parametrize("name", MODELS)
def test_every_anchor_is_inside_the_image(name: str) -> None:
    detector = MODELS[name].detector
    anchors = make_anchors(detector.input_size, detector.strides)
    assert anchors.min() > 0
    assert anchors.max() < 1

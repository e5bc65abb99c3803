"""MoveNet as a person detector: its maps, and real images."""

from __future__ import annotations

from collections.abc import Sequence

import media
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageArray, size_of
from pose_ros.blazepose.inference import OnnxModel, Shapes
from pose_ros.blazepose.models import MOVENET
from pose_ros.blazepose.movenet import MoveNet, decode
from pose_ros.blazepose.options import ModelOptions
from pose_ros.blazepose.regions import Region

CELLS = 24
MIN_SCORE = 0.3
Peak = tuple[int, int, float]


def heads(peaks: Sequence[Peak]) -> dict[str, Float32Array]:
    """Give maps with scores at cells (x, y); every person is 6 cells high and 4 wide."""
    maps = {
        name: np.zeros((channels, CELLS, CELLS), np.float32)
        for name, channels in (("center", 1), ("offset", 2), ("size", 2))
    }
    for x, y, score in peaks:
        maps["center"][0, y, x] = score
        maps["offset"][:, y, x] = 0.25, 0.5
        maps["size"][:, y, x] = 6, 4
    return maps


def box(x: int, y: int) -> list[float]:
    """Give the box in cells of the person at a cell."""
    return [x - 1.5, y - 2.75, x + 2.5, y + 3.25]


def decoded(*peaks: Peak) -> list[list[float]]:
    boxes: list[list[float]] = (decode(heads(peaks), MIN_SCORE) * CELLS).tolist()
    return boxes


def test_a_box_lies_around_the_center_with_its_offset() -> None:
    assert decoded((10, 8, 0.9)) == [pytest.approx(box(10, 8), abs=1e-5)]


def test_boxes_come_by_falling_score_and_none_below_the_minimum() -> None:
    found = decoded((4, 5, 0.5), (12, 5, 0.29), (18, 9, 0.8), (4, 18, 0.3))
    expected = [box(18, 9), box(4, 5), box(4, 18)]
    assert found == [pytest.approx(one, abs=1e-5) for one in expected]


@pytest.mark.parametrize(("distance", "count"), [(1, 1), (2, 1), (3, 2)])
def test_a_center_next_to_a_higher_one_is_none(distance: int, count: int) -> None:
    found = decoded((10, 10, 0.6), (10 + distance, 10 + distance, 0.7))
    assert len(found) == count
    assert found[0] == pytest.approx(box(10 + distance, 10 + distance), abs=1e-5)


def test_boxes_end_with_the_input() -> None:
    low, high = decoded((1, 2, 0.9), (CELLS - 1, CELLS - 1, 0.8))
    assert low[:2] == [0, 0]
    assert high[2:] == [CELLS, CELLS]


def test_a_size_below_zero_is_none() -> None:
    maps = heads([(10, 10, 0.9)])
    maps["size"] -= 20
    assert decode(maps, MIN_SCORE)[0] * CELLS == pytest.approx([10.5, 10.25] * 2, abs=1e-5)


def test_the_best_six_are_found() -> None:
    peaks = [(4 + 5 * (i % 4), 4 + 5 * (i // 4), 0.9 - i / 20) for i in range(8)]
    found = decoded(*reversed(peaks))
    assert found == [pytest.approx(box(x, y), abs=1e-5) for x, y, _ in peaks[:6]]


def test_nobody_gives_no_box() -> None:
    assert decode(heads([]), 0.0).shape == (0, 4)


@given(st.lists(st.floats(0, 1, width=32), min_size=9, max_size=9))
def test_a_box_was_a_peak(scores: list[float]) -> None:
    peaks = [(3 + 2 * (i % 3), 3 + 2 * (i // 3), score) for i, score in enumerate(scores)]
    found = decoded(*peaks)
    assert (max(scores) >= np.float32(MIN_SCORE)) == bool(found)
    for one in found:
        assert min(np.abs(np.subtract(one, box(x, y))).max() for x, y, _ in peaks) < 1e-4


# --- real images


@pytest.fixture(scope="module")
def movenet() -> MoveNet:
    def load(file: str, inputs: Shapes, outputs: Shapes) -> OnnxModel:
        return OnnxModel(file, inputs, outputs, ModelOptions())

    return MoveNet(MOVENET, load)


def first(clip: str) -> ImageArray:
    return next(iter(media.frames(clip)))


def whole(image: ImageArray) -> Region:
    return Region(0, 0, *size_of(image))


def overlap(one: Float64Array, other: Float64Array) -> float:
    common = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = [np.prod(some[2:] - some[:2]) for some in (one, other)]
    shared = np.prod(np.maximum(common, 0))
    return float(shared / (sum(areas) - shared))


def test_a_box_is_where_the_landmarks_are(movenet: MoveNet) -> None:
    """Of the two people in the image MediaPipe's detector finds one."""
    image = first("walker")
    (pose,) = PoseTracker(PoseTrackerOptions()).track(image, 1)
    found = movenet.boxes_px(image, MIN_SCORE, whole(image))
    points_px = pose.landmarks_px[:, :2].astype(np.float64)
    joints = np.concatenate([points_px.min(axis=0), points_px.max(axis=0)])
    assert len(found) == 2
    assert max(overlap(one, joints) for one in found) > 0.6


def test_a_region_gives_px_of_the_image(movenet: MoveNet) -> None:
    image = first("walker")
    height, width = image.shape[:2]
    wide = np.zeros((height + 90, 3 * width, 3), np.uint8)
    wide[60 : 60 + height, width : 2 * width] = image
    alone = movenet.boxes_px(image, MIN_SCORE, whole(image))
    region = Region(width, 60, 2 * width, 60 + height)
    found = movenet.boxes_px(wide, MIN_SCORE, region)
    assert len(found) == 2
    assert found == pytest.approx(alone + np.tile((width, 60), 2), abs=1e-6)
    small = movenet.boxes_px(wide, MIN_SCORE, whole(wide))
    assert max(overlap(one, other) for one in small for other in found) > 0.7


def test_nobody_is_found_in_an_empty_image(movenet: MoveNet) -> None:
    image = np.full((180, 320, 3), 90, np.uint8)
    assert movenet.boxes_px(image, MIN_SCORE, whole(image)).shape == (0, 4)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (37, 5)])
def test_images_of_any_form_are_looked_at(movenet: MoveNet, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    boxes_px = movenet.boxes_px(image, 0.0, whole(image))
    assert len(boxes_px) == 6
    assert np.isfinite(boxes_px).all()

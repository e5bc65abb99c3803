"""The detector: decoding, merging of overlapping boxes, and real pictures."""

from __future__ import annotations

import media
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import Float32Array
from pose_ros.blazepose.detector import Detector, decode_points, merge_best
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import PoseTrackerOptions


@pytest.fixture(scope="module", params=["upper_body", "lite"])
def detector(request: pytest.FixtureRequest) -> Detector:
    """Return the detector of 2021, and the one of the 33-landmark models."""
    return Detector(MODELS[request.param].detector, PoseTrackerOptions(), None)


def box(x: float, y: float, size: float) -> Float32Array:
    """Return (6, 2): a square box's corners and four keypoints in it."""
    low, high = np.array((x, y)), np.array((x + size, y + size))
    return np.stack([low, high, *(low + (high - low) * i / 5 for i in range(1, 5))]).astype(
        np.float32
    )


def test_decoding_adds_the_anchor_and_divides_by_the_input_size() -> None:
    raw = np.array([[12.8, 25.6, 64, 32, 1.28, 0, 0, 1.28, -12.8, 0, 0, -12.8]], np.float32)
    (points,) = decode_points(raw, np.array([(0.5, 0.25)], np.float32), 128)
    expected = [(0.35, 0.325), (0.85, 0.575), (0.51, 0.25), (0.5, 0.26), (0.4, 0.25), (0.5, 0.15)]
    assert points == pytest.approx(np.array(expected), abs=1e-6)


def test_overlapping_boxes_are_averaged_by_score_and_the_best_score_stays() -> None:
    near, nearer, far = box(0.1, 0.1, 0.2), box(0.12, 0.1, 0.2), box(0.6, 0.6, 0.2)
    merged = merge_best(np.stack([far, near, nearer]), np.array([0.5, 0.6, 0.9], np.float32))
    assert merged is not None
    points, score = merged
    assert score == np.float32(0.9)
    assert points == pytest.approx((near * 0.6 + nearer * 0.9) / 1.5, abs=1e-6)


@pytest.mark.parametrize(("shift", "joins"), [(0.53, True), (0.55, False)])
def test_boxes_join_from_an_overlap_of_three_tenths(shift: float, joins: bool) -> None:
    """Shifted by its own fraction s, a square overlaps itself by (1 - s) / (1 + s)."""
    best, other = box(0, 0, 1), box(0, 0, 1) + np.array((shift, 0), np.float32)
    merged = merge_best(np.stack([best, other]), np.array([0.9, 0.8], np.float32))
    assert merged is not None
    assert np.array_equal(merged[0], best) != joins


def test_boxes_without_a_positive_size_are_left_out() -> None:
    inverted, broken = box(0.5, 0.5, -0.2), box(0.1, 0.1, 0.2)
    broken[1] = np.nan
    good = box(0.3, 0.3, 0.2)
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    merged = merge_best(np.stack([inverted, broken, good]), scores)
    assert merged is not None
    assert merged[1] == np.float32(0.7)
    assert merged[0] == pytest.approx(good, abs=1e-6)
    assert merge_best(np.stack([inverted, broken]), scores[:2]) is None


def test_no_boxes_give_no_detection() -> None:
    assert merge_best(np.zeros((0, 6, 2), np.float32), np.zeros(0, np.float32)) is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_a_merged_box_lies_between_those_it_was_made_of(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    points = np.stack([box(x, y, 0.3) for x, y in generator.uniform(0, 0.1, (count, 2))])
    scores = generator.uniform(0.5, 1, count).astype(np.float32)
    merged = merge_best(points, scores)
    assert merged is not None
    assert merged[1] == scores.max()
    assert (merged[0] >= points.min(axis=0) - 1e-6).all()
    assert (merged[0] <= points.max(axis=0) + 1e-6).all()


def test_the_person_of_the_clip_is_found(detector: Detector) -> None:
    image = next(media.frames("person"))
    found = detector.detect(image, 0.5)
    assert found is not None
    assert 0.5 <= found.score <= 1
    xmin, ymin, xmax, ymax = found.box_px
    assert 0 < (xmin + xmax) / 2 < image.shape[1]
    assert 0 < (ymin + ymax) / 2 < image.shape[0]
    assert xmax - xmin == pytest.approx(ymax - ymin, rel=0.05)
    # from the head down: above the shoulders, mid-shoulder, mid-hip
    assert found.keypoints_px[3, 1] < found.keypoints_px[2, 1] < found.keypoints_px[0, 1]


def test_the_threshold_is_inclusive(detector: Detector) -> None:
    image = next(media.frames("person"))
    found = detector.detect(image, 0.0)
    assert found is not None
    assert detector.detect(image, found.score) is not None
    assert (
        detector.detect(image, float(np.nextafter(np.float32(found.score), np.float32(2)))) is None
    )


@pytest.mark.parametrize("pixel", [0, 128, 255])
def test_an_empty_picture_has_nobody(detector: Detector, pixel: int) -> None:
    assert detector.detect(np.full((240, 320, 3), pixel, np.uint8), 0.5) is None


def test_bars_beside_the_picture_hardly_move_the_detection(detector: Detector) -> None:
    """The letterbox adds the same black bars, but samples between other pixels."""
    image = next(media.frames("person"))
    height, width = image.shape[:2]
    above = (width - height) // 2
    square = np.pad(image, ((above, above), (0, 0), (0, 0)))
    found, found_in_square = detector.detect(image, 0.5), detector.detect(square, 0.5)
    assert found is not None
    assert found_in_square is not None
    difference = found_in_square.keypoints_px - found.keypoints_px - (0, above)
    assert np.abs(difference).max() < 0.01 * width

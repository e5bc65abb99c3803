"""The detector: decoding, merging of overlapping boxes, and real images."""

from __future__ import annotations

import media
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import Detection, Float32Array, ImageArray
from pose_ros.blazepose.detector import Detector, decode_points, make_anchors, merge_overlapping
from pose_ros.blazepose.inference import OnnxModel, Shapes
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import ModelOptions
from pose_ros.blazepose.regions import Region


@pytest.fixture(scope="module", params=["upper_body", "lite"])
def detector(request: pytest.FixtureRequest) -> Detector:
    """Return the detector of 2021, and the one of the 33-landmark models."""

    def load(file: str, inputs: Shapes, outputs: Shapes) -> OnnxModel:
        return OnnxModel(file, inputs, outputs, ModelOptions())

    return Detector(MODELS[request.param].detector, load)


def box(x: float, y: float, size: float) -> Float32Array:
    """Return (6, 2): a square box's corners and four keypoints in it."""
    low, high = np.array((x, y)), np.array((x + size, y + size))
    return np.stack([low, high, *(low + (high - low) * i / 5 for i in range(1, 5))]).astype(
        np.float32
    )


def test_anchors_are_cell_centers_row_by_row_repeated_for_each_layer_of_a_stride() -> None:
    anchors = make_anchors(32, (8, 16, 16))
    fine = [((x + 0.5) / 4, (y + 0.5) / 4) for y in range(4) for x in range(4) for _ in range(2)]
    coarse = [((x + 0.5) / 2, (y + 0.5) / 2) for y in range(2) for x in range(2) for _ in range(4)]
    assert np.array_equal(anchors, np.array(fine + coarse, np.float32))


def test_a_size_that_is_no_multiple_of_the_stride_gets_a_partial_cell() -> None:
    assert make_anchors(9, (8,))[::2, 0].tolist() == [0.25, 0.75, 0.25, 0.75]


def test_decoding_adds_the_anchor_and_divides_by_the_input_size() -> None:
    raw = np.array([[12.8, 25.6, 64, 32, 1.28, 0, 0, 1.28, -12.8, 0, 0, -12.8]], np.float32)
    (points,) = decode_points(raw, np.array([(0.5, 0.25)], np.float32), 128)
    expected = [(0.35, 0.325), (0.85, 0.575), (0.51, 0.25), (0.5, 0.26), (0.4, 0.25), (0.5, 0.15)]
    assert points == pytest.approx(np.array(expected), abs=1e-6)


def test_overlapping_boxes_are_averaged_by_score_and_the_best_score_stays() -> None:
    near, nearer, far = box(0.1, 0.1, 0.2), box(0.12, 0.1, 0.2), box(0.6, 0.6, 0.2)
    scores = np.array([0.5, 0.6, 0.9], np.float32)
    (first, best), (second, other) = merge_overlapping(np.stack([far, near, nearer]), scores)
    assert (best, other) == (np.float32(0.9), np.float32(0.5))
    assert first == pytest.approx((near * 0.6 + nearer * 0.9) / 1.5, abs=1e-6)
    assert second == pytest.approx(far, abs=1e-6)


@pytest.mark.parametrize(("shift", "persons"), [(0.53, 1), (0.55, 2)])
def test_boxes_join_from_an_overlap_of_three_tenths(shift: float, persons: int) -> None:
    """Shifted by its own fraction s, a square overlaps itself by (1 - s) / (1 + s)."""
    best, other = box(0, 0, 1), box(0, 0, 1) + np.array((shift, 0), np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert len(list(merge_overlapping(np.stack([best, other]), scores))) == persons


def test_boxes_without_a_positive_size_are_left_out() -> None:
    inverted, broken = box(0.5, 0.5, -0.2), box(0.1, 0.1, 0.2)
    broken[1] = np.nan
    good = box(0.3, 0.3, 0.2)
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    ((points, score),) = merge_overlapping(np.stack([inverted, broken, good]), scores)
    assert score == np.float32(0.7)
    assert points == pytest.approx(good, abs=1e-6)


def test_boxes_that_are_points_are_apart() -> None:
    scores = np.array([0.9, 0.8], np.float32)
    with np.errstate(all="raise"):
        merged = list(merge_overlapping(np.stack([box(0.5, 0.5, 0)] * 2), scores))
    assert [score for _, score in merged] == scores.tolist()


def test_no_boxes_give_no_detection() -> None:
    assert list(merge_overlapping(np.zeros((0, 6, 2), np.float32), np.zeros(0, np.float32))) == []


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_merged_boxes_lie_between_all_and_their_scores_fall(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    points = np.stack([box(x, y, 0.3) for x, y in generator.uniform(0, 0.6, (count, 2))])
    scores = generator.uniform(0.5, 1, count).astype(np.float32)
    merged = list(merge_overlapping(points, scores))
    found = [score for _, score in merged]
    assert found[0] == scores.max()
    assert found == sorted(found, reverse=True)
    for mean, _ in merged:
        assert (mean >= points.min(axis=0) - 1e-6).all()
        assert (mean <= points.max(axis=0) + 1e-6).all()


def detect_one(
    detector: Detector, image: ImageArray, min_score: float = 0.5, region: Region | None = None
) -> Detection:
    (found,) = detector.detect(image, min_score, region)
    return found


def test_the_person_of_the_clip_is_found(detector: Detector) -> None:
    image = next(media.frames("person"))
    found = detect_one(detector, image)
    assert 0.5 <= found.score <= 1
    xmin, ymin, xmax, ymax = found.box_px
    assert 0 < (xmin + xmax) / 2 < image.shape[1]
    assert 0 < (ymin + ymax) / 2 < image.shape[0]
    assert xmax - xmin == pytest.approx(ymax - ymin, rel=0.05)
    # from the head down: above the shoulders, mid-shoulder, mid-hip
    assert found.keypoints_px[3, 1] < found.keypoints_px[2, 1] < found.keypoints_px[0, 1]


def test_the_threshold_is_inclusive(detector: Detector) -> None:
    image = next(media.frames("person"))
    found, *_ = detector.detect(image, 0.0)
    assert len(detector.detect(image, found.score)) == 1
    above = np.nextafter(np.float32(found.score), np.float32(2))
    assert detector.detect(image, float(above)) == ()


@pytest.mark.parametrize("pixel", [0, 128, 255])
def test_an_empty_image_has_nobody(detector: Detector, pixel: int) -> None:
    assert detector.detect(np.full((240, 320, 3), pixel, np.uint8), 0.5) == ()


def test_bars_beside_the_image_hardly_move_the_detection(detector: Detector) -> None:
    """The letterbox adds the same black bars, but samples between other pixels."""
    image = next(media.frames("person"))
    height, width = image.shape[:2]
    above = (width - height) // 2
    square = np.pad(image, ((above, above), (0, 0), (0, 0)))
    found, found_in_square = detect_one(detector, image), detect_one(detector, square)
    difference = found_in_square.keypoints_px - found.keypoints_px - (0, above)
    assert np.abs(difference).max() < 0.01 * width


def test_two_people_are_found_each_where_they_are_alone(detector: Detector) -> None:
    """The clip's person twice, side by side: in the whole image, and in each half of it."""
    image = next(media.frames("person"))
    height, width = image.shape[:2]
    alone = detect_one(detector, image)
    twice = np.hstack([image, image])
    halves = Region(0, 0, width, height), Region(width, 0, 2 * width, height)
    for left_px, half in zip((0, width), halves, strict=True):
        found = detect_one(detector, twice, region=half)
        offset_px = np.array((left_px, 0))
        assert found.keypoints_px == pytest.approx(alone.keypoints_px + offset_px, abs=1e-3)
        assert found.box_px == pytest.approx(alone.box_px + np.tile(offset_px, 2), abs=1e-3)
    whole = detector.detect(twice, 0.5)
    lefts_px = sorted(found.keypoints_px[0, 0] for found in whole)
    expected = alone.keypoints_px[0, 0] + np.array((0, width))
    assert lefts_px == pytest.approx(expected, abs=0.1 * width)

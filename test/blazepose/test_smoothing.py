"""The filters, each against a slow one written from its description; and who has which."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import Float32Array, ImageSize
from pose_ros.blazepose.mask_smoothing import smooth_mask
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.smoothing import (
    Filter,
    LandmarkSet,
    OneEuroFilter,
    PoseSmoother,
    RelativeVelocityFilter,
)

FRAME_NS = 33_333_000
WINDOW = 5
VELOCITY_SCALE = 10.0
RTOL = 1e-4  # the references below compute in float64, the filters in float32
SIZE = ImageSize(640, 480)
UNIT = np.float32(1)
gaps_ns = st.lists(st.integers(1_000_000, 300_000_000), min_size=2, max_size=25)


class ScalarRelativeVelocity:
    """One coordinate in plain float64 Python, with a queue of (distance, duration)."""

    def __init__(self) -> None:
        self.queue: list[tuple[float, int]] = [(0.0, 0)] * WINDOW
        self.last: tuple[float, float, float, int] | None = None  # raw, scale, output, time

    def apply(self, value: float, object_scale: float, time_ns: int) -> float:
        if self.last is None:
            self.last = (value, 1 / object_scale, value, time_ns)
            return value
        raw, scale, output, last_ns = self.last
        distance = value / object_scale - raw * scale
        duration_ns = time_ns - last_ns
        self.queue.insert(0, (distance, duration_ns))
        limit_ns = len(self.queue) * (10**9 // 30)
        travelled, elapsed_ns = self.queue[0]
        for past_distance, past_ns in self.queue[1:]:
            if elapsed_ns + past_ns > limit_ns:
                break
            travelled += past_distance
            elapsed_ns += past_ns
        self.queue = self.queue[:WINDOW]
        speed = abs(travelled) / (elapsed_ns / 1e9)
        alpha = 1 - 1 / (1 + VELOCITY_SCALE * speed)
        smoothed = alpha * value + (1 - alpha) * output
        self.last = (value, 1 / object_scale, smoothed, time_ns)
        return smoothed


@dataclass
class ScalarOneEuro:
    """One coordinate in plain float64 Python, with the speed of the raw values."""

    constants: OneEuroFilter
    last: tuple[float, float, float, int] | None = None  # raw, output, speed, time

    def apply(self, value: float, object_scale: float, time_ns: int) -> float:
        if self.last is None:
            self.last = (value, value, 0.0, time_ns)
            return value
        raw, output, speed, last_ns = self.last
        period_s = (time_ns - last_ns) / 1e9
        weight = self.weight(self.constants.derivate_cutoff_hz, period_s)
        speed = weight * ((value - raw) / object_scale / period_s) + (1 - weight) * speed
        cutoff_hz = self.constants.min_cutoff_hz + self.constants.beta * abs(speed)
        weight = self.weight(cutoff_hz, period_s)
        smoothed = weight * value + (1 - weight) * output
        self.last = (value, smoothed, speed, time_ns)
        return smoothed

    @staticmethod
    def weight(cutoff_hz: float, period_s: float) -> float:
        """Return the new value's weight of an RC low-pass filter."""
        time_constant_s = 1 / (2 * math.pi * cutoff_hz)
        return period_s / (period_s + time_constant_s)


FULL_BODY = MODELS["lite"].smoothing
UPPER_BODY = MODELS["upper_body"].smoothing
LANDMARKS = OneEuroFilter(min_cutoff_hz=0.05, beta=80.0)
RELATIVE_VELOCITY = RelativeVelocityFilter()
EACH = pytest.mark.parametrize(
    "fresh", [RELATIVE_VELOCITY, LANDMARKS], ids=["relative velocity", "one euro"]
)


def walk(seed: int, count: int) -> list[Float32Array]:
    """Return frames of 25 points (25, 3) that wander, faster and slower."""
    generator = np.random.default_rng(seed)
    points = generator.uniform(100, 400, (25, 3))
    steps = generator.normal(size=(count, 25, 3)) * generator.choice([0.1, 2, 30], (count, 1, 1))
    return list((points + np.cumsum(steps, axis=0)).astype(np.float32))


def scales(seed: int, count: int) -> list[np.float32]:
    """Return sizes of an object that comes and goes."""
    return list(np.random.default_rng(seed).uniform(50, 500, count).astype(np.float32))


def times(durations_ns: list[int]) -> npt.NDArray[np.int64]:
    return np.cumsum(durations_ns, dtype=np.int64)


def run(
    state: Filter,
    frames: Sequence[Float32Array],
    times_ns: npt.NDArray[np.int64],
    object_scales: Sequence[np.float32] = (),
) -> list[Float32Array]:
    outputs = []
    for points_px, time_ns, scale in itertools.zip_longest(
        frames, times_ns, object_scales, fillvalue=np.float32(200)
    ):
        output, state = state.apply(np.asarray(points_px), int(time_ns), np.float32(scale))
        outputs.append(output)
    return outputs


@given(st.integers(0, 2**32 - 1), gaps_ns)
def test_relative_velocity_agrees_with_the_slow_one(seed: int, durations_ns: list[int]) -> None:
    """It scales by the extent of the points themselves, whatever object scale it is given."""
    frames, times_ns = walk(seed, len(durations_ns)), times(durations_ns)
    references = [[ScalarRelativeVelocity() for _ in range(3)] for _ in range(25)]
    outputs = run(RELATIVE_VELOCITY, frames, times_ns, scales(seed, len(frames)))
    for points_px, time_ns, output in zip(frames, times_ns, outputs, strict=True):
        object_scale = float(np.ptp(points_px[:, :2], axis=0).mean())
        expected = [
            [
                reference.apply(float(value), object_scale, int(time_ns))
                for reference, value in zip(references[row], points_px[row], strict=True)
            ]
            for row in range(25)
        ]
        assert np.allclose(output, expected, rtol=RTOL, atol=0.01)


@given(
    st.integers(0, 2**32 - 1),
    gaps_ns,
    st.sampled_from([FULL_BODY.landmarks, FULL_BODY.auxiliary, FULL_BODY.world]),
)
def test_one_euro_agrees_with_the_slow_one(
    seed: int, durations_ns: list[int], constants: OneEuroFilter
) -> None:
    frames, times_ns = walk(seed, len(durations_ns)), times(durations_ns)
    object_scales = scales(seed, len(frames))
    references = [[ScalarOneEuro(constants) for _ in range(3)] for _ in range(25)]
    outputs = run(constants, frames, times_ns, object_scales)
    for points_px, time_ns, scale, output in zip(
        frames, times_ns, object_scales, outputs, strict=True
    ):
        expected = [
            [
                reference.apply(float(value), float(scale), int(time_ns))
                for reference, value in zip(references[row], points_px[row], strict=True)
            ]
            for row in range(25)
        ]
        assert np.allclose(output, expected, rtol=RTOL, atol=0.01)


@EACH
@given(st.integers(0, 2**32 - 1), gaps_ns)
def test_the_output_stays_between_the_last_output_and_the_input(
    fresh: Filter, seed: int, durations_ns: list[int]
) -> None:
    frames = walk(seed, len(durations_ns))
    outputs = run(fresh, frames, times(durations_ns))
    for last, points_px, output in zip(outputs, frames[1:], outputs[1:], strict=False):
        assert (output >= np.minimum(last, points_px) - 1e-3).all()
        assert (output <= np.maximum(last, points_px) + 1e-3).all()


def test_points_without_extent_pass_relative_velocity_unchanged_and_leave_no_trace() -> None:
    _, state = RELATIVE_VELOCITY.apply(walk(4, 1)[0], FRAME_NS, UNIT)
    point = np.full((25, 3), 7, np.float32)
    output, after = state.apply(point, 2 * FRAME_NS, UNIT)
    assert np.array_equal(output, point)
    assert after is state


@pytest.mark.parametrize("object_scale", [0.0, 1e-7])
def test_points_of_an_object_without_size_pass_one_euro_unchanged_and_leave_no_trace(
    object_scale: float,
) -> None:
    first, second = walk(4, 2)
    _, state = LANDMARKS.apply(first, FRAME_NS, UNIT)
    output, after = state.apply(second, 2 * FRAME_NS, np.float32(object_scale))
    assert np.array_equal(output, second)
    assert after is state


@EACH
def test_applying_changes_neither_the_filter_nor_the_input(fresh: Filter) -> None:
    first, second, third = walk(5, 3)
    _, state = fresh.apply(first, FRAME_NS, UNIT)
    before = second.copy()
    once, _ = state.apply(second, 2 * FRAME_NS, UNIT)
    state.apply(third, 2 * FRAME_NS, UNIT)
    again, _ = state.apply(second, 2 * FRAME_NS, UNIT)
    assert np.array_equal(once, again)
    assert np.array_equal(second, before)


def landmark_sets(seed: int, count: int) -> list[LandmarkSet]:
    generator = np.random.default_rng(seed)
    return [
        LandmarkSet(
            landmarks_px=points_px,
            auxiliary_px=auxiliary_px[:2],
            visibility=generator.random(25, np.float32),
            world_m=generator.normal(size=(25, 3)).astype(np.float32),
        )
        for points_px, auxiliary_px in zip(walk(seed, count), walk(seed + 1, count), strict=True)
    ]


def run_smoother(
    smoother: PoseSmoother, raw: list[LandmarkSet], object_scales: list[np.float32]
) -> list[LandmarkSet]:
    outputs = []
    for index, (landmark_set, scale) in enumerate(zip(raw, object_scales, strict=True)):
        output, smoother = smoother.apply(landmark_set, scale, SIZE, (index + 1) * FRAME_NS)
        outputs.append(output)
    return outputs


def same_px(ours: Float32Array, wanted: Float32Array) -> bool:
    """Stored normalized and read again: the last bit may move."""
    return np.allclose(ours, wanted, rtol=1e-6)


def test_the_upper_body_has_two_filters_and_no_more() -> None:
    raw, object_scales, times_ns = landmark_sets(6, 6), scales(6, 6), times([FRAME_NS] * 6)
    outputs = run_smoother(UPPER_BODY, raw, object_scales)
    for name in ("landmarks_px", "auxiliary_px"):
        wanted = run(RELATIVE_VELOCITY, [getattr(one, name) for one in raw], times_ns)
        for output, points_px in zip(outputs, wanted, strict=True):
            assert same_px(getattr(output, name), points_px)
    for output, one in zip(outputs, raw, strict=True):
        assert output.visibility is one.visibility
        assert output.world_m is one.world_m


def test_the_full_body_has_a_one_euro_filter_each_with_constants_of_its_own() -> None:
    raw, object_scales, times_ns = landmark_sets(7, 6), scales(7, 6), times([FRAME_NS] * 6)
    outputs = run_smoother(FULL_BODY, raw, object_scales)
    for name, constants, used_scales in (
        ("landmarks_px", OneEuroFilter(min_cutoff_hz=0.05, beta=80.0), object_scales),
        ("auxiliary_px", OneEuroFilter(min_cutoff_hz=0.01, beta=10.0), object_scales),
        # meters need no scale
        ("world_m", OneEuroFilter(min_cutoff_hz=0.1, beta=40.0), [UNIT] * 6),
    ):
        points = [getattr(one, name) for one in raw]
        wanted = run(constants, points, times_ns, used_scales)
        for output, expected in zip(outputs, wanted, strict=True):
            assert same_px(getattr(output, name), expected), name


def test_the_full_bodys_visibility_takes_a_tenth_of_the_new_value() -> None:
    raw = landmark_sets(8, 6)
    outputs = run_smoother(FULL_BODY, raw, scales(8, 6))
    expected = raw[0].visibility.astype(float)
    for output, one in zip(outputs, raw, strict=True):
        expected = 0.1 * one.visibility + 0.9 * expected
        assert np.allclose(output.visibility, expected, atol=1e-6)


def test_without_smoothing_the_full_bodys_auxiliary_landmarks_are_still_filtered() -> None:
    raw, object_scales = landmark_sets(9, 6), scales(9, 6)
    rough = run_smoother(FULL_BODY.switched(False), raw, object_scales)
    smooth = run_smoother(FULL_BODY, raw, object_scales)
    for output, filtered, one in zip(rough, smooth, raw, strict=True):
        assert np.array_equal(output.auxiliary_px, filtered.auxiliary_px)
        assert output.landmarks_px is one.landmarks_px
        assert output.visibility is one.visibility
        assert output.world_m is one.world_m
    assert not np.allclose(rough[-1].auxiliary_px, raw[-1].auxiliary_px, atol=0.1)


def test_without_smoothing_the_upper_body_stays_as_it_is() -> None:
    raw = landmark_sets(10, 3)
    outputs = run_smoother(UPPER_BODY.switched(False), raw, scales(10, 3))
    for output, one in zip(outputs, raw, strict=True):
        assert output.landmarks_px is one.landmarks_px
        assert output.auxiliary_px is one.auxiliary_px


@pytest.mark.parametrize(
    ("given", "landmarks", "world"),
    [
        ((0, 0), (0.05, 80.0), (0.1, 40.0)),
        ((0.5, 0), (0.5, 80.0), (1.0, 40.0)),
        ((0, 20.0), (0.05, 20.0), (0.1, 10.0)),
        ((0.1, 160.0), (0.1, 160.0), (0.2, 80.0)),
    ],
)
def test_given_constants_change_landmarks_and_in_proportion_world_landmarks(
    given: tuple[float, float], landmarks: tuple[float, float], world: tuple[float, float]
) -> None:
    raw, object_scales, times_ns = landmark_sets(7, 6), scales(7, 6), times([FRAME_NS] * 6)
    outputs = run_smoother(FULL_BODY.tuned(*given), raw, object_scales)
    for name, constants, used_scales in (
        ("landmarks_px", landmarks, object_scales),
        ("auxiliary_px", (0.01, 10.0), object_scales),
        ("world_m", world, [UNIT] * 6),
    ):
        points = [getattr(one, name) for one in raw]
        wanted = run(OneEuroFilter(*constants), points, times_ns, used_scales)
        for output, expected in zip(outputs, wanted, strict=True):
            assert same_px(getattr(output, name), expected), name


def test_the_upper_body_cannot_be_tuned() -> None:
    assert not UPPER_BODY.is_tunable
    assert FULL_BODY.is_tunable


masks = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).random((20, 30), np.float32)
)


@given(masks)
def test_the_first_mask_passes_unchanged(mask: Float32Array) -> None:
    assert smooth_mask(mask, None) is mask


@given(masks, masks)
def test_a_blended_mask_lies_between_the_new_and_the_old(
    mask: Float32Array, previous: Float32Array
) -> None:
    """The old one has seven tenths of the weight at most."""
    before = mask.copy(), previous.copy()
    blended = smooth_mask(mask, previous)
    followed = (blended - mask) * np.sign(previous - mask)
    assert followed.min() >= -1e-6
    assert (followed <= 0.7 * np.abs(previous - mask) + 1e-6).all()
    assert np.array_equal(mask, before[0])
    assert np.array_equal(previous, before[1])


@given(masks)
def test_pixels_that_are_certain_follow_at_once(previous: Float32Array) -> None:
    """The polynomial leaves 4.3e-5 of the old value where a pixel is 0 or 1."""
    for certain in (0.0, 1.0):
        mask = np.full_like(previous, certain)
        assert np.abs(smooth_mask(mask, previous) - mask).max() <= 5e-5


@given(masks)
def test_pixels_that_are_fully_uncertain_take_seven_tenths_of_the_old_mask(
    previous: Float32Array,
) -> None:
    mask = np.full_like(previous, 0.5)
    assert np.allclose(smooth_mask(mask, previous), 0.3 * mask + 0.7 * previous, atol=1e-6)


def test_the_weight_of_the_old_mask_is_the_squared_entropy_of_the_new() -> None:
    """The entropy, in bits, of a pixel that is the person's with probability p."""
    p = np.linspace(0.01, 0.99, 99, dtype=np.float32)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    weight = (smooth_mask(p, p + np.float32(1)) - p) / 0.7
    assert np.abs(weight - entropy**2).max() < 2e-3

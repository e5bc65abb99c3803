"""The relative-velocity filter, against a slow one written from its description."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import Float32Array, ImageSize
from pose_ros.blazepose.models import RelativeVelocity
from pose_ros.blazepose.smoothing import PoseSmoother, RelativeVelocityFilter

FRAME_NS = 33_333_000
WINDOW = 5
VELOCITY_SCALE = 10.0
RTOL = 1e-4  # the reference below computes in float64, the filter in float32
SIZE = ImageSize(640, 480)
gaps_ns = st.lists(st.integers(1_000_000, 300_000_000), min_size=2, max_size=25)


class ScalarReference:
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


def fresh() -> RelativeVelocityFilter:
    return RelativeVelocityFilter(RelativeVelocity())


def walk(seed: int, count: int) -> list[Float32Array]:
    """Return frames of 25 points (25, 3) that wander, faster and slower."""
    generator = np.random.default_rng(seed)
    points = generator.uniform(100, 400, (25, 3))
    steps = generator.normal(size=(count, 25, 3)) * generator.choice([0.1, 2, 30], (count, 1, 1))
    return list((points + np.cumsum(steps, axis=0)).astype(np.float32))


def times(durations_ns: list[int]) -> npt.NDArray[np.int64]:
    return np.cumsum(durations_ns, dtype=np.int64)


def run(frames: list[Float32Array], times_ns: npt.NDArray[np.int64]) -> list[Float32Array]:
    state, outputs = fresh(), []
    for points_px, time_ns in zip(frames, times_ns, strict=True):
        output, state = state.apply(points_px, int(time_ns))
        outputs.append(output)
    return outputs


@given(st.integers(0, 2**32 - 1), gaps_ns)
def test_it_agrees_with_the_slow_reference(seed: int, durations_ns: list[int]) -> None:
    frames, times_ns = walk(seed, len(durations_ns)), times(durations_ns)
    references = [[ScalarReference() for _ in range(3)] for _ in range(25)]
    for points_px, time_ns, output in zip(frames, times_ns, run(frames, times_ns), strict=True):
        object_scale = float(np.ptp(points_px[:, :2], axis=0).mean())
        expected = [
            [
                reference.apply(float(value), object_scale, int(time_ns))
                for reference, value in zip(references[row], points_px[row], strict=True)
            ]
            for row in range(25)
        ]
        assert np.allclose(output, expected, rtol=RTOL, atol=0.01)


@given(st.integers(0, 2**32 - 1), gaps_ns)
def test_a_constant_input_passes_unchanged(seed: int, durations_ns: list[int]) -> None:
    points_px = walk(seed, 1)[0]
    for output in run([points_px] * len(durations_ns), times(durations_ns)):
        assert np.array_equal(output, points_px)


@given(st.integers(0, 2**32 - 1), gaps_ns)
def test_the_output_stays_between_the_last_output_and_the_input(
    seed: int, durations_ns: list[int]
) -> None:
    frames = walk(seed, len(durations_ns))
    outputs = run(frames, times(durations_ns))
    for last, points_px, output in zip(outputs, frames[1:], outputs[1:], strict=False):
        assert (output >= np.minimum(last, points_px) - 1e-3).all()
        assert (output <= np.maximum(last, points_px) + 1e-3).all()


def test_slow_motion_is_smoothed_more_than_fast_motion() -> None:
    start = walk(1, 1)[0]
    followed = []
    for step_px in (0.1, 100):
        _, state = fresh().apply(start, FRAME_NS)
        output, _ = state.apply(start + np.float32(step_px), 2 * FRAME_NS)
        followed.append(float((output - start).mean()) / step_px)
    assert 0 < followed[0] < 0.2 < 0.9 < followed[1] < 1


def test_the_first_frame_passes_unchanged() -> None:
    points_px = walk(2, 1)[0]
    assert np.array_equal(fresh().apply(points_px, 5)[0], points_px)


@pytest.mark.parametrize("step_ns", [0, -1])
def test_a_time_that_does_not_advance_passes_unchanged_and_leaves_no_trace(step_ns: int) -> None:
    first, second = walk(3, 2)
    _, state = fresh().apply(first, FRAME_NS)
    output, after = state.apply(second, FRAME_NS + step_ns)
    assert np.array_equal(output, second)
    assert after is state


def test_points_without_extent_pass_unchanged_and_leave_no_trace() -> None:
    _, state = fresh().apply(walk(4, 1)[0], FRAME_NS)
    point = np.full((25, 3), 7, np.float32)
    output, after = state.apply(point, 2 * FRAME_NS)
    assert np.array_equal(output, point)
    assert after is state


def test_applying_changes_neither_the_filter_nor_the_input() -> None:
    first, second, third = walk(5, 3)
    _, state = fresh().apply(first, FRAME_NS)
    before = second.copy()
    once, _ = state.apply(second, 2 * FRAME_NS)
    state.apply(third, 2 * FRAME_NS)
    again, _ = state.apply(second, 2 * FRAME_NS)
    assert np.array_equal(once, again)
    assert np.array_equal(second, before)


def test_landmarks_and_auxiliary_landmarks_have_filters_of_their_own() -> None:
    frames = walk(6, 6)
    times_ns = times([FRAME_NS] * 6)
    auxiliary = [frame[:2] for frame in frames]
    smoother = PoseSmoother.fresh(RelativeVelocity())
    for index, (frame, time_ns) in enumerate(zip(frames, times_ns, strict=True)):
        landmarks_px, auxiliary_px, smoother = smoother.apply(
            frame, auxiliary[index], SIZE, int(time_ns)
        )
    # stored normalized and read again: the last bit may move
    assert np.allclose(landmarks_px, run(frames, times_ns)[-1], rtol=1e-6)
    assert np.allclose(auxiliary_px, run(auxiliary, times_ns)[-1], rtol=1e-6)
    assert not np.allclose(auxiliary_px, landmarks_px[:2], rtol=1e-4)

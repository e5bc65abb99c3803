"""The motion of people: against walks of known velocity, and what its filter may never do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body.walks import filtered, walk
from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.body.velocity import PREDICTED_NS, Motion, Observation, moved

SECOND_NS = 10**9
FRAME_NS = 33_333_333
WALKS = range(40)
RATES = pytest.mark.parametrize("fps", [10, 30, 60])
NOISES = pytest.mark.parametrize("lasting_s", [0.0, 0.2])


def seen(*position_m: float, source: str = "world", scale_std: float = 0.0) -> Observation:
    """A position that is known to 2 cm."""
    noise_m2, bias_m2 = 0.02**2 * np.eye(3), np.diag((0.0, 0.0, (3 * scale_std) ** 2))
    return Observation(np.array(position_m), noise_m2, bias_m2, scale_std, source)


def settled(speed_m_s: float = 1.0, seconds: float = 3.0, source: str = "world") -> Motion:
    """The motion of somebody who passes the camera at a constant speed, and is at x = 0 now."""
    times_ns = range(0, round(seconds * SECOND_NS), FRAME_NS)
    positions = [((time - times_ns[-1]) * 1e-9 * speed_m_s, 0.0, 3.0) for time in times_ns]
    motion = Motion.started(seen(*positions[0], source=source), 0)
    for time_ns, position_m in zip(times_ns[1:], positions[1:], strict=True):
        predicted = motion.predicted(time_ns)
        assert predicted is not None
        motion = predicted.updated(seen(*position_m, source=source))
    return motion


def deviations(covariance: Float64Array) -> Float64Array:
    found: Float64Array = np.sqrt(np.diag(covariance))
    return found


@RATES
@NOISES
def test_velocities_of_walks_are_right_and_their_covariance_covers_the_error(
    fps: float, lasting_s: float
) -> None:
    errors: list[npt.NDArray[Any]] = []
    allowed: list[npt.NDArray[Any]] = []
    for seed in WALKS:
        done = walk(seed, fps)
        for motion, velocity_m_s in zip(
            filtered(done, seed, lasting_s), done.velocities_m_s, strict=True
        ):
            if motion.time_ns >= SECOND_NS:
                errors.append(motion.velocity_m_s - velocity_m_s)
                allowed.append(2 * deviations(motion.velocity_covariance_m2_s2))
    on_the_floor = [0, 2]
    covered = (np.abs(errors) <= allowed)[:, on_the_floor]
    median_m_s = np.median(np.linalg.norm(errors, axis=1))
    share = f"{covered.mean():.1%} within 2 sigma"
    print(f"{fps} Hz, noise lasts {lasting_s} s: median {median_m_s:.3f} m/s, {share}")
    assert median_m_s <= 0.15
    assert covered.mean() >= 0.9
    assert np.median(np.linalg.norm(allowed, axis=1)) < 1.0


@RATES
@NOISES
def test_the_covariance_covers_the_error_of_the_position(fps: float, lasting_s: float) -> None:
    covered = [
        np.abs(motion.position_m - position_m) <= 2 * deviations(motion.position_covariance_m2)
        for done in (walk(seed, fps) for seed in WALKS)
        for motion, position_m in zip(filtered(done, 0, lasting_s), done.positions_m, strict=True)
    ]
    assert np.mean(covered) >= 0.9


def test_a_constant_velocity_is_found() -> None:
    motion = settled(speed_m_s=1.4)
    np.testing.assert_allclose(motion.velocity_m_s, (1.4, 0, 0), atol=0.02)
    np.testing.assert_allclose(motion.position_m, (0, 0, 3), atol=0.01)


def test_who_is_not_seen_moves_on_with_growing_uncertainty_and_is_forgotten() -> None:
    last = settled()
    predicted = [last.predicted(last.time_ns + part * PREDICTED_NS // 4) for part in range(1, 5)]
    before = last
    for motion in predicted:
        assert motion is not None
        assert motion.seen_ns == last.time_ns
        assert (deviations(motion.noise_covariance) > deviations(before.noise_covariance)).all()
        before = motion
    np.testing.assert_allclose(before.position_m, (1, 0, 3), atol=0.03)
    assert deviations(before.position_covariance_m2).max() < 0.35
    assert last.predicted(last.time_ns + PREDICTED_NS + 1) is None


@given(st.lists(st.integers(1, PREDICTED_NS // 8), min_size=1, max_size=8))
def test_a_prediction_does_not_depend_on_its_steps(steps_ns: list[int]) -> None:
    last = settled(seconds=0.5)
    at_once = last.predicted(last.time_ns + sum(steps_ns))
    stepwise: Motion | None = last
    for step_ns in steps_ns:
        assert stepwise is not None
        stepwise = stepwise.predicted(stepwise.time_ns + step_ns)
    assert at_once is not None
    assert stepwise is not None
    np.testing.assert_allclose(stepwise.position_m, at_once.position_m, atol=1e-9)
    np.testing.assert_allclose(stepwise.noise_covariance, at_once.noise_covariance, atol=1e-9)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.integers(10**6, SECOND_NS),
            st.tuples(*[st.floats(-20, 20)] * 3),
            st.floats(1e-3, 1.0),
            st.sampled_from(["world", "depth"]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_covariances_stay_positive_definite(sequence: list[Any]) -> None:
    motion, time_ns = None, 0
    for step_ns, position_m, noise_m, source in sequence:
        time_ns += step_ns
        given_m2 = noise_m**2 * np.eye(3)
        found = Observation(np.array(position_m), given_m2, np.zeros((3, 3)), source=source)
        motion = None if motion is None else motion.predicted(time_ns)
        motion = Motion.started(found, time_ns) if motion is None else motion.updated(found)
        assert np.linalg.eigvalsh(motion.noise_covariance).min() > 0
        assert np.linalg.eigvalsh(motion.velocity_covariance_m2_s2).min() > 0


def test_a_change_of_the_source_is_no_motion() -> None:
    """The model's body puts people a tenth nearer than depth does, all of a sudden."""
    walking = settled()
    after = walking.predicted(walking.time_ns + FRAME_NS)
    assert after is not None
    changed = after.updated(seen(0.03, 0.0, 3.3, source="depth"))
    np.testing.assert_array_equal(changed.velocity_m_s, walking.velocity_m_s)
    np.testing.assert_array_equal(changed.position_m, (0.03, 0.0, 3.3))


def test_the_bias_is_part_of_the_stated_error_but_averages_out_of_nothing() -> None:
    motion = settled()
    biased = motion.updated(seen(0.0, 0.0, 3.0, scale_std=0.1))
    assert deviations(biased.position_covariance_m2)[2] == pytest.approx(0.3, abs=0.01)
    of_bias = biased.velocity_covariance_m2_s2 - biased.noise_covariance[3:, 3:]
    np.testing.assert_allclose(of_bias, np.diag((0.01, 0, 0)), atol=1e-3)


def test_more_images_with_lasting_noise_tell_no_more() -> None:
    """A still person is known as well from 10 images a second as from 100."""
    deviation_m_s = []
    for period_ns in (SECOND_NS // 10, SECOND_NS // 100):
        still = seen(0.0, 0.0, 3.0)._replace(noise_time_s=0.2)
        motion: Motion | None = Motion.started(still, 0)
        for time_ns in range(period_ns, 3 * SECOND_NS, period_ns):
            assert motion is not None
            predicted = motion.predicted(time_ns)
            motion = None if predicted is None else predicted.updated(still)
        assert motion is not None
        deviation_m_s.append(deviations(motion.velocity_covariance_m2_s2)[0])
    assert deviation_m_s[1] == pytest.approx(deviation_m_s[0], rel=0.1)


# People by id


def test_a_new_id_starts_anew_beside_the_others() -> None:
    walking = {3: settled()}
    time_ns = walking[3].time_ns + FRAME_NS
    now = moved(walking, {3: seen(0.03, 0, 3), 5: seen(0.03, 0, 3)}, time_ns)
    assert now.keys() == {3, 5}
    assert now[3].velocity_m_s[0] == pytest.approx(1.0, abs=0.05)
    assert (now[5].velocity_m_s == 0).all()
    assert deviations(now[5].noise_covariance)[3:].min() == 1.0


def test_who_is_held_is_predicted_and_goes_on_when_seen_again() -> None:
    held = {3: settled()}
    time_ns = held[3].time_ns
    for number in range(1, 16):
        held = moved(held, {}, time_ns + number * FRAME_NS)
    assert held[3].position_m[0] == pytest.approx(0.5, abs=0.02)
    again = moved(held, {3: seen(0.533, 0, 3)}, time_ns + 16 * FRAME_NS)
    assert again[3].velocity_m_s[0] == pytest.approx(1.0, abs=0.05)
    assert again[3].seen_ns == again[3].time_ns


def test_who_is_not_seen_for_a_second_is_forgotten() -> None:
    held = {3: settled()}
    last_ns = held[3].time_ns
    for number in range(1, 40):
        held = moved(held, {}, last_ns + number * FRAME_NS)
        assert (3 in held) == (number * FRAME_NS <= PREDICTED_NS)
    again = moved(held, {3: seen(1, 0, 3)}, last_ns + 2 * SECOND_NS)
    assert (again[3].velocity_m_s == 0).all()

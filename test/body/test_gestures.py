"""Gestures of synthetic bodies."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from synthetic.limbs import DOWN, FORWARD, UP, Limbs
from synthetic.postures import ALL_VISIBLE, HANGING, OUT, body_in_posture, figure_of, times
from synthetic.postures import waving_arm as waving

from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.body.figure import Figure
from pose_ros.body.gestures import GESTURES, Trace, is_raised

RAISED: Limbs = (UP, UP)
POINTING: Limbs = ((0.3, 0.1, -1.0), (0.3, 0.1, -1.0))
ON_HIP: Limbs = ((1.0, 0.8, 0.0), (-1.0, 0.6, -0.2))
AT_HEAD: Limbs = ((0.7, -0.5, -0.3), (-0.95, -0.5, -0.3))


def made(
    left: Callable[[float], Limbs] | Limbs,
    right: Limbs = HANGING,
    heading_deg: float = 0.0,
    seconds: float = 1.5,
    hz: float = 30.0,
) -> set[str]:
    """Return the gestures that are made at the end of some time."""
    trace = Trace()
    for time_s, stamp_ns in times(seconds, hz):
        arm = left(time_s) if callable(left) else left
        trace.add(figure_of(body_in_posture("standing", arm, right), heading_deg), stamp_ns)
    return {gesture.name for gesture in GESTURES if gesture.is_made(trace, gesture.side, False)}


@pytest.mark.parametrize("heading_deg", [0, 45, 90, 180])
def test_an_arm_that_is_raised_is_that_of_its_side(heading_deg: float) -> None:
    assert made(RAISED, heading_deg=heading_deg) == {"raising_left_arm"}
    assert made(HANGING, RAISED, heading_deg) == {"raising_right_arm"}
    assert made(RAISED, RAISED, heading_deg) == {"raising_left_arm", "raising_right_arm"}


@pytest.mark.parametrize("arm", [HANGING, ON_HIP, AT_HEAD, (DOWN, FORWARD), (FORWARD, DOWN)])
def test_other_arms_make_no_gesture(arm: Limbs) -> None:
    assert made(arm, arm) == set()


@pytest.mark.parametrize("heading_deg", [0, 60, 180])
def test_one_stretched_arm_points(heading_deg: float) -> None:
    assert made(POINTING, heading_deg=heading_deg) == {"pointing_left"}


def test_both_arms_stretched_out_point_nowhere() -> None:
    assert made((OUT, OUT), (OUT, OUT)) == set()


def test_arms_of_who_lies_make_no_gesture() -> None:
    trace = Trace()
    for _, stamp_ns in times(1.0):
        trace.add(figure_of(body_in_posture("lying")), stamp_ns)
    assert not any(item.is_made(trace, item.side, False) for item in GESTURES)


def test_an_arm_that_has_just_been_stretched_out_does_not_point_yet() -> None:
    assert made(POINTING, seconds=0.3) == set()


def test_an_arm_that_moves_does_not_point() -> None:
    def sweeping(time_s: float) -> Limbs:
        along = (math.sin(1.5 * time_s), 0.1, -math.cos(1.5 * time_s))
        return along, along

    assert made(sweeping) == set()


@pytest.mark.parametrize("hz", [10.0, 15.0, 30.0])
@pytest.mark.parametrize("wave_hz", [1.0, 2.0])
def test_a_hand_that_swings_to_and_fro_waves(wave_hz: float, hz: float) -> None:
    assert "waving_left" in made(lambda time_s: waving(time_s, wave_hz), hz=hz)


@pytest.mark.parametrize("hz", [10.0, 15.0, 30.0])
def test_a_small_swing_to_both_sides_is_enough(hz: float) -> None:
    assert "waving_left" in made(lambda time_s: waving(time_s, 1.4, 12.0), hz=hz, seconds=2.0)


def test_hands_that_swing_below_the_elbow_do_not_wave() -> None:
    def walking(time_s: float) -> Limbs:
        swing = 0.5 * math.sin(2 * math.pi * time_s)
        return (0.1, 1.0, swing), (0.1, 1.0, swing - 0.3)

    assert made(walking, heading_deg=90) == set()


def test_a_hand_that_trembles_does_not_wave() -> None:
    assert "waving_left" not in made(lambda time_s: waving(time_s, 2.0, swing_deg=7.0))


def test_a_hand_that_is_raised_once_does_not_wave() -> None:
    def raising(time_s: float) -> Limbs:
        angle = min(time_s, 1.0) * 2.4
        along = (math.sin(angle), math.cos(angle), 0.0)
        return along, along

    assert made(raising) == {"raising_left_arm"}


@pytest.mark.parametrize(("slope", "expected"), [(0.10, False), (0.15, True)])
def test_a_stretched_arm_is_raised_a_little_above_the_shoulder(
    slope: float, expected: bool
) -> None:
    along = (1.0, -slope, 0.0)
    assert ("raising_left_arm" in made((along, along))) == expected


def test_an_arm_that_is_not_quite_stretched_points() -> None:
    assert made(((0.3, 0.4, -0.9), (0.3, -0.2, -0.9))) == {"pointing_left"}


def test_an_elbow_that_is_hardly_visible_is_enough() -> None:
    visibility = ALL_VISIBLE.copy()
    visibility[FULL_BODY.names.index("left_elbow")] = 0.4
    trace = Trace()
    trace.add(Figure(body_in_posture("standing", RAISED).tolist(), visibility.tolist()), 0)
    assert is_raised(trace, "left")


@pytest.mark.parametrize("joint", ["shoulder", "elbow", "wrist"])
def test_an_arm_that_is_hidden_makes_no_gesture(joint: str) -> None:
    visibility = ALL_VISIBLE.copy()
    visibility[FULL_BODY.names.index(f"left_{joint}")] = 0.2
    trace = Trace()
    for _, stamp_ns in times(1.0):
        trace.add(
            Figure(body_in_posture("standing", RAISED).tolist(), visibility.tolist()), stamp_ns
        )
    assert not any(item.is_made(trace, item.side, False) for item in GESTURES)


def test_arms_of_a_model_without_legs_are_enough() -> None:
    trace = Trace()
    for _, stamp_ns in times(1.0):
        trace.add(
            Figure(
                (body_in_posture("standing", RAISED)[:25] * 300).tolist(),
                ALL_VISIBLE[:25].tolist(),
            ),
            stamp_ns,
        )
    found = {item.name for item in GESTURES if item.is_made(trace, item.side, False)}
    assert found == {"raising_left_arm"}


@pytest.mark.parametrize("seed", range(20))
def test_any_landmarks_raise_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trace = Trace()
    for _, stamp_ns in times(0.5):
        points_m = rng.normal(size=(33, 3)) * 10.0 ** rng.integers(-3, 4)
        points_m[rng.random(33) < 0.2] = rng.choice([0.0, np.nan, np.inf])
        trace.add(Figure(points_m.tolist(), rng.random(33).tolist()), stamp_ns)
        for item in GESTURES:
            item.is_made(trace, item.side, True)

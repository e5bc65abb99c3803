"""Sine, cosine and arc tangent against the C library that they are written after."""

from __future__ import annotations

import ctypes
import math
import platform
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.trigonometry import atan2, sin_cos

GLIBC = platform.libc_ver()
# Versions whose float32 functions are the ones that the module describes.
SAME_GLIBC = GLIBC[0] == "glibc" and (2, 31) <= tuple(map(int, GLIBC[1].split("."))) <= (2, 40)
needs_glibc = pytest.mark.skipif(
    not SAME_GLIBC, reason=f"C library is {' '.join(GLIBC)}, compared is glibc 2.31 to 2.40"
)
ULPS = 1.0  # steps of float32 between our result and the exact one

angles = st.floats(-20, 20, width=32)
lengths = st.floats(-4000, 4000, width=32).filter(lambda value: abs(value) > 1e-3)


def libm(name: str, arguments: int) -> Any:
    function = getattr(ctypes.CDLL("libm.so.6"), name)
    function.restype = ctypes.c_float
    function.argtypes = [ctypes.c_float] * arguments
    return function


def ulps(result: np.float32, exact: float) -> float:
    return abs(float(result) - exact) / float(np.spacing(np.float32(abs(exact))))


@needs_glibc
def test_the_sine_of_a_small_angle_is_the_c_librarys_to_the_bit() -> None:
    sinf, eighth_turn = libm("sinf", 1), np.float32(np.pi / 4)
    angles_rad = np.random.default_rng(1).uniform(-eighth_turn, eighth_turn, 20_000)
    near_zero = np.random.default_rng(2).uniform(-1e-3, 1e-3, 2_000)
    for angle_rad in np.concatenate((angles_rad, near_zero, [0])).astype(np.float32):
        assert sin_cos(angle_rad)[0] == sinf(angle_rad), angle_rad


@needs_glibc
def test_the_arc_tangent_is_the_c_librarys_to_the_bit() -> None:
    atan2f = libm("atan2f", 2)
    vectors = np.random.default_rng(3).normal(size=(20_000, 2)).astype(np.float32) * 300
    steep = np.random.default_rng(4).normal(size=(2_000, 2)).astype(np.float32) * (1, 1000)
    for y, x in (*vectors, *steep.astype(np.float32), *steep[:, ::-1].astype(np.float32)):
        assert atan2(y, x) == atan2f(y, x), (y, x)


@given(angles)
def test_sine_and_cosine_are_close_to_the_exact_ones(angle_rad: float) -> None:
    sin, cos = sin_cos(np.float32(angle_rad))
    assert abs(float(sin) - math.sin(angle_rad)) <= ULPS * 2**-24
    assert abs(float(cos) - math.cos(angle_rad)) <= ULPS * 2**-24


@given(lengths, lengths)
def test_the_arc_tangent_is_close_to_the_exact_one(y: float, x: float) -> None:
    assert ulps(atan2(np.float32(y), np.float32(x)), math.atan2(y, x)) <= ULPS


@pytest.mark.parametrize("y", [-2.0, 0.0, 3.0])
@pytest.mark.parametrize("x", [-1.0, 1.0])
def test_the_arc_tangent_on_the_axes_and_in_each_quadrant(y: float, x: float) -> None:
    assert float(atan2(np.float32(y), np.float32(x))) == pytest.approx(math.atan2(y, x), abs=1e-6)


@pytest.mark.parametrize("y", [-1e30, 1e30])
@pytest.mark.parametrize("x", [-1e-30, 1e-30])
def test_a_slope_too_steep_for_float32_is_a_right_angle_without_a_warning(
    y: float, x: float
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        angle_rad = float(atan2(np.float32(y), np.float32(x)))
    assert angle_rad == pytest.approx(math.copysign(math.pi / 2, y), abs=1e-6)


@pytest.mark.parametrize("y", [-2.0, 3.0])
@pytest.mark.parametrize("x", [-0.0, 0.0])
def test_straight_up_and_down_are_right_angles(y: float, x: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        angle_rad = atan2(np.float32(y), np.float32(x))
    assert angle_rad == np.float32(math.copysign(math.pi / 2, y))

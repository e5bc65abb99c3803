"""Float32 trigonometry that rounds as the C library under MediaPipe does.

The tracking loop amplifies a difference in the last bit of an ROI's rotation to pixels within
tens of frames, and the functions of Python and numpy round differently now and then.
What equality to the last bit with the golden files needs is here: with Python's arc tangent (217
of 2,313 angles differ) 23 of the 55 cases of test_parity.py that run LiteRT are no longer equal,
with its sine of angles below an eighth of a turn (36 of 3,759 differ) 8. Its cosine, and its sine
of larger angles, rounded once, give the same bits there. They do not for every angle: of random
ones 0.04 % of the small and 2 % of the large differ.
ref: glibc 2.36: s_sincosf_data.c (a float64 polynomial, rounded once); e_atan2f.c and s_atanf.c
(fdlibm, in float32 steps).
"""

from __future__ import annotations

import math

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array

_SIN = tuple(
    map(float.fromhex, ("-0x1.555545995a603p-3", "0x1.1107605230bc4p-7", "-0x1.994eb3774cf24p-13"))
)
_QUARTER_PI = float(np.float32(math.pi / 4))

_PI = np.float32(math.pi)
_PI_LOW = np.float32(math.pi - float(_PI))
_ATAN_ODD = np.array(
    (
        3.3333334327e-01,
        1.4285714924e-01,
        9.0908870101e-02,
        6.6610731184e-02,
        4.9768779427e-02,
        1.6285819933e-02,
    ),
    np.float32,
)
_ATAN_EVEN = np.array(
    (
        -2.0000000298e-01,
        -1.1111110449e-01,
        -7.6918758452e-02,
        -5.8335702866e-02,
        -3.6531571299e-02,
    ),
    np.float32,
)
_ATAN_RANGES = np.array(  # upper bound, tangent that is taken off, its angle in two parts
    (
        (0.4375, 0.0, 0.0, 0.0),
        (0.6875, 0.5, 4.6364760399e-01, 5.0121582440e-09),
        (1.1875, 1.0, 7.8539812565e-01, 3.7748947079e-08),
        (2.4375, 1.5, 9.8279368877e-01, 3.4473217170e-08),
    ),
    np.float32,
)
_RIGHT_ANGLE = np.array((1.5707962513e00, 7.5497894159e-08), np.float32)


def sin_cos(angle_rad: np.float32) -> tuple[np.float32, np.float32]:
    """Return sine and cosine of an angle."""
    x = float(angle_rad)
    sin = _sin(x) if abs(x) < _QUARTER_PI else math.sin(x)
    return np.float32(sin), np.float32(math.cos(x))


def _sin(x: float) -> float:
    square = x * x
    cube = x * square
    return x + cube * _SIN[0] + cube * square * (_SIN[1] + square * _SIN[2])


def atan2(y: np.float32, x: np.float32) -> np.float32:
    """Return the angle of the vector (x, y), in [-pi, pi]."""
    with np.errstate(over="ignore", divide="ignore"):
        slope = abs(y / x)
    angle = _atan(slope)
    if x < 0:
        angle = _PI - (angle - _PI_LOW)
    return -angle if y < 0 else angle


def _atan(x: np.float32) -> np.float32:
    """Return the arc tangent of a number that is not negative."""
    one, (high, low) = np.float32(1), _RIGHT_ANGLE
    for bound, tangent, *angle in _ATAN_RANGES:
        if x < bound:
            x, (high, low) = (x - tangent) / (one + tangent * x), angle
            break
    else:
        x = -one / x
    square = x * x
    fourth = square * square
    series = square * _horner(_ATAN_ODD, fourth) + fourth * _horner(_ATAN_EVEN, fourth)
    angle_rad: np.float32 = high - ((x * series - low) - x)
    return angle_rad


def _horner(coefficients: Float32Array, x: np.float32) -> np.float32:
    total = np.float32(0)
    for coefficient in coefficients[::-1]:
        total = coefficient + x * total
    return total

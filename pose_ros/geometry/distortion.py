"""Lens distortion of single points on the plane z = 1, both ways; images are never undistorted.

The models are those of OpenCV, by the names of sensor_msgs/CameraInfo. Inverting them is done
here and not by `cv2.undistortPoints`: that takes a fixed number of steps before OpenCV 4.6, and
always returns something for a pixel that no ray reaches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.errors import CameraError

# On the plane z = 1, so far below a thousandth of a pixel.
_MAX_ERROR = 1e-9
_NO_STEP = 1e-13
_MAX_STEPS = 25
_MAX_COEFFICIENT = 1e9  # beyond any lens; far beyond, polynomials overflow
# Newton's method starts well inside of where the lens is invertible; its edge is flat.
_START_PART = 0.7
_TABLE_SIZE, _TABLE_RADIUS = 1000, 10.0


@dataclass(frozen=True)
class Distortion:
    """A lens that bends the rays; `coefficients` in the order of OpenCV."""

    coefficients: tuple[float, ...]

    def distort(self, plane: Float64Array) -> Float64Array:
        """Return where the lens shows points (n, 2) of the plane z = 1; NaN where it does not.

        Beyond some angle the formula of a lens folds back, and holds no longer.
        """
        raise NotImplementedError

    def undistort(self, distorted: Float64Array) -> Float64Array:
        """Return the points (n, 2) of the plane z = 1 that the lens shows there, NaN if none."""
        raise NotImplementedError


@dataclass(frozen=True)
class PolynomialDistortion(Distortion):
    """Radial, rational, tangential, thin prism and tilt terms: 4, 5, 8, 12 or 14 coefficients.

    ref: cv2.projectPoints
    """

    @cached_property
    def _fraction(self) -> tuple[np.poly1d, np.poly1d]:
        """Numerator and denominator of the radial part, of the square of the radius."""
        k1, k2, k3, k4, k5, k6 = ((*self.coefficients, *(0.0,) * 8)[i] for i in _RADIAL)
        return np.poly1d((k3, k2, k1, 1.0)), np.poly1d((k6, k5, k4, 1.0))

    @cached_property
    def _limit(self) -> float:
        """The radius on the plane up to which the radial part grows and has no pole."""
        above, below = self._fraction
        square = np.poly1d((1.0, 0.0))
        # The derivative of r * above(r^2) / below(r^2), without its positive denominator.
        slope = above * below + 2 * square * (above.deriv() * below - above * below.deriv())
        return math.sqrt(min(_first_root(slope), _first_root(below)))

    @cached_property
    def _radii(self) -> tuple[Float64Array, Float64Array]:
        """A table of radii, as shown by the radial part (growing) and on the plane."""
        above, below = self._fraction
        radii: Float64Array = np.linspace(0, min(self._limit, _TABLE_RADIUS), _TABLE_SIZE)
        return radii * above(radii**2) / below(radii**2), radii

    def distort(self, plane: Float64Array) -> Float64Array:
        """Return where the lens shows points (n, 2) of the plane z = 1; NaN where it does not."""
        shown, (a, b, c, d) = self._project(plane)
        is_shown = (np.hypot(*plane.T) < self._limit) & (a * d > b * c)
        shown[~is_shown] = np.nan
        return shown

    def undistort(self, distorted: Float64Array) -> Float64Array:
        """Return the points (n, 2) of the plane z = 1 that the lens shows there, NaN if none."""
        radius = np.hypot(*distorted.T)
        start = np.asarray(np.interp(radius, *self._radii), np.float64)
        with np.errstate(all="ignore"):  # what is no pixel ends as NaN
            return self._undistort(distorted, distorted * _ratio(start, radius))

    def _undistort(self, distorted: Float64Array, plane: Float64Array) -> Float64Array:
        """Improve points (n, 2) of the plane by Newton's method."""
        for _ in range(_MAX_STEPS):
            shown, (a, b, c, d) = self._project(plane)
            error, determinant = shown - distorted, a * d - b * c
            is_found = (np.abs(error).max(axis=1) < _MAX_ERROR) & (determinant > 0)
            if is_found.all():
                break
            x, y = error.T
            step = np.stack((d * x - b * y, a * y - c * x), axis=1) / determinant[:, None]
            last, plane = plane, plane - step
            if (is_found | (np.abs(plane - last).max(axis=1) < _NO_STEP)).all():
                break
        plane[~is_found | ~(np.hypot(*plane.T) < self._limit)] = np.nan
        return plane

    def _project(self, plane: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return the points as the lens shows them, (n, 2), and their derivatives (4, n).

        The derivatives of x by x and y, then of y by x and y.
        """
        points = np.column_stack((plane, np.ones(len(plane))))
        shown, jacobian = cv2.projectPoints(
            points, _NO_MOTION, _NO_MOTION, _IDENTITY, np.array(self.coefficients)
        )
        # A shift of the points by x or y is one of the camera's translation.
        slopes = np.asarray(jacobian[:, 3:5], np.float64).reshape(-1, 4).T
        return np.asarray(shown, np.float64).reshape(-1, 2), slopes


_RADIAL = (0, 1, 4, 5, 6, 7)
_NO_MOTION = np.zeros(3)
_IDENTITY = np.eye(3)


@dataclass(frozen=True)
class EquidistantDistortion(Distortion):
    """A fisheye lens: the radius is a polynomial of the angle from the axis; 4 coefficients.

    Only rays in front of the camera meet the plane z = 1: others are NaN. ref: cv2.fisheye
    """

    @cached_property
    def _polynomial(self) -> np.poly1d:
        k1, k2, k3, k4 = self.coefficients
        return np.poly1d((k4, 0.0, k3, 0.0, k2, 0.0, k1, 0.0, 1.0, 0.0))

    @cached_property
    def _slope(self) -> np.poly1d:
        return self._polynomial.deriv()

    @cached_property
    def _limit_rad(self) -> float:
        """The angle from the axis up to which the radius grows, less than a right angle."""
        return min(_first_root(self._slope), math.pi / 2)

    def distort(self, plane: Float64Array) -> Float64Array:
        """Return where the lens shows points (n, 2) of the plane z = 1; NaN where it does not."""
        radius = np.hypot(*plane.T)
        angle_rad = np.arctan(radius)
        angle_rad[~(angle_rad < self._limit_rad)] = np.nan
        return plane * _ratio(self._polynomial(angle_rad), radius)

    def undistort(self, distorted: Float64Array) -> Float64Array:
        """Return the points (n, 2) of the plane z = 1 that the lens shows there, NaN if none."""
        radius = np.hypot(*distorted.T)
        angle_rad = np.minimum(radius, _START_PART * self._limit_rad)
        with np.errstate(all="ignore"):  # what is no pixel ends as NaN
            for _ in range(_MAX_STEPS):
                error = self._polynomial(angle_rad) - radius
                is_found = np.abs(error) < _MAX_ERROR
                if is_found.all():
                    break
                step = error / self._slope(angle_rad)
                angle_rad = np.clip(angle_rad - step, 0, self._limit_rad)
            angle_rad[~is_found | ~(angle_rad < self._limit_rad)] = np.nan
            return distorted * _ratio(np.tan(angle_rad), radius)


def _first_root(polynomial: np.poly1d) -> float:
    """Return the smallest positive real root, or infinity; the value at 0 is not zero.

    With its coefficients in reverse a polynomial has the inverse roots, of which the largest is
    found well however small the coefficients of high powers are.
    """
    inverse = np.roots(polynomial.coeffs[::-1])
    is_real = np.abs(inverse.imag) < 1e-9 * np.abs(inverse)
    largest = float(inverse.real[is_real].max(initial=0.0))
    return 1 / largest if largest > 0 else math.inf


def _ratio(length: Float64Array, radius: Float64Array) -> Float64Array:
    """Return length / radius as (n, 1), 1 in the center."""
    is_center = radius == 0
    return np.where(is_center, 1, length / np.where(is_center, 1, radius))[:, None]


_POLYNOMIAL_LENGTHS = (4, 5, 8, 12, 14)
_MODELS: dict[str, tuple[type[Distortion], tuple[int, ...]]] = {
    "plumb_bob": (PolynomialDistortion, _POLYNOMIAL_LENGTHS),
    "rational_polynomial": (PolynomialDistortion, _POLYNOMIAL_LENGTHS),
    "equidistant": (EquidistantDistortion, (4,)),
}


def distortion_from(model: str, coefficients: Iterable[float]) -> Distortion | None:
    """Return the distortion of a calibration; None if there are no coefficients or all are zero.

    An equidistant lens bends rays even then. Raises CameraError for a model that is not known or
    coefficients that it does not have.
    """
    return _distortion(model, tuple(map(float, coefficients)))


@lru_cache(maxsize=8)  # A camera sends the same calibration with every image.
def _distortion(model: str, coefficients: tuple[float, ...]) -> Distortion | None:
    is_fisheye = model == "equidistant" and len(coefficients) > 0
    if not any(coefficients) and not is_fisheye:
        return None
    if model not in _MODELS:
        allowed = ", ".join(_MODELS)
        raise CameraError(f"the distortion model is {model!r}; allowed is one of {allowed}")
    distortion, lengths = _MODELS[model]
    is_sane = all(abs(value) <= _MAX_COEFFICIENT for value in coefficients)
    if len(coefficients) not in lengths or not is_sane:
        allowed = ", ".join(map(str, lengths))
        raise CameraError(
            f"the distortion coefficients of model {model} are {list(coefficients)}; "
            f"allowed are {allowed} numbers from {-_MAX_COEFFICIENT:g} to {_MAX_COEFFICIENT:g}"
        )
    return distortion(coefficients)

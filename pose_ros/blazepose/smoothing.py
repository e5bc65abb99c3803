"""Filters over time. A filter is a value: applying it returns the filtered array and the next
filter, so a frame that fails half-way leaves no trace, and a reset is a fresh filter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageSize
from pose_ros.blazepose.models import OneEuro, RelativeVelocity, Smoothing

_ASSUMED_FRAME_NS = 10**9 // 30
_MIN_OBJECT_SCALE_PX = 1e-6
_MASK_RATIO = 0.7
_UNCERTAINTY = (5.68842, -0.748699, -57.8051, 291.309, -624.717)


class Filter(Protocol):
    """Smooths points (K, 3) over time; `time_ns` grows from call to call."""

    def apply(
        self, points: Float32Array, time_ns: int, object_scale: np.float32
    ) -> tuple[Float32Array, Filter]:
        """Return filtered points and the filter for the next frame.

        `object_scale` is the size of the object in the points' unit.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """What the relative-velocity filter remembers of one frame."""

    distance: Float32Array | np.float32
    duration_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class RelativeVelocityFilter:
    """Smooths less the faster a value moves relative to the extent of the points.

    The velocity is that of the raw values over a window of about six frames; the window starts
    full of empty steps. ref: relative_velocity_filter.cc (legacy distance mode).
    """

    constants: RelativeVelocity
    window: tuple[_Step, ...] = ()
    raw_scaled: Float32Array | None = None
    filtered: Float32Array | None = None
    time_ns: int = 0

    def apply(
        self, points: Float32Array, time_ns: int, object_scale: np.float32
    ) -> tuple[Float32Array, RelativeVelocityFilter]:
        """Return filtered points and the next filter; points without extent pass unchanged."""
        scale = _extent(points)
        if scale < _MIN_OBJECT_SCALE_PX:
            return points, self
        scaled = points * (np.float32(1) / scale)
        if self.raw_scaled is None or self.filtered is None:
            window = (_Step(np.float32(0), 0),) * self.constants.window_size
            filtered = points
        else:
            step = _Step(scaled - self.raw_scaled, time_ns - self.time_ns)
            filtered = _low_pass(points, self.filtered, self._alpha(step))
            window = (step, *self.window)[: self.constants.window_size]
        return filtered, replace(
            self, window=window, raw_scaled=scaled, filtered=filtered, time_ns=time_ns
        )

    def _alpha(self, step: _Step) -> Float32Array:
        """Return the weight of the new values from their velocity, in object sizes per second."""
        distance, duration_ns = step.distance, step.duration_ns
        longest_ns = (1 + len(self.window)) * _ASSUMED_FRAME_NS
        for past in self.window:
            if duration_ns + past.duration_ns > longest_ns:
                break
            distance = distance + past.distance
            duration_ns += past.duration_ns
        velocity = (np.float64(distance) / (duration_ns * 1e-9)).astype(np.float32)
        one = np.float32(1)
        slowness = one / (one + np.float32(self.constants.velocity_scale) * np.abs(velocity))
        alpha: Float32Array = one - slowness
        return alpha


@dataclass(frozen=True, slots=True, eq=False)
class OneEuroFilter:
    """A low-pass filter whose cutoff frequency grows with the speed relative to the object.

    The speed is taken from the raw values. ref: one_euro_filter.cc (MediaPipe 0.10.21).
    """

    constants: OneEuro
    raw: Float32Array | None = None
    filtered: Float32Array | None = None
    speed: Float32Array | None = None
    time_ns: int = 0

    def apply(
        self, points: Float32Array, time_ns: int, object_scale: np.float32
    ) -> tuple[Float32Array, OneEuroFilter]:
        """Return filtered points and the next filter; an object without size passes unchanged."""
        if object_scale < _MIN_OBJECT_SCALE_PX:
            return points, self
        if self.raw is None or self.filtered is None or self.speed is None:
            filtered, speed = points, np.zeros_like(points)
        else:
            frequency_hz = 1.0 / ((time_ns - self.time_ns) * 1e-9)
            value_scale = float(np.float32(1) / object_scale)
            moved = points.astype(np.float64) - self.raw
            new_speed = (moved * value_scale * frequency_hz).astype(np.float32)
            weight = _one_euro_alpha(np.float64(self.constants.derivate_cutoff), frequency_hz)
            speed = _low_pass(new_speed, self.speed, weight)
            # the graph stores it as float32
            min_cutoff_hz = float(np.float32(self.constants.min_cutoff))
            cutoff_hz = min_cutoff_hz + self.constants.beta * np.abs(np.float64(speed))
            filtered = _low_pass(points, self.filtered, _one_euro_alpha(cutoff_hz, frequency_hz))
        return filtered, replace(self, raw=points, filtered=filtered, speed=speed, time_ns=time_ns)


def _one_euro_alpha(cutoff_hz: Float64Array | np.float64, frequency_hz: float) -> Float32Array:
    """Return the weight of the new value of a low-pass filter with a cutoff frequency."""
    period_s, time_constant_s = 1.0 / frequency_hz, 1.0 / (2 * math.pi * cutoff_hz)
    return np.asarray(1.0 / (1.0 + time_constant_s / period_s), np.float32)


def _low_pass(new: Float32Array, old: Float32Array, alpha: Float32Array) -> Float32Array:
    """Return alpha * new + (1 - alpha) * old, rounded as low_pass_filter.cc does."""
    rest: Float64Array = 1.0 - alpha.astype(np.float64)
    return (alpha * new + rest * old).astype(np.float32)


def _extent(points: Float32Array) -> np.float32:
    """Return the mean of width and height of the points' bounding box."""
    extent = points[:, :2].max(axis=0) - points[:, :2].min(axis=0)
    scale: np.float32 = (extent[0] + extent[1]) / np.float32(2)
    return scale


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkSet:
    """What is smoothed of one person.

    Landmarks (N, 3) and auxiliary landmarks (2, 3) in image px, visibility (N,), world landmarks
    (N, 3) in m or None.
    """

    landmarks_px: Float32Array
    auxiliary_px: Float32Array
    visibility: Float32Array
    world_m: Float32Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PoseSmoother:
    """The filters of one person; None leaves what it would filter as it is.

    ref: pose_landmark_filtering.pbtxt
    """

    landmarks: Filter | None
    auxiliary: Filter | None
    world: Filter | None
    visibility_weight: float | None
    visibility: Float32Array | None = None

    @classmethod
    def fresh(cls, smoothing: Smoothing, is_smoothing: bool) -> PoseSmoother:
        """Return a smoother that has seen nothing."""
        has_auxiliary = is_smoothing or smoothing.auxiliary_always
        return cls(
            landmarks=_make(smoothing.landmarks if is_smoothing else None),
            auxiliary=_make(smoothing.auxiliary if has_auxiliary else None),
            world=_make(smoothing.world if is_smoothing else None),
            visibility_weight=smoothing.visibility_weight if is_smoothing else None,
        )

    def apply(
        self, raw: LandmarkSet, object_scale_px: np.float32, image_size: ImageSize, time_ns: int
    ) -> tuple[LandmarkSet, PoseSmoother]:
        """Return the filtered landmarks and the next smoother.

        `object_scale_px` is the diameter of the circle around the person.
        """
        width, height = image_size
        unit_px = np.array([width, height, width], np.float32)
        moment = (time_ns, object_scale_px, unit_px)
        landmarks_px, landmarks = _filter(self.landmarks, raw.landmarks_px, *moment)
        auxiliary_px, auxiliary = _filter(self.auxiliary, raw.auxiliary_px, *moment)
        world_m, world = raw.world_m, self.world
        if world_m is not None and world is not None:
            world_m, world = world.apply(world_m, time_ns, np.float32(1))
        visibility = self._filtered_visibility(raw.visibility)
        filtered = LandmarkSet(landmarks_px, auxiliary_px, visibility, world_m)
        return filtered, PoseSmoother(
            landmarks, auxiliary, world, self.visibility_weight, visibility
        )

    def _filtered_visibility(self, visibility: Float32Array) -> Float32Array:
        if self.visibility is None or self.visibility_weight is None:
            return visibility
        return _low_pass(visibility, self.visibility, np.array(self.visibility_weight, np.float32))


def _make(constants: RelativeVelocity | OneEuro | None) -> Filter | None:
    if isinstance(constants, OneEuro):
        return OneEuroFilter(constants)
    return None if constants is None else RelativeVelocityFilter(constants)


def _filter(
    used: Filter | None,
    points_px: Float32Array,
    time_ns: int,
    object_scale_px: np.float32,
    unit_px: Float32Array,
) -> tuple[Float32Array, Filter | None]:
    """Filter points in px, and round as MediaPipe does when it stores them normalized."""
    if used is None:
        return points_px, None
    filtered, following = used.apply(points_px, time_ns, object_scale_px)
    return filtered / unit_px * unit_px, following


def smooth_mask(mask: Float32Array, previous: Float32Array | None) -> Float32Array:
    """Return the mask (H, W), blended with the filtered one before where it is uncertain.

    ref: SegmentationSmoothingCalculator; its polynomial is near the squared entropy of a pixel.
    """
    if previous is None:
        return mask
    x = np.square(mask - np.float32(0.5))
    certainty = np.zeros_like(x)
    for coefficient in _UNCERTAINTY[::-1]:
        certainty = (certainty + np.float32(coefficient)) * x
    uncertainty = np.float32(1) - np.minimum(certainty, np.float32(1))
    blended: Float32Array = mask + (previous - mask) * uncertainty * np.float32(_MASK_RATIO)
    return blended

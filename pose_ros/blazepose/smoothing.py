"""Filters over time. A filter is a value: its constants, and what it remembers. Applying it
returns the filtered array and the next filter, so a frame that fails half-way leaves no trace.
A filter with nothing but constants has seen nothing: the model table holds such filters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageSize

_ASSUMED_FRAME_NS = 10**9 // 30
_MIN_OBJECT_SCALE_PX = 1e-6


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
    full of empty steps. ref: relative_velocity_filter.cc (legacy distance mode), with the
    constants of pose_landmark_filtering.pbtxt (0.8.3).
    """

    window_size: int = 5
    velocity_scale: float = 10.0
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
            window = (_Step(np.float32(0), 0),) * self.window_size
            filtered = points
        else:
            step = _Step(scaled - self.raw_scaled, time_ns - self.time_ns)
            filtered = _low_pass(points, self.filtered, self._alpha(step))
            window = (step, *self.window)[: self.window_size]
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
        slowness = one / (one + np.float32(self.velocity_scale) * np.abs(velocity))
        alpha: Float32Array = one - slowness
        return alpha


@dataclass(frozen=True, slots=True, eq=False)
class OneEuroFilter:
    """A low-pass filter whose cutoff frequency grows with the speed relative to the object.

    The speed is taken from the raw values, and smoothed itself. ref: one_euro_filter.cc, with the
    constants of pose_landmark_filtering.pbtxt (MediaPipe 0.10.21).
    """

    min_cutoff_hz: float
    beta: float
    derivate_cutoff_hz: float = 1.0
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
            weight = _one_euro_alpha(np.float64(self.derivate_cutoff_hz), frequency_hz)
            speed = _low_pass(new_speed, self.speed, weight)
            # the graph stores it as float32
            min_cutoff_hz = float(np.float32(self.min_cutoff_hz))
            cutoff_hz = min_cutoff_hz + self.beta * np.abs(np.float64(speed))
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

    `visibility_weight` is that of the new value in a low-pass filter. `auxiliary_always`: the
    auxiliary landmarks are filtered even if smoothing is off.
    ref: pose_landmark_filtering.pbtxt
    """

    landmarks: Filter | None
    auxiliary: Filter | None
    world: Filter | None = None
    visibility_weight: float | None = None
    auxiliary_always: bool = False
    visibility: Float32Array | None = None

    @property
    def is_tunable(self) -> bool:
        """Whether the filter of the landmarks has the constants that `tuned` replaces."""
        return isinstance(self.landmarks, OneEuroFilter)

    def tuned(self, min_cutoff_hz: float, beta: float) -> PoseSmoother:
        """Return these filters with other constants for landmarks; 0 leaves one as it is.

        Those of world landmarks change by the same factor; auxiliary ones, which make the ROI, are
        filtered as before.
        """
        own, world = self.landmarks, self.world
        if not isinstance(own, OneEuroFilter):
            return self
        landmarks = replace(
            own, min_cutoff_hz=min_cutoff_hz or own.min_cutoff_hz, beta=beta or own.beta
        )
        if isinstance(world, OneEuroFilter):
            world = replace(
                world,
                min_cutoff_hz=world.min_cutoff_hz * (landmarks.min_cutoff_hz / own.min_cutoff_hz),
                beta=world.beta * (landmarks.beta / own.beta),
            )
        return replace(self, landmarks=landmarks, world=world)

    def switched(self, is_smoothing: bool) -> PoseSmoother:
        """Return these filters, or those that stay if smoothing is off."""
        if is_smoothing:
            return self
        auxiliary = self.auxiliary if self.auxiliary_always else None
        return PoseSmoother(None, auxiliary, auxiliary_always=self.auxiliary_always)

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
        return filtered, replace(
            self, landmarks=landmarks, auxiliary=auxiliary, world=world, visibility=visibility
        )

    def _filtered_visibility(self, visibility: Float32Array) -> Float32Array:
        if self.visibility is None or self.visibility_weight is None:
            return visibility
        return _low_pass(visibility, self.visibility, np.array(self.visibility_weight, np.float32))


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

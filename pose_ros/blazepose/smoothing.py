"""Filters over time. A filter is a value: applying it returns the filtered array and the next
filter, so a frame that fails half-way leaves no trace, and a reset is a fresh filter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, ImageSize
from pose_ros.blazepose.models import RelativeVelocity

_ASSUMED_FRAME_NS = 10**9 // 30


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """What the relative-velocity filter remembers of one frame."""

    distance: Float32Array | np.float32
    duration_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class RelativeVelocityFilter:
    """Smooths less the faster a value moves relative to the size of the object.

    The velocity is that of the raw values over a window of about six frames; the window starts
    full of empty steps. ref: relative_velocity_filter.cc (legacy distance mode).
    """

    constants: RelativeVelocity
    window: tuple[_Step, ...] = ()
    raw_scaled: Float32Array | None = None
    filtered: Float32Array | None = None
    time_ns: int = 0

    def apply(
        self, points_px: Float32Array, time_ns: int
    ) -> tuple[Float32Array, RelativeVelocityFilter]:
        """Return filtered points (K, 3) and the filter for the next frame.

        Points of an object without extent pass unchanged, as does a time that does not advance.
        """
        scale_px = _object_scale_px(points_px)
        if scale_px < self.constants.min_object_scale_px:
            return points_px, self
        scaled = points_px * (np.float32(1) / scale_px)
        if self.raw_scaled is None or self.filtered is None:
            window = (_Step(np.float32(0), 0),) * self.constants.window_size
            return points_px, replace(
                self, window=window, raw_scaled=scaled, filtered=points_px, time_ns=time_ns
            )
        if time_ns <= self.time_ns:
            return points_px, self
        step = _Step(scaled - self.raw_scaled, time_ns - self.time_ns)
        alpha = self._alpha(step)
        filtered = (alpha * points_px + (1.0 - alpha.astype(np.float64)) * self.filtered).astype(
            np.float32
        )
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
        alpha: Float32Array = one - one / (
            one + np.float32(self.constants.velocity_scale) * np.abs(velocity)
        )
        return alpha


def _object_scale_px(points_px: Float32Array) -> np.float32:
    """Return the mean of width and height of the points' bounding box."""
    extent = points_px[:, :2].max(axis=0) - points_px[:, :2].min(axis=0)
    scale: np.float32 = (extent[0] + extent[1]) / np.float32(2)
    return scale


@dataclass(frozen=True, slots=True, eq=False)
class PoseSmoother:
    """The filters of one person: landmarks and auxiliary landmarks apart, as in the graph.

    ref: pose_landmark_filtering.pbtxt.
    """

    landmarks: RelativeVelocityFilter
    auxiliary: RelativeVelocityFilter

    @classmethod
    def fresh(cls, constants: RelativeVelocity) -> PoseSmoother:
        """Return a smoother that has seen nothing."""
        return cls(RelativeVelocityFilter(constants), RelativeVelocityFilter(constants))

    def apply(
        self,
        landmarks_px: Float32Array,
        auxiliary_px: Float32Array,
        image_size: ImageSize,
        time_ns: int,
    ) -> tuple[Float32Array, Float32Array, PoseSmoother]:
        """Return filtered landmarks (N, 3), auxiliary landmarks (2, 3) and the next smoother."""
        landmarks, next_landmarks = self.landmarks.apply(landmarks_px, time_ns)
        auxiliary, next_auxiliary = self.auxiliary.apply(auxiliary_px, time_ns)
        smoother = PoseSmoother(next_landmarks, next_auxiliary)
        return _as_stored(landmarks, image_size), _as_stored(auxiliary, image_size), smoother


def _as_stored(points_px: Float32Array, image_size: ImageSize) -> Float32Array:
    """Round as MediaPipe does when it stores filtered points normalized by the image size."""
    width, height = image_size
    scale = np.array([width, height, width], np.float32)
    stored: Float32Array = points_px / scale * scale
    return stored

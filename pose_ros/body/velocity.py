"""How people move: a Kalman filter of constant velocity for each, by the times of the images.

What changes a velocity, steps and turns, is white acceleration here. It and the noise of the
positions decide how much a new position counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array

ACCELERATION_M2_S3 = 0.15
"""Spectral density of the acceleration, for each axis.

With less, the errors of people who turn are larger than their standard deviations; with more, the
velocity of those who walk straight on is noisier than need be.
"""
PREDICTED_NS = 10**9
"""How long a motion is predicted without a position; the position is then off by some 0.3 m."""
_START_SPEED_M_S = 1.0
_UNIT = np.eye(6)
# How a step of s seconds changes position and velocity, times s; and what acceleration adds to
# their covariance then, times s, s^2 and s^3.
_STEP = np.kron(((0, 1), (0, 0)), np.eye(3))
_GROWTH = ACCELERATION_M2_S3 * np.stack(
    [
        np.kron(part, np.eye(3))
        for part in (((0, 0), (0, 1)), ((0, 1 / 2), (1 / 2, 0)), ((1 / 3, 0), (0, 0)))
    ],
    axis=-1,
)


class Observation(NamedTuple):
    """A position (3,) in m, and the covariances (3, 3) of its error: noise and bias.

    The noise is forgotten with the time constant `noise_time_s`: 0 if it is another one in each
    image. The bias is the same in many of them, and that of one `source`. `scale_std` is the
    standard deviation of the bias as a part of the distance.
    """

    position_m: Float64Array
    noise_m2: Float64Array
    bias_m2: Float64Array
    scale_std: float = 0.0
    source: str = ""
    noise_time_s: float = 0.0

    def independent_noise_m2(self, step_s: float) -> Float64Array:
        """Return the covariance of noise that is another one at each step and misleads as much.

        So many images in a short time tell no more than a few. ref: the variance of the mean of an
        autoregressive process of first order
        """
        if not self.noise_time_s:
            return self.noise_m2
        return self.noise_m2 / math.tanh(step_s / (2 * self.noise_time_s))


class Motion(NamedTuple):
    """Position in m and velocity in m/s of one person at the time `time_ns`: `state` (6,).

    `noise_covariance` (6, 6) is that of both as far as the noise of the positions makes them
    uncertain; `seen` is the last position, observed at `seen_ns`.
    """

    state: Float64Array
    noise_covariance: Float64Array
    seen: Observation
    seen_ns: int
    time_ns: int

    @classmethod
    def started(cls, seen: Observation, time_ns: int) -> Motion:
        """Return the motion of somebody seen for the first time, who stands or walks anywhere."""
        state = np.concatenate((seen.position_m, np.zeros(3)))
        covariance = _START_SPEED_M_S**2 * _UNIT
        covariance[:3, :3] = seen.noise_m2
        return cls(state, covariance, seen, time_ns, time_ns)

    @property
    def position_m(self) -> Float64Array:
        """The position (3,)."""
        return self.state[:3]

    @property
    def velocity_m_s(self) -> Float64Array:
        """The velocity (3,)."""
        return self.state[3:]

    @property
    def position_covariance_m2(self) -> Float64Array:
        """The covariance (3, 3) of the position, with its bias."""
        covariance_m2: Float64Array = self.noise_covariance[:3, :3] + self.seen.bias_m2
        return covariance_m2

    @property
    def velocity_covariance_m2_s2(self) -> Float64Array:
        """The covariance (3, 3) of the velocity; who seems too far away seems too fast as well."""
        bias_m_s = self.seen.scale_std * self.velocity_m_s
        covariance_m2_s2: Float64Array = self.noise_covariance[3:, 3:]
        return covariance_m2_s2 + bias_m_s[:, None] * bias_m_s

    def predicted(self, time_ns: int) -> Motion | None:
        """Return the motion at a later time; None if the person was not seen for too long."""
        if time_ns - self.seen_ns > PREDICTED_NS:
            return None
        step_s = (time_ns - self.time_ns) * 1e-9
        transition = _UNIT + step_s * _STEP
        covariance = transition @ self.noise_covariance @ transition.T
        covariance += _GROWTH @ (step_s, step_s**2, step_s**3)
        return Motion(transition @ self.state, covariance, self.seen, self.seen_ns, time_ns)

    def updated(self, seen: Observation) -> Motion:
        """Return the motion with a position observed at its time, later than the last one.

        That of another source has another bias, so that it says nothing about the velocity.
        """
        before = self.noise_covariance
        if seen.source != self.seen.source:
            state = np.concatenate((seen.position_m, self.velocity_m_s))
            covariance = np.zeros((6, 6))
            covariance[:3, :3] = seen.noise_m2
            covariance[3:, 3:] = before[3:, 3:]
        else:
            noise_m2 = seen.independent_noise_m2((self.time_ns - self.seen_ns) * 1e-9)
            gain = before[:, :3] @ _inverse(before[:3, :3] + noise_m2)
            state = self.state + gain @ (seen.position_m - self.position_m)
            covariance = before - gain @ before[:3]
            covariance = (covariance + covariance.T) / 2
        return Motion(state, covariance, seen, self.time_ns, self.time_ns)


def _inverse(matrix: Float64Array) -> Float64Array:
    """Return the inverse of a symmetric matrix (3, 3), faster than LAPACK does."""
    (a, b, c), (_, d, e), (_, _, f) = matrix.tolist()
    aa, ab, ac = d * f - e * e, c * e - b * f, b * e - c * d
    bb, bc, cc = a * f - c * c, b * c - a * e, a * d - b * b
    determinant = a * aa + b * ab + c * ac
    inverse: Float64Array = np.array(((aa, ab, ac), (ab, bb, bc), (ac, bc, cc))) / determinant
    return inverse


def moved(
    motions: Mapping[int, Motion], seen: Mapping[int, Observation], time_ns: int
) -> dict[int, Motion]:
    """Return the motions of people by id at a later time, with what is `seen` of them then.

    Who is not seen is predicted, and after a second forgotten.
    """
    predicted = {number: motion.predicted(time_ns) for number, motion in motions.items()}
    found = {number: motion for number, motion in predicted.items() if motion is not None}
    for number, observation in seen.items():
        motion = found.get(number)
        found[number] = (
            Motion.started(observation, time_ns) if motion is None else motion.updated(observation)
        )
    return found

"""Walks of known velocity, seen from the camera with noise of the distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.body.velocity import Motion, Observation

NOISE, ACROSS = 0.01, 0.004
NOISE_TIME_S = 0.1
"""What is taken for the time in which noise is forgotten, as the node does."""


@dataclass(frozen=True, eq=False)
class Walk:
    """Positions (n, 3) in m and velocities (n, 3) in m/s, a frame apart each."""

    positions_m: Float64Array
    velocities_m_s: Float64Array
    period_ns: int


def walk(seed: int, fps: float = 30.0, seconds: float = 8.0) -> Walk:
    """A walk of 0 to 2 m/s, 1.5 m away or more, with a turn and a change of speed."""
    random = np.random.default_rng(seed)
    times_s = np.arange(round(seconds * fps)) / fps
    speeds, turn = random.uniform(0, 2, 2), random.uniform(-np.pi / 2, np.pi / 2)
    changed, turned = (np.clip(times_s - random.uniform(1, 6), 0, 1) for _ in range(2))
    heading = random.uniform(0, 2 * np.pi) + turn * turned
    speed_m_s = speeds[0] + (speeds[1] - speeds[0]) * changed
    along = np.column_stack((np.cos(heading), np.zeros(len(times_s)), np.sin(heading)))
    velocities_m_s = speed_m_s[:, None] * along
    positions_m = np.cumsum(velocities_m_s, axis=0) / fps + (random.uniform(-1, 1), 0, 4)
    inside = positions_m[:, 2] > 1.5
    count = len(inside) if inside.all() else int(np.argmin(inside))
    return Walk(positions_m[:count], velocities_m_s[:count], round(1e9 / fps))


def filtered(done: Walk, seed: int = 0, lasting_s: float = 0.0) -> list[Motion]:
    """The motion at each frame, by positions whose noise is forgotten in `lasting_s`."""
    random = np.random.default_rng(seed)
    motions: list[Motion] = []
    kept = math.exp(-done.period_ns * 1e-9 / lasting_s) if lasting_s else 0.0
    noise = random.standard_normal(4)
    for number, position_m in enumerate(done.positions_m):
        time_ns, seen = number * done.period_ns, observed(position_m, noise)
        before = motions[-1].predicted(time_ns) if motions else None
        motions.append(Motion.started(seen, time_ns) if before is None else before.updated(seen))
        noise = kept * noise + math.sqrt(1 - kept**2) * random.standard_normal(4)
    return motions


def observed(position_m: Float64Array, noise: Float64Array) -> Observation:
    """A position with noise (4,) of a hundredth of the distance along the ray, less across it."""
    distance_m = float(np.linalg.norm(position_m))
    ray = position_m / distance_m
    noise_m2 = (ACROSS * distance_m) ** 2 * np.eye(3)
    noise_m2 += (NOISE**2 - ACROSS**2) * distance_m**2 * np.outer(ray, ray)
    across, along = ACROSS * noise[:3], NOISE * noise[3]
    noisy_m = position_m + distance_m * (across + (along - across @ ray) * ray)
    return Observation(noisy_m, noise_m2, np.zeros((3, 3)), noise_time_s=NOISE_TIME_S)

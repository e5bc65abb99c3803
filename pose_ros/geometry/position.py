"""Where the landmarks are in front of the camera: x, y, z in its optical frame, in m.

A landmark's pixel gives its ray, and what is found here is how far along the ray it is: z. So all
points lie exactly on the image, and only the distance is an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, Pose, Poses, freeze
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.smoothing import OneEuroFilter
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.depth import (
    DepthImage,
    align_world_to_depth,
    keep_reachable,
    sample_depth,
)
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.stature import with_stature

MIN_VISIBILITY = 0.5
"""Landmarks with less visibility are not used to find where a person is."""

# Speeds are relative to the distance: a person at rest is smoothed at 0.5 Hz; one who walks
# towards the camera at 1 m/s from 3 m away lags by 0.12 s. Less smoothing lets through what
# moving limbs do to the distance: about 5 % back and forth on a person who climbs.
_DISTANCE_FILTER = OneEuroFilter(min_cutoff_hz=0.5, beta=2.0)
_HELD_POSITION_NS = 300_000_000
_MIN_LANDMARKS = 6
_SOLVE_STEPS = 6
_INLIER_M = 0.1
_MIN_SPREAD_RAD = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """Landmarks (N, 3) of one person in the camera's optical frame, in m; NaN where unknown.

    Each lies on the ray of its own pixel. `source` is what the distance comes from: "depth",
    "world", or "none" if all are unknown.
    """

    landmarks_m: Float32Array
    source: str

    def __post_init__(self) -> None:
        freeze(self, "landmarks_m", (None, 3), np.float32)

    @property
    def distance_m(self) -> float | None:
        """How far the middle of the known landmarks is from the camera; None if none is known."""
        known_m = self.landmarks_m[np.isfinite(self.landmarks_m).all(axis=1)]
        return float(np.linalg.norm(np.median(known_m, axis=0))) if len(known_m) else None


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is remembered of a person: where they were at `time_ns`, and the distance's filter."""

    position: Position
    time_ns: int
    distance: OneEuroFilter


class PositionEstimator:
    """Estimates where people are, image after image.

    Distances from world landmarks are filtered over time, by person, while the poses are;
    measured ones are steady by themselves.
    """

    def __init__(self, options: PositionOptions) -> None:
        self.configure(options)
        self._known: Mapping[int, _Known] = {}

    def configure(self, options: PositionOptions) -> None:
        """Change options between two images; nothing is forgotten."""
        self._options = options

    def estimate(
        self, poses: Poses, camera: Camera, depth: DepthImage | None
    ) -> tuple[Position, ...]:
        """Return the position of each pose, then of each that is held, then of a candidate.

        They are unknown if the camera is not calibrated. Held people are where they were last,
        and unknown 0.3 s later. `depth` is registered to the image, pixel by pixel. Raises
        ImageError if it has another size than the camera's image.
        """
        if depth is not None and depth.size != camera.image_size:
            raise ImageError(
                f"depth image has size {tuple(depth.size)}; allowed is that of the image, "
                f"{tuple(camera.image_size)}"
            )
        held = {pose.person_id: self._known.get(pose.person_id) for pose in poses.held}
        seen = {pose.person_id: self._locate(pose, camera, depth, poses) for pose in poses}
        self._known = seen | {number: last for number, last in held.items() if last is not None}
        candidates = () if poses.candidate is None else (poses.candidate,)
        return (
            *(known.position for known in seen.values()),
            *(_held_position(pose, held[pose.person_id], poses.time_ns) for pose in poses.held),
            *(self._locate(pose, camera, depth, poses).position for pose in candidates),
        )

    def _locate(
        self, pose: Pose, camera: Camera, depth: DepthImage | None, poses: Poses
    ) -> _Known:
        pose = with_stature(pose, self._options.person_height_m)
        last = self._known.get(pose.person_id) if poses.is_smoothing else None
        used = _DISTANCE_FILTER if last is None else last.distance
        position, used = self._estimate(pose, camera, depth, used, poses)
        return _Known(position, poses.time_ns, used)

    def _estimate(
        self,
        pose: Pose,
        camera: Camera,
        depth: DepthImage | None,
        used: OneEuroFilter,
        poses: Poses,
    ) -> tuple[Position, OneEuroFilter]:
        wanted = self._options.position_source if camera.is_calibrated else "none"
        rays = camera.rays(pose.landmarks_px[:, :2])
        if depth is not None and wanted in ("auto", "depth"):
            z_m = z_from_depth(pose, rays, depth, self._options)
            if z_m is not None:
                return _position(rays, z_m, "depth"), used
        if wanted in ("auto", "world") and pose.world_landmarks_m is not None:
            origin_m = body_origin(pose, rays)
            if origin_m is not None:
                distance_m = origin_m[2]
                if poses.is_smoothing:
                    distance_m, used = _smooth(distance_m, used, poses.time_ns)
                z_m = pose.world_landmarks_m[:, 2].astype(np.float64) + distance_m
                return _position(rays, z_m, "world"), used
        return _position(rays, np.full(len(rays), np.nan), "none"), used


def _held_position(pose: Pose, last: _Known | None, time_ns: int) -> Position:
    """Return where a held person was when last seen, if that was located and is recent."""
    seen_ns = time_ns - pose.held_ns
    if last is not None and last.time_ns == seen_ns and pose.held_ns <= _HELD_POSITION_NS:
        return last.position
    return Position(np.full((len(pose.landmarks_px), 3), np.nan), "none")


def _smooth(distance_m: float, used: OneEuroFilter, time_ns: int) -> tuple[float, OneEuroFilter]:
    raw = np.array([[distance_m]], np.float32)
    filtered, following = used.apply(raw, time_ns, raw[0, 0])
    return float(filtered[0, 0]), following


def z_from_depth(
    pose: Pose, rays: Float64Array, depth: DepthImage, options: PositionOptions
) -> Float64Array | None:
    """Return the z (N,) of a person's landmarks from a depth image; None if it shows too little.

    With world landmarks all are known: measured where depth and model agree. Else only those are
    known that are visible, in the image, measured, and within reach of each other.
    """
    measured_m = sample_depth(depth, pose, (options.depth_min_m, options.depth_max_m))
    measured_m[~(pose.visibility >= MIN_VISIBILITY)] = np.nan
    if pose.world_landmarks_m is not None:
        return align_world_to_depth(measured_m, pose.world_landmarks_m[:, 2].astype(np.float64))
    return keep_reachable(measured_m, rays)


def body_origin(pose: Pose, rays: Float64Array) -> Float64Array | None:
    """Return where the origin of the world landmarks (mid-hip) is, (3,), from the rays (N, 3).

    It is the shift that brings the landmarks nearest to their rays: a linear least-squares
    problem, weighted by visibility, and solved again with less weight for what does not fit. The
    scale is that of the metric body: if it is too large for the person, they seem too far away.
    None if too few landmarks are visible or the body would be behind the camera.
    """
    is_used = np.isfinite(rays).all(axis=1)
    is_visible = pose.visibility >= MIN_VISIBILITY
    if pose.world_landmarks_m is None or np.sum(is_used & is_visible) < _MIN_LANDMARKS:
        return None
    world_m = pose.world_landmarks_m[is_used].astype(np.float64)
    visibility = pose.visibility[is_used].astype(np.float64)
    directions = rays[is_used] / np.linalg.norm(rays[is_used], axis=1, keepdims=True)
    # The part of a vector that is across the ray, as a matrix.
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    offsets_m = np.einsum("nij,nj->ni", across, world_m)
    weights = visibility
    for _ in range(_SOLVE_STEPS):
        normal = np.tensordot(weights, across, 1)
        if np.linalg.eigvalsh(normal)[0] < weights.sum() * _MIN_SPREAD_RAD**2:
            return None
        origin_m: Float64Array = np.linalg.solve(normal, -weights @ offsets_m)
        misses_m = np.linalg.norm(across @ origin_m + offsets_m, axis=1)
        weights = visibility / (1 + (misses_m / _INLIER_M) ** 2) ** 2
    return origin_m if origin_m[2] > 0 else None


def _position(rays: Float64Array, z_m: Float64Array, source: str) -> Position:
    """Return the points on the rays; those that are not in front of the camera are unknown."""
    z_m = np.where(z_m > 0, z_m, np.nan)
    landmarks_m: Float32Array = (rays * z_m[:, None]).astype(np.float32)
    is_known = np.isfinite(landmarks_m).all(axis=1)
    landmarks_m[~is_known] = np.nan
    return Position(landmarks_m, source if is_known.any() else "none")

"""Where the landmarks are in front of the camera: x, y, z in its optical frame, in m.

A landmark's pixel gives its ray, and what is found here is how far along the ray it is: z. So all
points lie exactly on the image, and only the distance is an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import DepthImage, Float32Array, Float64Array, Pose, Position
from pose_ros.blazepose.depth import hang_on_depth, keep_reachable, sample_depth
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.models import OneEuro
from pose_ros.blazepose.options import PositionOptions
from pose_ros.blazepose.smoothing import OneEuroFilter
from pose_ros.blazepose.timeline import Timeline

MIN_VISIBILITY = 0.5
"""Landmarks with less visibility are not used to find where a person is."""

# Speeds are relative to the distance: a person at rest is smoothed at 0.5 Hz; one who walks
# towards the camera at 1 m/s from 3 m away lags by 0.12 s. Less smoothing lets through what
# moving limbs do to the distance: some 5 % to and fro on a person who climbs.
_DISTANCE_FILTER = OneEuro(min_cutoff=0.5, beta=2.0)
_MIN_LANDMARKS = 6
_SOLVE_STEPS = 6
_INLIER_M = 0.1
_MIN_SPREAD_RAD = 1e-3


@dataclass(frozen=True, slots=True)
class _State:
    """All that is remembered from one image to the next: the filtered distance by person."""

    timeline: Timeline = field(default_factory=Timeline)
    distances: Mapping[int, OneEuroFilter] = field(default_factory=dict)


class PositionFinder:
    """Finds where people are, image after image. `is_smoothing` filters distances over time.

    Only distances from world landmarks are filtered: measured ones are steady by themselves.
    """

    def __init__(self, options: PositionOptions, is_smoothing: bool = True) -> None:
        self.configure(options, is_smoothing)
        self.reset()

    def configure(self, options: PositionOptions, is_smoothing: bool) -> None:
        """Change options between two images; nothing is forgotten."""
        self._options = options
        self._is_smoothing = is_smoothing

    def reset(self) -> None:
        """Forget the people and the time."""
        self._state = _State()

    def find(
        self, poses: Sequence[Pose], camera: Camera, depth: DepthImage | None, timestamp_ns: int
    ) -> tuple[Position, ...]:
        """Return the position of each pose; all unknown if the camera is not calibrated.

        `depth` is registered to the image, pixel by pixel. Time stamps count as for PoseTracker.
        Raises ImageError if the depth image has another size than the camera's image.
        """
        if depth is not None and depth.size != camera.image_size:
            raise ImageError(
                f"depth image has size {tuple(depth.size)}; allowed is that of the image, "
                f"{tuple(camera.image_size)}"
            )
        timeline = self._state.timeline.advance(timestamp_ns)
        before = {} if timeline.has_jumped else self._state.distances
        distances: dict[int, OneEuroFilter] = {}
        positions = []
        for pose in poses:
            used = before.get(pose.person_id, OneEuroFilter(_DISTANCE_FILTER))
            position, following = self._find(pose, camera, depth, used, timeline.time_ns)
            positions.append(position)
            distances[pose.person_id] = following
        self._state = _State(timeline, distances)
        return tuple(positions)

    def _find(
        self,
        pose: Pose,
        camera: Camera,
        depth: DepthImage | None,
        used: OneEuroFilter,
        time_ns: int,
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
                distance_m, used = self._smooth(origin_m[2], used, time_ns)
                z_m = pose.world_landmarks_m[:, 2].astype(np.float64) + distance_m
                return _position(rays, z_m, "world"), used
        return _position(rays, np.full(len(rays), np.nan), "none"), used

    def _smooth(
        self, distance_m: float, used: OneEuroFilter, time_ns: int
    ) -> tuple[float, OneEuroFilter]:
        if not self._is_smoothing:
            return distance_m, used
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
        return hang_on_depth(measured_m, pose.world_landmarks_m[:, 2].astype(np.float64))
    return keep_reachable(measured_m, rays)


def body_origin(pose: Pose, rays: Float64Array) -> Float64Array | None:
    """Return where the origin of the world landmarks (mid-hip) is, (3,), from the rays (N, 3).

    It is the shift that brings the landmarks nearest to their rays: a linear least-squares
    problem, weighted by visibility, and solved again with less weight for what does not fit. The
    scale is that of the model's metric body: a smaller person seems farther away than they are.
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

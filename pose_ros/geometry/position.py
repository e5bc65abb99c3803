"""Where the landmarks are in front of the camera: x, y, z in its optical frame, in m.

A landmark's pixel gives its ray, and what is found here is how far along the ray it is: z. So all
points lie exactly on the image, and only the distance is an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, Pose, Poses, freeze
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.smoothing import OneEuroFilter
from pose_ros.geometry.body_origin import body_origin
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.depth import DepthImage, z_from_depth
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.stature import with_stature

# Speeds are relative to the distance: a person at rest is smoothed at 0.5 Hz; one who walks
# towards the camera at 1 m/s from 3 m away lags by 0.12 s. Less smoothing lets through what
# moving limbs do to the distance: about 5 % back and forth on a person who climbs.
_DISTANCE_FILTER = OneEuroFilter(min_cutoff_hz=0.5, beta=2.0)
_HELD_POSITION_NS = 300_000_000


# Standard deviations, as parts of the distance. The first is the whole error, most of which stays
# the same from image to image; the second what changes.
_DEPTH_STD, _DEPTH_NOISE = 0.01, 0.005
_WORLD_STD, _WORLD_NOISE = 0.1, 0.02
_KNOWN_HEIGHT_STD = 0.04
# How deep the surface at the hips lies where the model sees them.
_SURFACE_STD_M = 0.02
_ACROSS_OF_ROI = 0.015
_HIPS = [23, 24]


def _unknown(*shape: int) -> Callable[[], Float64Array]:
    return lambda: np.full(shape, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """Where one person is in the camera's optical frame, in m; NaN where unknown.

    `landmarks_m` (N, 3) lie each on the ray of its own pixel. `source` is what the distance comes
    from: "depth", "world", or "none" if all are unknown.

    `pelvis_m` (3,) is the middle of the hips: with depth on the surface that the camera sees.
    Its covariance `pelvis_covariance_m2` (3, 3) has the variance of the distance along the ray,
    and across it that of the landmarks' pixels. `distance_std_m` is the standard
    deviation of the distance. Both are those of the whole error, most of which is the same in the
    next image, since the height of the person is: it does not average out over time.
    `distance_noise_m` is the standard deviation of the part that is another in each image.

    `height_m` is how tall the person is, as far as that is given or was measured; NaN if it is
    only assumed that they are an adult.
    """

    landmarks_m: Float32Array
    source: str
    pelvis_m: Float64Array = field(default_factory=_unknown(3))
    pelvis_covariance_m2: Float64Array = field(default_factory=_unknown(3, 3))
    distance_std_m: float = math.nan
    distance_noise_m: float = math.nan
    height_m: float = math.nan

    def __post_init__(self) -> None:
        freeze(self, "landmarks_m", (None, 3), np.float32)
        freeze(self, "pelvis_m", (3,), np.float64)
        freeze(self, "pelvis_covariance_m2", (3, 3), np.float64)

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
        seen = _Seen(camera.rays(pose.landmarks_px[:, :2]), _pixel_std_rad(pose, camera))
        height_m = self._options.person_height_m or math.nan
        if depth is not None and wanted in ("auto", "depth"):
            z_m = z_from_depth(pose, seen.rays, depth, self._options)
            if z_m is not None:
                return seen.at(z_m, "depth", (_DEPTH_STD, _DEPTH_NOISE), height_m), used
        if wanted in ("auto", "world") and pose.world_landmarks_m is not None:
            origin_m = body_origin(pose, seen.rays)
            if origin_m is not None:
                distance_m = origin_m[2]
                if poses.is_smoothing:
                    distance_m, used = _smooth(distance_m, used, poses.time_ns)
                z_m = pose.world_landmarks_m[:, 2].astype(np.float64) + distance_m
                std = _WORLD_STD if math.isnan(height_m) else _KNOWN_HEIGHT_STD
                return seen.at(z_m, "world", (std, _WORLD_NOISE), height_m), used
        return seen.at(np.full(len(seen.rays), np.nan), "none"), used


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


def _pixel_std_rad(pose: Pose, camera: Camera) -> float:
    """Return the standard deviation of the direction to the hips."""
    return _ACROSS_OF_ROI * pose.roi.size_px / math.sqrt(camera.fx * camera.fy)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The rays (N, 3) of a person's landmarks, and the deviation of that of the pelvis."""

    rays: Float64Array
    std_rad: float

    def at(
        self,
        z_m: Float64Array,
        source: str,
        deviations: tuple[float, float] = (math.nan, math.nan),
        height_m: float = math.nan,
    ) -> Position:
        """Return the position of landmarks with z (N,); those not in front are unknown.

        `deviations` of the distance, all of it and that of one image, are parts of it.
        """
        z_m = np.where(z_m > 0, z_m, np.nan)
        landmarks_m: Float32Array = (self.rays * z_m[:, None]).astype(np.float32)
        is_known = np.isfinite(landmarks_m).all(axis=1)
        landmarks_m[~is_known] = np.nan
        if not is_known.any():
            return Position(landmarks_m, "none", height_m=height_m)
        pelvis_m = landmarks_m[_HIPS].mean(axis=0, dtype=np.float64)
        distance_m = float(np.linalg.norm(pelvis_m))
        surface_m = _SURFACE_STD_M if source == "depth" else 0.0
        std_m = math.hypot(deviations[0] * distance_m, surface_m)
        along = pelvis_m / distance_m
        covariance_m2 = (self.std_rad * distance_m) ** 2 * np.eye(3)
        covariance_m2 += (std_m**2 - covariance_m2[0, 0]) * np.outer(along, along)
        noise_m = deviations[1] * distance_m
        return Position(landmarks_m, source, pelvis_m, covariance_m2, std_m, noise_m, height_m)

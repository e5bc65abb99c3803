"""Where one person is in front of the camera, and how far off that may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, Pose, freeze
from pose_ros.blazepose.topology import HIPS
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.heights import Height

_ACROSS_OF_ROI = 0.015
_WORLD_NOISE = 0.02


def _unknown(*shape: int) -> Callable[[], Float64Array]:
    return lambda: np.full(shape, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """Where one person is in the camera's optical frame, in m; NaN where unknown.

    `landmarks_m` (N, 3) lie each on the ray of its own pixel. `source` is what the distance comes
    from: "depth", "world", or "none" if all are unknown.

    `pelvis_m` (3,) is the middle of the hips, on the surface that the camera sees. Its covariance
    `pelvis_covariance_m2` (3, 3) has the variance of the distance along the ray, and across it
    that of the landmarks' pixels. `distance_std_m` is the standard deviation of the distance. Both
    are those of the whole error, most of which is the same in the next image, since the height of
    the person is: it does not average out over time. `distance_noise_m` is the standard deviation
    of the part that is another in each image.

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


class Precision(NamedTuple):
    """Standard deviations of a distance: parts of it, and one that is the same at every distance.

    `noise` is the part of `of_distance` that is another in each image.
    """

    of_distance: float
    noise: float
    constant_m: float = 0.0

    def std_m(self, distance_m: float) -> float:
        """Return the standard deviation of a distance."""
        return math.hypot(self.of_distance * distance_m, self.constant_m)


# The error of a depth camera grows with the distance; clothes and the place on the body do not.
DEPTH = Precision(0.01, 0.005, 0.02)


def by_height(height: Height, hidden_std: float) -> Precision:
    """Return the precision of a distance from the size of a body, of which a part is hidden."""
    return Precision(math.hypot(height.std, hidden_std, _WORLD_NOISE), _WORLD_NOISE)


def _pelvis_covariance(
    pelvis_m: Float64Array, std_m: float, pose: Pose, camera: Camera
) -> Float64Array:
    """Return the covariance (3, 3) of a pelvis (3,) whose distance has a standard deviation.

    Across its ray it is as far off as the landmarks of the hips are in the image.
    """
    distance_m = float(np.linalg.norm(pelvis_m))
    along = pelvis_m / distance_m
    across_px = _ACROSS_OF_ROI * pose.roi.size_px
    across_m = across_px / math.sqrt(camera.fx * camera.fy) * distance_m
    covariance_m2: Float64Array = across_m**2 * np.eye(3)
    covariance_m2 += (std_m**2 - across_m**2) * np.outer(along, along)
    return covariance_m2


def nowhere(pose: Pose, height_m: float = math.nan) -> Position:
    """Return the position of somebody of whom it is unknown."""
    unknown_m = np.full((len(pose.landmarks_px), 3), np.nan)
    return Position(unknown_m, "none", height_m=height_m)


def position_at(
    pose: Pose,
    camera: Camera,
    rays: Float64Array,
    z_m: Float64Array,
    source: str,
    precision: Precision,
    height_m: float,
) -> Position:
    """Return the points on the rays; those that are not in front of the camera are unknown."""
    z_m = np.where(z_m > 0, z_m, np.nan)
    landmarks_m: Float32Array = (rays * z_m[:, None]).astype(np.float32)
    is_known = np.isfinite(landmarks_m).all(axis=1)
    landmarks_m[~is_known] = np.nan
    if not is_known.any():
        return nowhere(pose, height_m)
    pelvis_m = landmarks_m[HIPS].mean(axis=0, dtype=np.float64)
    distance_m = float(np.linalg.norm(pelvis_m))
    std_m = precision.std_m(distance_m)
    return Position(
        landmarks_m,
        source,
        pelvis_m,
        _pelvis_covariance(pelvis_m, std_m, pose, camera),
        std_m,
        precision.noise * distance_m,
        height_m,
    )

"""Where a metric body is in front of the camera, from the pixels of its landmarks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import Float64Array, ImageSize, Pose
from pose_ros.blazepose.topology import HIPS, KNEES
from pose_ros.geometry.depth import MIN_VISIBILITY

_MIN_LANDMARKS = 6
_SOLVE_STEPS = 6
_INLIER_M = 0.1
_MIN_SPREAD_RAD = 1e-3
# Half of the buttock depth of adults. ref: ANSUR II (2012)
_HIP_DEPTH_M = 0.1
_MARGIN_OF_IMAGE = 0.01
# From images of people, cut off above the knees and above the hips (real_people.py --rows).
_KNEES_HIDDEN_STD, _HIPS_HIDDEN_STD = 0.09, 0.16


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


def surface_z(origin_m: Float64Array, distance_factor: float) -> float:
    """Return the z of the surface at the hips of an adult whose joints have this origin (3,).

    The fit is `distance_factor` times too near, which a model's row says. Depth cameras see the
    surface, and so do the distances that are taught by them or compared with them.
    """
    distance_m = float(np.linalg.norm(origin_m))
    return float(origin_m[2]) * (distance_factor - _HIP_DEPTH_M / distance_m)


def are_seen(pose: Pose, landmarks: list[int], image_size: ImageSize) -> npt.NDArray[np.bool_]:
    """Return which landmarks are visible and in the image, not at its edge."""
    points_px, size_px = pose.landmarks_px[landmarks, :2], np.array(image_size)
    margin_px = _MARGIN_OF_IMAGE * size_px
    is_inside = ((points_px >= margin_px) & (points_px < size_px - margin_px)).all(axis=1)
    is_seen: npt.NDArray[np.bool_] = is_inside & (pose.visibility[landmarks] >= MIN_VISIBILITY)
    return is_seen


def hidden_std(pose: Pose, image_size: ImageSize) -> float:
    """Return by how much less sure the fit is where less than the legs is seen.

    It is a standard deviation, as a part of the distance: the model only guesses the rest.
    """
    if not are_seen(pose, HIPS, image_size).any():
        return _HIPS_HIDDEN_STD
    return 0.0 if are_seen(pose, KNEES, image_size).any() else _KNEES_HIDDEN_STD

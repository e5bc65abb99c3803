"""Where a metric body is in front of the camera, from the pixels of its landmarks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageSize, Pose
from pose_ros.blazepose.topology import ANKLES, HIPS, KNEES
from pose_ros.geometry.depth import MIN_VISIBILITY

_MIN_LANDMARKS = 6
_SOLVE_STEPS = 6
_INLIER_M = 0.1
_MIN_SPREAD_RAD = 1e-3
# Those of the face and of the hands are many for what they show of the body's size.
_SHARES = np.ones(33)
_SHARES[[*range(11), *range(15, 23)]] = 0.5
# How far the model's legs are from where they lead, towards the camera or away, and landmarks from
# their rays. The model does not see it: for it, cameras look down on people by some 15 degrees.
_LEGS_STD_RAD, _LANDMARK_STD_M = 0.1, 0.03
_LEGS_WEIGHT = (_LANDMARK_STD_M / _LEGS_STD_RAD) ** 2
_LEGS = np.arange(KNEES[0], 33)
# Half of the buttock depth of adults. ref: ANSUR II (2012)
_HIP_DEPTH_M = 0.1
_MARGIN_OF_IMAGE = 0.01
# From images of people, cut off above the knees and above the hips (real_people.py --rows).
_KNEES_HIDDEN_STD, _HIPS_HIDDEN_STD = 0.09, 0.16


class PlacedBody(NamedTuple):
    """A metric body (33, 3), around the middle of its hips, and where that is: (3,), in m."""

    origin_m: Float64Array
    body_m: Float64Array


class _Seen(NamedTuple):
    """The landmarks that are used: their numbers (n,), weights (n,), and matrices (n, 3, 3) that
    leave of a vector what is across the ray. `view` (3,) is along the rays' middle.
    """

    landmarks: npt.NDArray[np.intp]
    weights: Float64Array
    across: Float64Array
    view: Float64Array


def place_body(
    body_m: Float64Array, visibility: Float32Array, rays: Float64Array
) -> PlacedBody | None:
    """Return the metric body (33, 3) where its landmarks come nearest to their rays (33, 3).

    What is sought is where the hips are, and by how much the legs lead towards the camera or away
    from it other than given: a least-squares problem, weighted by visibility (33,), and solved
    again with less weight for what does not fit. The scale is the body's own: if it is too large
    for the person, they seem too far away. None if too few landmarks are visible or the body
    would be behind the camera.
    """
    seen = _seen(visibility, rays)
    if seen is None:
        return None
    axis = _axis_of_legs(body_m, seen.view)
    placed_m, weights, turned_rad = body_m.copy(), seen.weights, 0.0
    for _ in range(_SOLVE_STEPS):
        changes, offsets_m = _linearized(placed_m, axis, seen)
        weighted = (changes * weights[:, None, None]).reshape(-1, 4)
        normal = weighted.T @ changes.reshape(-1, 4)
        if np.linalg.eigvalsh(normal[:3, :3])[0] < weights.sum() * _MIN_SPREAD_RAD**2:
            return None
        normal[3, 3] += _LEGS_WEIGHT
        right = weighted.T @ offsets_m.ravel() + (0, 0, 0, _LEGS_WEIGHT * turned_rad)
        solution = -np.asarray(np.linalg.solve(normal, right), np.float64)
        misses_m = np.linalg.norm(changes @ solution + offsets_m, axis=1)
        weights = seen.weights / (1 + (misses_m / _INLIER_M) ** 2) ** 2
        turned_rad += solution[3]
        placed_m[_LEGS] = body_m[_LEGS] @ _turn(axis, turned_rad).T
    return PlacedBody(solution[:3], placed_m) if solution[2] > 0 else None


def _seen(visibility: Float32Array, rays: Float64Array) -> _Seen | None:
    """Return the landmarks that have a ray; None if too few of them are visible."""
    is_used = np.isfinite(rays).all(axis=1)
    if np.sum(is_used & (visibility >= MIN_VISIBILITY)) < _MIN_LANDMARKS:
        return None
    directions = rays[is_used] / np.linalg.norm(rays[is_used], axis=1, keepdims=True)
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    weights = (_SHARES * visibility)[is_used]
    return _Seen(np.flatnonzero(is_used), weights, across, directions.mean(axis=0))


def _axis_of_legs(body_m: Float64Array, view: Float64Array) -> Float64Array:
    """Return about what legs turn away from the camera; the shorter the more they do already."""
    legs_m = body_m[ANKLES].mean(axis=0)
    return np.cross(legs_m / (np.linalg.norm(legs_m) or 1.0), view)


def _linearized(
    body_m: Float64Array, axis: Float64Array, seen: _Seen
) -> tuple[Float64Array, Float64Array]:
    """Return how the misses (n, 3) of the rays change with the origin and the legs' turn,
    (n, 3, 4), and what they are at the origin.
    """
    levers_m = np.zeros_like(body_m)
    levers_m[_LEGS] = body_m[_LEGS] @ _crossing(axis).T
    points_m = np.stack((levers_m, body_m), axis=2)[seen.landmarks]
    misses_m = seen.across @ points_m
    return np.concatenate((seen.across, misses_m[..., :1]), axis=2), misses_m[..., 1]


def _crossing(vector: Float64Array) -> Float64Array:
    """Return the matrix of the cross product with a vector from the left."""
    x, y, z = vector.tolist()
    return np.array(((0, -z, y), (z, 0, -x), (-y, x, 0)))


def _turn(axis: Float64Array, angle_rad: float) -> Float64Array:
    """Return the rotation about an axis by as much of an angle as the axis is long."""
    length = float(np.linalg.norm(axis)) or 1.0
    crossing = _crossing(axis / length)
    turned: Float64Array = np.eye(3) + math.sin(angle_rad * length) * crossing
    turned += (1 - math.cos(angle_rad * length)) * crossing @ crossing
    return turned


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

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
_LEGS = slice(KNEES[0], 33)
_AHEAD = (0.0, 0.0, 1.0)
# Half of the buttock depth of adults. ref: ANSUR II (2012)
_HIP_DEPTH_M = 0.1
_MARGIN_OF_IMAGE = 0.01
# From images of people, cut off above the knees and above the hips (real_people.py --rows).
_KNEES_HIDDEN_STD, _HIPS_HIDDEN_STD = 0.09, 0.16


class PlacedBody(NamedTuple):
    """A metric body (33, 3), around the middle of its hips, and where that is: (3,), in m."""

    origin_m: Float64Array
    body_m: Float64Array


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
    is_used = np.isfinite(rays[:, 0])
    if np.sum(is_used & (visibility >= MIN_VISIBILITY)) < _MIN_LANDMARKS:
        return None
    directions = np.where(is_used[:, None], rays, _AHEAD)
    directions /= np.sqrt((directions * directions).sum(axis=1))[:, None]
    fit = _Fit(body_m, directions)
    all_weights = weights = np.where(is_used, _SHARES * visibility, 0.0)
    for _ in range(_SOLVE_STEPS):
        solution = fit.solve(weights)
        if solution is None:
            return None
        misses_m = fit.changes @ solution + fit.offsets_m
        weights = all_weights / (1 + (misses_m * misses_m).sum(axis=1) / _INLIER_M**2) ** 2
        origin_m = solution[:3]
        fit.turn(solution[3])
    return PlacedBody(origin_m, fit.body_m) if origin_m[2] > 0 else None


class _Fit:
    """A body (33, 3) whose legs turn, and how far it is from its rays of unit length (33, 3).

    `offsets_m` (33, 3) is how far each landmark of the body is from its ray while its hips are in
    the camera. `changes` (33, 3, 4) is what the hips' place (3,) and a turn of the legs add.
    """

    def __init__(self, body_m: Float64Array, directions: Float64Array) -> None:
        self._given_m, self.body_m, self._turned_rad = body_m, body_m.copy(), 0.0
        self._across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
        self.changes = np.zeros((*body_m.shape, 4))
        self.changes[:, :, :3] = self._across
        self.offsets_m = (self._across @ body_m[:, :, None])[..., 0]
        # About what legs turn away from the camera; the shorter the more they lead away already.
        legs_m = body_m[ANKLES].mean(axis=0)
        along = legs_m / (np.linalg.norm(legs_m) or 1.0)
        x, y, z = np.cross(along, directions.mean(axis=0)).tolist()
        self._axis = np.array(((0, -z, y), (z, 0, -x), (-y, x, 0)))
        self._axis_length = math.hypot(x, y, z) or 1.0
        self.turn(0.0)

    def turn(self, angle_rad: float) -> None:
        """Turn the legs by an angle more, times the length of the axis."""
        self._turned_rad += angle_rad
        angle, axis = self._turned_rad * self._axis_length, self._axis / self._axis_length
        turn = np.eye(3) + math.sin(angle) * axis + (1 - math.cos(angle)) * axis @ axis
        legs_m = self._given_m[_LEGS] @ turn.T
        self.body_m[_LEGS] = legs_m
        moved = self._across[_LEGS] @ np.stack((legs_m @ self._axis.T, legs_m), axis=2)
        self.changes[_LEGS, :, 3], self.offsets_m[_LEGS] = moved[..., 0], moved[..., 1]

    def solve(self, weights: Float64Array) -> Float64Array | None:
        """Return place and turn that fit best, (4,); None if the rays do not tell the place."""
        changes = self.changes.reshape(-1, 4)
        weighted = changes * np.repeat(weights, 3)[:, None]
        normal = weighted.T @ changes
        if np.linalg.eigvalsh(normal[:3, :3])[0] < weights.sum() * _MIN_SPREAD_RAD**2:
            return None
        normal[3, 3] += _LEGS_WEIGHT
        right = weighted.T @ self.offsets_m.ravel()
        right[3] += _LEGS_WEIGHT * self._turned_rad
        return -np.asarray(np.linalg.solve(normal, right), np.float64)


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

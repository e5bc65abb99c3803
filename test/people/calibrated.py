"""Points in space from several calibrated cameras, and back: whose pose is it that a camera sees?

Calibration is in the Qualisys format of the pose2sim demo; space is in m.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# The camera of Qualisys looks along -z with y up, that of OpenCV along z with y down.
_OPENCV_FROM_QUALISYS = np.diag((1.0, -1.0, -1.0))
_UNITS_PER_PX = 64  # of its intrinsics
_MM_PER_M = 1000
_DISTORTION = (
    "radialDistortion1",
    "radialDistortion2",
    "tangentalDistortion1",
    "tangentalDistortion2",
)
# A point this far from where a camera sees it is as wrong for that camera as any other.
_OUTLIER_PX = 30.0


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera: `camera_from_world` (3, 4) in m, `matrix` (3, 3), `distortion` (4,)."""

    camera_from_world: Floats
    matrix: Floats
    distortion: Floats

    def project(self, points_m: Floats) -> Floats:
        """Return points (N, 3) of space in px (N, 2)."""
        rotation, translation = self.camera_from_world[:, :3], self.camera_from_world[:, 3]
        rotation_vector = cv2.Rodrigues(rotation)[0]
        projected = cv2.projectPoints(
            points_m, rotation_vector, translation, self.matrix, self.distortion
        )
        return np.asarray(projected[0], np.float64).reshape(-1, 2)

    def undistort(self, points_px: Floats) -> Floats:
        """Return points (N, 2) in px on the plane at distance 1, (N, 2)."""
        rays = cv2.undistortPoints(points_px[:, None], self.matrix, self.distortion)
        return np.asarray(rays, np.float64).reshape(-1, 2)


def read_cameras(file: Path) -> list[Camera]:
    """Return the cameras of a Qualisys calibration."""
    return [_camera(element) for element in ElementTree.parse(file).iter("camera")]


def _camera(element: ElementTree.Element) -> Camera:
    pose, intrinsic = (
        {name: float(value) for name, value in part.attrib.items()}
        for part in element.iter()
        if part.tag in ("transform", "intrinsic")
    )
    rows = [[pose[f"r{row}{column}"] for column in (1, 2, 3)] for row in (1, 2, 3)]
    rotation = _OPENCV_FROM_QUALISYS @ np.array(rows)
    center_m = np.array([pose[axis] for axis in "xyz"]) / _MM_PER_M
    focal, center = (
        [intrinsic[f"{name}{axis}"] / _UNITS_PER_PX for axis in "UV"]
        for name in ("focalLength", "centerPoint")
    )
    return Camera(
        camera_from_world=np.column_stack((rotation, -rotation @ center_m)),
        matrix=np.array(((focal[0], 0, center[0]), (0, focal[1], center[1]), (0, 0, 1))),
        distortion=np.array([intrinsic[name] for name in _DISTORTION]),
    )


def triangulate(cameras: Sequence[Camera], points_px: Floats) -> Floats:
    """Return the points (N, 3) of space that cameras see at points_px (cameras, N, 2).

    Least squares over all cameras, or over all but the one without which the sum of distances in
    all images is smallest, each at most 30 px: one camera may be wrong, or NaN.
    """
    rays = np.stack(
        [camera.undistort(points) for camera, points in zip(cameras, points_px, strict=True)]
    )
    weights = np.vstack((np.ones(len(cameras)), 1 - np.eye(len(cameras))))
    candidates_m = np.stack([_intersect(cameras, rays, weight) for weight in weights])
    costs_px = np.stack([_cost_px(cameras, points_px, points_m) for points_m in candidates_m])
    return np.asarray(candidates_m[costs_px.argmin(axis=0), np.arange(points_px.shape[1])])


def _intersect(cameras: Sequence[Camera], rays: Floats, weights: Floats) -> Floats:
    """Return the points (N, 3) nearest to rays (cameras, N, 2); NaN rays have no weight."""
    equations = [
        weight
        * (ray[:, axis, None] * camera.camera_from_world[2] - camera.camera_from_world[axis])
        for camera, ray, weight in zip(cameras, rays, weights, strict=True)
        for axis in (0, 1)
    ]
    solutions = np.linalg.svd(np.nan_to_num(np.stack(equations, axis=1)))[2][:, -1]
    return np.asarray(solutions[:, :3] / solutions[:, 3:])


def _cost_px(cameras: Sequence[Camera], points_px: Floats, points_m: Floats) -> Floats:
    """Return for each point the sum (N,) of its distances in all images."""
    projected_px = np.stack([camera.project(points_m) for camera in cameras])
    distances_px = np.linalg.norm(projected_px - points_px, axis=2)
    return np.asarray(np.fmin(distances_px, _OUTLIER_PX).sum(axis=0))

"""How far away people seem to cameras that look down on them, by each source of `world`.

`python test/geometry/people_from_above.py` prints errors in % of the distance, for the two people
of the clips of pose2sim, each seen by four calibrated cameras. The truth is the pelvis in space,
which is triangulated from the most accurate model's poses in all four; heights are those that
pose2sim gives, and the floor is the plane z = 0 of its calibration.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media
from people.alone import Span
from people.calibrated import Camera as TrueCamera
from people.calibrated import read_cameras
from people.clips import P2S_PEOPLE, p2s_points_m

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions, Roi
from pose_ros.blazepose.datatypes import ImageSize, Poses
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.topology import HIPS
from pose_ros.geometry.body_origin import surface_z
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.distortion import distortion_from
from pose_ros.geometry.floor import Floor
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.position import PositionEstimator

Floats = npt.NDArray[np.float64]

HEIGHTS_M = {"man": 1.72, "woman": 1.40}
NAMES = ("lite", "full", "heavy")
SOURCES = ("unknown", "height", "floor")
SIZE, RATE_HZ = ImageSize(1088, 1920), 60
_EVERY, _JUDGED = 3, 15


@dataclass(frozen=True)
class Row:
    """The error of one image as a part of the distance, and its standard deviation."""

    person: str
    model: str
    source: str
    error: float
    std: float


def rows() -> Iterator[Row]:
    """Yield the errors in all judged images. MediaUnavailable without the clips."""
    cameras = read_cameras(media.path("p2s_calibration"))
    for name, spans in P2S_PEOPLE.items():
        pelvis_m = p2s_points_m(name, cameras)[:, HIPS].mean(axis=1)
        for (span, seen_by), model in product(zip(spans, cameras, strict=True), NAMES):
            rotation, translation = (
                seen_by.camera_from_world[:, :3],
                seen_by.camera_from_world[:, 3],
            )
            floor = Floor(rotation[:, 2], float(-rotation[:, 2] @ translation))
            for number, pose in _poses(span, model):
                true_m = rotation @ pelvis_m[number] + translation
                yield from _judged(name, model, pose, _camera(seen_by), floor, true_m)


def _camera(seen_by: TrueCamera) -> Camera:
    matrix = seen_by.matrix
    distortion = distortion_from("plumb_bob", [*seen_by.distortion, 0.0])
    focal_and_center = (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    return Camera(SIZE, *focal_and_center, is_calibrated=True, distortion=distortion)


def _poses(span: Span, model: str) -> Iterator[tuple[int, Pose]]:
    """Yield the pose of each judged image by its number, from images at 20 Hz."""
    tracker = PoseTracker(PoseTrackerOptions(model=model))
    roi: Roi | None = Roi(np.array(span.start_roi[:2]), span.start_roi[2], 0.0)
    images = islice(media.frames(span.clip), span.first, span.first + span.count, _EVERY)
    for index, image in enumerate(images):
        number = index * _EVERY
        poses = tracker.track(image, round((1 + number) * 1e9 / RATE_HZ), roi)
        roi = None
        if poses and number and number % _JUDGED == 0:
            yield number, replace(poses[0], person_id=1)


def _judged(
    name: str, model: str, pose: Pose, camera: Camera, floor: Floor, true_m: Floats
) -> Iterator[Row]:
    true_z_m = surface_z(true_m, 1.0)
    for source in SOURCES:
        options = PositionOptions(person_height_m=HEIGHTS_M[name] if source == "height" else 0.0)
        used = PositionEstimator(options, MODELS[model].distance_factor)
        poses = Poses([pose], time_ns=10**9)
        (found,) = used.estimate(poses, camera, None, floor if source == "floor" else None)
        if source != "floor" or np.isfinite(found.height_m):
            error = float(found.pelvis_m[2]) / true_z_m - 1
            std = found.distance_std_m / float(np.linalg.norm(found.pelvis_m))
            yield Row(name, model, source, error, std)


def main() -> int:
    """Print the errors; 2 with the reason if the clips can't be had."""
    try:
        found = list(rows())
    except media.MediaUnavailable as error:
        print(f"people_from_above: {error}", file=sys.stderr)
        return 2
    print("source   person model  images  median  largest  within 2")
    for source, name, model in product(SOURCES, HEIGHTS_M, NAMES):
        part = [
            row for row in found if (row.source, row.person, row.model) == (source, name, model)
        ]
        errors = np.array([row.error for row in part])
        covered = np.mean([abs(row.error) <= 2 * row.std for row in part])
        print(
            f"{source:<8} {name:<6} {model:<6} {len(part):>6} {np.median(errors):>7.1%} "
            f"{abs(errors).max():>8.1%} {covered:>9.0%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How far away real people seem, by each source, beside what a depth camera measured.

`python test/geometry/real_people.py` prints errors in % of the distance, for each person, model
and size of the image. people_truth.py has the truth and how it was measured. With `--rows N` only
the upper N rows of the image are used: 330 show no knees, 270 no hips.

Each person is tracked for some images, from a region of the size of an adult around the hips.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media
from point_clouds import Cloud

from geometry.people_truth import FOCAL_PX, Person, Scene, scenes
from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions, Roi
from pose_ros.blazepose.datatypes import ImageSize, Poses
from pose_ros.blazepose.models import MODELS
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.depth import DepthImage
from pose_ros.geometry.floor import Floor
from pose_ros.geometry.located import Position
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.position import PositionEstimator

SCALES = (1.0, 0.75, 0.5)
NAMES = ("lite", "full", "heavy")
SOURCES = ("depth", "unknown", "height", "floor", "taught")
IMAGES = 10
ALL_ROWS = 480
FRAME_NS = 33_333_333
_REGION_M = 2.4


@dataclass(frozen=True)
class Case:
    """A person in one image as one model sees them."""

    person: Person
    model: str
    scale: float
    pose: Pose
    camera: Camera
    depth: DepthImage
    floor: Floor | None

    def position(self, source: str, taught_by: Case | None = None) -> Position | None:
        """Return where a source finds the person; None if it cannot be used."""
        height_m = self.person.height_m if source == "height" else 0.0
        options = PositionOptions(person_height_m=height_m)
        used = PositionEstimator(options, MODELS[self.model].distance_factor)
        if source == "taught" and taught_by is not None:
            taught_by.locate(used, 0, with_depth=True)
        is_known = {
            "height": height_m > 0,
            "floor": self.floor is not None,
            "taught": taught_by is not None,
        }
        if not is_known.get(source, True):
            return None
        found = self.locate(used, 1, source == "depth", source == "floor")
        return None if source == "floor" and np.isnan(found.height_m) else found

    def locate(
        self, used: PositionEstimator, image: int, with_depth: bool, with_floor: bool = False
    ) -> Position:
        """Return the position in an image that an estimator is given."""
        depth = self.depth if with_depth else None
        poses = Poses([self.pose], time_ns=(image + 1) * 10**9)
        (position,) = used.estimate(poses, self.camera, depth, self.floor if with_floor else None)
        return position


def cases(rows_px: int) -> Iterator[Case]:
    """Yield all cases in the upper rows of the images. MediaUnavailable if those can't be had."""
    for whole, model, scale in product(scenes().values(), NAMES, SCALES):
        cut = Cloud(whole.measured.image[:rows_px], whole.measured.points_m[:rows_px])
        scene = replace(whole, measured=cut)
        size = tuple(round(side * scale) for side in scene.measured.image.shape[1::-1])
        image = cv2.resize(scene.measured.image, size, interpolation=cv2.INTER_AREA)
        camera, depth = _camera(scene, scale, ImageSize(*size)), _depth(scene, size)
        for person in scene.people:
            _tracker(model).reset()
            pose = _pose(_tracker(model), np.ascontiguousarray(image, np.uint8), person, scale)
            if pose is not None:
                yield Case(person, model, scale, pose, camera, depth, scene.floor)


@cache
def _tracker(model: str) -> PoseTracker:
    return PoseTracker(PoseTrackerOptions(model=model))


def _camera(scene: Scene, scale: float, size: ImageSize) -> Camera:
    """Return the camera of a scaled image; pixel centers are at whole numbers."""
    x, y = ((center + 0.5) * scale - 0.5 for center in scene.center_px)
    return Camera(size, FOCAL_PX * scale, FOCAL_PX * scale, x, y, True)


def _depth(scene: Scene, size: tuple[int, ...]) -> DepthImage:
    z_m = scene.measured.points_m[..., 2].astype(np.float32)
    resized = cv2.resize(z_m, size, interpolation=cv2.INTER_NEAREST)
    return DepthImage(np.asarray(resized, np.float32), 1.0)


def _pose(tracker: PoseTracker, image: media.Image, person: Person, scale: float) -> Pose | None:
    """Return the person as seen after some images; None if nobody or somebody else is."""
    x, y = person.torso_px[:, 0].mean(), person.torso_px[:, 1].max()
    roi = Roi(np.array((x, y)) * scale, _REGION_M * FOCAL_PX / person.z_m * scale, 0.0)
    found: Poses = tracker.track(image, FRAME_NS, roi=roi)
    for number in range(2, IMAGES):
        found = tracker.track(image, number * FRAME_NS)
    for pose in found:
        left, right = person.torso_px[:, 0].min(), person.torso_px[:, 0].max()
        if left < pose.landmarks_px[[23, 24], 0].mean() / scale < right:
            return replace(pose, person_id=1)
    return None


@dataclass(frozen=True)
class Row:
    """Errors of one case by source, as parts of the distance; and the standard deviations."""

    case: Case
    errors: dict[str, float]
    stds: dict[str, float]


def rows(rows_px: int = ALL_ROWS) -> Iterator[Row]:
    """Yield the errors of all cases; what is taught comes from the image in full size."""
    full: dict[tuple[str, str], Case] = {}
    for case in cases(rows_px):
        key = (case.person.name, case.model)
        if case.scale == 1.0:
            full[key] = case
        teacher = full.get(key) if case.scale < 1 else None
        errors, stds = {}, {}
        for source in SOURCES:
            position = case.position(source, teacher)
            if position is not None:
                distance_m = np.linalg.norm(position.pelvis_m)
                errors[source] = float(position.pelvis_m[2]) / case.person.z_m - 1
                stds[source] = position.distance_std_m / float(distance_m)
        yield Row(case, errors, stds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ALL_ROWS, help="upper rows of the images")
    return parser.parse_args()


def main() -> int:
    """Print the errors; 2 with the reason if the pictures can't be had."""
    found = []
    print(f"{'person':<12} {'model':<6} scale" + "".join(f"{name:>9}" for name in SOURCES))
    try:
        for row in rows(_arguments().rows):
            found.append(row)
            texts = [_percent(row.errors.get(name)) for name in SOURCES]
            case = row.case
            print(f"{case.person.name:<12} {case.model:<6} {case.scale:<5}" + "".join(texts))
    except media.MediaUnavailable as error:
        print(f"real_people: {error}", file=sys.stderr)
        return 2
    print("\nsource   model  cases   median  largest   stated  within 2")
    for source, model in product(SOURCES, NAMES):
        part = [row for row in found if row.case.model == model and source in row.errors]
        if not part:
            continue
        errors = np.array([row.errors[source] for row in part])
        stds = np.array([row.stds[source] for row in part])
        print(
            f"{source:<8} {model:<6} {len(part):>5} {np.median(errors):>8.1%} "
            f"{np.abs(errors).max():>8.1%} {stds.max():>8.1%} "
            f"{np.mean(np.abs(errors) <= 2 * stds):>6.0%}"
        )
    return 0


def _percent(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.1%'):>9}"


if __name__ == "__main__":
    sys.exit(main())

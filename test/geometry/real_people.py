"""How far away real people seem from the camera alone, beside what a depth camera measured.

`python test/geometry/real_people.py` prints the error of `position_source` world in % of the
distance, for each person, model and size of the image, with the height unknown and known.

The truth of a person is the median distance of the measured points on the torso, compared with
the z of the hips. Torsos were outlined by hand. Heights are those of the 99.9th percentile of a
person's points above the floor, a plane fitted to the points within 2 cm (RANSAC, then least
squares); where the floor is hidden, the height is unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media
from point_clouds import Cloud, cloud

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import Poses, size_of
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.position import PositionEstimator

FOCAL_PX = 525.0
SCALES = (1.0, 0.75, 0.5)
MODELS = ("lite", "full", "heavy")
IMAGES = 60  # of the same picture, so that everybody is found
FRAME_NS = 33_333_333


@dataclass(frozen=True)
class Person:
    """Left, top, right and bottom of the torso in px, and the height if it was measured."""

    name: str
    torso_px: tuple[int, int, int, int]
    height_m: float = 0.0

    def distance_m(self, measured: Cloud) -> float:
        """Return the median distance of the torso."""
        left, top, right, bottom = self.torso_px
        return float(np.nanmedian(measured.points_m[top:bottom, left:right, 2]))

    def owns(self, hips_px: float) -> bool:
        """Whether hips at this x are this person's."""
        return self.torso_px[0] < hips_px < self.torso_px[2]


CENTERS_PX = {"test": (320.0, 240.0), "five_people": (319.5, 239.5)}
PEOPLE = {
    "test": (Person("man", (310, 210, 390, 330)),),
    "five_people": (
        Person("green shirt", (40, 160, 125, 280), 1.79),
        Person("blue shirt", (160, 170, 230, 255), 1.71),
        Person("white shirt", (300, 170, 360, 270), 1.77),
        Person("gray shirt", (385, 170, 455, 280), 1.73),
        Person("black shirt", (490, 150, 590, 300), 1.79),
    ),
}


def camera(name: str, scale: float, image: media.Image) -> Camera:
    """Return the camera of a picture that was scaled; pixel centers are at whole numbers."""
    x, y = ((center + 0.5) * scale - 0.5 for center in CENTERS_PX[name])
    return Camera(size_of(image), FOCAL_PX * scale, FOCAL_PX * scale, x, y, True)


def poses(image: media.Image, model: str) -> Poses:
    """Return everybody who is found in an image that is shown for two seconds."""
    tracker = PoseTracker(PoseTrackerOptions(model=model, max_persons=8))
    for index in range(IMAGES):
        found = tracker.track(image, (index + 1) * FRAME_NS)
    return found


def distance_m(pose: Pose, seen_by: Camera, height_m: float) -> float:
    """Return the z of the hips from the camera alone."""
    options = PositionOptions(position_source="world", person_height_m=height_m)
    (position,) = PositionEstimator(options).estimate(Poses([pose]), seen_by, None)
    return float(position.landmarks_m[[23, 24], 2].mean())


def errors(name: str, model: str, scale: float) -> Iterator[tuple[Person, float, float]]:
    """Yield the relative errors of each person found, with the height unknown and known."""
    measured = cloud(name)
    image = cv2.resize(measured.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.ascontiguousarray(image, np.uint8)
    seen_by = camera(name, scale, picture)
    for pose, person in product(poses(picture, model), PEOPLE[name]):
        if person.owns(pose.landmarks_px[[23, 24], 0].mean() / scale):
            true_m = person.distance_m(measured)
            unknown, known = (
                distance_m(pose, seen_by, height_m) / true_m - 1
                for height_m in (0.0, person.height_m)
            )
            yield person, unknown, known if person.height_m else np.nan


def main() -> int:
    """Print the errors; 2 with the reason if the pictures can't be had."""
    print("person        model  scale  height unknown  known", flush=True)
    found = []
    try:
        for name, model, scale in product(PEOPLE, MODELS, SCALES):
            for person, unknown, known in errors(name, model, scale):
                found.append((model, unknown, known))
                print(f"{person.name:<13} {model:<6} {scale:<6} {unknown:>13.1%} {known:>7.1%}")
    except media.MediaUnavailable as error:
        print(f"real_people: {error}", file=sys.stderr)
        return 2
    for model in MODELS:
        rows = np.array([row[1:] for row in found if row[0] == model])
        middle, largest = np.nanmedian(rows, axis=0), np.nanmax(np.abs(rows), axis=0)
        print(f"{model:<6} median, largest: unknown {middle[0]:.1%}, {largest[0]:.1%};", end=" ")
        print(f"known {middle[1]:.1%}, {largest[1]:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

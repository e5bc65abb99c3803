"""Where six people of two Kinect images really are, how tall they are, and where the floor is.

`python test/geometry/people_truth.py` measures floor and heights again and writes them into
people_truth.json, beside the outlines of the torsos, which were drawn by hand.

The floor is the plane with most points within 2 cm of it (RANSAC), fitted once more to those by
least squares. A person's height is the 99.9th percentile of the points above the floor that are
within 0.3 m of the middle of the torso, seen from above. Where the floor is hidden, the height is
unknown. The distance of a person is the median z of the points on the torso.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from point_clouds import Cloud, cloud

from pose_ros.geometry.floor import Floor

FILE = Path(__file__).with_name("people_truth.json")
FOCAL_PX = 525.0
_TRIES, _NEAR_M = 500, 0.02
# Floors are below the camera and nearly level; less of the points are those of a table.
_MIN_BELOW_M, _MIN_LEVEL, _MIN_SHARE = 0.5, 0.9, 0.25
_COLUMN_M, _TOP_PERCENT = 0.3, 99.9

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """A person: outline (n, 2) of the torso in px, z of its surface, height; 0 if unknown."""

    name: str
    torso_px: npt.NDArray[np.int32]
    z_m: float
    height_m: float


@dataclass(frozen=True)
class Scene:
    """An image with its measured points, and what is true of it."""

    measured: Cloud
    center_px: tuple[float, float]
    floor: Floor | None
    people: tuple[Person, ...]


def scenes() -> dict[str, Scene]:
    """Return the images by name. MediaUnavailable if they can't be had."""
    return {name: _scene(name, truth) for name, truth in _truths().items()}


def _scene(name: str, truth: dict[str, Any]) -> Scene:
    measured, floor = cloud(name), truth.get("floor")
    people = tuple(
        Person(
            person["name"],
            np.array(person["torso_px"], np.int32),
            float(np.nanmedian(_torso(measured, person)[:, 2])),
            person.get("height_m", 0.0),
        )
        for person in truth["people"]
    )
    x, y = truth["center_px"]
    plane = Floor(np.array(floor["normal"]), floor["camera_height_m"]) if floor else None
    return Scene(measured, (x, y), plane, people)


def _truths() -> dict[str, dict[str, Any]]:
    truths: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return truths


def _torso(measured: Cloud, person: dict[str, Any]) -> Points:
    inside = np.zeros(measured.points_m.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.array(person["torso_px"], np.int32)], 1)
    points: Points = measured.points_m[inside > 0]
    return points


def fit_floor(points_m: Points) -> tuple[Points, float] | None:
    """Return the floor's normal (3,), upward, and how far below the camera it is; None: hidden."""
    low_m = points_m[points_m[:, 1] > _MIN_BELOW_M]
    rng, on_floor = np.random.default_rng(0), np.zeros(len(low_m), bool)
    for _ in range(_TRIES):
        one, other, third = low_m[rng.choice(len(low_m), 3, replace=False)]
        normal = _upward(np.cross(other - one, third - one))
        near = np.abs((low_m - one) @ normal) < _NEAR_M
        if normal[1] < -_MIN_LEVEL and near.sum() > on_floor.sum():
            on_floor = near
    if on_floor.sum() < _MIN_SHARE * len(low_m):
        return None
    center_m = low_m[on_floor].mean(axis=0)
    normal = _upward(np.linalg.svd(low_m[on_floor] - center_m, full_matrices=False)[2][2])
    return normal, float(-normal @ center_m)


def _upward(normal: Points) -> Points:
    length = np.linalg.norm(normal) or 1.0
    upward: Points = -np.sign(normal[1]) * normal / length
    return upward


def measure(name: str, truth: dict[str, Any]) -> dict[str, Any]:
    """Return the truth of an image with its floor and the heights of its people."""
    measured = cloud(name)
    points_m = measured.points_m.reshape(-1, 3)
    points_m = points_m[np.isfinite(points_m).all(axis=1)]
    floor = fit_floor(points_m)
    if floor is None:
        return truth
    normal, height_m = floor
    across = np.eye(3) - np.outer(normal, normal)
    for person in truth["people"]:
        middle_m = np.nanmedian(_torso(measured, person), axis=0)
        from_middle_m = np.linalg.norm((points_m - middle_m) @ across, axis=1)
        above_m = points_m[from_middle_m < _COLUMN_M] @ normal + height_m
        person["height_m"] = round(float(np.percentile(above_m, _TOP_PERCENT)), 2)
    written = {"normal": normal.round(4).tolist(), "camera_height_m": round(height_m, 3)}
    return {**truth, "floor": written}


def main() -> int:
    """Measure and write."""
    truths = {name: measure(name, truth) for name, truth in _truths().items()}
    FILE.write_text(json.dumps(truths, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

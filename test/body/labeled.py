"""People in pictures, labeled by looking at them: people.csv and where the pictures come from.

A row of people.csv has a region around one person (x, y, side in px of the picture), who it is,
and what was seen: the posture ("other" if it is none of the words), whether the legs are hidden or
outside of the picture (`is_cut`), and for the person's own left and right arm 1 if it is raised, 0
if not, ? if one may argue. An arm counts as raised if the hand is at the height of the mouth or
above it, and not at the person's own head. `half` says which people the thresholds were chosen on.

The pictures are not part of the repository: media.TABLE and pictures.csv name the packages.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import media
import numpy as np
import numpy.typing as npt

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions, Roi

FOLDER = Path(__file__).resolve().parent
IMAGES = 10
"""A picture is tracked as if it were so many images, until the landmarks are at rest."""
_STEP_NS = 100_000_000
_CUTOUT = ".gif"
"""People who were cut out, on white and small: they are enlarged, with a margin."""
_ENLARGED, _MARGIN = 3, 0.3


@dataclass(frozen=True)
class Labeled:
    """One row of people.csv."""

    picture: str
    frame: int
    region: tuple[float, float, float]
    posture: str
    is_cut: bool
    arms: dict[str, str]
    person: str
    half: str


@cache
def people() -> tuple[Labeled, ...]:
    """Return all rows."""
    with (FOLDER / "people.csv").open(encoding="utf-8") as file:
        return tuple(_labeled(row) for row in csv.DictReader(file))


def _labeled(row: dict[str, str]) -> Labeled:
    x, y, side = (float(row[name]) for name in ("x_px", "y_px", "side_px"))
    arms = {side: row[side] for side in ("left", "right")}
    is_cut, frame = row["is_cut"] == "1", int(row["frame"])
    return Labeled(
        row["picture"], frame, (x, y, side), row["posture"], is_cut, arms, row["person"],
        row["half"],
    )  # fmt: skip


@cache
def pictures() -> dict[str, media.MediaFile]:
    """Return the rows of pictures.csv by the names of their files."""
    with (FOLDER / "pictures.csv").open(encoding="utf-8") as file:
        rows = [
            media.MediaFile(
                row["file"],
                row["kind"],
                row["package"],
                row["version"],
                row["member"],
                row["sha256"],
                "that of the package",
            )
            for row in csv.DictReader(file)
        ]
    return {Path(row.file).stem: row for row in rows}


@cache
def picture(name: str, frame: int) -> media.Image:
    """Return a picture, or an image of a clip, as RGB. Raises MediaUnavailable."""
    if name in media.TABLE:
        return next(islice(media.frames(name), frame, None))
    file = media.stored(pictures()[name], pictures().values())
    if file.suffix in (".jpg", ".png"):
        return np.ascontiguousarray(np.asarray(cv2.imread(str(file)), np.uint8)[..., ::-1])
    capture = cv2.VideoCapture(str(file))
    for _ in range(frame + 1):
        _, image = capture.read()
    capture.release()
    rgb = np.ascontiguousarray(np.asarray(image, np.uint8)[..., ::-1])
    return _enlarged(rgb) if file.suffix == _CUTOUT else rgb


def _enlarged(image: media.Image) -> media.Image:
    large = cv2.resize(image, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC)
    margin = int(max(large.shape[:2]) * _MARGIN)
    white = (255, 255, 255)
    border = (margin,) * 4
    return np.asarray(
        cv2.copyMakeBorder(large, *border, cv2.BORDER_CONSTANT, value=white), np.uint8
    )


def found_pose(image: media.Image, roi: Roi, model: str = "full") -> Pose | None:
    """Return the pose of somebody in a region of a still picture; None if nobody is found."""
    tracker = _tracker(model)
    tracker.reset()
    start: Roi | None = roi
    poses: Sequence[Pose] = ()
    for index in range(IMAGES):
        poses = tracker.track(image, (index + 1) * _STEP_NS, start)
        if not poses:
            return None
        start = None
    return poses[0]


@cache
def _tracker(model: str) -> PoseTracker:
    return PoseTracker(PoseTrackerOptions(model=model))


def pose_of(person: Labeled, model: str = "full") -> Pose | None:
    """Return the pose of a labeled person; None if not found. Raises MediaUnavailable."""
    x, y, side = person.region
    roi = Roi(np.array((x, y)), side, 0.0)
    return found_pose(picture(person.picture, person.frame), roi, model)


def turned_pose(person: Labeled, turns: int, model: str = "full") -> Pose | None:
    """Return the pose in the picture turned by quarters, counterclockwise: 1 or -1."""
    image = picture(person.picture, person.frame)
    height, width = image.shape[:2]
    x, y, side = person.region
    center = (y, width - x) if turns == 1 else (height - y, x)
    turned = np.ascontiguousarray(np.rot90(image, turns))
    return found_pose(turned, Roi(np.array(center), side, -turns * np.pi / 2), model)


def turnable() -> Iterator[tuple[Labeled, int]]:
    """Give those who stand, whole, and how to turn them so that they lie."""
    whole = [p for p in people() if p.posture == "standing" and not p.is_cut]
    large = [p for p in whole if p.region[2] >= 300]
    for index, person in enumerate(large):
        yield person, 1 if index % 2 else -1


def points_of(pose: Pose) -> npt.NDArray[np.float64]:
    """Return what a figure is made of: world landmarks, or those of the image without them."""
    world_m = pose.world_landmarks_m
    return np.asarray(pose.landmarks_px if world_m is None else world_m, np.float64)

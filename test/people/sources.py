"""The people that the scenes are made of: cut out of clips once, upright and of one height.

Stored below `test/media/`. Whoever is cut out in one half of the scenes is not in the other.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import media
import numpy as np
import numpy.typing as npt

from people.alone import Span, track_alone
from people.arrays import Arrays, stored_arrays
from pose_ros.blazepose import Pose
from pose_ros.blazepose.topology import FULL_BODY

# A cutout is this large, and the person, when upright, is this tall and stands here in it.
SIZE_PX = (560, 560)
HEIGHT_PX = 350
GROUND_PX = np.array((280.0, 500.0))

_HIPS = [FULL_BODY.names.index(name) for name in ("left_hip", "right_hip")]
_FEET = [
    FULL_BODY.names.index(f"{side}_{end}")
    for side in ("left", "right")
    for end in ("heel", "foot_index")
]
_EYES = [FULL_BODY.names.index(name) for name in ("left_eye", "right_eye")]
_EYES_PER_HEIGHT = 0.93
# The mask is a probability: what lies below the first is background, above the second the person.
_BACKGROUND, _PERSON = 0.35, 0.75


@dataclass(frozen=True)
class Source:
    """A person of a clip; `roll_deg` is how far the camera was turned clockwise."""

    name: str
    span: Span
    roll_deg: float = 0.0


@dataclass(frozen=True, eq=False)
class Cutouts:
    """The images of one person at 30 Hz: F of them, RGB and opacity, and the landmarks in them."""

    images: npt.NDArray[np.uint8]
    opacities: npt.NDArray[np.uint8]
    landmarks_px: npt.NDArray[np.float32]
    visibility: npt.NDArray[np.float32]


def _pose2sim(person: str, kind: str, camera: int, roll_deg: float, *roi: float) -> Source:
    """Person in 50 images of a clip of 60 Hz."""
    x, y, side = roi
    span = Span(f"p2s_{kind}_cam0{camera}", (x, y, side), count=50, step=2)
    return Source(f"{person}_{camera}", span, roll_deg)


# fmt: off
_ROWS = (
    Source("walker", Span("sports2d_demo", (1360, 760, 520), 96, first=62)),
    Source("jumper", Span("sports2d_demo", (654, 265, 480), 96, first=30)),
    _pose2sim("man", "single", 1, 13, 430, 770, 1000),
    _pose2sim("man", "single", 2, -3, 520, 870, 1000),
    _pose2sim("man", "single", 3, -3, 590, 800, 1000),
    _pose2sim("man", "single", 4, -26, 280, 760, 1050),
    _pose2sim("woman", "multi", 1, 13, 715, 1270, 1160),
    _pose2sim("woman", "multi", 2, -3, 140, 1050, 1050),
    _pose2sim("woman", "multi", 3, -3, 240, 770, 680),
    _pose2sim("woman", "multi", 4, -26, 730, 700, 640),
)
# fmt: on
SOURCES = {row.name: row for row in _ROWS}


@functools.cache
def cutouts(name: str) -> Cutouts:
    """Return the images of a person of `SOURCES`, made and stored if they are not yet.

    Raises MediaUnavailable if the clip can't be had.
    """
    source = SOURCES[name]
    recipe = source, SIZE_PX, HEIGHT_PX, tuple(GROUND_PX), _BACKGROUND, _PERSON
    return Cutouts(**stored_arrays(name, recipe, lambda: cut_out(source)))


def cut_out(source: Source) -> Arrays:
    """Track the person, then move and scale every image by what all the poses say."""
    tracked = list(_track(source))
    poses = [pose for _, pose in tracked]
    placements = _placements([pose.landmarks_px for pose in poses], source.roll_deg)
    pairs = list(zip(tracked, placements, strict=True))
    images = np.stack([_warp(image, placement) for (image, _), placement in pairs])
    opacities = np.stack([_warp(_opacity(pose), placement) for (_, pose), placement in pairs])
    return {
        "images": images * (opacities > 0)[..., None],  # black elsewhere, for a small file
        "opacities": opacities,
        "landmarks_px": np.stack([_move(pose, placement) for (_, pose), placement in pairs]),
        "visibility": np.stack([pose.visibility for pose in poses]),
    }


def _track(source: Source) -> Iterator[tuple[media.Image, Pose]]:
    for index, (image, pose) in enumerate(track_alone(source.span)):
        if pose is None:
            raise ValueError(f"{source.name} is lost in image {index} of {source.span}")
        yield image, pose


def _placements(
    landmarks_px: list[npt.NDArray[np.float32]], roll_deg: float
) -> list[npt.NDArray[np.float64]]:
    """Return cutout_from_image (2, 3) of each image.

    A person who walks stays in the middle: the way is straight and the speed constant.
    """
    roll_rad = np.deg2rad(roll_deg)
    upright_from_image = np.array(
        [(np.cos(roll_rad), np.sin(roll_rad)), (-np.sin(roll_rad), np.cos(roll_rad))]
    )
    points_px = np.stack(landmarks_px)[:, :, :2] @ upright_from_image.T
    ground_px = np.median(points_px[:, _FEET, 1].max(axis=1))
    eyes_px = np.median(points_px[:, _EYES, 1].mean(axis=1))
    scale = HEIGHT_PX * _EYES_PER_HEIGHT / (ground_px - eyes_px)
    times = np.arange(len(points_px))
    middles_px = np.polyval(np.polyfit(times, points_px[:, _HIPS, 0].mean(axis=1), 1), times)
    moves_px = [GROUND_PX - scale * np.array((middle, ground_px)) for middle in middles_px]
    return [np.column_stack((scale * upright_from_image, move_px)) for move_px in moves_px]


def _warp(
    image: npt.NDArray[np.uint8], cutout_from_image: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.warpAffine(image, cutout_from_image, SIZE_PX), np.uint8)


def _opacity(pose: Pose) -> npt.NDArray[np.uint8]:
    """Return the mask (H, W), 0 to 255, with a narrow edge."""
    mask = np.asarray(pose.mask)
    sure = np.clip((mask - _BACKGROUND) / (_PERSON - _BACKGROUND), 0, 1)
    return np.rint(sure * 255).astype(np.uint8)


def _move(pose: Pose, cutout_from_image: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    points_px = pose.landmarks_px[:, :2] @ cutout_from_image[:, :2].T + cutout_from_image[:, 2]
    return points_px.astype(np.float32)

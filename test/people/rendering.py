"""Images of a scene, and the truth of each: who is where, and how much of whom is visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import media
import numpy as np
import numpy.typing as npt

from people.judging import TruePerson
from people.rooms import room
from people.scenes import HEIGHT_PX, WIDTH_PX, Actor, Pillar, Scene
from people.sources import GROUND_PX, Cutouts, cutouts
from people.sources import HEIGHT_PX as CUTOUT_HEIGHT_PX
from pose_ros.blazepose.topology import FULL_BODY

Floats = npt.NDArray[np.floating]

_PILLAR_COLOR = (142, 134, 120)
_MIN_LABELED_VISIBILITY = 0.5
_OTHER_SIDE = {"left": "right", "right": "left"}
# Index of the landmark on the other side of the body.
MIRRORED = [
    FULL_BODY.names.index("_".join(_OTHER_SIDE.get(word, word) for word in name.split("_")))
    for name in FULL_BODY.names
]


def render(scene: Scene) -> Iterator[tuple[media.Image, list[TruePerson]]]:
    """Give each image of a scene, RGB (720, 1280, 3), and its people.

    Raises MediaUnavailable if a clip can't be had.
    """
    casts = [cutouts(actor.source) for actor in scene.actors]
    for index, time_s in enumerate(scene.times_s):
        figures = [
            _figure(actor, cast, index, time_s)
            for actor, cast in zip(scene.actors, casts, strict=True)
        ]
        yield _paint(scene, figures), _truth(scene, figures)


@dataclass(frozen=True, eq=False)
class _Layer:
    """What covers a rectangle of the image: RGB, and opacity from 0 to 1."""

    rows: slice
    columns: slice
    colors: npt.NDArray[np.uint8]
    opacity: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Figure:
    """An actor in one image."""

    ground_px: float
    layer: _Layer
    landmarks_px: Floats
    visibility: Floats
    area_px: float


def _figure(actor: Actor, cast: Cutouts, index: int, time_s: float) -> _Figure:
    number = _back_and_forth(actor.first_image + index, len(cast.images))
    image_from_cutout = _image_from_cutout(actor, time_s)
    order = MIRRORED if actor.is_mirrored else slice(None)
    points_px = cast.landmarks_px[number] @ image_from_cutout[:, :2].T + image_from_cutout[:, 2]
    opacity = cast.opacities[number]
    return _Figure(
        ground_px=actor.ground_px,
        layer=_layer(cast.images[number], opacity, actor.gain, image_from_cutout),
        landmarks_px=points_px[order],
        visibility=cast.visibility[number][order],
        area_px=float(opacity.sum() / 255 * image_from_cutout[1, 1] ** 2),
    )


def _back_and_forth(index: int, count: int) -> int:
    """Return 0, 1, ... count - 1, count - 2, ... 0, 1, ..."""
    place = index % (2 * count - 2)
    return min(place, 2 * count - 2 - place)


def _image_from_cutout(actor: Actor, time_s: float) -> Floats:
    scale = actor.height_px / CUTOUT_HEIGHT_PX
    scales = np.array((-scale if actor.is_mirrored else scale, scale))
    ground_px = np.array((actor.x_px(time_s), actor.ground_px))
    return np.column_stack((np.diag(scales), ground_px - scales * GROUND_PX))


def _layer(
    colors: npt.NDArray[np.uint8],
    opacity: npt.NDArray[np.uint8],
    gain: tuple[float, float, float],
    image_from_cutout: Floats,
) -> _Layer:
    """Warp a cutout to its part of the image."""
    x, y, width, height = cv2.boundingRect(opacity)
    corners = np.array(((x, y), (x + width, y + height)))
    corners_px = corners @ image_from_cutout[:, :2].T + image_from_cutout[:, 2]
    limits = np.array((WIDTH_PX, HEIGHT_PX))
    low = np.clip(np.floor(corners_px.min(axis=0)), 0, limits).astype(int)
    high = np.clip(np.ceil(corners_px.max(axis=0)) + 1, 0, limits).astype(int)
    size = np.maximum(high - low, 0)
    warp = image_from_cutout.copy()
    warp[:, 2] -= low
    warped = [_warp(values, warp, size) for values in (colors, opacity)]
    lit = np.clip(warped[0] * np.array(gain, np.float32), 0, 255).astype(np.uint8)
    rows, columns = (slice(low[axis], low[axis] + size[axis]) for axis in (1, 0))
    return _Layer(rows, columns, lit, np.divide(warped[1], 255, dtype=np.float32))


def _warp(
    values: npt.NDArray[np.uint8], warp: Floats, size: npt.NDArray[np.int_]
) -> npt.NDArray[np.uint8]:
    if 0 in size:
        return np.zeros((size[1], size[0], *values.shape[2:]), np.uint8)
    return np.asarray(cv2.warpAffine(values, warp, size.tolist()), np.uint8)


def _pillar_layer(pillar: Pillar) -> _Layer:
    rows = slice(0, pillar.ground_px)
    columns = slice(pillar.left_px, pillar.left_px + pillar.width_px)
    shade = np.sin(np.linspace(0.4, 2.9, pillar.width_px))[:, None] * 0.5 + 0.5
    colors = np.broadcast_to(shade * _PILLAR_COLOR, (pillar.ground_px, pillar.width_px, 3))
    opacity: npt.NDArray[np.float32] = np.ones(colors.shape[:2], np.float32)
    return _Layer(rows, columns, colors.astype(np.uint8), opacity)


def _from_the_back(scene: Scene, figures: Sequence[_Figure]) -> list[_Layer]:
    """Return the people and the pillar, the farthest first."""
    objects = [(figure.ground_px, figure.layer) for figure in figures]
    if scene.pillar is not None:
        objects.append((scene.pillar.ground_px, _pillar_layer(scene.pillar)))
    return [layer for _, layer in sorted(objects, key=lambda item: item[0])]


def _paint(scene: Scene, figures: Sequence[_Figure]) -> media.Image:
    image = room(scene.room).copy()
    for layer in _from_the_back(scene, figures):
        opacity = layer.opacity[..., None]
        behind = image[layer.rows, layer.columns]
        behind[:] = np.rint(behind + (layer.colors.astype(np.float32) - behind) * opacity)
    return image


def _truth(scene: Scene, figures: Sequence[_Figure]) -> list[TruePerson]:
    """Return the people of whom anything is visible."""
    clear: npt.NDArray[np.float32] = np.ones((HEIGHT_PX, WIDTH_PX), np.float32)
    visible_px: dict[int, float] = {}
    for layer in reversed(_from_the_back(scene, figures)):
        seen_through = clear[layer.rows, layer.columns]
        visible_px[id(layer)] = float((layer.opacity * seen_through).sum())
        seen_through *= 1 - layer.opacity
    people = [
        _true_person(identity, figure, visible_px[id(figure.layer)] / figure.area_px)
        for identity, figure in enumerate(figures)
    ]
    return [person for person in people if person.visible_share > 0]


def _true_person(identity: int, figure: _Figure, visible_share: float) -> TruePerson:
    points_px = figure.landmarks_px
    is_inside = ((points_px >= 0) & (points_px < (WIDTH_PX, HEIGHT_PX))).all(axis=1)
    is_labeled = is_inside & (figure.visibility > _MIN_LABELED_VISIBILITY)
    return TruePerson(identity, points_px, is_labeled, figure.area_px, visible_share)

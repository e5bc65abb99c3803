"""Empty rooms that the people of the scenes are put into, RGB (720, 1280, 3)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import islice

import cv2
import media
import numpy as np
import numpy.typing as npt

from people.scenes import HEIGHT_PX, WIDTH_PX

_FLOOR_PX = 330
# The park of the clip is empty at most places in most of these images.
_PARK_CLIP, _PARK_IMAGES = "sports2d_demo", slice(150, 230, 8)

Color = tuple[int, int, int]


@functools.cache
def room(name: str) -> media.Image:
    """Return a room of `ROOMS`; raises MediaUnavailable if its clip can't be had."""
    image = ROOMS[name]()
    image.setflags(write=False)
    return image


def _hall() -> media.Image:
    """Draw a long wall with windows and a door, and a floor of planks."""
    image = _walls(wall=(196, 190, 178), floor=(120, 92, 66), seed=1)
    for left_px in (70, 330, 900):
        _panel(image, (left_px, 70), (190, 170), inside=(205, 222, 236), frame=(90, 84, 80))
        cv2.line(image, (left_px + 95, 70), (left_px + 95, 240), (90, 84, 80), 5)
    _panel(image, (640, 90), (130, 240), inside=(112, 74, 52), frame=(70, 48, 36))
    for x_px in range(-1200, 2500, 140):
        foot_px = (x_px * 3 - WIDTH_PX, HEIGHT_PX)
        cv2.line(image, (x_px, _FLOOR_PX), foot_px, (98, 74, 54), 2, cv2.LINE_AA)
    return image


def _office() -> media.Image:
    """Draw a wall with shelves, a board and a coat rack, and a carpet."""
    image = _walls(wall=(150, 164, 172), floor=(84, 90, 100), seed=2)
    for top_px in (60, 120, 180, 240):
        _panel(image, (60, top_px), (330, 56), inside=(96, 80, 64), frame=(60, 50, 42))
        for x_px in range(70, 380, 22):
            shade = 60 + (x_px * 37 + top_px * 11) % 140
            corner_px = (x_px + 16, top_px + 50)
            cv2.rectangle(image, (x_px, top_px + 12), corner_px, (shade, 110, 200 - shade), -1)
    _panel(image, (520, 70), (360, 180), inside=(232, 234, 230), frame=(120, 120, 124))
    cv2.line(image, (1060, 90), (1060, 380), (46, 40, 36), 9)
    cv2.ellipse(image, (1060, 170), (46, 90), 0, 0, 360, (52, 60, 92), -1)
    return image


def _park() -> media.Image:
    """Take the median of images of a clip, in which the people are elsewhere each time."""
    span = _PARK_IMAGES
    images = islice(media.frames(_PARK_CLIP), span.start, span.stop, span.step)
    median = np.median(np.stack(list(images)), axis=0).astype(np.uint8)
    return np.asarray(cv2.resize(median, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA))


ROOMS: dict[str, Callable[[], media.Image]] = {"hall": _hall, "office": _office, "park": _park}


def _walls(wall: Color, floor: Color, seed: int) -> media.Image:
    """Draw wall and floor, lit from above, with stains and grain."""
    light = np.linspace(1.05, 0.75, HEIGHT_PX)[:, None, None]
    colors = np.where(np.arange(HEIGHT_PX)[:, None, None] < _FLOOR_PX, wall, floor)
    plain = np.broadcast_to(colors * light, (HEIGHT_PX, WIDTH_PX, 3))
    rng = np.random.RandomState(seed)  # its stream never changes
    lit = plain * (1 + 0.05 * _noise(rng, 160) + 0.03 * _noise(rng, 1))
    image = np.clip(lit, 0, 255).astype(np.uint8)
    cv2.rectangle(image, (0, _FLOOR_PX - 12), (WIDTH_PX, _FLOOR_PX), (104, 100, 96), -1)
    return image


def _noise(rng: np.random.RandomState, grain_px: int) -> npt.NDArray[np.float32]:
    """Return random brightness (720, 1280, 1) that changes within about `grain_px`."""
    coarse = rng.uniform(-1, 1, (-(-HEIGHT_PX // grain_px), -(-WIDTH_PX // grain_px)))
    smooth = cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)[..., None]


def _panel(
    image: media.Image,
    corner_px: tuple[int, int],
    size_px: tuple[int, int],
    inside: Color,
    frame: Color,
) -> None:
    """Draw a filled rectangle with a frame."""
    far_px = (corner_px[0] + size_px[0], corner_px[1] + size_px[1])
    cv2.rectangle(image, corner_px, far_px, inside, -1)
    cv2.rectangle(image, corner_px, far_px, frame, 6)

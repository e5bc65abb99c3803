"""A backend that takes upright rectangles of bright colors for people.

What a tracker does with several people is then known exactly, and costs little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageArray
from pose_ros.blazepose.detector import make_anchors
from pose_ros.blazepose.inference import OnnxModel, Shapes
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import ModelOptions

WIDTH_PX, HEIGHT_PX = 320, 180
COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255))
ASPECT = 0.4
LOGIT = 9.0
SMALLEST = 0.2
"""Of the height of the detector's input: smaller people are not found."""
LARGEST = 0.5
"""Of the height of MoveNet's input: larger people are not found."""
_MODEL = MODELS["lite"]
_BODY = np.random.default_rng(5).uniform(0.02, 0.98, (33, 2))
_BODY[11:13], _BODY[23:25] = ((0.8, 0.2), (0.2, 0.2)), ((0.7, 0.5), (0.3, 0.5))
_BODY[29:31] = ((0.0, 1.0), (1.0, 1.0))
_CIRCLE = 0.6
"""Radius of the circle around a person, in heights."""


class Somebody(NamedTuple):
    """A person in the image: middle and height in px, and the number of the color."""

    x_px: float
    y_px: float
    height_px: float
    color: int


def draw(people: Iterable[Somebody], width_px: int = WIDTH_PX) -> ImageArray:
    """Return an image of people, the last one in front."""
    image = np.zeros((HEIGHT_PX, width_px, 3), np.uint8)
    for one in people:
        half_px = np.array((ASPECT, 1)) * one.height_px / 2
        middle_px = np.array((one.x_px, one.y_px))
        limits = np.concatenate([middle_px - half_px, middle_px + half_px]).round()
        left, top, right, bottom = np.maximum(limits, 0).astype(int)
        image[top:bottom, left:right] = COLORS[one.color]
    return image


class Rectangles:
    """An inference backend for `lite` and MoveNet: each network is known by its outputs."""

    runtime = "rectangles"
    problem: str | None = None

    def __init__(
        self,
        file: str,
        inputs: Shapes,
        outputs: Shapes,
        options: ModelOptions,
        models_dir: Path | None = None,
    ) -> None:
        self._outputs = outputs
        runs = {"boxes": self._detect, "center": self._centers, "landmarks": self._landmarks}
        self._run = next(run for name, run in runs.items() if name in outputs)
        self._anchors = make_anchors(_MODEL.detector.input_size, _MODEL.detector.strides)

    @staticmethod
    def sigmoid(logits: Float32Array) -> Float32Array:
        return OnnxModel.sigmoid(logits)

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        values = self._run(tensor[0])
        return [values[name].reshape(shape) for name, shape in self._outputs.items()]

    def _detect(self, planes: Float32Array) -> dict[str, Float32Array]:
        side = planes.shape[-1]
        boxes = np.zeros((len(self._anchors), 6, 2), np.float32)
        scores = np.full(len(self._anchors), -LOGIT, np.float32)
        for index, (low, high) in enumerate(_found(_codes(planes > 0))):
            if high[1] - low[1] >= SMALLEST * side:
                points = np.stack([(low + high) / 2, high - low, *_keypoints(low, high)])
                points[[0, 2, 3, 4, 5]] -= self._anchors[index] * side
                boxes[index], scores[index] = points, LOGIT - index / 10
        return {"boxes": boxes, "scores": scores}

    def _centers(self, planes: Float32Array) -> dict[str, Float32Array]:
        maps = {name: np.zeros(shape[1:], np.float32) for name, shape in self._outputs.items()}
        maps["center"] -= LOGIT
        scale = planes.shape[-1] / maps["center"].shape[-1]
        for low, high in _found(_codes(planes > 0)):
            if high[1] - low[1] <= LARGEST * planes.shape[-1]:
                middle = (low + high) / 2 / scale
                column, row = middle.astype(int)
                maps["center"][0, row, column] = LOGIT
                maps["offset"][:, row, column] = middle[1] - row, middle[0] - column
                maps["size"][:, row, column] = (high - low)[::-1] / scale
        return maps

    def _landmarks(self, planes: Float32Array) -> dict[str, Float32Array]:
        side = planes.shape[-1]
        codes = _codes(planes > 0.5)
        code = codes[side // 2, side // 2]
        values = {name: np.full(shape, -LOGIT) for name, shape in self._outputs.items()}
        values["landmarks"] = np.full((39, 5), LOGIT)
        for low, high in _found(codes, (code,)):
            values["landmarks"][:33, :2] = low + _BODY * (high - low)
            values["landmarks"][33:35, :2] = _keypoints(low, high)[:2]
            values["landmarks"][:, 2] = 0
            values["presence"][:] = 0.95
        return {name: array.astype(np.float32) for name, array in values.items()}


def _codes(is_bright: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return the number of the color of each pixel, from planes (3, H, W)."""
    red, green, blue = is_bright.view(np.uint8)
    codes: npt.NDArray[np.uint8] = red + 2 * green + 4 * blue
    return codes


def _found(
    codes: npt.NDArray[np.uint8], wanted: Iterable[int] = range(1, 7)
) -> Iterator[tuple[Float64Array, Float64Array]]:
    """Give the minimum and maximum corner (2,) of what has one of the colors."""
    for code in wanted:
        is_one = codes == code
        rows, columns = (np.flatnonzero(is_one.any(axis=axis)) for axis in (1, 0))
        if code and len(rows):
            yield np.array((columns[0], rows[0])), np.array((columns[-1] + 1, rows[-1] + 1.0))


def _keypoints(low: Float64Array, high: Float64Array) -> Float64Array:
    """Return hips, a point on the circle, shoulders, a point above (4, 2)."""
    hips = (low + high) / 2
    up = np.array((0, high[1] - low[1]))
    return np.stack([hips, hips - _CIRCLE * up, hips - 0.3 * up, hips - _CIRCLE * up])

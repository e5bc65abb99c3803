"""The person detector: letterboxed image, or a region of it -> detections.

ref: pose_detection_cpu.pbtxt (TensorsToDetections, NonMaxSuppression, DetectionLetterboxRemoval).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import (
    Crop,
    Detection,
    Float32Array,
    ImageArray,
    ImageSize,
    size_of,
)
from pose_ros.blazepose.inference import LoadNetwork
from pose_ros.blazepose.models import DetectorModel
from pose_ros.blazepose.regions import Region

_VALUES = 12
_ANCHORS_PER_LAYER = 2
_OVERLAP = 0.3
_MOST_PEOPLE = 50


class Detector:
    """Finds people by their faces and body axes."""

    def __init__(self, model: DetectorModel, load_network: LoadNetwork) -> None:
        size = model.input_size
        self._input_size = size
        self._cropper = Cropper(size)
        self._anchors = make_anchors(size, model.strides)
        count = len(self._anchors)
        self._network = load_network(
            model.file,
            {"image": (1, 3, size, size)},
            {"boxes": (1, count, _VALUES), "scores": (1, count, 1)},
        )

    def detect(
        self, image: ImageArray, min_score: float, region: Region | None = None
    ) -> tuple[Detection, ...]:
        """Return the people in an RGB image (H, W, 3), or a region of it, the best first.

        They are in px of the image, and their scores at least `min_score`.
        """
        if region is None:
            return tuple(self._detections(image, min_score))
        x_min, y_min, x_max, y_max = region
        found = self._detections(image[y_min:y_max, x_min:x_max], min_score)
        return tuple(_moved(detection, (x_min, y_min)) for detection in found)

    def _detections(self, image: ImageArray, min_score: float) -> Iterator[Detection]:
        crop = self._cropper.letterbox(image)
        raw_boxes, logits = self._network.run(crop.tensor)
        scores = self._network.sigmoid(logits[0, :, 0])
        kept = np.flatnonzero(scores >= np.float32(min_score))
        points = decode_points(raw_boxes[0, kept], self._anchors[kept], self._input_size)
        for merged in islice(merge_overlapping(points, scores[kept]), _MOST_PEOPLE):
            yield _to_detection(*merged, crop, size_of(image))


def make_anchors(input_size: int, strides: tuple[int, ...]) -> Float32Array:
    """Return anchor centers (A, 2) as x, y in fractions of the input; every anchor has size 1.

    Layers that share a stride share one grid and repeat its cells.
    ref: SsdAnchorsCalculator with fixed_anchor_size and aspect ratio 1.
    """
    grids = []
    for stride, layers in groupby(strides):
        side = -(-input_size // stride)
        centers = (np.arange(side) + 0.5) / side
        grid = np.stack(np.meshgrid(centers, centers), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, _ANCHORS_PER_LAYER * len(tuple(layers)), axis=0))
    return np.concatenate(grids).astype(np.float32)


def decode_points(raw: Float32Array, anchors: Float32Array, input_size: int) -> Float32Array:
    """Return (n, 6, 2) from raw values (n, 12) and anchor centers (n, 2), in input fractions.

    Point 0 and 1 are the box's minimum and maximum corner, 2 to 5 the keypoints.
    """
    values = raw.reshape(-1, 6, 2) / np.float32(input_size)
    points = values + anchors[:, None]
    half_size = values[:, 1] / np.float32(2)
    center = points[:, 0].copy()
    points[:, 0] = center - half_size
    points[:, 1] = center + half_size
    return points


def merge_overlapping(
    points: Float32Array, scores: Float32Array
) -> Iterator[tuple[Float32Array, np.float32]]:
    """Yield for each person the score-weighted mean (6, 2) of its boxes, and the best score.

    Each round of this weighted non-maximum suppression merges the best box that is left with all
    that overlap it. Boxes without a positive size, and those with a score of 0, are left out.
    """
    sizes = points[:, 1] - points[:, 0]
    order = np.argsort(-scores, kind="stable")
    order = order[(sizes[order] >= 0).all(axis=1) & (scores[order] > 0)]
    points, scores = points[order], scores[order]
    while len(points):
        overlapping = _overlap_with_first(points) > _OVERLAP
        yield _weighted_mean(points[overlapping], scores[overlapping]), scores[0]
        points, scores = points[~overlapping], scores[~overlapping]


def _weighted_mean(points: Float32Array, scores: Float32Array) -> Float32Array:
    weights = scores[:, None, None]
    # a column beside the points, so that numpy sums both in the same sequential order
    weighted = np.concatenate([points * weights, weights.repeat(2, axis=2)], axis=1)
    total = np.add.reduce(weighted, axis=0)
    mean: Float32Array = total[:6] / total[6]
    return mean


def _overlap_with_first(points: Float32Array) -> npt.NDArray[np.float32]:
    """Return the intersection over union of every box with the first one."""
    low = np.maximum(points[:, 0], points[0, 0])
    high = np.minimum(points[:, 1], points[0, 1])
    intersection = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(points[:, 1] - points[:, 0], axis=1)
    union = areas + areas[0] - intersection
    overlap: Float32Array = np.divide(
        intersection, union, out=np.zeros_like(union), where=union > 0
    )
    overlap[0] = 1.0
    return overlap


def _to_detection(
    points: Float32Array, score: np.float32, crop: Crop, image_size: ImageSize
) -> Detection:
    """Undo the letterbox and scale to image pixels."""
    padding = np.array(crop.padding, np.float32)
    scale = np.float32(1) - (padding + padding)
    points_px = (points - padding) / scale * np.array(image_size, np.float32)
    return Detection(float(score), points_px[:2].ravel(), points_px[2:])


def _moved(detection: Detection, offset_px: tuple[int, int]) -> Detection:
    """Return the detection of a region in the px of the image, where the region has an offset."""
    offset = np.array(offset_px, np.float32)
    box_px, keypoints_px = detection.box_px, detection.keypoints_px
    return Detection(detection.score, box_px + np.tile(offset, 2), keypoints_px + offset)

"""The person detector: letterboxed image -> the best detection.

ref: pose_detection_cpu.pbtxt (TensorsToDetections, NonMaxSuppression, DetectionLetterboxRemoval).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.anchors import make_anchors
from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import (
    Crop,
    Detection,
    Float32Array,
    ImageArray,
    ImageSize,
    size_of,
)
from pose_ros.blazepose.inference import OnnxModel, sigmoid
from pose_ros.blazepose.models import DetectorModel
from pose_ros.blazepose.options import PoseTrackerOptions

_VALUES = 12
_OVERLAP = 0.3


class Detector:
    """Finds the person whose detection has the highest score."""

    def __init__(
        self, model: DetectorModel, options: PoseTrackerOptions, models_dir: Path | None
    ) -> None:
        size = model.input_size
        self._input_size = size
        self._cropper = Cropper(size)
        self._anchors = make_anchors(size, model.strides)
        count = len(self._anchors)
        self._network = OnnxModel(
            model.file,
            {"image": (1, 3, size, size)},
            {"boxes": (1, count, _VALUES), "scores": (1, count, 1)},
            options,
            models_dir,
        )

    def detect(self, image: ImageArray, min_score: float) -> Detection | None:
        """Return the best detection in an RGB image (H, W, 3), or None below `min_score`."""
        crop = self._cropper.letterbox(image)
        raw_boxes, logits = self._network.run(crop.tensor)
        scores = sigmoid(logits[0, :, 0])
        kept = np.flatnonzero(scores >= np.float32(min_score))
        points = decode_points(raw_boxes[0, kept], self._anchors[kept], self._input_size)
        merged = merge_best(points, scores[kept])
        if merged is None:
            return None
        return _to_detection(*merged, crop, size_of(image))


def decode_points(raw: Float32Array, anchors: Float32Array, input_size: int) -> Float32Array:
    """Return (n, 6, 2) from raw values (n, 12) and anchor centres (n, 2), in input fractions.

    Point 0 and 1 are the box's minimum and maximum corner, 2 to 5 the keypoints.
    """
    values = raw.reshape(-1, 6, 2) / np.float32(input_size)
    points = values + anchors[:, None]
    half_size = values[:, 1] / np.float32(2)
    center = points[:, 0].copy()
    points[:, 0] = center - half_size
    points[:, 1] = center + half_size
    return points


def merge_best(
    points: Float32Array, scores: Float32Array
) -> tuple[Float32Array, np.float32] | None:
    """Return the score-weighted mean (6, 2) of the best box and all that overlap it, its score.

    Boxes without a positive size are left out; None if nothing remains. This is the first round
    of weighted non-maximum suppression: the pose graph uses no other.
    """
    sizes = points[:, 1] - points[:, 0]
    order = np.argsort(-scores, kind="stable")
    order = order[(sizes[order] >= 0).all(axis=1)]
    if not len(order):
        return None
    points, scores = points[order], scores[order]
    overlapping = _overlap_with_first(points) > _OVERLAP
    weights = scores[overlapping, None, None]
    # a column beside the points, so that numpy sums both in the same sequential order
    weighted = np.concatenate([points[overlapping] * weights, weights.repeat(2, axis=2)], axis=1)
    total = np.add.reduce(weighted, axis=0)
    return total[:6] / total[6], scores[0]


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

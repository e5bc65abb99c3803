"""MoveNet as a person detector: letterboxed image, or a region of it -> upright boxes of people.

The network gives maps of cells. A person is where the scores of centers have a peak; there the
other maps give where in the cell the center is, and how large the person. Its joints are not used.
ref: MoveNet MultiPose Lightning, the graph after its heads.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageArray, size_of
from pose_ros.blazepose.inference import LoadNetwork
from pose_ros.blazepose.models import MoveNetModel
from pose_ros.blazepose.regions import Region

_HEADS = {"center": 1, "offset": 2, "size": 2}
_NEIGHBORS = np.ones((5, 5), np.uint8)
_SAME = np.float32(1e-6)
"""Scores that differ by less are equal."""
_MOST_PEOPLE = 6


class MoveNet:
    """Finds up to six people, also small ones and ones seen from behind."""

    def __init__(self, model: MoveNetModel, load_network: LoadNetwork) -> None:
        size, cells = model.input_size, model.input_size // model.stride
        self._cropper = Cropper(size)
        self._network = load_network(
            model.file,
            {"image": (1, 3, size, size)},
            {name: (1, channels, cells, cells) for name, channels in _HEADS.items()},
        )

    def boxes_px(self, image: ImageArray, min_score: float, region: Region) -> Float64Array:
        """Return boxes (B, 4) of the people in a region of an RGB image (H, W, 3), best first.

        They are xmin, ymin, xmax, ymax in px of the image; scores are at least `min_score`.
        """
        x_min, y_min, x_max, y_max = region
        part = image[y_min:y_max, x_min:x_max]
        crop = self._cropper.letterbox(part)
        outputs = zip(_HEADS, self._network.run(crop.tensor), strict=True)
        heads = {name: head[0] for name, head in outputs}
        heads["center"] = self._network.sigmoid(heads["center"])
        padding = np.tile(np.array(crop.padding, np.float64), 2)
        scale_px = np.tile(size_of(part), 2) / (1 - 2 * padding)
        boxes_px = (decode(heads, min_score) - padding) * scale_px
        boxes_px += np.tile((x_min, y_min), 2)
        return boxes_px


def decode(heads: Mapping[str, Float32Array], min_score: float) -> Float64Array:
    """Return boxes (B, 4) in fractions of the input: xmin, ymin, xmax, ymax, the best first.

    `heads` are `center` (1, S, S) in [0, 1], `offset` and `size` (2, S, S) in cells, y before x.
    """
    centers = heads["center"][0]
    side = len(centers)
    is_peak = cv2.dilate(centers, _NEIGHBORS) - centers < _SAME
    scores = np.where(is_peak & (centers >= np.float32(min_score)), centers, 0).ravel()
    best = np.argsort(-scores, kind="stable")[:_MOST_PEOPLE]
    rows, columns = np.divmod(best[scores[best] > 0], side)
    center = np.stack([rows, columns]) + heads["offset"][:, rows, columns]
    half_size = np.maximum(heads["size"][:, rows, columns], 0) / 2
    corners = np.concatenate([(center - half_size)[::-1], (center + half_size)[::-1]])
    return np.clip(corners / side, 0, 1).T

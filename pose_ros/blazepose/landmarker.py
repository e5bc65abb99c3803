"""The landmark model: crop -> landmarks in the crop, or None if there is no pose in it.

ref: pose_landmark_upper_body_cpu.pbtxt, pose_landmark_cpu.pbtxt (TensorsToLandmarks).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import Crop, CropLandmarks, Float32Array
from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.inference import LoadNetwork, Network
from pose_ros.blazepose.models import PoseModel
from pose_ros.native.library import native_library

_VALUES = 5
MIN_REFINE_CONFIDENCE = 0.5
"""A window without such a confidence refines nothing. ref: min_confidence_to_refine."""


class Landmarker:
    """Predicts the landmarks, auxiliary ones included, of the person in a crop."""

    def __init__(self, model: PoseModel, heatmap_kernel: int, load_network: LoadNetwork) -> None:
        self._model, self._kernel, self._load_network = model, heatmap_kernel, load_network
        self._count = len(model.topology) + len(model.auxiliary)
        size = model.input_size
        self._inputs = {"image": (1, 3, size, size)}
        self._outputs = _output_shapes(model)
        self._mask_outputs = {**self._outputs, "mask": (1, 1, size, size)}
        self._network = load_network(model.file, self._inputs, self._outputs)
        self._mask_network: Network | None = None
        native = native_library()
        self._refine = native.refine if native else refine

    @property
    def network(self) -> Network:
        """The network without the mask."""
        return self._network

    def load_mask(self) -> Network:
        """Return the network that also has the mask; load it unless it is loaded.

        Raises OptionError if the model has none, ModelFileError if it cannot be loaded.
        """
        if self._mask_network is None:
            file = self._model.mask_file
            if file is None:
                raise OptionError(
                    f"with_mask is True; allowed is False for {self._model.file}, which has none"
                )
            self._mask_network = self._load_network(file, self._inputs, self._mask_outputs)
        return self._mask_network

    def predict(
        self, crop: Crop, min_score: float, with_mask: bool = False
    ) -> CropLandmarks | None:
        """Return the landmarks (K, 3) in crop px; None unless the pose score is above the minimum.

        x, y, z, visibility and presence follow each other in the tensor; the last two are logits.
        `with_mask`: the mask (S, S) as well; raises what `load_mask` raises.
        """
        network = self.load_mask() if with_mask else self._network
        outputs = self._mask_outputs if with_mask else self._outputs
        values = dict(zip(outputs, network.run(crop.tensor), strict=True))
        score = values["presence"][0, 0]
        if not score > np.float32(min_score):
            return None
        landmarks = values["landmarks"].reshape(-1, _VALUES)[: self._count]
        landmarks_px = landmarks[:, :3]
        if "heatmap" in values:
            heatmap, side = values["heatmap"][0, : self._count], self._model.input_size
            landmarks_px = self._refine(
                landmarks_px, heatmap, self._kernel, side, network.sigmoid, MIN_REFINE_CONFIDENCE
            )
        visibility, presence = network.sigmoid(landmarks[:, 3:].T)
        return CropLandmarks(
            landmarks_px=landmarks_px,
            visibility=visibility,
            presence=presence,
            score=float(score),
            world_m=values["world"].reshape(-1, 3) if "world" in values else None,
            mask=network.sigmoid(values["mask"][0, 0]) if "mask" in values else None,
        )


def _output_shapes(model: PoseModel) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "landmarks": (1, model.landmark_values),
        "presence": (1, 1),
    }
    if model.heatmap_size:
        count, side = model.landmark_values // _VALUES, model.heatmap_size
        shapes["heatmap"] = (1, count, side, side)
    if model.world_values:
        shapes["world"] = (1, model.world_values)
    return shapes


def refine(
    landmarks_px: Float32Array,
    heatmap: Float32Array,
    kernel: int,
    input_size: int,
    sigmoid: Callable[[Float32Array], Float32Array],
    min_confidence: float,
) -> Float32Array:
    """Return landmarks (K, 3) whose x and y are the center of mass of the heatmap around them.

    `heatmap` (K, S, S) are logits, of which `sigmoid` makes confidences. A landmark stays where it
    is if it lies outside the map, or if the window around it has no confidence of the minimum.
    ref: RefineLandmarksFromHeatmapCalculator
    """
    side = heatmap.shape[-1]
    cells = np.trunc(landmarks_px[:, :2].T * np.float32(side / input_size)).astype(np.int64)
    wanted = cells[:, None] + _window(kernel)
    columns_rows = np.minimum(np.maximum(wanted, 0), side - 1)
    flat = columns_rows[1] * side + columns_rows[0] + np.arange(len(heatmap)) * side**2
    confidence = sigmoid(heatmap.reshape(-1).take(flat))
    confidence *= (columns_rows == wanted).all(axis=0)
    # sums along the window are sequential, cell by cell, as in the graph
    total = np.add.reduce(confidence, axis=0)
    weighted = np.add.reduce(confidence * columns_rows.astype(np.float32), axis=1)
    is_refined = ((cells >= 0) & (cells < side)).all(axis=0)
    is_refined &= confidence.max(axis=0) >= min_confidence
    total[~is_refined] = 1
    center_px = weighted / np.float32(side) / total * np.float32(input_size)
    refined = landmarks_px.copy()
    np.copyto(refined[:, :2], center_px.T, where=is_refined[:, None])
    return refined


@cache
def _window(kernel: int) -> npt.NDArray[np.int64]:
    """Return columns and rows (2, kernel**2, 1) of a window's cells from its middle."""
    steps = np.arange(kernel) - kernel // 2
    return np.stack([np.tile(steps, kernel), np.repeat(steps, kernel)])[..., None]

"""The landmark model: crop -> landmarks in the crop, or None if there is no pose in it.

ref: pose_landmark_upper_body_cpu.pbtxt, pose_landmark_cpu.pbtxt (TensorsToLandmarks).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pose_ros.blazepose.datatypes import Crop, CropLandmarks
from pose_ros.blazepose.inference import OnnxModel, sigmoid
from pose_ros.blazepose.models import PoseModel
from pose_ros.blazepose.options import PoseTrackerOptions

_VALUES = 5


class Landmarker:
    """Predicts the landmarks, auxiliary ones included, of the person in a crop."""

    def __init__(
        self, model: PoseModel, options: PoseTrackerOptions, models_dir: Path | None
    ) -> None:
        size = model.input_size
        self._count = len(model.topology) + len(model.auxiliary)
        self._network = OnnxModel(
            model.file,
            {"image": (1, 3, size, size)},
            {"landmarks": (1, model.landmark_values), "presence": (1, 1)},
            options,
            models_dir,
        )

    def predict(self, crop: Crop, min_score: float) -> CropLandmarks | None:
        """Return the landmarks (K, 3) in crop px; None unless the pose score is above the minimum.

        x, y, z, visibility and presence follow each other in the tensor; the last two are logits.
        """
        values, presence = self._network.run(crop.tensor)
        score = presence[0, 0]
        if not score > np.float32(min_score):
            return None
        landmarks = values.reshape(-1, _VALUES)[: self._count]
        return CropLandmarks(
            landmarks_px=landmarks[:, :3],
            visibility=sigmoid(landmarks[:, 3]),
            presence=sigmoid(landmarks[:, 4]),
            score=float(score),
        )

"""The MODELS table: everything that differs between the pose models, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from pose_ros.blazepose.topology import UPPER_BODY, Topology


@dataclass(frozen=True)
class RelativeVelocity:
    """Constants of the relative-velocity filter. ref: pose_landmark_filtering.pbtxt (0.8.3)."""

    window_size: int = 5
    velocity_scale: float = 10.0
    min_object_scale_px: float = 1e-6


@dataclass(frozen=True)
class DetectorModel:
    """A person detector: file, input side in px, and the strides of its anchor layers.

    ref: pose_detection_cpu.pbtxt, SsdAnchorsCalculator.
    """

    file: str
    input_size: int
    strides: tuple[int, ...]


@dataclass(frozen=True)
class PoseModel:
    """A landmark model with its detector and the constants of its graph.

    `landmark_values` is the length of the model's landmark tensor, five values a landmark.
    `roi_keypoints` are the detection's keypoints (centre, circle) that make the first ROI, and
    `auxiliary` the landmarks (centre, circle) that make the ROI of the next frame.
    """

    file: str
    detector: DetectorModel
    input_size: int
    landmark_values: int
    topology: Topology
    roi_keypoints: tuple[int, int]
    auxiliary: tuple[int, int]
    roi_scale: float
    smoothing: RelativeVelocity


_DETECTOR_2021 = DetectorModel("detector_2021.onnx", input_size=128, strides=(8, 16, 16, 16))

MODELS = {
    # ref: pose_landmark_upper_body_cpu.pbtxt (MediaPipe 0.8.3)
    "upper_body": PoseModel(
        file="upper_body.onnx",
        detector=_DETECTOR_2021,
        input_size=256,
        landmark_values=155,
        topology=UPPER_BODY,
        roi_keypoints=(2, 3),
        auxiliary=(25, 26),
        roi_scale=1.5,
        smoothing=RelativeVelocity(),
    ),
}

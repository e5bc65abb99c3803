"""The MODELS table: everything that differs between the pose models, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from pose_ros.blazepose.smoothing import OneEuroFilter, PoseSmoother, RelativeVelocityFilter
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY, Topology


@dataclass(frozen=True)
class DetectorModel:
    """A person detector: file, input side in px, and the strides of its anchor layers.

    ref: pose_detection_cpu.pbtxt, SsdAnchorsCalculator.
    """

    file: str
    input_size: int
    strides: tuple[int, ...]


@dataclass(frozen=True)
class MoveNetModel:
    """MoveNet as a person detector: file, input side in px, and px per cell of its maps."""

    file: str
    input_size: int
    stride: int


MOVENET = MoveNetModel("movenet.onnx", input_size=384, stride=4)


@dataclass(frozen=True)
class PoseModel:
    """A landmark model with its detector and the constants of its graph.

    `landmark_values` is the length of the model's landmark tensor, five values a landmark;
    `heatmap_size` the side of the heatmap that refines them, `world_values` the length of the
    world tensor, both 0 where there is none. `mask_file` is the graph that also has the mask.
    `roi_keypoints` are the detection's keypoints (center, circle) that make the first ROI, and
    `auxiliary` the landmarks (center, circle) that make the ROI of the next frame. `smoothing` are
    the filters of a person not seen yet, with their constants. `distance_factor` is how much
    farther away people are than a body of their height would be that appears like the pose.
    """

    file: str
    detector: DetectorModel
    input_size: int
    landmark_values: int
    topology: Topology
    roi_keypoints: tuple[int, int]
    auxiliary: tuple[int, int]
    roi_scale: float
    smoothing: PoseSmoother
    heatmap_size: int = 0
    world_values: int = 0
    mask_file: str | None = None
    distance_factor: float = 1.0

    @property
    def files(self) -> tuple[str, ...]:
        """The graphs of this model."""
        files = (self.detector.file, self.file)
        return files if self.mask_file is None else (*files, self.mask_file)


_DETECTOR_2021 = DetectorModel("detector_2021.onnx", input_size=128, strides=(8, 16, 16, 16))
_DETECTOR = DetectorModel("detector.onnx", input_size=224, strides=(8, 16, 32, 32, 32))


def _full_body(name: str) -> PoseModel:
    """Return the row of a 33-landmark model. ref: pose_landmark_cpu.pbtxt (MediaPipe 0.10.21)."""
    return PoseModel(
        file=f"{name}.onnx",
        detector=_DETECTOR,
        input_size=256,
        landmark_values=195,
        topology=FULL_BODY,
        roi_keypoints=(0, 1),
        auxiliary=(33, 34),
        roi_scale=1.25,
        smoothing=PoseSmoother(
            landmarks=OneEuroFilter(min_cutoff_hz=0.05, beta=80.0),
            auxiliary=OneEuroFilter(min_cutoff_hz=0.01, beta=10.0),
            world=OneEuroFilter(min_cutoff_hz=0.1, beta=40.0),
            visibility_weight=0.1,
            auxiliary_always=True,
        ),
        heatmap_size=64,
        world_values=117,
        mask_file=f"{name}_mask.onnx",
        # by the heights of the people of test/geometry/real_people.py
        distance_factor=1.035,
    )


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
        smoothing=PoseSmoother(
            landmarks=RelativeVelocityFilter(), auxiliary=RelativeVelocityFilter()
        ),
    ),
    "lite": _full_body("lite"),
    "full": _full_body("full"),
    "heavy": _full_body("heavy"),
}

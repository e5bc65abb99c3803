"""The MODELS table: everything that differs between the pose models, one row each.

Also the check that a model's files are the ones that were published.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_ros.blazepose.errors import ModelFileError
from pose_ros.blazepose.topology import UPPER_BODY, Topology

MANIFEST = "manifest.json"
_SOURCE_TREE = Path(__file__).resolve().parents[2] / "models"


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


def check_model(name: str, models_dir: Path | None = None) -> None:
    """Raise ModelFileError unless all files of a model are there and undamaged."""
    model = MODELS[name]
    for file in (model.detector.file, model.file):
        model_path(file, models_dir)


def model_path(file: str, models_dir: Path | None = None) -> Path:
    """Return the path of a model file whose sha256 is the manifest's; else ModelFileError.

    `models_dir` None means the `models/` folder of the source tree.
    """
    path = (models_dir or _SOURCE_TREE) / file
    entry = _manifest(path.parent).get(file)
    if not isinstance(entry, dict) or "sha256" not in entry:
        raise ModelFileError(f"model file {path} has no sha256 in {path.parent / MANIFEST}")
    _check_sha256(path, entry["sha256"])
    for data_file, sha256 in entry.get("data_files", {}).items():
        _check_sha256(path.parent / data_file, sha256)
    return path


def _check_sha256(path: Path, expected: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelFileError(f"model file {path} cannot be read: {error.strerror}") from error
    if found != expected:
        raise ModelFileError(
            f"model file {path} is damaged or was replaced: its sha256 is {found}, "
            f"the manifest says {expected}"
        )


def _manifest(models_dir: Path) -> dict[str, Any]:
    path = models_dir / MANIFEST
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(f"model manifest {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelFileError(f"model manifest {path} is not valid JSON: {error}") from error
    if not isinstance(entries, dict):
        raise ModelFileError(f"model manifest {path} is not a table of files")
    return entries

"""The MODELS table: everything that differs between the pose models, one row each.

Also the check that a model's files lie in its folder, and are the ones that were published.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_ros.blazepose.errors import ModelFileError, quote
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY, Topology

MANIFEST = "manifest.json"
_FILE_NAME = re.compile(r"\w[\w.-]*")
_SHA256 = re.compile("[0-9a-f]{64}")
_MAX_MANIFEST_BYTES = 2**20
_SOURCE_TREE = Path(__file__).resolve().parents[2] / "models"


@dataclass(frozen=True)
class RelativeVelocity:
    """Constants of the relative-velocity filter; it scales by the extent of its own points.

    ref: pose_landmark_filtering.pbtxt (0.8.3)
    """

    window_size: int = 5
    velocity_scale: float = 10.0


@dataclass(frozen=True)
class OneEuro:
    """Constants of the one-euro filter, in Hz. ref: pose_landmark_filtering.pbtxt (0.10.21)."""

    min_cutoff: float
    beta: float
    derivate_cutoff: float = 1.0


@dataclass(frozen=True)
class Smoothing:
    """Which filter smooths what; None leaves it as it is.

    `auxiliary_always`: the auxiliary landmarks are filtered even if smoothing is off.
    `visibility_weight` is that of the new value in a low-pass filter.
    """

    landmarks: RelativeVelocity | OneEuro
    auxiliary: RelativeVelocity | OneEuro
    world: OneEuro | None = None
    visibility_weight: float | None = None
    auxiliary_always: bool = False


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

    `landmark_values` is the length of the model's landmark tensor, five values a landmark;
    `heatmap_size` the side of the heatmap that refines them, `world_values` the length of the
    world tensor, both 0 where there is none. `mask_file` is the graph that also has the mask.
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
    smoothing: Smoothing
    heatmap_size: int = 0
    world_values: int = 0
    mask_file: str | None = None

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
        smoothing=Smoothing(
            landmarks=OneEuro(min_cutoff=0.05, beta=80.0),
            auxiliary=OneEuro(min_cutoff=0.01, beta=10.0),
            world=OneEuro(min_cutoff=0.1, beta=40.0),
            visibility_weight=0.1,
            auxiliary_always=True,
        ),
        heatmap_size=64,
        world_values=117,
        mask_file=f"{name}_mask.onnx",
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
        smoothing=Smoothing(landmarks=RelativeVelocity(), auxiliary=RelativeVelocity()),
    ),
    "lite": _full_body("lite"),
    "full": _full_body("full"),
    "heavy": _full_body("heavy"),
}


def check_model(name: str, models_dir: Path | None = None, allow_unverified: bool = False) -> None:
    """Raise ModelFileError unless all files of a model are there and undamaged."""
    _find_files(MODELS[name].files, models_dir or _SOURCE_TREE, allow_unverified)


def model_path(file: str, models_dir: Path | None = None, allow_unverified: bool = False) -> Path:
    """Return where a model file, whose sha256 is the manifest's, really lies; else ModelFileError.

    `models_dir` None means the `models/` folder of the source tree. The file and its weights must
    lie in the folder, or below it, also when links have been followed; that is the folder in which
    the manifest really lies, so that an installation made of links passes. `allow_unverified`
    leaves out the manifest's check, but not that of the place.
    """
    return _find_files((file,), models_dir or _SOURCE_TREE, allow_unverified)[0]


def _find_files(files: tuple[str, ...], folder: Path, allow_unverified: bool) -> list[Path]:
    """Return where graphs really lie; check them and their weights, shared ones only once."""
    if allow_unverified:
        return [_inside(folder, file) for file in files]
    entries = _manifest(folder)
    expected: dict[tuple[str, str], None] = {}
    for file in files:
        expected |= dict.fromkeys(_hashes(file, entries, folder))
    found = {file: _check_sha256(folder, file, sha256) for file, sha256 in expected}
    return [found[file] for file in files]


def _hashes(file: str, entries: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Return names and sha256 of a graph and its weights, all files of the folder itself."""
    entry = entries.get(file)
    if not isinstance(entry, dict):
        entry = {}
    data_files = entry.get("data_files", {})
    if not isinstance(data_files, dict) or not all(map(_FILE_NAME.fullmatch, data_files)):
        raise ModelFileError(
            f"model manifest {folder / MANIFEST} has data_files {quote(data_files)} for {file}; "
            "allowed are names of files in its folder"
        )
    pairs = [(file, entry.get("sha256")), *data_files.items()]
    for name, sha256 in pairs:
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise ModelFileError(
                f"model file {folder / name} has no sha256 in {folder / MANIFEST}"
            )
    return pairs


def _check_sha256(folder: Path, file: str, expected: str) -> Path:
    path = _inside(folder, file)
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _unreadable(folder / file, error) from error
    if found != expected:
        raise ModelFileError(
            f"model file {folder / file} is damaged or was replaced: its sha256 is {found}, "
            f"the manifest says {expected}"
        )
    return path


def _inside(folder: Path, file: str) -> Path:
    """Return where a file really lies; ModelFileError unless that is in the models folder."""
    named = folder / file
    try:
        path = named.resolve(strict=True)
        root = (folder / MANIFEST).resolve().parent
    except (OSError, RuntimeError, ValueError) as error:  # ring of links; name with a zero byte
        raise _unreadable(named, error) from error
    if not path.is_relative_to(root):
        raise ModelFileError(f"model file {named} leads to {path}; allowed is a file in {root}")
    if not path.is_file():
        raise ModelFileError(f"model file {named} cannot be read: it is not a regular file")
    return path


def _unreadable(path: Path, error: Exception) -> ModelFileError:
    reason = error.strerror if isinstance(error, OSError) else error
    return ModelFileError(f"model file {path} cannot be read: {reason}")


def _manifest(models_dir: Path) -> dict[str, Any]:
    path = models_dir / MANIFEST
    try:
        with path.open("rb") as file:  # it may be endless, and is asked for by a parameter
            content = file.read(_MAX_MANIFEST_BYTES + 1)
        if len(content) > _MAX_MANIFEST_BYTES:
            raise ModelFileError(
                f"model manifest {path} has more than {_MAX_MANIFEST_BYTES} bytes"
            )
        entries = json.loads(content.decode())
    except OSError as error:
        raise ModelFileError(f"model manifest {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"model manifest {path} is not valid JSON: {error}") from error
    if not isinstance(entries, dict):
        raise ModelFileError(f"model manifest {path} is not a table of files")
    return entries

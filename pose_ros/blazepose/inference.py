"""Neural networks: loading a checked .onnx file and running it. The only user of onnxruntime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array
from pose_ros.blazepose.errors import ModelFileError, ModelShapeError, OptionError, PoseError
from pose_ros.blazepose.options import PoseTrackerOptions

MANIFEST = "manifest.json"
_SOURCE_TREE_MODELS = Path(__file__).resolve().parents[2] / "models"
_AUTOMATIC_THREADS = 1
_LOGIT_LIMIT = 100.0

Shapes = Mapping[str, tuple[int, ...]]


class OnnxModel:
    """A network with one input, loaded from a file that its manifest vouches for.

    `inputs` and `outputs` are the names and shapes that the caller relies on. Raises
    ModelFileError, ModelShapeError, or OptionError for a provider that is not there.
    """

    def __init__(
        self,
        file: str,
        inputs: Shapes,
        outputs: Shapes,
        options: PoseTrackerOptions,
        models_dir: Path | None = None,
    ) -> None:
        path = (models_dir or _SOURCE_TREE_MODELS) / file
        check_file(path)
        self._session = _open_session(path, options)
        _check_shapes(path, self._session.get_inputs(), inputs)
        _check_shapes(path, self._session.get_outputs(), outputs)
        (self._input,) = inputs
        self._outputs = list(outputs)

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        """Return the outputs, in the order in which they were asked for."""
        outputs: list[Float32Array] = self._session.run(self._outputs, {self._input: tensor})
        return outputs


def sigmoid(logits: Float32Array) -> Float32Array:
    """Return 1 / (1 + exp(-x)) in float32 steps, with a correctly rounded exponential.

    Logits are clipped to +-100 as the detector's graph does; further out the result is 0 or 1.
    """
    clipped = np.clip(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT).astype(np.float64)
    result: Float32Array = np.float32(1) / (np.float32(1) + np.exp(-clipped).astype(np.float32))
    return result


def check_file(path: Path) -> None:
    """Raise ModelFileError unless the file and its manifest are there and the sha256 agrees."""
    expected = _manifest(path.parent).get(path.name, {}).get("sha256")
    if expected is None:
        raise ModelFileError(f"{path} has no sha256 in {path.parent / MANIFEST}")
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


def _open_session(path: Path, options: PoseTrackerOptions) -> Any:  # noqa: ANN401
    try:
        import onnxruntime
    except ImportError as error:
        raise PoseError(
            f"onnxruntime cannot be imported ({error}); install it with: pip install onnxruntime"
        ) from error
    available = onnxruntime.get_available_providers()
    for provider in options.providers:
        if provider not in available:
            raise OptionError(
                f"providers has {provider!r}; this onnxruntime has {', '.join(available)}"
            )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.intra_op_threads or _AUTOMATIC_THREADS
    settings.log_severity_level = 4
    if settings.intra_op_num_threads > 1:
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), settings, list(options.providers))
    except Exception as error:  # onnxruntime's own errors share no base class below this
        raise ModelFileError(f"onnxruntime cannot load {path}: {error}") from error


def _check_shapes(path: Path, found: list[Any], expected: Shapes) -> None:
    shapes = {item.name: tuple(item.shape) for item in found}
    for name, shape in expected.items():
        if shapes.get(name) != shape:
            raise ModelShapeError(
                f"{path} should have {name} of shape {shape}; it has {shapes or 'nothing'}"
            )

"""The default backend: the native library's engine for landmarks, else onnxruntime."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import Float32Array
from pose_ros.blazepose.errors import quote
from pose_ros.blazepose.inference import OnnxModel, Shapes
from pose_ros.blazepose.options import ModelOptions
from pose_ros.native.engine import Engine, engine_isa
from pose_ros.native.library import native_library
from pose_ros.native.onnx_file import read_onnx

_PROVIDERS = ("CPUExecutionProvider",)
# What another order of the sums may change. Landmarks: x, y, z in px, visibility, presence.
_LIMITS: dict[str, float | tuple[float, ...]] = {
    "landmarks": (5e-3, 5e-3, 5e-2, 1e-4, 1e-4),
    "presence": 1e-4,
    "heatmap": 1e-2,
    "world": 1e-4,
}
# A person to compare them on: x and y of both ends, width, in px.
_SIDE = 256
_TORSO, _HEAD = (128, 75, 128, 135, 40), (128, 50, 128, 50, 34)
_ARMS = (108, 80, 88, 138, 9), (148, 80, 168, 138, 9)
_LEGS = (117, 135, 112, 218, 13), (139, 135, 144, 218, 13)


class EngineModel(OnnxModel):
    """A network that the engine runs, if it can and may; else onnxruntime does.

    The engine may run landmarks without a mask, on one thread of the processor. It is compared
    with onnxruntime when the network is loaded; `problem` is a text if it gives other results.
    Raises what OnnxModel raises.
    """

    _engine: Engine | None = None

    def __init__(
        self,
        file: str,
        inputs: Shapes,
        outputs: Shapes,
        options: ModelOptions,
        models_dir: Path | None = None,
    ) -> None:
        super().__init__(file, inputs, outputs, options, models_dir)
        library = native_library()
        isa = None if library is None else engine_isa(library)
        if library is None or isa is None or not _is_for_engine(outputs, options):
            return
        try:
            engine = Engine(library, read_onnx(self._path), list(outputs))
            ours = engine.run(person := _person())
        except (ValueError, OSError, MemoryError) as error:
            reason = quote(str(error) or "out of memory")
            self.runtime += f" (not for the engine: {reason})"
            return
        self.problem = _problem(file, outputs, ours, self.run(person))
        if self.problem is None:
            self._engine, self._session, self.runtime = engine, None, f"engine, {isa}"

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        """Return the outputs, in the order in which they were asked for."""
        return super().run(tensor) if self._engine is None else self._engine.run(tensor)


def _is_for_engine(outputs: Shapes, options: ModelOptions) -> bool:
    is_one_thread = options.intra_op_threads <= 1 and options.providers == _PROVIDERS
    is_landmarks = "landmarks" in outputs and outputs.keys() <= _LIMITS.keys()
    return options.inference == "auto" and is_one_thread and is_landmarks


def _person() -> Float32Array:
    """Return a crop of a drawn person."""
    image = np.full((_SIDE, _SIDE, 3), 200, np.uint8)
    for x, y, to_x, to_y, width in (_TORSO, _HEAD, *_ARMS, *_LEGS):
        cv2.line(image, (x, y), (to_x, to_y), (60, 60, 90), width)
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None] / np.float32(255))


def _problem(
    file: str, names: Shapes, ours: list[Float32Array], theirs: list[Float32Array]
) -> str | None:
    """Return a text if outputs of the engine are not onnxruntime's."""
    for name, one, other in zip(names, ours, theirs, strict=True):
        if not np.isfinite(other).all():
            return f"{file} gives values of {name} that are no numbers: its weights are damaged"
        if name == "landmarks":
            one, other = _probable(one), _probable(other)
        share = float((np.abs(one - other) / np.array(_LIMITS[name])).max())
        if not share <= 1:
            return (
                f"the engine is not used for {file}: its values of {name} differ from those of "
                f"onnxruntime by {share:.2g} times the limit"
            )
    return None


def _probable(landmarks: Float32Array) -> Float32Array:
    """Return landmarks (K, 5) whose last two values are probabilities, not logits."""
    points = landmarks.reshape(-1, 5)
    return np.hstack([points[:, :3], OnnxModel.sigmoid(points[:, 3:])])

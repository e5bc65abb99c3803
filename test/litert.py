"""LiteRT as the inference backend, for tests only: the network code that the reference itself ran.

It reads the .tflite files that the models of this package were converted from.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_ros.blazepose import PoseTrackerOptions
from pose_ros.blazepose.datatypes import Float32Array

MODELS_DIR = Path(__file__).resolve().parents[1] / "models"


class LiteRtModel:
    """Stands where OnnxModel stands: same arguments and `run`, but LiteRT with one thread."""

    def __init__(
        self,
        file: str,
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Mapping[str, tuple[int, ...]],
        options: PoseTrackerOptions,
        models_dir: Path | None = None,
    ) -> None:
        content, names = _source(Path(file).stem)
        interpreter = _interpreter_class()(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        details = dict(zip(names, interpreter.get_output_details(), strict=True))
        (shape,) = inputs.values()
        (found,) = interpreter.get_input_details()
        assert tuple(found["shape"]) == (shape[0], *shape[2:], shape[1])
        self._interpreter = interpreter
        self._input = found["index"]
        self._outputs = [details[name]["index"] for name in outputs]

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        """Return the outputs, in the order in which they were asked for."""
        channels_last = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
        self._interpreter.set_tensor(self._input, channels_last)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index).copy() for index in self._outputs]


def require() -> None:
    """Skip the running test, with the reason, unless LiteRT and the .tflite files are here.

    With POSE_ROS_REQUIRE_MEDIA=1 in the environment it fails instead, as media.require does.
    """
    reason = _missing()
    if reason and os.environ.get("POSE_ROS_REQUIRE_MEDIA") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@functools.cache
def _missing() -> str:
    """Return why LiteRT cannot be used here, or an empty text."""
    try:
        _interpreter_class()
        convert = _convert()
    except ImportError as error:
        return f"the LiteRT backend needs {error.name}, which is not installed"
    try:
        for name in convert.SHIPPED:
            _source(name)
    except convert.FetchError as error:
        return str(error)
    return ""


def _interpreter_class() -> Any:
    return importlib.import_module("ai_edge_litert.interpreter").Interpreter


def _convert() -> Any:
    """Return the converter's module, which knows where the sources come from."""
    if str(MODELS_DIR) not in sys.path:
        sys.path.append(str(MODELS_DIR))
    return importlib.import_module("convert")


@functools.cache
def _source(name: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a model's .tflite file, and its outputs in the file's order."""
    convert = _convert()
    row = convert.MODELS[name]
    return convert.read_source(row.source, convert.CACHE_DIR), row.outputs

"""LiteRT as the inference backend, for tests only: the network code that the reference itself ran.

It reads the .tflite files that the models of this package were converted from. With it comes the
exponential of the C library that the reference ran, which rounds some last bits another way.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_ros.blazepose.datatypes import Float32Array
from pose_ros.blazepose.inference import Shapes
from pose_ros.blazepose.options import ModelOptions

MODELS_DIR = Path(__file__).resolve().parents[1] / "models"


class LiteRtModel:
    """The backend: a network run by LiteRT with one thread."""

    runtime = "LiteRT"
    problem: str | None = None

    def __init__(
        self,
        file: str,
        inputs: Shapes,
        outputs: Shapes,
        options: ModelOptions,
        models_dir: Path | None = None,
    ) -> None:
        content, names = _source(_model_of(Path(file).stem))
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
        return [_channels_first(self._interpreter.get_tensor(i)) for i in self._outputs]

    @staticmethod
    def sigmoid(logits: Float32Array) -> Float32Array:
        """Return 1 / (1 + exp(-x)) with the C library's exponential."""
        one = np.float32(1)
        with np.errstate(over="ignore"):
            result: Float32Array = one / (one + _expf()(-np.clip(logits, -100, 100)))
        return result


def _channels_first(tensor: Float32Array) -> Float32Array:
    """Copy an output; maps (1, H, W, C) become (1, C, H, W) as the converted models have them."""
    return tensor.transpose(0, 3, 1, 2).copy() if tensor.ndim == 4 else tensor.copy()


@functools.cache
def _expf() -> Callable[[Float32Array], Float32Array]:
    expf = ctypes.CDLL("libm.so.6").expf
    expf.restype, expf.argtypes = ctypes.c_float, [ctypes.c_float]
    return np.vectorize(expf, otypes=[np.float32])


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
    if platform.libc_ver()[0] != "glibc":
        return "the LiteRT backend needs glibc, whose exponential the reference ran"
    try:
        _interpreter_class()
        convert = _convert()
    except ImportError as error:
        return f"the LiteRT backend needs {error.name}, which is not installed"
    try:
        for name, row in convert.MODELS.items():
            if row.tfjs is None:
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


def _model_of(graph: str) -> str:
    """Return the model that a graph was made of: some have two, without and with the mask."""
    models: dict[str, Any] = _convert().MODELS
    return next(name for name, row in models.items() if graph in row.graphs)


@functools.cache
def _source(name: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a model's .tflite file, and its outputs in the file's order."""
    convert = _convert()
    row = convert.MODELS[name]
    return convert.read_source(row.source, convert.CACHE_DIR), row.outputs

"""Neural networks: what the stages need of an inference backend, and the one of onnxruntime.

Nothing else imports an inference runtime; another backend is another class handed to PoseTracker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array
from pose_ros.blazepose.errors import (
    ModelFileError,
    ModelShapeError,
    OptionError,
    PoseError,
    quote,
)
from pose_ros.blazepose.model_files import model_path
from pose_ros.blazepose.options import ModelOptions

_AUTOMATIC_THREADS = 1
_SPIN_US = 100
_SPIN_LIMIT_SINCE = (1, 26)
_LOGIT_LIMIT = 100.0
# The first onnxruntime that rejects external weights outside of the graph's folder, by links too.
_CONFINING = (1, 24)

Shapes = Mapping[str, tuple[int, ...]]


class Network(Protocol):
    """A network with one input. A class of this form is an inference backend.

    `file` is its name in the models folder, `inputs` and `outputs` are the names and shapes that
    the caller relies on. `runtime` says what runs it, `problem` what is wrong with that.
    """

    runtime: str
    problem: str | None

    def __init__(
        self,
        file: str,
        inputs: Shapes,
        outputs: Shapes,
        options: ModelOptions,
        models_dir: Path | None = None,
    ) -> None: ...

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        """Return the outputs, in the order in which they were asked for."""
        ...

    @staticmethod
    def sigmoid(logits: Float32Array) -> Float32Array:
        """Return 1 / (1 + exp(-x)), as the backend rounds it."""
        ...


LoadNetwork = Callable[[str, Shapes, Shapes], Network]
"""Loads a network from a file, with the given inputs and outputs."""


class OnnxModel:
    """A network run by onnxruntime, loaded from a file with the manifest's sha256.

    Raises ModelFileError, ModelShapeError, or OptionError for a provider that is not there.
    """

    runtime = "onnxruntime"
    problem: str | None = None

    def __init__(
        self,
        file: str,
        inputs: Shapes,
        outputs: Shapes,
        options: ModelOptions,
        models_dir: Path | None = None,
    ) -> None:
        self._path = path = model_path(file, models_dir, options.allow_unverified_models)
        self._session = _open_session(path, options)
        _check_shapes(path, self._session.get_inputs(), inputs)
        _check_shapes(path, self._session.get_outputs(), outputs)
        (self._input,) = inputs
        self._outputs = list(outputs)
        # the first inference is slow; better while loading than with the first image
        try:
            self.run(np.zeros(inputs[self._input], np.float32))
        except Exception as error:  # onnxruntime's own errors share no base class below this
            raise _failure("run", path, error) from error

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        """Return the outputs, in the order in which they were asked for."""
        outputs: list[Float32Array] = self._session.run(self._outputs, {self._input: tensor})
        return outputs

    @staticmethod
    def sigmoid(logits: Float32Array) -> Float32Array:
        """Return 1 / (1 + exp(-x)) in float32 steps, with a correctly rounded exponential.

        Logits are clipped to +-100 as the detector's graph does; below -88 the result is 0.
        """
        clipped = np.clip(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT).astype(np.float64)
        with np.errstate(over="ignore"):
            exponential = np.exp(-clipped).astype(np.float32)
        result: Float32Array = np.float32(1) / (np.float32(1) + exponential)
        return result


def check_providers(providers: tuple[str, ...]) -> None:
    """Raise OptionError unless there are providers, and this onnxruntime has them all."""
    available = _onnxruntime().get_available_providers()
    if not providers or not set(providers) <= set(available):
        raise OptionError(
            f"providers is {quote(list(providers))}; this onnxruntime allows one or more of "
            f"{', '.join(available)}"
        )


def _onnxruntime() -> Any:  # noqa: ANN401
    try:
        import onnxruntime
    except ImportError as error:
        raise PoseError(
            f"onnxruntime cannot be imported ({error}); install it with: pip install onnxruntime"
        ) from error
    return onnxruntime


def _open_session(path: Path, options: ModelOptions) -> Any:  # noqa: ANN401
    check_providers(options.providers)
    onnxruntime = _onnxruntime()
    if options.allow_unverified_models:
        _check_confinement(onnxruntime.__version__)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.intra_op_threads or _AUTOMATIC_THREADS
    settings.log_severity_level = 4
    if settings.intra_op_num_threads > 1:
        settings.add_session_config_entry(*_spinning(onnxruntime.__version__))
    try:
        return onnxruntime.InferenceSession(str(path), settings, list(options.providers))
    except Exception as error:  # onnxruntime's own errors share no base class below this
        raise _failure("load", path, error) from error


def _failure(verb: str, path: Path, error: Exception) -> ModelFileError:
    # names of a damaged graph can hold anything
    printable = "".join(letter if letter.isprintable() else " " for letter in str(error))
    reason = " ".join(printable.split())
    return ModelFileError(f"onnxruntime cannot {verb} {path}: {reason}")


def _check_confinement(version: str) -> None:
    """Reject an onnxruntime that lets a graph take its weights from anywhere on the disk."""
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < _CONFINING:
        raise OptionError(
            f"allow_unverified_models is True; allowed is False with onnxruntime {version}, which "
            f"does not confine a model's weights to its folder: {_CONFINING[0]}.{_CONFINING[1]} "
            "and later do"
        )


def _spinning(version: str) -> tuple[str, str]:
    """Return the session setting for how a thread waits for its next share of the work.

    Spinning briefly is a third faster than sleeping where cores are free. Before 1.26 onnxruntime
    cannot limit it and spins for tens of ms, which costs more than it gains where they are not.
    """
    major, minor = version.split(".")[:2]
    if (int(major), int(minor)) < _SPIN_LIMIT_SINCE:
        return "session.intra_op.allow_spinning", "0"
    return "session.intra_op.spin_duration_us", str(_SPIN_US)


def _check_shapes(path: Path, found: list[Any], expected: Shapes) -> None:
    shapes = {item.name: tuple(item.shape) for item in found}
    for name, shape in expected.items():
        if shapes.get(name) != shape:
            raise ModelShapeError(
                f"{path} should have {name} of shape {shape}; it has {shapes or 'nothing'}"
            )

"""Run a TensorFlow.js graph in plain JavaScript, under node, to compare a converted model with."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tfjs import TfjsError
from tflite import Array, Shape

_SCRIPT = Path(__file__).with_name("run_tfjs.js")


@dataclass(frozen=True)
class Tfjs:
    """A graph with its weights, and TensorFlow.js itself, all as they are in their packages.

    `nodes` are the names of the graph's nodes by those of the converted model's outputs, with
    their shapes (1, C, S, S) there. It is a Reference of verify.py.
    """

    library: bytes
    model: bytes
    weights: bytes
    nodes: Mapping[str, tuple[str, Shape]]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shapes (1, S, S, C) of the nodes."""
        return {node: _nhwc(shape) for node, shape in self.nodes.values()}

    def __call__(self, image: Array) -> dict[str, Array]:
        """Give the outputs for an image (S, S, 3) in [0, 1], which becomes one of bytes."""
        values = self.run(np.rint(image * 255).astype(np.uint8), self.shapes)
        return {name: values[node].transpose(0, 3, 1, 2) for name, (node, _) in self.nodes.items()}

    def run(self, image: Array, shapes: Mapping[str, Shape]) -> dict[str, Array]:
        """
        Give the values of the nodes that `shapes` names, for an RGB image (S, S, 3) uint8.

        Raise TfjsError without node, or if it fails.
        """
        contents = (self.library, self.model, self.weights, image.tobytes())
        with tempfile.TemporaryDirectory() as folder:
            *files, result = (
                Path(folder, name) for name in ("tf.js", "json", "bin", "rgb", "out")
            )
            for file, content in zip(files, contents, strict=True):
                file.write_bytes(content)
            _run_node(*map(str, files), str(len(image)), str(result), *shapes)
            values = np.fromfile(result, "<f4")
        ends = np.cumsum([np.prod(shape) for shape in shapes.values()])
        parts = zip(shapes.items(), np.split(values, ends[:-1]), strict=True)
        return {node: part.reshape(shape) for (node, shape), part in parts}


def _nhwc(shape: Shape) -> Shape:
    batch, channels, height, width = shape
    return batch, height, width, channels


def _run_node(*arguments: str) -> None:
    command = ["node", str(_SCRIPT), *arguments]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise TfjsError("node is needed to run TensorFlow.js, it isn't here") from error
    except subprocess.CalledProcessError as error:
        raise TfjsError(f"node failed: {error.stderr.strip()}") from error

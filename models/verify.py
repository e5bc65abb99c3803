"""
Compare converted models with their sources under the sources' own runtimes.

These are LiteRT (ai-edge-litert, XNNPACK kernels) and TensorFlow.js (plain JavaScript).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from tflite import Array

Reference = Callable[[Array], dict[str, Array]]
"""Gives the outputs of a source by name, NCHW, for an image (S, S, 3) in [0, 1]."""

CLIP = Path(__file__).resolve().parents[1] / "test" / "clips" / "person.mp4"
RANDOM_IMAGES = 4

# Largest difference allowed. Logits are compared as what they stand for, probabilities.
# The mask counts as its mean over the pixels: in single pixels at its edges LiteRT's XNNPACK
# and built-in kernels differ from each other by up to 4e-3, in the mean by 2.4e-6.
TOLERANCES = {
    "boxes": (0.05, "px"),
    "center": (1e-3, "probability"),
    "heatmap": (1e-3, "probability"),
    "landmarks": (0.05, "px"),
    "mask": (1e-5, "probability, mean"),
    "offset": (0.01, "cells"),
    "presence": (1e-3, "probability"),
    "scores": (1e-3, "probability"),
    "size": (0.01, "cells"),
    "world": (1e-4, "m"),
}
LOGITS = ("center", "heatmap", "mask", "scores")


def random_images(size: int) -> Iterator[Array]:
    """Give images (size, size, 3) of uniform noise, bytes scaled to [0, 1], each time the same."""
    for seed in range(RANDOM_IMAGES):
        noise = np.random.default_rng(seed).integers(0, 256, (size, size, 3))
        yield noise.astype(np.float32) / 255


def person_image(size: int) -> Array:
    """Give the middle square (size, size, 3) RGB in [0, 1] of the first frame of CLIP."""
    found, frame = cv2.VideoCapture(str(CLIP)).read()
    if not found:
        raise FileNotFoundError(f"{CLIP} cannot be read")
    return square(frame[..., ::-1], size)


def square(image: Array, size: int) -> Array:
    """Cut the middle square out of an image (H, W, 3) uint8; scale it to `size` and [0, 1]."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = np.ascontiguousarray(image[top : top + side, left : left + side])
    return cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


class LiteRt:
    """A TensorFlow Lite file under LiteRT, one thread; a Reference."""

    def __init__(
        self, source: bytes, outputs: tuple[str, ...], input_range: tuple[float, float]
    ) -> None:
        self._interpreter = Interpreter(model_content=source, num_threads=1)
        self._interpreter.allocate_tensors()
        self._outputs, self._range = outputs, input_range

    def __call__(self, image: Array) -> dict[str, Array]:
        """Give the outputs for an image."""
        details = self._interpreter.get_output_details()
        scaled = _scaled(image, self._range)
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], scaled)
        self._interpreter.invoke()
        arrays = [nchw(self._interpreter.get_tensor(detail["index"])) for detail in details]
        return dict(zip(self._outputs, arrays, strict=True))


class Pair:
    """A converted graph under onnxruntime, one thread, beside its source."""

    def __init__(
        self, graph: Path, reference: Reference, input_range: tuple[float, float]
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(graph, options)
        self._reference, self._range = reference, input_range
        self.size: int = self._session.get_inputs()[0].shape[2]

    def differences(self, image: Array) -> dict[str, float]:
        """Give the difference of each output for one image in [0, 1], in TOLERANCES' units."""
        names = [output.name for output in self._session.get_outputs()]
        scaled = np.ascontiguousarray(nchw(_scaled(image, self._range)))
        outputs = self._session.run(names, {self._session.get_inputs()[0].name: scaled})
        reference = self._reference(image)
        ours = zip(names, outputs, strict=True)
        return {name: _difference(name, array, reference[name]) for name, array in ours}


def _scaled(image: Array, input_range: tuple[float, float]) -> Array:
    """Give the batch (1, S, S, 3) of one image that a network takes."""
    low, high = input_range
    scaled: Array = (image * np.float32(high - low) + np.float32(low))[None]
    return scaled


def nchw(array: Array) -> Array:
    """Give an array in NCHW order if it is a map (1, H, W, C), else itself."""
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def _difference(name: str, ours: Array, reference: Array) -> float:
    if name in LOGITS:
        ours, reference = _probability(ours), _probability(reference)
    difference = np.abs(ours - reference)
    return float(difference.mean() if name == "mask" else difference.max())


def _probability(logit: Array) -> Array:
    # The clip keeps exp in range; beyond it the probability is 0 or 1 in float32 anyway.
    probability: Array = 1 / (1 + np.exp(-np.clip(logit, -80, 80)))
    return probability


def report(graph: Path, reference: Reference, input_range: tuple[float, float]) -> bool:
    """Print a graph's differences for noise and for a person; return whether they are allowed."""
    pair = Pair(graph, reference, input_range)
    noise = [pair.differences(image) for image in random_images(pair.size)]
    person = pair.differences(person_image(pair.size))
    good = True
    for name, on_person in person.items():
        on_noise = max(result[name] for result in noise)
        allowed, unit = TOLERANCES[name]
        good &= max(on_noise, on_person) <= allowed
        print(
            f"{graph.name:20} {name:10} noise {on_noise:.1e}  person {on_person:.1e}  "
            f"(at most {allowed:g} {unit})"
        )
    return good

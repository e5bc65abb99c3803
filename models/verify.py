"""Compare converted models with their sources under LiteRT (ai-edge-litert, XNNPACK kernels)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from tflite import Array

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "demo" / "person.mp4"
RANDOM_IMAGES = 4

# Largest difference allowed. Logits are compared as what they stand for, probabilities.
# The mask counts as its mean over the pixels: in single pixels at its edges LiteRT's XNNPACK
# and built-in kernels differ from each other by up to 4e-3, in the mean by 2.4e-6.
TOLERANCES = {
    "boxes": (0.05, "px"),
    "heatmap": (1e-3, "probability"),
    "landmarks": (0.05, "px"),
    "mask": (1e-5, "probability, mean"),
    "presence": (1e-3, "probability"),
    "scores": (1e-3, "probability"),
    "world": (1e-4, "m"),
}
LOGITS = ("heatmap", "mask", "scores")


def random_images(size: int) -> Iterator[Array]:
    """Give images (size, size, 3) of uniform noise in [0, 1], the same ones each time."""
    for seed in range(RANDOM_IMAGES):
        yield np.random.default_rng(seed).random((size, size, 3), dtype=np.float32)


def person_image(size: int) -> Array:
    """Give the middle square (size, size, 3) RGB in [0, 1] of the first frame of PICTURE."""
    found, frame = cv2.VideoCapture(str(PICTURE)).read()
    if not found:
        raise FileNotFoundError(f"{PICTURE} can't be read")
    return square(frame[..., ::-1], size)


def square(image: Array, size: int) -> Array:
    """Cut the middle square out of an image (H, W, 3) uint8; scale it to `size` and [0, 1]."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = np.ascontiguousarray(image[top : top + side, left : left + side])
    return cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


class Pair:
    """A converted graph under onnxruntime beside its source under LiteRT, one thread each."""

    def __init__(self, graph: Path, source: bytes, source_outputs: tuple[str, ...]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(graph, options)
        self._interpreter = Interpreter(model_content=source, num_threads=1)
        self._interpreter.allocate_tensors()
        self._source_outputs = source_outputs
        self.size: int = self._session.get_inputs()[0].shape[2]

    def differences(self, image: Array, input_range: tuple[float, float]) -> dict[str, float]:
        """Give the difference of each output for one image in [0, 1], in TOLERANCES' units."""
        low, high = input_range
        scaled = (image * np.float32(high - low) + np.float32(low))[None]
        reference = self._reference(scaled)
        names = [output.name for output in self._session.get_outputs()]
        feed = {self._session.get_inputs()[0].name: np.ascontiguousarray(_nchw(scaled))}
        ours = zip(names, self._session.run(names, feed), strict=True)
        return {name: _difference(name, array, reference[name]) for name, array in ours}

    def _reference(self, scaled: Array) -> dict[str, Array]:
        details = self._interpreter.get_output_details()
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], scaled)
        self._interpreter.invoke()
        arrays = [_nchw(self._interpreter.get_tensor(detail["index"])) for detail in details]
        return dict(zip(self._source_outputs, arrays, strict=True))


def _nchw(array: Array) -> Array:
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


def report(
    graph: Path, source: bytes, outputs: tuple[str, ...], input_range: tuple[float, float]
) -> bool:
    """Print the differences of one graph for noise and for a person; tell if all are allowed."""
    pair = Pair(graph, source, outputs)
    noise = [pair.differences(image, input_range) for image in random_images(pair.size)]
    person = pair.differences(person_image(pair.size), input_range)
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

"""Landmarks run in the engine where it can and may; it is judged by onnxruntime first.

Most tests have a stand-in for the engine, so they need neither a compiler nor a processor for it.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import media
import numpy as np
import pytest

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions, engine_model
from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import Float32Array, Roi, size_of
from pose_ros.blazepose.engine_model import EngineModel
from pose_ros.blazepose.inference import OnnxModel, Shapes
from pose_ros.blazepose.landmarker import Landmarker
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import ModelOptions
from pose_ros.native.engine import engine_isa
from pose_ros.native.library import native_library

OPTIONS = ModelOptions(model="lite")
PLAIN = replace(OPTIONS, inference="onnxruntime")
FOREIGN = "engine, of a test"
INPUTS = {"image": (1, 3, 256, 256)}
OUTPUTS = {
    "landmarks": (1, 195),
    "presence": (1, 1),
    "heatmap": (1, 39, 64, 64),
    "world": (1, 117),
}


class StandIn:
    """An engine that runs onnxruntime, and adds to the outputs what is in `added`."""

    added: Float32Array | float = 0.0
    where = "landmarks", 0

    def __init__(self, _library: object, graph: Any, outputs: Sequence[str]) -> None:
        self._outputs = list(outputs)
        assert {"image"} == graph.inputs.keys()
        self._model = OnnxModel("lite.onnx", INPUTS, {n: OUTPUTS[n] for n in outputs}, PLAIN)

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        results = [output.copy() for output in self._model.run(tensor)]
        name, index = self.where
        results[self._outputs.index(name)].reshape(-1)[index] += self.added
        return results


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    """Return the class that takes the engine's place."""

    class Fresh(StandIn):
        pass

    monkeypatch.setattr(engine_model, "Engine", Fresh)
    monkeypatch.setattr(engine_model, "engine_isa", lambda _: "of a test")
    monkeypatch.setattr(engine_model, "native_library", object)
    return Fresh


def model(options: ModelOptions = OPTIONS, outputs: Shapes = OUTPUTS) -> EngineModel:
    return EngineModel("lite.onnx", INPUTS, outputs, options)


def noise() -> Float32Array:
    return np.random.default_rng(1).uniform(0, 1, INPUTS["image"]).astype(np.float32)


def test_landmarks_run_in_the_engine(stand_in: type[StandIn]) -> None:
    stand_in.added = 0.004
    found, plain = model(), model(PLAIN)
    assert (found.runtime, found.problem) == (FOREIGN, None)
    assert (plain.runtime, plain.problem) == ("onnxruntime", None)
    ours, theirs = found.run(noise()), plain.run(noise())
    assert ours[0][0, 0] - theirs[0][0, 0] == pytest.approx(0.004, abs=1e-4)
    assert all(np.array_equal(a, b) for a, b in zip(ours[1:], theirs[1:], strict=True))


def test_outputs_come_in_the_order_asked_for(stand_in: type[StandIn]) -> None:
    outputs = dict(reversed(OUTPUTS.items()))
    assert [output.shape for output in model(outputs=outputs).run(noise())] == [*outputs.values()]


@pytest.mark.parametrize(
    ("name", "index", "added", "kind"),
    [
        ("landmarks", 0, 0.006, "landmarks"),
        ("landmarks", 6, -0.006, "landmarks"),
        ("landmarks", 165, np.nan, "landmarks"),
        ("landmarks", 7, 0.06, "landmarks"),
        ("landmarks", 3, -20, "landmarks"),
        ("landmarks", 9, -20, "landmarks"),
        ("presence", 0, 2e-4, "presence"),
        ("presence", 0, np.inf, "presence"),
        ("heatmap", 64 * 64 - 1, 20, "heatmap"),
        ("world", 116, -2e-4, "world"),
    ],
)
def test_an_engine_that_gives_other_results_is_not_used(
    stand_in: type[StandIn], name: str, index: int, added: float, kind: str
) -> None:
    stand_in.where, stand_in.added = (name, index), added
    found = model()
    assert found.runtime == "onnxruntime"
    assert found.problem is not None
    for part in ("lite.onnx", kind, "onnxruntime"):
        assert part in found.problem
    pairs = zip(found.run(noise()), model(PLAIN).run(noise()), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


@pytest.mark.parametrize(
    ("name", "index", "added"),
    [("landmarks", 0, 0.004), ("presence", 0, 5e-5), ("world", 116, 5e-5)],
)
def test_another_order_of_the_sums_is_no_problem(
    stand_in: type[StandIn], name: str, index: int, added: float
) -> None:
    stand_in.where, stand_in.added = (name, index), added
    assert (model().runtime, model().problem) == (FOREIGN, None)


@pytest.mark.parametrize(
    "options",
    [
        PLAIN,
        replace(OPTIONS, intra_op_threads=2),
        replace(OPTIONS, providers=("CPUExecutionProvider",) * 2),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate provider")
def test_the_engine_is_not_even_loaded_where_it_may_not_run(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, options: ModelOptions
) -> None:
    monkeypatch.setattr(engine_model, "Engine", None)
    assert model(options).runtime == "onnxruntime"


def test_masks_and_detectors_stay_with_onnxruntime(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_model, "Engine", None)
    with_mask = {**OUTPUTS, "mask": (1, 1, 256, 256)}
    found = EngineModel("lite_mask.onnx", INPUTS, with_mask, OPTIONS)
    detector = {"image": (1, 3, 224, 224)}, {"boxes": (1, 2254, 12), "scores": (1, 2254, 1)}
    assert found.runtime == "onnxruntime"
    assert EngineModel("detector.onnx", *detector, OPTIONS).runtime == "onnxruntime"


@pytest.mark.parametrize("error", [ValueError("of a test"), OSError("of a test"), MemoryError()])
def test_what_the_engine_cannot_load_or_run_is_left_to_onnxruntime(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    for method in ("run", "__init__"):
        monkeypatch.setattr(stand_in, method, fail)
        found = model()
        reason = str(error) or "out of memory"
        assert found.runtime == f"onnxruntime (not for the engine: '{reason}')"
        assert found.problem is None


def test_a_model_without_numbers_is_not_the_engines_fault(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_model, "_person", lambda: np.full((1, 3, 256, 256), np.nan, "f4"))
    problem = model().problem or ""
    assert "lite.onnx" in problem
    assert "engine" not in problem


@pytest.mark.parametrize("missing", ["native_library", "engine_isa"])
def test_without_library_or_processor_onnxruntime_runs(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(engine_model, missing, lambda *_: None)
    assert (model().runtime, model().problem) == ("onnxruntime", None)


@pytest.mark.parametrize("reader", ["Engine", "read_onnx"])
def test_a_graph_that_the_engine_cannot_run_is_no_problem(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    def reject(*_: object) -> None:
        raise ValueError("the operation\nSoftmax")

    monkeypatch.setattr(engine_model, reader, reject)
    found = model()
    assert found.problem is None
    assert found.runtime.startswith("onnxruntime (")
    assert "Softmax" in found.runtime
    assert "\n" not in found.runtime
    assert model(PLAIN).runtime == "onnxruntime"  # nothing is left over in the class


def test_a_tracker_says_what_runs_and_changes_it(stand_in: type[StandIn]) -> None:
    tracker = PoseTracker(PoseTrackerOptions(model="lite"))
    assert tracker.network.runtime == FOREIGN
    for options in (
        PoseTrackerOptions(model="lite", inference="onnxruntime"),
        PoseTrackerOptions(model="lite", intra_op_threads=2),
    ):
        tracker.configure(options)
        assert tracker.network.runtime == "onnxruntime"
    tracker.configure(PoseTrackerOptions(model="lite"))
    assert tracker.network.runtime == FOREIGN


# The engine itself


def _has_engine() -> bool:
    library = native_library()
    return library is not None and engine_isa(library) is not None


needs_engine = pytest.mark.skipif(
    not _has_engine(), reason="the engine is not built, or has nothing for this processor"
)


@needs_engine
@pytest.mark.parametrize("name", MODELS)
def test_the_engine_gives_the_landmarks_of_onnxruntime(name: str) -> None:
    """On crops of a clip, within the bounds of the parity with MediaPipe."""
    found, plain = (landmark_network(name, inference) for inference in ("auto", "onnxruntime"))
    assert found.runtime.startswith("engine, ")
    for tensor in crops(name):
        for limit, ours, theirs in compared(found.run(tensor), plain.run(tensor)):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=limit)


@needs_engine
@pytest.mark.parametrize("name", MODELS)
def test_two_threads_at_once_get_the_bytes_of_one(name: str) -> None:
    network, tensors = landmark_network(name, "auto"), list(crops(name))
    expected = [[output.tobytes() for output in network.run(tensor)] for tensor in tensors]

    def run_all(_: int) -> list[list[bytes]]:
        return [[output.tobytes() for output in network.run(tensor)] for tensor in tensors]

    with ThreadPoolExecutor(2) as pool:
        assert all(found == expected for found in pool.map(run_all, range(4)))


@needs_engine
def test_the_memory_of_an_old_engine_is_free_again() -> None:
    """`heavy` has 53 MB of weights; the first loads still fill what is kept for good."""
    code = (
        "import gc, re, pathlib; from pose_ros.blazepose import PoseTracker, PoseTrackerOptions;"
        "from pose_ros.runtime.memory import release_freed_memory as free\n"
        "tracker = PoseTracker(PoseTrackerOptions(model='lite'))\n"
        "for model in ('heavy', 'lite') * 8:\n"
        "    tracker.configure(PoseTrackerOptions(model=model)); gc.collect(); free()\n"
        "    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    print(tracker.network.runtime[:6], re.search(r'VmRSS:\\s*(\\d+)', status)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert {runtime for runtime, _ in rows} == {"engine"}
    of_lite_mb = [int(kilobytes) / 1024 for _, kilobytes in rows[1::2]]
    assert of_lite_mb[-1] < of_lite_mb[1] + 25


def landmark_network(name: str, inference: str) -> EngineModel:
    networks: list[EngineModel] = []

    def load(file: str, inputs: Shapes, outputs: Shapes) -> EngineModel:
        options = ModelOptions(model=name, inference=inference)
        networks.append(EngineModel(file, inputs, outputs, options))
        return networks[-1]

    Landmarker(MODELS[name], 7, load)
    (network,) = networks
    return network


def crops(name: str) -> Iterator[Float32Array]:
    """Yield crops of a clip, around a person and of what is at the edge of the image."""
    tracker = PoseTracker(PoseTrackerOptions(model=name, inference="onnxruntime"))
    cropper = Cropper(256)
    for index, image in enumerate(itertools.islice(media.frames("person"), 4)):
        (pose,) = tracker.track(image, (index + 1) * 33_333_333)
        for roi in (pose.roi, Roi(np.zeros(2), pose.roi.size_px, 0.3)):
            yield cropper.crop(image, roi.normalized(size_of(image))).tensor.copy()


def compared(
    ours: list[Float32Array], theirs: list[Float32Array]
) -> Iterator[tuple[float, Float32Array, Float32Array]]:
    """Yield what may differ by how much: px, probabilities, and m."""
    (points, other_points), *rest = zip(ours, theirs, strict=True)
    points, other_points = points.reshape(-1, 5), other_points.reshape(-1, 5)
    yield 5e-3, points[:, :2], other_points[:, :2]
    yield 5e-2, points[:, 2], other_points[:, 2]
    yield 1e-3, OnnxModel.sigmoid(points[:, 3:]), OnnxModel.sigmoid(other_points[:, 3:])
    for one, other in rest:
        if one.ndim == 4:
            one, other = OnnxModel.sigmoid(one), OnnxModel.sigmoid(other)
        yield 1e-3, one, other

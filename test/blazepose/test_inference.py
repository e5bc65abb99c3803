"""Loading networks: every kind of wrong file gives its error, and the error names the file."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose import PoseError, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.errors import ModelFileError, ModelShapeError, OptionError
from pose_ros.blazepose.inference import OnnxModel
from pose_ros.blazepose.model_files import MANIFEST
from pose_ros.blazepose.models import MODELS

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
DETECTOR, LANDMARKS = MODELS["upper_body"].detector.file, MODELS["upper_body"].file
OPTIONS = PoseTrackerOptions(model="upper_body")
INPUTS = {"image": (1, 3, 128, 128)}
OUTPUTS = {"boxes": (1, 896, 12), "scores": (1, 896, 1)}


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Return a folder with copies of the shipped models, to be damaged."""
    for file in (DETECTOR, LANDMARKS, MANIFEST):
        shutil.copy(MODELS_DIR / file, tmp_path / file)
    return tmp_path


def write_sha256(models_dir: Path, file: str) -> None:
    """Write the file's present sha256 into the manifest."""
    path = models_dir / MANIFEST
    entries = json.loads(path.read_text())
    entries[file]["sha256"] = hashlib.sha256((models_dir / file).read_bytes()).hexdigest()
    path.write_text(json.dumps(entries))


@pytest.mark.parametrize("file", [DETECTOR, LANDMARKS])
def test_a_file_that_is_not_the_published_one_is_rejected(models_dir: Path, file: str) -> None:
    (models_dir / file).write_bytes(b"other")
    with pytest.raises(ModelFileError, match=file):
        PoseTracker(OPTIONS, models_dir)
    PoseTracker(OPTIONS, MODELS_DIR)


@pytest.mark.parametrize("content", [b"not a network", b"", b"\x08\x08" * 500])
def test_a_file_of_the_manifest_that_is_no_network_is_rejected(
    models_dir: Path, content: bytes
) -> None:
    (models_dir / DETECTOR).write_bytes(content)
    write_sha256(models_dir, DETECTOR)
    with pytest.raises((ModelFileError, ModelShapeError), match=DETECTOR):
        PoseTracker(OPTIONS, models_dir)


@pytest.mark.parametrize(("file", "other"), [(DETECTOR, LANDMARKS), (LANDMARKS, DETECTOR)])
def test_a_network_of_other_shapes_is_rejected_with_both_shapes(
    models_dir: Path, file: str, other: str
) -> None:
    shutil.copy(MODELS_DIR / other, models_dir / file)
    write_sha256(models_dir, file)
    with pytest.raises(ModelShapeError) as rejected:
        PoseTracker(OPTIONS, models_dir)
    for part in (str(models_dir / file), "(1, 3, 128, 128)", "(1, 3, 256, 256)"):
        assert part in str(rejected.value)


def test_a_network_that_loads_but_cannot_run_is_rejected(models_dir: Path) -> None:
    model = onnx.load(models_dir / DETECTOR)
    convolution = next(node for node in reversed(model.graph.node) if node.op_type == "Conv")
    next(item for item in convolution.attribute if item.name == "kernel_shape").ints[0] = 2**31
    onnx.save(model, models_dir / DETECTOR)
    write_sha256(models_dir, DETECTOR)
    with pytest.raises(ModelFileError, match=f"onnxruntime cannot run .*{DETECTOR}") as rejected:
        PoseTracker(OPTIONS, models_dir)
    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize(
    ("providers", "shown"),
    [
        (("CPUExecutionProvider", "NoSuchProvider"), "['CPUExecutionProvider', 'NoSuchProvider']"),
        ((), "[]"),
    ],
)
def test_providers_that_are_not_there_are_rejected_with_those_that_are(
    providers: tuple[str, ...], shown: str
) -> None:
    with pytest.raises(OptionError) as rejected:
        PoseTracker(PoseTrackerOptions(providers=providers))
    assert str(rejected.value).startswith(f"providers is {shown}; ")
    assert "CPUExecutionProvider" in str(rejected.value).partition("; ")[2]


def test_without_onnxruntime_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PoseError, match="pip install onnxruntime"):
        PoseTracker(OPTIONS)


def test_a_missing_output_is_rejected_by_name() -> None:
    with pytest.raises(ModelShapeError, match="heatmap"):
        OnnxModel(DETECTOR, INPUTS, {"heatmap": (1, 2)}, OPTIONS)


def test_outputs_come_in_the_order_asked_for() -> None:
    tensor = np.random.default_rng(1).uniform(-1, 1, (1, 3, 128, 128)).astype(np.float32)
    reverse = dict(reversed(OUTPUTS.items()))
    boxes, scores = OnnxModel(DETECTOR, INPUTS, OUTPUTS, OPTIONS).run(tensor)
    scores_again, boxes_again = OnnxModel(DETECTOR, INPUTS, reverse, OPTIONS).run(tensor)
    assert (boxes.shape, scores.shape) == tuple(OUTPUTS.values())
    assert np.array_equal(boxes, boxes_again)
    assert np.array_equal(scores, scores_again)


def test_two_threads_compute_the_same() -> None:
    tensor = np.random.default_rng(2).uniform(-1, 1, (1, 3, 128, 128)).astype(np.float32)
    one = OnnxModel(DETECTOR, INPUTS, OUTPUTS, PoseTrackerOptions(intra_op_threads=1))
    two = OnnxModel(DETECTOR, INPUTS, OUTPUTS, PoseTrackerOptions(intra_op_threads=2))
    for ours, theirs in zip(one.run(tensor), two.run(tensor), strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("version", ["1.9.0", "1.25.1", "2.0.0", "1.26.0", "1.32.0+cu12"])
def test_threads_that_wait_spin_briefly_or_where_that_cannot_be_set_not_at_all(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr("onnxruntime.__version__", version)
    model = OnnxModel(DETECTOR, INPUTS, OUTPUTS, PoseTrackerOptions(intra_op_threads=2))
    settings = model._session.get_session_options()
    if version in ("1.9.0", "1.25.1"):
        assert settings.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    else:
        limit_us = int(settings.get_session_config_entry("session.intra_op.spin_duration_us"))
        assert 0 < limit_us <= 1000


@given(st.floats(-80, 80, width=32))
def test_the_logistic_function_is_within_a_step_of_float32(logit: float) -> None:
    (result,) = OnnxModel.sigmoid(np.array([logit], np.float32))
    assert float(result) == pytest.approx(1 / (1 + np.exp(-np.float64(logit))), rel=2**-22)


def test_extreme_logits_give_zero_and_one_without_a_warning() -> None:
    logits = np.array([-np.inf, -1e30, -100, 0, 100, 1e30, np.inf], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert OnnxModel.sigmoid(logits) == pytest.approx([0, 0, 0, 0.5, 1, 1, 1], abs=1e-30)

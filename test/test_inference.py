"""Loading networks: every kind of wrong file gives its error, and the error names the file."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose import PoseError, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.errors import ModelFileError, ModelShapeError, OptionError
from pose_ros.blazepose.inference import OnnxModel, sigmoid
from pose_ros.blazepose.models import MANIFEST, MODELS

MODELS_DIR = Path(__file__).resolve().parents[1] / "models"
DETECTOR, LANDMARKS = MODELS["upper_body"].detector.file, MODELS["upper_body"].file
OPTIONS = PoseTrackerOptions()
INPUTS = {"image": (1, 3, 128, 128)}
OUTPUTS = {"boxes": (1, 896, 12), "scores": (1, 896, 1)}


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Return a folder with copies of the shipped models, to be damaged."""
    for file in (DETECTOR, LANDMARKS, MANIFEST):
        shutil.copy(MODELS_DIR / file, tmp_path / file)
    return tmp_path


def edit_manifest(models_dir: Path, file: str, **changes: Any) -> None:
    path = models_dir / MANIFEST
    entries = json.loads(path.read_text())
    entries[file] |= changes
    path.write_text(json.dumps(entries))


def vouch_for(models_dir: Path, file: str) -> None:
    """Write the file's present sha256 into the manifest."""
    sha256 = hashlib.sha256((models_dir / file).read_bytes()).hexdigest()
    edit_manifest(models_dir, file, sha256=sha256)


def truncate(models_dir: Path, file: str) -> None:
    path = models_dir / file
    path.write_bytes(path.read_bytes()[:-1000])


def empty(models_dir: Path, file: str) -> None:
    (models_dir / file).write_bytes(b"")


def replace_by_directory(models_dir: Path, file: str) -> None:
    (models_dir / file).unlink()
    (models_dir / file).mkdir()


def replace_by_the_other(models_dir: Path, file: str) -> None:
    other = LANDMARKS if file == DETECTOR else DETECTOR
    shutil.copy(MODELS_DIR / other, models_dir / file)


DAMAGES: dict[str, tuple[Callable[[Path, str], None], str]] = {
    "missing": (lambda folder, file: (folder / file).unlink(), "cannot be read: No such file"),
    "directory": (replace_by_directory, "cannot be read: it is not a regular file"),
    "empty": (empty, "is damaged"),
    "truncated": (truncate, "is damaged or was replaced: its sha256 is"),
    "other model": (replace_by_the_other, "is damaged or was replaced"),
    "wrong sha256": (
        lambda folder, file: edit_manifest(folder, file, sha256="0" * 64),
        f"the manifest says {'0' * 64}",
    ),
    "no sha256": (lambda folder, file: edit_manifest(folder, file, sha256=None), "sha256"),
}


@pytest.mark.parametrize("file", [DETECTOR, LANDMARKS])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_not_the_published_one_is_refused(
    models_dir: Path, damage: str, file: str
) -> None:
    apply, sentence = DAMAGES[damage]
    apply(models_dir, file)
    with pytest.raises(ModelFileError) as refused:
        PoseTracker(OPTIONS, models_dir)
    assert str(models_dir / file) in str(refused.value)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("content", [b"not a network", b"", b"\x08\x08" * 500])
def test_a_vouched_for_file_that_is_no_network_is_refused(
    models_dir: Path, content: bytes
) -> None:
    (models_dir / DETECTOR).write_bytes(content)
    vouch_for(models_dir, DETECTOR)
    with pytest.raises((ModelFileError, ModelShapeError), match=DETECTOR):
        PoseTracker(OPTIONS, models_dir)


@pytest.mark.parametrize("file", [DETECTOR, LANDMARKS])
def test_a_network_of_other_shapes_is_refused_with_both_shapes(
    models_dir: Path, file: str
) -> None:
    replace_by_the_other(models_dir, file)
    vouch_for(models_dir, file)
    with pytest.raises(ModelShapeError) as refused:
        PoseTracker(OPTIONS, models_dir)
    for part in (str(models_dir / file), "(1, 3, 128, 128)", "(1, 3, 256, 256)"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"[]", "is not a table of files"),
        (b"[" * 100_000, "is not valid JSON"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(
    models_dir: Path, content: bytes | None, sentence: str
) -> None:
    manifest = models_dir / MANIFEST
    if content is None:
        manifest.unlink()
    else:
        manifest.write_bytes(content)
    with pytest.raises(ModelFileError) as refused:
        PoseTracker(OPTIONS, models_dir)
    assert str(manifest) in str(refused.value)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("entries", [{}, {DETECTOR: "text"}, {DETECTOR: {}}, {DETECTOR: None}])
def test_a_manifest_without_the_file_is_refused(models_dir: Path, entries: dict[str, Any]) -> None:
    (models_dir / MANIFEST).write_text(json.dumps(entries))
    with pytest.raises(ModelFileError, match="has no sha256 in") as refused:
        PoseTracker(OPTIONS, models_dir)
    assert str(models_dir / DETECTOR) in str(refused.value)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated"])
def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path, damage: str) -> None:
    lite = MODELS["lite"]
    for file in (*lite.files, "lite.data", MANIFEST):
        shutil.copy(MODELS_DIR / file, tmp_path / file)
    apply, sentence = DAMAGES[damage]
    apply(tmp_path, "lite.data")
    with pytest.raises(ModelFileError, match=sentence) as refused:
        PoseTracker(PoseTrackerOptions(model="lite"), tmp_path)
    assert str(tmp_path / "lite.data") in str(refused.value)


def test_weights_beside_the_graph_are_checked_too(models_dir: Path) -> None:
    edit_manifest(models_dir, DETECTOR, data_files={"weights.data": "0" * 64})
    with pytest.raises(ModelFileError, match=r"weights\.data"):
        PoseTracker(OPTIONS, models_dir)


@pytest.mark.parametrize(
    "data_files",
    [{"../secret": "0" * 64}, {"/dev/zero": "0" * 64}, {"..": "0" * 64}, {"a\0b": ""}, ["a"], 3],
    ids=repr,
)
def test_weights_outside_the_models_folder_are_never_opened(
    models_dir: Path, data_files: object
) -> None:
    edit_manifest(models_dir, DETECTOR, data_files=data_files)
    with pytest.raises(ModelFileError, match="allowed are names of files in its folder"):
        PoseTracker(OPTIONS, models_dir)


@pytest.mark.parametrize("sha256", [None, [], {}, 7, "", "0" * 63, "G" * 64, "a\nb"], ids=repr)
def test_what_is_no_sha256_vouches_for_nothing(models_dir: Path, sha256: object) -> None:
    edit_manifest(models_dir, DETECTOR, sha256=sha256)
    with pytest.raises(ModelFileError, match="has no sha256 in") as refused:
        PoseTracker(OPTIONS, models_dir)
    assert str(refused.value).isprintable()


def test_a_network_that_loads_but_cannot_run_is_refused(models_dir: Path) -> None:
    model = onnx.load(models_dir / DETECTOR)
    convolution = next(node for node in reversed(model.graph.node) if node.op_type == "Conv")
    next(item for item in convolution.attribute if item.name == "kernel_shape").ints[0] = 2**31
    onnx.save(model, models_dir / DETECTOR)
    vouch_for(models_dir, DETECTOR)
    with pytest.raises(ModelFileError, match=f"onnxruntime cannot run .*{DETECTOR}") as refused:
        PoseTracker(OPTIONS, models_dir)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("providers", "shown"),
    [
        (("CPUExecutionProvider", "NoSuchProvider"), "['CPUExecutionProvider', 'NoSuchProvider']"),
        ((), "[]"),
    ],
)
def test_providers_that_are_not_there_are_refused_with_those_that_are(
    providers: tuple[str, ...], shown: str
) -> None:
    with pytest.raises(OptionError) as refused:
        PoseTracker(PoseTrackerOptions(providers=providers))
    sentence = f"providers is {shown}; this onnxruntime allows one or more of "
    assert str(refused.value).startswith(sentence)
    assert "CPUExecutionProvider" in str(refused.value).removeprefix(sentence)


def test_without_onnxruntime_the_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PoseError, match="pip install onnxruntime"):
        PoseTracker(OPTIONS)


def test_a_missing_output_is_refused_by_name() -> None:
    with pytest.raises(ModelShapeError, match="should have heatmap of shape"):
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
    (result,) = sigmoid(np.array([logit], np.float32))
    assert float(result) == pytest.approx(1 / (1 + np.exp(-np.float64(logit))), rel=2**-22)


def test_extreme_logits_give_zero_and_one_without_a_warning() -> None:
    logits = np.array([-np.inf, -1e30, -100, 0, 100, 1e30, np.inf], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sigmoid(logits) == pytest.approx([0, 0, 0, 0.5, 1, 1, 1], abs=1e-30)

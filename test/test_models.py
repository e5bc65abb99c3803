"""The MODELS table against the files that are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pose_ros.blazepose.anchors import make_anchors
from pose_ros.blazepose.errors import ModelFileError
from pose_ros.blazepose.models import MANIFEST, MODELS, PoseModel, check_model, model_path

MODELS_DIR = Path(__file__).resolve().parents[1] / "models"
ROWS = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def entry(file: str) -> dict[str, dict[str, list[int]]]:
    entries: dict[str, dict[str, dict[str, list[int]]]]
    entries = json.loads((MODELS_DIR / MANIFEST).read_text())
    return entries[file]


@ROWS
def test_the_manifest_gives_a_rows_files_the_shapes_of_the_row(model: PoseModel) -> None:
    detector = model.detector
    count = len(make_anchors(detector.input_size, detector.strides))
    shapes = {"boxes": [1, count, 12], "scores": [1, count, 1]}
    assert entry(detector.file)["inputs"]["image"] == [1, 3, *[detector.input_size] * 2]
    assert shapes.items() <= entry(detector.file)["outputs"].items()
    assert entry(model.file)["inputs"]["image"] == [1, 3, *[model.input_size] * 2]
    assert entry(model.file)["outputs"]["landmarks"] == [1, model.landmark_values]


FULL_BODY = [model for model in MODELS.values() if model.mask_file]


@pytest.mark.parametrize("model", FULL_BODY, ids=lambda model: model.file)
def test_the_graph_with_the_mask_has_one_output_more_and_the_same_weights(
    model: PoseModel,
) -> None:
    assert model.mask_file is not None
    lean, rich = entry(model.file), entry(model.mask_file)
    size, side, count = model.input_size, model.heatmap_size, model.landmark_values // 5
    assert lean["outputs"]["heatmap"] == [1, count, side, side]
    assert lean["outputs"]["world"] == [1, model.world_values]
    assert rich["outputs"] == lean["outputs"] | {"mask": [1, 1, size, size]}
    assert rich["data_files"] == lean["data_files"] != {}
    assert 3 * (len(model.topology) + 2) <= model.world_values
    assert model.files == (model.detector.file, model.file, model.mask_file)


def test_three_models_have_a_mask_and_world_landmarks_and_the_upper_body_has_neither() -> None:
    assert [model.file for model in FULL_BODY] == ["lite.onnx", "full.onnx", "heavy.onnx"]
    upper_body = MODELS["upper_body"]
    assert (upper_body.world_values, upper_body.heatmap_size) == (0, 0)
    assert upper_body.files == (upper_body.detector.file, upper_body.file)


@ROWS
def test_auxiliary_landmarks_follow_the_named_ones_and_fit_the_tensor(model: PoseModel) -> None:
    count = len(model.topology)
    assert model.auxiliary == (count, count + 1)
    assert 5 * (count + 2) <= model.landmark_values


@ROWS
def test_the_rois_keypoints_are_two_of_four(model: PoseModel) -> None:
    assert len(set(model.roi_keypoints)) == 2
    assert set(model.roi_keypoints) <= set(range(4))
    assert model.roi_scale > 1


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_files_are_the_published_ones(name: str) -> None:
    check_model(name)
    check_model(name, MODELS_DIR)


def test_without_a_folder_the_source_trees_is_meant() -> None:
    assert model_path("upper_body.onnx") == MODELS_DIR / "upper_body.onnx"


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_folder_has_no_model(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        check_model(name, tmp_path)

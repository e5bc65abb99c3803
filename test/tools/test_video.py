"""Video files of all kinds: every frame, with times that grow and are the file's own."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import cv2
import encoded
import media
import numpy as np
import pytest
import running

from pose_ros.blazepose.errors import ImageError
from pose_ros.tools.frame import played
from pose_ros.tools.frames import ImageFiles, open_frames
from pose_ros.tools.video import Video, shortfall

FRAMES = 50
WITHOUT_END = {"raw.h264"}
INDEXED_AT_END = {"variable.mp4", "slow_motion.mp4", "high_speed.mp4"}
PERIOD_MS = {"slow_motion.mp4": 1000 / 240, "high_speed.mp4": 1}


def times_ms(video: Video) -> list[float]:
    return [frame.time_ns / 1e6 for frame in video]


def opened(path: Path) -> Video:
    video = open_frames(str(path))
    assert isinstance(video, Video)
    return video


@pytest.mark.parametrize("name", sorted({*encoded.NAMES} - {"browser.webm", "variable.mp4"}))
def test_constant_rate_gives_all_frames_with_steady_times(name: str, tmp_path: Path) -> None:
    video = opened(encoded.video(name, tmp_path))
    times = times_ms(video)
    period_ms = PERIOD_MS.get(name, 40)
    assert len(times) >= FRAMES
    np.testing.assert_allclose(times, np.arange(len(times)) * period_ms, atol=20)
    assert (np.diff(times) > 0).all()
    assert video.rate_hz == pytest.approx(1000 / period_ms, rel=0.01)
    assert shortfall(video, len(times)) == ""


def test_webm_of_a_browser_has_the_times_of_its_stamps(tmp_path: Path) -> None:
    video = opened(encoded.video("browser.webm", tmp_path))
    expected = [number * 40 + number * 7 % 25 for number in range(FRAMES)]
    assert times_ms(video) == pytest.approx(expected, abs=1)
    assert 20 < video.rate_hz < 50
    assert 25 < video.fastest_rate_hz() < 50
    assert shortfall(video, FRAMES) == ""


def test_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    video = opened(encoded.video("variable.mp4", tmp_path))
    expected = [*range(0, 1000, 40), *range(1000, 2000, 200)]
    assert times_ms(video) == pytest.approx(expected, abs=1)
    assert video.fastest_rate_hz() == pytest.approx(25)


@pytest.mark.parametrize("name", ["clip.jpg", "photo.JPEG", "plain.png"])
def test_photo_with_another_image_behind_it_is_one_image(name: str, tmp_path: Path) -> None:
    """As phones append a gain map or a second view."""
    path = tmp_path / name
    _, data = cv2.imencode(path.suffix, np.zeros((48, 64, 3), np.uint8))
    path.write_bytes(data.tobytes() * 2)
    frames = open_frames(str(path))
    assert isinstance(frames, ImageFiles)
    assert len(list(frames)) == 1


def test_one_jpeg_without_a_suffix_is_an_image(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    path.write_bytes(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes())
    assert isinstance(open_frames(str(path)), ImageFiles)


def truncated(name: str, folder: Path) -> Path:
    path = encoded.video(name, folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    return path


@pytest.mark.parametrize("name", sorted({*encoded.NAMES} - WITHOUT_END - INDEXED_AT_END))
def test_truncated_video_is_reported_with_how_much_could_be_read(
    name: str, tmp_path: Path
) -> None:
    video = opened(truncated(name, tmp_path))
    times = times_ms(video)
    assert 5 < len(times) < FRAMES
    assert (np.diff(times) > 0).all()
    report = shortfall(video, len(times))
    assert re.search(rf"\b{len(times)} (frames )?could be read", report)
    assert str(video.path) in report


@pytest.mark.parametrize("name", sorted(WITHOUT_END))
def test_truncated_stream_without_an_end_gives_what_is_there(name: str, tmp_path: Path) -> None:
    video = opened(truncated(name, tmp_path))
    times = times_ms(video)
    assert 5 < len(times) < FRAMES
    assert (np.diff(times) > 0).all()
    assert shortfall(video, len(times)) == ""


@pytest.mark.parametrize("name", sorted(INDEXED_AT_END))
def test_truncated_video_without_its_index_is_rejected_by_its_name(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(ImageError, match=name):
        open_frames(str(truncated(name, tmp_path)))


@pytest.mark.parametrize("tail", [b"", b"\0\0", b"\r\n"])
def test_series_of_images_without_end_markers_is_not_truncated(
    tail: bytes, tmp_path: Path
) -> None:
    """As from some cameras; or with padding behind the last."""
    path = tmp_path / "stream.mjpeg"
    jpeg = cv2.imencode(".jpg", running.person()[0])[1].tobytes()
    path.write_bytes((jpeg if tail else jpeg[:-2]) * 3 + tail)
    video = opened(path)
    assert shortfall(video, len(list(video))) == ""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_truncated_image_is_rejected_by_its_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"half{suffix}"
    rgb = running.person()[0]
    data = cv2.imencode(suffix, rgb)[1].tobytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=path.name):
        list(open_frames(str(path)))


def test_file_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    video = folder / "clip\udcff.mp4"
    video.write_bytes(media.path("person").read_bytes())
    assert len(list(islice(opened(video), 3))) == 3
    image = folder / "\udcfe.png"
    image.write_bytes(cv2.imencode(".png", running.person()[0])[1].tobytes())
    ((rgb, _),) = open_frames(str(image))
    np.testing.assert_array_equal(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), running.person()[0])
    assert open_frames(str(folder)).count == 1


def test_a_looped_source_goes_on_in_time_and_ends_with_nothing(tmp_path: Path) -> None:
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    folder = open_frames(str(tmp_path))
    frames = list(islice(played(folder, None, is_looping=True, rate_hz=None), 5))
    assert [int(image[0, 0, 0]) for image, _ in frames] == [0, 1, 0, 1, 0]
    assert [time_ns // 10**6 for _, time_ns in frames] == [0, 100, 200, 300, 400]
    assert list(played(ImageFiles(()), None, is_looping=True, rate_hz=None)) == []
    rated = played(folder, 1, is_looping=True, rate_hz=50.0)
    assert [frame.time_ns // 10**6 for frame in islice(rated, 3)] == [0, 20, 40]

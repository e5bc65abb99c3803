"""Files that tools write: no input is replaced, and what is there is complete."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import running

from pose_ros.blazepose.errors import ImageError
from pose_ros.tools.frames import open_frames
from pose_ros.tools.image_files import ImageFile, VideoFile
from pose_ros.tools.landmark_table import LandmarkTable
from pose_ros.tools.output_files import OutputError, OutputFile, check_outputs, text_log

GRAY = np.full((48, 64, 3), 128, np.uint8)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_inputs_links_and_other_than_files_are_not_replaced(tmp_path: Path) -> None:
    source, result = tmp_path / "source.mp4", tmp_path / "result.csv"
    source.touch()
    result.touch()
    hard_link, link, folder = tmp_path / "hard", tmp_path / "link", tmp_path / "folder"
    hard_link.hardlink_to(source)
    link.symlink_to(tmp_path / "nowhere")
    folder.mkdir()
    check_outputs([result, tmp_path / "new.mp4"], [source, Path("missing")])
    for output in (source, hard_link, link, folder):
        with pytest.raises(OutputError, match=output.name):
            check_outputs([result, output], [source])
    with pytest.raises(OutputError, match=result.name):
        check_outputs([result, result])


def test_a_file_has_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_text("old")
    with ImageFile(path) as file:
        file.write(GRAY)
        assert path.read_text() == "old"
    ((image, _),) = open_frames(str(path))
    np.testing.assert_array_equal(image, GRAY)
    assert files(tmp_path) == ["image.png"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("suffix", [".csv", ".json", ".mp4", ".png"])
def test_nothing_is_left_of_a_file_that_was_interrupted(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"result{suffix}"
    path.write_text("old")
    output: OutputFile
    if suffix in (".csv", ".json"):
        output = LandmarkTable(path)
    else:
        output = VideoFile(path, 25.0) if suffix == ".mp4" else ImageFile(path)
    if isinstance(output, (VideoFile, ImageFile)):
        output.write(GRAY, 0)
    output.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert files(tmp_path) == [path.name]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("times_ms", "shown"),
    [
        ([0, 40, 80, 120], [0, 1, 2, 3]),
        ([1000, 1040, 1240, 1280], [0, 1, 1, 1, 1, 1, 2, 3]),  # a gap
        ([0, 10, 20, 160], [0, 1, 2, 2, 3]),  # a burst: none is lost, and then it is in step
    ],
)
def test_a_video_is_in_step_with_the_times_of_its_images(
    times_ms: list[int], shown: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "video.mp4"
    with VideoFile(path, 25.0) as video:
        for number, time_ms in enumerate(times_ms):
            video.write(np.full_like(GRAY, 60 * number), time_ms * 10**6)
    assert video.images == len(times_ms)
    levels = [round(float(image.mean()) / 60) for image, _ in open_frames(str(path))]
    assert levels == shown


@pytest.mark.parametrize("rate_hz", [0.01, 11.3636, 29.97003, 59.94, 123.4567, 240.0, 1000.0, 1e6])
def test_videos_have_any_rate(rate_hz: float, tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with VideoFile(path, rate_hz) as video:
        video.write(GRAY, 0)
        video.write(GRAY, 1)
    written = open_frames(str(path))
    assert written.rate_hz == pytest.approx(min(max(rate_hz, 1), 1000), rel=0.01)


def test_images_of_another_size_are_rejected(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "video.mp4", 25.0) as video:
        video.write(GRAY, 0)
        with pytest.raises(ImageError, match=r"\(24, 32, 3\)"):
            video.write(GRAY[::2, ::2], 1)


FULL_DISK = """
import numpy as np, sys
from pathlib import Path
from pose_ros.tools.image_files import ImageFile, VideoFile
from pose_ros.tools.landmark_table import LandmarkRow, LandmarkTable
from pose_ros.tools.opencv_files import silence
from pose_ros.tools.output_files import OutputError, text_log
silence()
noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
path = Path(sys.argv[1])
try:
    if path.suffix == ".mp4":
        with VideoFile(path, 25.0) as video:
            for number in range(20):
                video.write(noise, number * 40_000_000)
    elif path.suffix == ".png":
        with ImageFile(path) as image:
            image.write(noise)
    elif path.suffix == ".csv":
        with LandmarkTable(path) as table:
            for number in range(2000):
                table.write(LandmarkRow(number, number, 1, 0, "nose", 1.5, 1.5, 1.5, 1.5, 1.5))
    else:
        with text_log(path) as log:
            for number in range(20_000):
                log.write(str(number) + "\\n")
except (OutputError, OSError) as error:
    sys.exit(f"caught {error}")
"""


@pytest.mark.parametrize("name", ["video.mp4", "image.png", "table.csv", "stamps.txt"])
def test_a_full_disk_is_an_error_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    """A limit on the size of files fails writes as a full disk does, with another errno."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / name)]
    done = subprocess.run(
        command, cwd=running.ROOT, preexec_fn=limit, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("caught ")
    assert files(tmp_path) == []


def test_a_log_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with text_log(path) as log, text_log(None) as none:
        assert none is None
        assert log is not None
        log.write("1\n")
        assert path.read_text() == "1\n"

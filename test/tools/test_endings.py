"""How commands end that are stopped, that nobody reads, or that cannot write: in one line."""

from __future__ import annotations

import csv
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
import media
import pytest
import rclpy
import running
from node.test_client import cloud
from rclpy.context import Context
from sensor_msgs.msg import PointCloud2

from pose_ros.tools.frames import open_frames

CLIP = str(media.path("person"))
LIMIT_BYTES = 2000
ARGUMENTS = {
    "annotate": (CLIP, "--model=heavy", "--out=OUT"),  # it must not end before the signal
    "benchmark": ("--models", "lite", "full", "--threads=1", "--images=100000"),
    "demo": (f"--video={CLIP}", "--model=lite", "--out=OUT"),
    "video_source": (CLIP, "--loop", "--rate=200", "--stamps=OUT/stamps.txt"),
}
SHORT_ARGUMENTS = {
    "annotate": ("OUT/../black.png", "--model=lite", "--out=OUT"),
    "benchmark": ("--models=lite", "--threads=1", "--images=2"),
    "demo": (f"--video={CLIP}", "--model=lite", "--frames=1", "--out=OUT"),  # none is dropped
}


def command(tool: str, arguments: tuple[str, ...], out: Path) -> tuple[str, ...]:
    return "-m", f"pose_ros.tools.{tool}", *(word.replace("OUT", str(out)) for word in arguments)


def is_at_work(tool: str, process: running.Process, out: Path) -> bool:
    if tool == "benchmark":
        return "mean ms" in process.output
    return bool([*out.glob("stamps.txt"), *out.glob(".part-*.mp4")])


def assert_readable(out: Path) -> None:
    """Every file of results is complete, and none has a temporary name."""
    for path in out.iterdir():
        assert not path.name.startswith(".part-")
        if path.suffix in (".mp4", ".png"):
            assert list(open_frames(str(path)))
        elif path.suffix == ".csv":
            with path.open(newline="") as file:
                assert {len(row) for row in csv.reader(file)} == {10}
        elif path.suffix == ".txt":
            assert path.read_text() == "".join(f"{int(n)}\n" for n in path.read_text().split())


@contextmanager
def at_work(tool: str, out: Path) -> Iterator[running.Process]:
    out.mkdir()
    with running.process(*command(tool, ARGUMENTS[tool], out)) as process:
        running.until(lambda: is_at_work(tool, process, out), f"{tool} at work")
        yield process
    assert_readable(out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("tool", ARGUMENTS)
def test_signal_leaves_readable_files_or_none_and_one_line(
    tool: str, number: signal.Signals, tmp_path: Path
) -> None:
    """What runs on ROS ends with code 0 then, as nodes do."""
    with at_work(tool, tmp_path / "out") as process:
        before = process.output
        process.signal(number)
        assert process.wait() == (0 if tool in ("demo", "video_source") else 128 + number)
        lines = process.output.removeprefix(before).splitlines()
    errors = [line for line in lines if line.startswith(f"{tool}: ")]
    assert errors == ([f"{tool}: interrupted"] if tool != "video_source" else [])
    assert tool == "demo" or lines == errors  # which also prints what it has


@pytest.mark.parametrize("tool", ["annotate", "demo", "video_source"])
def test_full_disk_leaves_readable_files_or_none_and_one_line(tool: str, tmp_path: Path) -> None:
    """A limit on the size of files fails writes as a full disk does, with another errno."""
    with at_work(tool, tmp_path / "out") as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))
        assert process.wait(120) == 1
        (line,) = process.output.splitlines()
    assert line.startswith(f"{tool}: ")


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("annotate", "person_landmarks.csv"),
        ("demo", "landmarks.csv"),
        ("demo", "node.log"),
        ("video_source", "stamps.txt"),
    ],
)
def test_nothing_is_written_through_a_link(tool: str, name: str, tmp_path: Path) -> None:
    out, precious = tmp_path / "out", tmp_path / "precious"
    out.mkdir()
    precious.write_text("data")
    (out / name).symlink_to(precious)
    with running.process(*command(tool, ARGUMENTS[tool], out)) as process:
        assert process.wait() == 1
        (line,) = process.output.splitlines()
    assert line.startswith(f"{tool}: ")
    assert name in line
    assert precious.read_text() == "data"
    assert [path.name for path in out.iterdir()] == [name]


def closed_pipe() -> BinaryIO:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "wb")


def full_disk() -> BinaryIO:
    return open("/dev/full", "wb")


OUTPUTS = pytest.mark.parametrize("open_output", [closed_pipe, full_disk])


def start(words: tuple[str, ...], output: BinaryIO, domain_id: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=running.ROOT,
        env={**os.environ, "ROS_DOMAIN_ID": str(domain_id)},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_one_line(tool: str, process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=running.TIMEOUT_S)
    assert process.returncode == 1, errors
    (line,) = errors.splitlines()
    assert line.startswith(f"{tool}: ")


@OUTPUTS
@pytest.mark.parametrize("tool", SHORT_ARGUMENTS)
def test_output_that_cannot_be_written_is_one_line(
    tool: str, open_output: Callable[[], BinaryIO], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    cv2.imwrite(str(tmp_path / "black.png"), running.black())
    with running.domain() as domain_id, open_output() as output:
        assert_one_line(tool, start(command(tool, SHORT_ARGUMENTS[tool], out), output, domain_id))
    assert_readable(out)


@contextmanager
def publishing(domain_id: int) -> Iterator[Callable[[], None]]:
    """Give a function that publishes landmarks."""
    context = Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = rclpy.create_node("pose", context=context)
    publisher = node.create_publisher(PointCloud2, "pose/landmarks", 1)
    try:
        yield lambda: publisher.publish(cloud())
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


@OUTPUTS
def test_table_that_cannot_be_written_is_one_line(
    open_output: Callable[[], BinaryIO], tmp_path: Path
) -> None:
    quiet = ("--ros-args", "--log-level", "error")  # it warns if the first message comes late
    words = command("echo_landmarks", quiet, tmp_path)
    with running.domain() as domain_id, publishing(domain_id) as publish, open_output() as output:
        echo = start(words, output, domain_id)

        def has_ended() -> bool:
            publish()
            return echo.poll() is not None

        running.until(has_ended, "the end")
        assert_one_line("echo_landmarks", echo)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_table_after_a_whole_one(number: signal.Signals) -> None:
    with running.process(*command("echo_landmarks", (), Path())) as echo:
        with publishing(echo.domain_id) as publish:

            def is_shown() -> bool:
                publish()
                return "person 8" in echo.output

            running.until(is_shown, "a table")
            echo.signal(number)
            assert echo.wait() == 0
        assert echo.output.endswith("\n\n")
        assert "Traceback" not in echo.output

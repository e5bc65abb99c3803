"""The whole demonstration: camera, node and recorder, each a process of its own."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import media
import numpy as np
import pytest
import running

from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.client import LANDMARK_DTYPE, Landmarks
from pose_ros.tools.children import Child
from pose_ros.tools.demo_summary import MIN_PROCESSED, Summary, report
from pose_ros.tools.frames import open_frames
from pose_ros.tools.landmark_table import COLUMNS
from pose_ros.tools.recorder import Result

MODULE = "pose_ros.tools.demo"
# What a signal does that comes while the recorder is being made.
INTERRUPTED_START = """
import sys
from rclpy.utilities import get_default_context
from pose_ros.tools import demo
class Recorder(demo.Recorder):
    def __init__(self, video):
        get_default_context().handle.shutdown()
        super().__init__(video)
demo.Recorder = Recorder
sys.exit(demo.main(sys.argv[1:]))
"""
FRAMES = 100


def result(arrival_ms: float, latency_ms: float, people: int = 1) -> Result:
    points = np.zeros((people, 25), LANDMARK_DTYPE)
    return Result(Landmarks(points), round(arrival_ms * 1e6), round(latency_ms * 1e6))


def children(demo: subprocess.Popen[str]) -> dict[int, str]:
    """Process ids and command lines of what runs in the demo's namespace."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            words = os.fsdecode(path.read_bytes()).split("\0")  # of others may be any bytes
            if f"__ns:=/demo_{demo.pid}" in words:
                found[int(path.parent.name)] = " ".join(words)
    return found


@pytest.mark.parametrize("busy_loops", [0, 2])
def test_demo_processes_a_video_and_writes_its_files(busy_loops: int, tmp_path: Path) -> None:
    """Beside busy processes too; it warns if many frames were dropped then."""
    out = tmp_path / "out"
    clip = ("--video", str(media.path("person")), "--model", "upper_body")
    arguments = (*clip, "--frames", str(FRAMES), "--out", str(out))
    with busy(busy_loops), running.process("-m", MODULE, *arguments) as demo:
        assert demo.wait(180) == 0, demo.output + logs(out)
        printed = demo.output
    sent_ns = [int(line) for line in (out / "stamps.txt").read_text().split()]
    assert len(sent_ns) == FRAMES
    with (out / "landmarks.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == COLUMNS
    processed = {int(row["stamp_ns"]): int(row["frame"]) for row in table}
    assert all(sent_ns[frame] == stamp_ns for stamp_ns, frame in processed.items())
    assert len(table) == len(processed) * len(UPPER_BODY)
    assert [row["name"] for row in table[:25]] == list(UPPER_BODY.names)
    share = len(processed) / FRAMES
    assert f"processed          {share:.1%}" in printed
    assert ("demo: warning: " in printed) == (share < MIN_PROCESSED)
    shown = len(list(open_frames(str(out / "annotated.mp4"))))
    assert 1 <= shown <= 1 + round((sent_ns[-1] - sent_ns[0]) * 1e-9 * 25)
    assert_drawn_on_the_person(out / "pose.png", table)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Run processes that do nothing as fast as they can."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_demo_prints_where_the_walker_of_its_own_clip_is(tmp_path: Path) -> None:
    """Some meters away, first on the right of the camera's axis and then farther left."""
    with running.process("-m", MODULE, "--rate", "10", "--out", str(tmp_path)) as demo:
        assert demo.wait(120) == 0, demo.output
        triples = re.findall(r"\((-?\d+\.\d), (-?\d+\.\d), (-?\d+\.\d)\)", demo.output)
        assert re.search(r"assumed\s+field\s+of\s+view of 60 degrees", demo.output)
    first_m, last_m = np.array([triples[0], triples[-1]], float)
    assert 3 < first_m[2] < 10
    assert 3 < last_m[2] < 10
    assert first_m[0] > 0
    assert last_m[0] < first_m[0] - 1


def test_demo_does_not_write_over_its_video(tmp_path: Path) -> None:
    video = tmp_path / "annotated.mp4"
    video.write_bytes(media.path("person").read_bytes())
    with running.process("-m", MODULE, "--video", str(video), "--out", str(tmp_path)) as demo:
        assert demo.wait() == 1
        (error,) = demo.output.splitlines()
    assert str(video) in error
    assert [path.name for path in tmp_path.iterdir()] == ["annotated.mp4"]


def logs(out: Path) -> str:
    return "\n".join(path.read_text() for path in out.glob("*.log"))


def assert_drawn_on_the_person(image: Path, table: list[dict[str, str]]) -> None:
    """Around the nose there are pixels of the skeleton's color."""
    noses = [row for row in table if row["name"] == "nose"]
    u_px, v_px = (np.median([float(row[name]) for row in noses]) for name in ("u_px", "v_px"))
    (frame,) = open_frames(str(image))
    area = frame.image[round(v_px) - 12 : round(v_px) + 12, round(u_px) - 12 : round(u_px) + 12]
    assert (np.abs(area.astype(int) - 224).max(axis=2) < 12).sum() > 10
    assert 150 < u_px < 250  # the man sits in the middle
    assert 100 < v_px < 220


@pytest.mark.parametrize(
    ("sign", "count", "pause_s"),
    [("node.log", 2, 0.1), ("stamps.txt", 1, 0.0), ("stamps.txt", 2, 0.0), ("stamps.txt", 2, 0.1)],
)
def test_interrupts_end_everything_with_exit_code_0(
    sign: str, count: int, pause_s: float, tmp_path: Path
) -> None:
    """While the node starts, and while the video plays."""
    demo = start(tmp_path)
    running.until(lambda: (tmp_path / sign).exists(), sign)
    running.until(lambda: children(demo), "a process")
    for _ in range(count):
        os.killpg(demo.pid, signal.SIGINT)
        time.sleep(pause_s)
    _, errors = demo.communicate(timeout=3 * running.TIMEOUT_S)
    assert demo.returncode == 0, errors
    assert errors.splitlines() == ["demo: interrupted"]
    assert children(demo) == {}
    if sign == "stamps.txt":  # an interpreter that is interrupted at its birth says so in its log
        assert "Traceback" not in logs(tmp_path)


def test_an_interrupt_at_the_start_ends_it_with_exit_code_0(tmp_path: Path) -> None:
    with running.process("-c", INTERRUPTED_START, "--out", str(tmp_path)) as demo:
        assert demo.wait() == 0, demo.output
        assert demo.output.splitlines()[-1] == "demo: interrupted"
        assert "Traceback" not in demo.output
    assert list(tmp_path.iterdir()) == []


def test_killed_demo_leaves_no_orphans(tmp_path: Path) -> None:
    demo = start(tmp_path)
    wait_for_node(demo, tmp_path)
    demo.kill()
    demo.communicate()
    running.until(lambda: not children(demo), "the end of the node")


def start(out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", MODULE, "--out", str(out)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=running.ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def wait_for_node(demo: subprocess.Popen[str], out: Path) -> int:
    """Return the node's process id when it is up."""
    running.until(lambda: (out / "node.log").exists(), "the node's process")
    running.until(lambda: "images on" in (out / "node.log").read_text(), "the node")
    return next(pid for pid, line in children(demo).items() if "pose_ros.node" in line)


def test_dead_node_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    demo = start(tmp_path)
    os.kill(wait_for_node(demo, tmp_path), signal.SIGKILL)
    _, errors = demo.communicate(timeout=3 * running.TIMEOUT_S)
    assert demo.returncode == 1
    first, *others = errors.splitlines()
    assert first.startswith("demo: node ")
    assert "-9" in first
    assert any("images on" in line for line in others)
    assert children(demo) == {}


def test_what_is_no_video_is_reported(tmp_path: Path) -> None:
    with running.process("-m", MODULE, "--video", "setup.py", "--out", str(tmp_path)) as demo:
        assert demo.wait() == 1
        (error,) = demo.output.splitlines()
    assert error.startswith("demo: setup.py ")


def test_summary_counts_exact_stamps_only() -> None:
    results = {100: result(0, 5), 200: result(10, 7), 301: result(20, 9, people=0)}
    summary = Summary((100, 200, 300, 400), results)
    assert summary.processed == 0.5
    lines = {line[:19].strip(): line[19:] for line in str(summary).splitlines()}
    assert lines["frames in"].startswith("4 at")
    assert lines["frames out"] == "3 at 100.0 Hz"
    assert lines["processed"].startswith("50.0%")
    assert lines["latency"].startswith("7.0 ms median, 8.8 ms p95")
    assert lines["frames with a pose"].startswith("66.7%")


@pytest.mark.parametrize(
    ("processed", "code", "error"), [(20, 0, ""), (19, 0, ""), (18, 0, "90.0%"), (0, 1, "20")]
)
def test_few_processed_frames_are_a_warning_and_none_is_a_failure(
    processed: int, code: int, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Summary(tuple(range(20)), {stamp: result(stamp, 5) for stamp in range(processed)})
    assert report(summary, tmp_path, was_interrupted=False) == code
    printed = capsys.readouterr().err
    assert bool(printed) == bool(error)
    assert error in printed
    assert report(summary, tmp_path, was_interrupted=True) == 0


def test_child_that_ignores_signals_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stubborn.py").write_text(
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    grace = ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))
    monkeypatch.setattr("pose_ros.tools.children._GRACE_S", grace)
    child = Child("stubborn", [], tmp_path / "log")
    running.until(lambda: child.last_lines() == "ready", "the child")
    child.stop()
    assert child.exit_code == -signal.SIGKILL

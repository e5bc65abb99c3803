"""The whole demonstration: camera, node and recorder, each a process of its own."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import running

from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.client import LANDMARK_DTYPE, Landmarks
from pose_ros.tools.children import Child
from pose_ros.tools.demo import Summary, report
from pose_ros.tools.frames import open_frames
from pose_ros.tools.landmark_table import COLUMNS
from pose_ros.tools.recorder import Answer

MODULE = "pose_ros.tools.demo"
FRAMES = 100


def answer(arrival_ms: float, latency_ms: float, people: int = 1) -> Answer:
    points = np.zeros((people, 25), LANDMARK_DTYPE)
    return Answer(Landmarks(points), round(arrival_ms * 1e6), round(latency_ms * 1e6))


def children(demo: subprocess.Popen[str]) -> dict[int, str]:
    """Process ids and command lines of what runs in the demo's namespace."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            words = path.read_bytes().decode().split("\0")
            if f"__ns:=/demo_{demo.pid}" in words:
                found[int(path.parent.name)] = " ".join(words)
    return found


def test_demo_answers_the_frames_and_writes_the_three_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with running.process("-m", MODULE, "--frames", str(FRAMES), "--out", str(out)) as demo:
        code = demo.wait(120)
    assert code == 0, demo_output(out)
    sent_ns = [int(line) for line in (out / "stamps.txt").read_text().split()]
    assert len(sent_ns) == FRAMES
    with (out / "landmarks.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == COLUMNS
    answered = {int(row["stamp_ns"]): int(row["frame"]) for row in table}
    assert len(answered) >= 0.95 * FRAMES
    assert all(sent_ns[frame] == stamp_ns for stamp_ns, frame in answered.items())
    assert len(table) == len(answered) * len(UPPER_BODY)
    assert [row["name"] for row in table[:25]] == list(UPPER_BODY.names)
    frames = list(open_frames(str(out / "annotated.mp4")))
    assert len(answered) - 2 <= len(frames) <= len(answered)
    assert_drawn_on_the_person(out / "pose.png", table)


def demo_output(out: Path) -> str:
    return "\n".join(path.read_text() for path in out.glob("*.log"))


def assert_drawn_on_the_person(picture: Path, table: list[dict[str, str]]) -> None:
    """Around the nose's place there are pixels of the skeleton's colour."""
    noses = [row for row in table if row["name"] == "nose"]
    u_px, v_px = (np.median([float(row[name]) for row in noses]) for name in ("u_px", "v_px"))
    (frame,) = open_frames(str(picture))
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
    _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 0, errors
    assert errors.splitlines() == ["demo: interrupted"]
    assert children(demo) == {}
    if sign == "stamps.txt":  # an interpreter that is interrupted at its birth says so in its log
        assert "Traceback" not in demo_output(tmp_path)


def test_killed_demo_leaves_no_orphans(tmp_path: Path) -> None:
    demo = start(tmp_path)
    wait_for_node(demo, tmp_path)
    demo.kill()
    demo.communicate()
    running.until(lambda: not children(demo), "the end of the node", 10.0)


def start(out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", MODULE, "--out", str(out)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=running.ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def wait_for_node(demo: subprocess.Popen[str], out: Path) -> int:
    """Return the node's process id when it is up."""
    running.until(lambda: (out / "node.log").exists(), "the node's process")
    running.until(lambda: "waits for" in (out / "node.log").read_text(), "the node")
    return next(pid for pid, line in children(demo).items() if "pose_ros.node" in line)


def test_dead_node_is_told_with_its_last_words(tmp_path: Path) -> None:
    demo = start(tmp_path)
    os.kill(wait_for_node(demo, tmp_path), signal.SIGKILL)
    _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert errors.startswith("demo: node ended with exit code -9:\n")
    assert "waits for" in errors
    assert children(demo) == {}


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    with running.process("-m", MODULE, "--video", "setup.py", "--out", str(tmp_path)) as demo:
        assert demo.wait() == 1
        assert demo.output.splitlines() == [
            "demo: setup.py cannot be read as a video or a picture"
        ]


def test_summary_counts_exact_stamps_only() -> None:
    summary = Summary(
        (100, 200, 300, 400),
        {100: answer(0, 5), 200: answer(10, 7), 301: answer(20, 9, people=0)},
    )
    assert summary.answered == 0.5
    text = str(summary)
    assert "frames in          4 at" in text
    assert "frames out         3 at 100.0 Hz" in text
    assert "answered           50.0%" in text
    assert "7.0 ms median, 8.8 ms p95" in text
    assert "frames with a pose 66.7%" in text


@pytest.mark.parametrize(("answered", "code"), [(20, 0), (19, 0), (18, 1)])
def test_too_few_answers_are_a_failure_with_a_sentence(
    answered: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Summary(tuple(range(20)), {stamp: answer(stamp, 5) for stamp in range(answered)})
    assert report(summary, tmp_path, was_interrupted=False) == code
    complaint = "demo: only 90.0% of the frames were answered, expected are 95%"
    assert capsys.readouterr().err.startswith(complaint if code else "")
    assert report(summary, tmp_path, was_interrupted=True) == 0


def test_summary_of_nothing_is_not_an_error() -> None:
    assert Summary((), {}).answered == 0.0
    assert "frames out         0" in str(Summary((), {}))


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
    running.until(lambda: child.last_words() == "ready", "the child")
    child.stop()
    assert child.exit_code == -signal.SIGKILL

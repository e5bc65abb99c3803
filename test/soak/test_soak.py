"""The soak command: short runs with the real node."""

from __future__ import annotations

import fcntl
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
import running

from pose_ros.blazepose.errors import ImageError
from pose_ros.inputs.images import rgb_from_image
from soak import rig
from soak.__main__ import STARTED, main
from soak.camera import ShuffledCycle, invalid_images
from soak.judge import Bounds, judge
from soak.record import GOOD, INVALID, Frame, read_frames, write_frame

PRINTED = "printed"
BUSY = Bounds(
    latency_factor=math.inf, unprocessed=1.0, rejected=0.0, fairness=math.inf, processed_hz=0.0
)
"""For machines where tests share the processor; bounds that depend on no time stay as they are."""


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "soak", f"--out={out}", *arguments]
    with (out / PRINTED).open("wb") as printed:
        return subprocess.Popen(
            command,
            cwd=running.ROOT,
            env={**os.environ, "PYTHONPATH": "test"},
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def finish(soak: subprocess.Popen[str], out: Path) -> tuple[dict[str, Any], str]:
    """Wait for the end; return the figures and what was printed. Exit code and messages agree."""
    _, errors = soak.communicate(timeout=5 * running.TIMEOUT_S)
    assert (out / "soak.json").exists(), errors
    report: dict[str, Any] = json.loads((out / "soak.json").read_text())
    reported = [line for line in errors.splitlines() if line != "soak: interrupted"]
    assert reported == [f"soak: {message}" for message in report["violations"]]
    assert soak.returncode == (1 if reported else 0)
    return report, (out / PRINTED).read_text()


def children(soak: subprocess.Popen[str]) -> dict[str, int]:
    """Process ids of the command's children by their command line."""
    pids = Path(f"/proc/{soak.pid}/task/{soak.pid}/children").read_text().split()
    return {Path(f"/proc/{pid}/cmdline").read_text(): int(pid) for pid in pids}


def wait_for_start(soak: subprocess.Popen[str], out: Path) -> None:
    """Return when the node processes images, and what comes is recorded."""

    def has_started() -> bool:
        assert soak.poll() is None, soak.communicate()[1]
        return STARTED in (out / PRINTED).read_text()

    running.until(has_started, "the first landmarks", 3 * running.TIMEOUT_S)


def test_several_people_are_tracked_if_asked_for(tmp_path: Path) -> None:
    several = ("--max-persons=2", "--size=960x540", "--model=lite", "--rate=10")
    soak = start(tmp_path, "--minutes=0.2", "--steady", *several)
    report, _ = finish(soak, tmp_path)
    assert judge(report, BUSY) == []
    (node,) = report["nodes"]
    assert node["most_people"] == 2


def test_people_are_found_in_boxes_of_another_detector_strange_ones_among_them(
    tmp_path: Path,
) -> None:
    several = ("--max-persons=3", "--size=960x540", "--model=lite", "--rate=10", "--boxes")
    soak = start(tmp_path, "--minutes=0.4", *several)
    report, _ = finish(soak, tmp_path)
    assert judge(report, BUSY) == []
    (node,) = report["nodes"]
    assert node["most_people"] >= 1


def test_a_run_with_faults_is_survived_and_reported(tmp_path: Path) -> None:
    soak = start(tmp_path, "--minutes=0.4", "--size=640x480", "--model=lite", "--seed=3")
    report, printed = finish(soak, tmp_path)
    assert {"date", "machine", "versions", "settings", "nodes", "violations"} == report.keys()
    assert judge(report, BUSY) == []
    (node,) = report["nodes"]
    assert_frames(node["frames"])
    assert_requests(node["requests"])
    assert_over_time(node)
    assert node["camera_restarts"] >= 1
    # nobody publishes it in a soak, and the warning lasts from the fifth second on
    assert any("no camera_info" in state for state in node["states"])
    assert node["annotated"] > 0
    plot = cv2.imread(str(tmp_path / "soak.png"))
    assert plot is not None
    assert plot.std() > 5
    assert "camera restarts" in printed


def assert_frames(frames: dict[str, Any]) -> None:
    assert frames["sent"] == sum(frames["by_kind"].values())
    assert frames["by_kind"].keys() > {GOOD}
    assert 0 < frames["processed"] < frames["sent"]
    assert 0 < frames["expected"] < frames["sent"]
    assert 0 < frames["rejected"] <= frames["invalid"]


def assert_requests(requests: dict[str, Any]) -> None:
    assert requests["made"] == requests["accepted"] + requests["rejected"]
    assert requests["accepted"] > requests["rejected"] > 0


def assert_over_time(node: dict[str, Any]) -> None:
    rows = node["periods"]
    assert len(rows) == 6
    assert all(row["processed"] <= row["sent"] for row in rows)
    for row in (*rows, node):
        latency = row["latency_ms"]
        if latency["median"] is not None:
            assert 0 < latency["median"] <= latency["p95"] <= latency["p99"]
    process = node["process"]
    assert 50 < process["memory_mb"]["first"] <= process["memory_mb"]["peak"]
    assert process["slope_mb_min"] is None  # there is none of the first minute
    assert 0 < process["cpu_share"] < os.cpu_count() + 1  # type: ignore[operator]


def test_two_cameras_are_compared(tmp_path: Path) -> None:
    arguments = ("--minutes=0.1", "--cameras=2", "--rate=10", "--size=160x120", "--no-plot")
    report, printed = finish(start(tmp_path, *arguments), tmp_path)
    assert [node["name"] for node in report["nodes"]] == ["/camera0", "/camera1"]
    assert judge(report, BUSY) == []
    assert all(node["frames"]["by_kind"].keys() == {GOOD} for node in report["nodes"])
    assert all(node["frames"]["processed"] > 0 for node in report["nodes"])
    assert all(node["requests"]["made"] == 0 for node in report["nodes"])
    assert report["fairness"]["max_over_min"] >= 1
    assert 0.5 < report["fairness"]["jain"] <= 1 + 1e-9
    assert "Jain's index" in printed
    assert not (tmp_path / "soak.png").exists()


def test_a_node_that_dies_ends_the_run_with_a_message(tmp_path: Path) -> None:
    soak = start(tmp_path, "--minutes=60", "--steady", "--size=160x120", "--no-plot")
    wait_for_start(soak, tmp_path)
    os.kill(next(pid for line, pid in children(soak).items() if "pose_ros.node" in line), 9)
    report, _ = finish(soak, tmp_path)
    assert any("exit code -9" in message for message in report["violations"])


def test_an_interrupt_reports_what_is_there(tmp_path: Path) -> None:
    soak = start(tmp_path, "--minutes=60", "--steady", "--size=160x120", "--no-plot")
    wait_for_start(soak, tmp_path)
    time.sleep(1.0)
    soak.send_signal(signal.SIGINT)
    report, _ = finish(soak, tmp_path)
    assert report["nodes"][0]["duration_s"] < 3600
    assert judge(report, BUSY) == []


def test_a_shuffled_cycle_gives_each_item_before_one_comes_again() -> None:
    cycle = ShuffledCycle(("a", "b", "c"), random.Random(1))
    for _ in range(5):
        assert {cycle.next() for _ in range(3)} == {"a", "b", "c"}


@pytest.mark.parametrize("number", range(len(INVALID)), ids=INVALID)
def test_invalid_images_cannot_be_used(number: int) -> None:
    good = running.image(running.black())
    rgb_from_image(good)
    with pytest.raises(ImageError):
        rgb_from_image(invalid_images(good)[number])


def test_the_log_of_a_killed_camera_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    frames = [Frame(GOOD, 1, 2), Frame(INVALID[1], 3, 4)]
    path = tmp_path / "log.csv"
    path.write_text("".join(map(write_frame, frames)) + "5,6,go")
    assert read_frames([path, tmp_path / "never_begun.csv"]) == frames


def test_only_shared_memory_without_an_owner_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig, "_SHARED_MEMORY", tmp_path)
    for name in ("dead", "dead_el", "alive", "alive_el"):
        (tmp_path / name).touch()
    with (tmp_path / "alive_el").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rig.remove_unowned({"dead", "alive", "gone"})
    assert {path.name for path in tmp_path.iterdir()} == {"alive", "alive_el"}


@pytest.mark.parametrize(
    "argument", ["--minutes=0", "--minutes=nan", "--cameras=17", "--rate=-1", "--size=12"]
)
def test_wrong_arguments_are_rejected(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as rejection:
        main([argument])
    assert rejection.value.code == 2
    option, _, value = argument.partition("=")
    message = capsys.readouterr().err.splitlines()[-1]
    assert option in message
    assert value in message


def test_what_is_missing_is_reported_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for arguments, missing in ((["--video=none.mp4"], "none.mp4"), ([], "matplotlib")):
        assert main([*arguments, f"--out={tmp_path}"]) == 1
        (message,) = capsys.readouterr().err.splitlines()
        assert missing in message

"""The soak command: short runs with the real node, and a judgement that can fail."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import running

from pose_ros.blazepose.errors import ImageError
from pose_ros.images import rgb_from_image
from pose_ros.tools import soak_rig
from pose_ros.tools.soak import main
from pose_ros.tools.soak_camera import Deck, spoilt_images
from pose_ros.tools.soak_figures import fairness, figures
from pose_ros.tools.soak_judge import Bounds, judge
from pose_ros.tools.soak_record import (
    BURST,
    GOOD,
    SHIFTED,
    SPOILT,
    Answer,
    Frame,
    Record,
    Request,
    Sample,
    Span,
    read_frames,
    write_frame,
)
from pose_ros.tools.soak_text import as_text

SECOND_NS = 10**9
PERIOD_NS = 100_000_000
BUSY = Bounds(latency_factor=100.0, unanswered=0.5)
"""For machines where tests share the processor; what is no matter of time stays as it is."""


# Real runs


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pose_ros.tools.soak", f"--out={out}", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=running.ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def finish(soak: subprocess.Popen[str], out: Path) -> tuple[dict[str, Any], str]:
    """Wait for the end; return the figures and what was printed. Exit code and words agree."""
    printed, errors = soak.communicate(timeout=120)
    assert (out / "soak.json").exists(), errors
    report: dict[str, Any] = json.loads((out / "soak.json").read_text())
    told = [line for line in errors.splitlines() if line != "soak: interrupted"]
    assert told == [f"soak: {sentence}" for sentence in report["broken"]]
    assert soak.returncode == (1 if told else 0)
    return report, printed


def children(soak: subprocess.Popen[str]) -> dict[str, int]:
    """Process ids of the command's children by their command line."""
    pids = Path(f"/proc/{soak.pid}/task/{soak.pid}/children").read_text().split()
    return {Path(f"/proc/{pid}/cmdline").read_text(): int(pid) for pid in pids}


def wait_for_sample(out: Path) -> None:
    """Return when the camera has sent for some seconds."""
    log = out / "soak" / "camera0_0.csv"
    running.until(lambda: log.exists() and log.stat().st_size > 2000, "the camera", 60.0)


def test_a_run_with_mishaps_is_survived_and_reported(tmp_path: Path) -> None:
    soak = start(tmp_path, "--minutes=0.4", "--size=640x480", "--model=lite", "--seed=3")
    report, printed = finish(soak, tmp_path)
    assert {"date", "machine", "versions", "settings", "nodes", "broken"} == report.keys()
    assert judge(report, BUSY) == []
    (node,) = report["nodes"]
    assert_frames(node["frames"])
    assert_requests(node["requests"])
    assert_over_time(node)
    assert node["camera_restarts"] >= 1
    assert any(state.startswith("OK: persons") for state in node["states"])
    assert node["annotated"] > 0
    picture = cv2.imread(str(tmp_path / "soak.png"))
    assert picture is not None
    assert picture.std() > 5
    assert "good, unanswered" in printed
    assert "camera restarts" in printed


def assert_frames(frames: dict[str, Any]) -> None:
    assert frames["sent"] == sum(frames["by_kind"].values())
    assert frames["by_kind"].keys() > {GOOD}
    assert 0 < frames["answered"] < frames["sent"]
    assert 0 < frames["owed"] < frames["sent"]
    assert frames["refused"] <= frames["spoilt"]


def assert_requests(requests: dict[str, Any]) -> None:
    assert requests["made"] == requests["granted"] + requests["refused"]
    assert requests["granted"] > requests["refused"] > 0


def assert_over_time(node: dict[str, Any]) -> None:
    rows = node["periods"]
    assert len(rows) == 6
    assert all(row["answered"] <= row["sent"] for row in rows)
    for row in (*rows, node):
        latency = row["latency_ms"]
        if latency["median"] is not None:
            assert 0 < latency["median"] <= latency["p95"] <= latency["p99"]
    process = node["process"]
    assert 50 < process["memory_mb"]["first"] <= process["memory_mb"]["peak"]
    assert process["slope_mb_min"] is None  # of the first minute none is told
    assert 0 < process["cpu_share"] < os.cpu_count() + 1  # type: ignore[operator]


def test_two_cameras_are_compared(tmp_path: Path) -> None:
    arguments = ("--minutes=0.1", "--cameras=2", "--rate=10", "--size=160x120", "--no-plot")
    report, printed = finish(start(tmp_path, *arguments), tmp_path)
    assert [node["name"] for node in report["nodes"]] == ["/camera0", "/camera1"]
    assert judge(report, BUSY) == []
    assert all(node["frames"]["by_kind"].keys() == {GOOD} for node in report["nodes"])
    assert all(node["requests"]["made"] == 0 for node in report["nodes"])
    assert report["fairness"]["max_over_min"] >= 1
    assert 0.5 < report["fairness"]["jain"] <= 1 + 1e-9
    assert "Jain's index" in printed
    assert not (tmp_path / "soak.png").exists()


def test_a_node_that_dies_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    soak = start(tmp_path, "--minutes=2", "--steady", "--size=160x120", "--no-plot")
    wait_for_sample(tmp_path)
    begun_s = time.monotonic()
    os.kill(next(pid for line, pid in children(soak).items() if "pose_ros.node" in line), 9)
    report, _ = finish(soak, tmp_path)
    assert time.monotonic() - begun_s < 30
    assert "/camera0: the node ended before its time, with exit code -9" in report["broken"]


def test_an_interrupt_reports_what_is_there(tmp_path: Path) -> None:
    soak = start(tmp_path, "--minutes=2", "--steady", "--size=160x120", "--no-plot")
    wait_for_sample(tmp_path)
    time.sleep(1.0)
    soak.send_signal(signal.SIGINT)
    report, _ = finish(soak, tmp_path)
    assert report["nodes"][0]["duration_s"] < 60
    assert judge(report, BUSY) == []


# The judgement


def sound_record(minutes: float = 6.0) -> Record:
    """A node that answers each of 10 frames a second after 20 ms, and keeps its 300 MB."""
    end_ns = round(minutes * 60 * SECOND_NS)
    stamps = range(0, end_ns, PERIOD_NS)
    record = Record("/camera0", 10.0, end_ns=end_ns, exit_code=0)
    record.frames = [Frame(GOOD, stamp, stamp + 5) for stamp in stamps]
    record.answers = [Answer(stamp, stamp + 5 + 20_000_000) for stamp in stamps]
    record.samples = [
        Sample(time_ns, 300.0, 60.0, 18, 26, 0.3 * time_ns / 1e9)
        for time_ns in range(0, end_ns, SECOND_NS)
    ]
    record.requests = [Request("set a=1", True, True), Request("set a=9", False, False)]
    record.states = Counter({"OK: persons: N": 360})
    return record


def verdict(*records: Record) -> list[str]:
    nodes = [figures(record) for record in records]
    report: dict[str, Any] = {"nodes": nodes}
    if len(nodes) > 1:
        report["fairness"] = fairness(nodes)
    assert as_text(report).count("frames sent") == len(nodes)
    return judge(report, Bounds())


def with_memory(record: Record, memory_mb: Callable[[float], float]) -> Record:
    """Let the memory be a function of the time in minutes."""
    record.samples = [
        item._replace(memory_mb=memory_mb(item.time_ns / 60e9)) for item in record.samples
    ]
    return record


def add_frames(record: Record, kind: str, count: int) -> Record:
    """Add frames of a kind, a second apart, that have no answer."""
    record.frames += [
        Frame(kind, second * SECOND_NS + 1, second * SECOND_NS + 6) for second in range(count)
    ]
    return record


def without_answers(record: Record, start_s: float, end_s: float) -> Record:
    record.answers = [
        item for item in record.answers if not start_s <= item.stamp_ns / 1e9 < end_s
    ]
    return record


def test_a_sound_run_breaks_nothing() -> None:
    record = sound_record()
    assert verdict(record) == []
    told = figures(record)
    assert told["latency_ms"] == pytest.approx({"median": 20, "p95": 20, "p99": 20})
    assert told["answered_hz"] == pytest.approx(10)
    assert told["process"]["cpu_share"] == pytest.approx(0.3)
    assert [row["sent"] for row in told["periods"]] == [600] * 6


def test_a_leak_is_told() -> None:
    leaking = with_memory(sound_record(), lambda minutes: 300 + 2 * minutes)
    leaking.requests = []
    assert verdict(leaking) == [
        "/camera0: memory grows by 2.00 MB/min after 1 min, allowed are less than 1"
    ]


@pytest.mark.parametrize(
    "memory_mb",
    [lambda minutes: 300 + 0.9 * minutes, lambda minutes: 300 + 200 * min(1.0, minutes)],
)
def test_little_growth_and_that_of_the_first_minute_are_allowed(
    memory_mb: Callable[[float], float],
) -> None:
    assert verdict(with_memory(sound_record(), memory_mb)) == []


def test_where_models_change_all_the_time_the_second_half_is_judged() -> None:
    record = sound_record()
    assert record.requests
    settling = with_memory(record, lambda minutes: 300 + 50 * min(3.0, minutes))
    assert verdict(settling) == []
    leaking = with_memory(record, lambda minutes: 300 + 2 * minutes)
    assert verdict(leaking) == [
        "/camera0: memory grows by 2.00 MB/min after 3 min, allowed are less than 1"
    ]


def test_memory_of_a_short_run_is_reported_only() -> None:
    record = with_memory(sound_record(4.0), lambda minutes: 300 + 2 * minutes)
    assert figures(record)["process"]["slope_mb_min"] == pytest.approx(2)
    assert verdict(record) == []


def test_growing_latency_is_told() -> None:
    record = sound_record()
    record.answers = [
        item._replace(arrival_ns=item.arrival_ns + item.stamp_ns // 10_000)
        for item in record.answers
    ]
    assert verdict(record) == [
        "/camera0: the median latency grows from 26.0 ms in the first third to 50.0 ms in the "
        "last, allowed are 44.0"
    ]


def test_silence_at_the_end_is_told() -> None:
    broken = verdict(without_answers(sound_record(), 200, 360))
    assert broken[0] == "/camera0: nothing was answered in the last third"


@pytest.mark.parametrize(
    ("code", "is_early", "words"), [(-9, True, "before its time"), (1, False, "when it was")]
)
def test_a_dead_node_is_told(code: int, is_early: bool, words: str) -> None:
    record = sound_record()
    record.exit_code, record.ended_early = code, is_early
    (sentence,) = verdict(record)
    assert sentence.startswith(f"/camera0: the node ended {words}")
    assert sentence.endswith(f"with exit code {code}")


def test_a_traceback_is_told() -> None:
    record = sound_record()
    record.log = "[ERROR] [1.5] [pose]: internal error: Traceback (most recent call last):\n x 7\n"
    assert verdict(record) == ["/camera0: the node's log has 1 tracebacks"]
    assert figures(record)["told"] == {
        "ERROR: internal error: Traceback (most recent call last):": 1
    }


def test_unanswered_frames_are_told_unless_they_were_not_owed() -> None:
    record = without_answers(sound_record(), 60, 96)
    assert verdict(record) == [
        "/camera0: 360 of 3600 good frames have no answer (10.0%), allowed are 5%"
    ]
    record.spans = [Span("disabled", 60 * SECOND_NS, 96 * SECOND_NS)]
    assert verdict(record) == []
    record.spans, record.rate_hz = [], 60.0
    assert verdict(record) == []  # more than the node can do: the newest are answered


@pytest.mark.parametrize(("kind", "is_owed"), [(BURST, False), (SHIFTED, True)])
def test_a_burst_is_not_owed_an_answer_for_each_frame(kind: str, is_owed: bool) -> None:
    assert bool(verdict(add_frames(sound_record(), kind, 300))) == is_owed


@pytest.mark.parametrize(
    ("spoilt", "refused", "sentence"),
    [
        (10, 10, None),
        (10, 8, None),  # others gave way to newer images
        (10, 7, "7 of 10 spoilt images were counted as refused, demanded are 80%"),
        (10, 11, "11 images were refused, but 10 were spoilt"),
    ],
)
def test_each_spoilt_image_must_be_counted(
    spoilt: int, refused: int, sentence: str | None
) -> None:
    record = add_frames(sound_record(), SPOILT[0], spoilt)
    record.refused = refused
    assert verdict(record) == ([f"/camera0: {sentence}"] if sentence else [])


def test_an_answered_spoilt_image_is_told() -> None:
    record = add_frames(sound_record(), SPOILT[1], 1)
    record.refused = 1
    record.answers.append(Answer(1, 100))
    assert verdict(record) == ["/camera0: 1 spoilt images were answered"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request("set model=huge", False, True), "not answered as expected: set model=huge"),
        (Request("reset", True, False), "not answered as expected: reset"),
        (Request("reset", True), "never answered: reset"),
    ],
)
def test_requests_must_be_answered_as_expected(request_: Request, words: str) -> None:
    record = sound_record()
    record.requests.append(request_)
    assert verdict(record) == [f"/camera0: 1 requests were {words}"]


def test_unfair_shares_are_told() -> None:
    first, second = sound_record(), sound_record()
    assert verdict(first, second) == []
    second.answers = second.answers[::2]
    assert "one node answers 2.00 times as often as another, allowed are 1.5" in verdict(
        first, second
    )
    second.answers = second.answers[::5]
    assert "/camera0: 1.0 answers a second, demanded are 2" in verdict(first, second)


# Parts


def test_a_deck_deals_each_card_before_one_comes_again() -> None:
    deck = Deck(("a", "b", "c"), random.Random(1))
    for _ in range(5):
        assert {deck.draw() for _ in range(3)} == {"a", "b", "c"}


@pytest.mark.parametrize("number", range(len(SPOILT)), ids=SPOILT)
def test_spoilt_images_cannot_be_used(number: int) -> None:
    good = running.image(running.black())
    rgb_from_image(good)
    with pytest.raises(ImageError):
        rgb_from_image(spoilt_images(good)[number])


def test_the_log_of_a_killed_camera_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    frames = [Frame(GOOD, 1, 2), Frame(SPOILT[1], 3, 4)]
    path = tmp_path / "log.csv"
    path.write_text("".join(map(write_frame, frames)) + "5,6,go")
    assert read_frames([path, tmp_path / "never_begun.csv"]) == frames


def test_only_shared_memory_without_an_owner_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak_rig, "_SHARED_MEMORY", tmp_path)
    for name in ("dead", "dead_el", "alive", "alive_el"):
        (tmp_path / name).touch()
    with (tmp_path / "alive_el").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        soak_rig.remove_dead({"dead", "alive", "gone"})
    assert {path.name for path in tmp_path.iterdir()} == {"alive", "alive_el"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--minutes=0"], "0 is not a positive number"),
        (["--minutes=nan"], "nan is not a positive number"),
        (["--cameras=0"], "0 is not a number from 1 to 16"),
        (["--rate=-1"], "-1 is not a rate: a number from 0 to 10000"),
        (["--size=12"], "12 is not a size such as 1280x720"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(arguments)
    assert refusal.value.code == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]


def test_what_is_missing_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--video=none.mp4", f"--out={tmp_path}"]) == 1
    assert capsys.readouterr().err.splitlines() == ["soak: none.mp4 does not exist"]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([f"--out={tmp_path}"]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence == (
        "soak: the plot needs matplotlib, which is not here: pip install matplotlib, or --no-plot"
    )

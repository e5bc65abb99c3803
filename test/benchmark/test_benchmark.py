"""The benchmark commands: tables and JSON of a few frames. How long it took is not judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import running

from benchmark import roofline
from benchmark.__main__ import main
from benchmark.runner import DETECTOR, MEDIAPIPE_MODELS, REST, STAGES, Stopwatch
from pose_ros.blazepose.models import MODELS

MEDIAPIPE = running.ROOT / "test" / "reference" / ".venv" / "bin" / "python"
MEDIANS = {"cpu_ms", "wall_ms"}
ENGINE = {*MEDIANS, "detected_frame_cpu_ms", "start_up_s", "peak_mb"}
CORE = ["core", "--frames=4", "--warm-up=2", "--size=320x240"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments],
        cwd=running.ROOT,
        env={**os.environ, "PYTHONPATH": "test"},
        capture_output=True,
        text=True,
        timeout=5 * running.TIMEOUT_S,
        check=False,
    )


def benchmark(*arguments: str) -> str:
    """Run the command and return what it prints."""
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(path: Path) -> dict[str, Any]:
    """Read the JSON and check what both commands promise."""
    report: dict[str, Any] = json.loads(path.read_text())
    assert {"date", "machine", "versions", "settings"} <= report.keys()
    assert {"cpu", "cores", "flags", "load_average"} == report["machine"].keys()
    assert {"python", "numpy", "opencv"} <= report["versions"].keys()
    return report


def assert_engine(costs: dict[str, Any]) -> None:
    assert costs.keys() == ENGINE
    assert all(0 < costs[key]["median"] <= costs[key]["p95"] for key in MEDIANS)
    assert all(costs[key] > 0 for key in ENGINE - MEDIANS)


def test_core_without_mediapipe_leaves_the_ratios_out(tmp_path: Path) -> None:
    path = tmp_path / "core.json"
    printed = benchmark(*CORE, f"--json={path}")
    report = figures(path)
    assert report["models"].keys() == MODELS.keys()
    for model, costs in report["models"].items():
        assert costs.keys() == {"frames", "pose_ros", "stage_cpu_ms"}
        assert costs["frames"] == 4
        assert_engine(costs["pose_ros"])
        assert costs["stage_cpu_ms"].keys() == set(STAGES)
        assert all(ms > 0 for ms in costs["stage_cpu_ms"].values())
        assert sum(model in line.split() for line in printed.splitlines()) == 2  # tables
    assert "outside inference" in printed
    (note,) = report["notes"]
    assert "--mediapipe" in note
    assert note in printed


@pytest.mark.skipif(
    not MEDIAPIPE.exists(), reason=f"MediaPipe's environment is not at {MEDIAPIPE}"
)
def test_core_with_mediapipe_gives_ratios(tmp_path: Path) -> None:
    path = tmp_path / "core.json"
    benchmark(*CORE, f"--json={path}", f"--mediapipe={MEDIAPIPE}", "--models", *MEDIAPIPE_MODELS)
    report = figures(path)
    assert report["notes"] == []
    for costs in report["models"].values():
        assert costs["ratio"].keys() == {"cpu", "wall"}
        assert all(ratio > 0 for ratio in costs["ratio"].values())
        assert_engine(costs["mediapipe"])


def test_core_gives_ratios_to_another_tree(tmp_path: Path) -> None:
    path = tmp_path / "core.json"
    printed = benchmark(*CORE, f"--json={path}", f"--before={running.ROOT}", "--models", "lite")
    costs = figures(path)["models"]["lite"]
    assert costs["ratio_before"].keys() == {"cpu", "wall"}
    assert all(ratio > 0 for ratio in costs["ratio_before"].values())
    assert_engine(costs["before"])
    assert "before cpu ratio" in printed


def test_the_share_of_the_peak_is_printed_for_each_model() -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler, cc, here")
    command = [sys.executable, roofline.__file__, "--rounds", "2", "--models", "lite", "full"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    head, *rows = done.stdout.splitlines()
    assert float(head.split()[-2]) > 0
    assert {tuple(row.split()[:2]) for row in rows} == {("lite", "166"), ("full", "351")}
    assert all(row.endswith("% of the peak") for row in rows)
    assert sum("onnxruntime" in row for row in rows) == 2


def test_node_measures_each_scenario_and_the_idle_node(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    arguments = ["--sizes", "320x240", "--duration=1.5", "--model=lite"]
    printed = benchmark("node", *arguments, f"--json={path}")
    report = figures(path)
    kinds = [(row["is_paced"], row["is_annotated"]) for row in report["scenarios"]]
    assert kinds == [(True, False), (True, True), (False, False), (False, True)]
    for row in report["scenarios"]:
        assert row["size"] == [320, 240]
        assert 2 <= row["processed"] <= row["sent"]
        assert row["dropped"] == row["sent"] - row["processed"]
        assert 0 < row["latency_ms"]["median"] <= row["latency_ms"]["p95"]
        assert row["node_cpu_ms"] > 0
        assert row["core_ms"] > 0
    assert report["idle"].keys() == {"cpu_share", "camera_released", "wake_up_s"}
    assert printed.count("320x240") == 4
    assert "nobody subscribed" in printed


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["core", "--video=none.mp4"], "none.mp4"),
        (["node", "--video=none.mp4"], "none.mp4"),
        (["core", f"--mediapipe={sys.executable}"], "mediapipe==0.10.21"),
    ],
)
def test_what_is_missing_is_reported_on_one_line(
    arguments: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    (message,) = capsys.readouterr().err.splitlines()
    assert value in message


@pytest.mark.parametrize(
    ("command", "argument", "value"),
    [
        ("core", "--size=12", "12"),
        ("core", "--frames=0", "0"),
        ("core", "--models=huge", "huge"),
        ("node", "--duration=-1", "-1"),
    ],
)
def test_wrong_arguments_are_rejected(
    command: str, argument: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as rejection:
        main([command, argument])
    assert rejection.value.code == 2
    assert value in capsys.readouterr().err.splitlines()[-1]


def test_unknown_provider_is_reported() -> None:
    done = run(*CORE, "--models", "lite", "--providers", "NoSuchProvider")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "NoSuchProvider" in line


class Work:
    """Stages within each other, which note the CPU time that they used."""

    def __init__(self) -> None:
        self.used_ms: list[float] = []

    def outer(self) -> None:
        self.used_ms.append(burn(0.02))
        self.inner()

    def inner(self) -> None:
        self.used_ms.append(burn(0.04))


def burn(cpu_s: float) -> float:
    """Use so much CPU time; return how much it was, in ms. A host may take longer turns."""
    start_s = now_s = time.process_time()
    while now_s < start_s + cpu_s:
        now_s = time.process_time()
    return (now_s - start_s) * 1e3


@pytest.mark.parametrize(
    ("outer", "stages"),
    [("decode", ("decode", "inference")), (DETECTOR, (DETECTOR, DETECTOR))],
)
def test_a_stage_is_charged_without_the_stages_inside_it(
    outer: str, stages: tuple[str, str]
) -> None:
    stopwatch = Stopwatch()
    watched = type("Work", (Work,), {})
    stopwatch.watch(watched, "outer", outer)
    stopwatch.watch(watched, "inner", "inference")
    work = watched()
    stopwatch.restart()
    work.outer()
    stopwatch.charge()
    expected_ms: Counter[str] = Counter()
    for stage, used_ms in zip(stages, work.used_ms, strict=True):
        expected_ms[stage] += used_ms
    spent_ms = {stage: ns / 1e6 for stage, ns in stopwatch.spent_ns.items() if stage != REST}
    assert spent_ms == pytest.approx(expected_ms, abs=2)

"""Which model a machine can afford: a row per model and number of threads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import running

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.tools.benchmark import Case, copies, main


def test_each_case_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--models", "lite", "heavy", "--threads", "1", "2", "--people", "1"]
    assert main([*arguments, "--images", "4", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["processor"]
    assert report["cores"] == len(os.sched_getaffinity(0))
    costs = report["costs"]
    cases = [("lite", 1, 1), ("lite", 2, 1), ("heavy", 1, 1), ("heavy", 2, 1)]
    assert [(cost["model"], cost["threads"], cost["people"]) for cost in costs] == cases
    for cost in costs:
        assert (cost["images"], cost["tracked"]) == (4, 1.0)
        assert cost["p95_ms"] > 0
        assert cost["rate_hz"] == pytest.approx(1e3 / cost["mean_ms"])
    assert costs[2]["memory_mb"] > costs[0]["memory_mb"] + 30  # its weights are 24 MB larger


def test_table_has_the_figures_of_one_case(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--models", "lite", "--threads", "1", "--people", "4", "--images", "30"]
    assert main(arguments) == 0
    machine, headings, row = capsys.readouterr().out.splitlines()
    assert " cores, load " in machine
    assert headings.startswith("model      threads  people   mean ms")
    model, threads, people, *figures = row.split()[:8]
    assert (model, threads, people) == ("lite", "1", "4")
    assert len(figures) == 5
    assert row.endswith(f"  {PoseTracker(PoseTrackerOptions(model='lite')).network.runtime}")
    assert float(figures[-1]) > 3  # 4 from the moment when all are found


@pytest.mark.parametrize(
    ("threads", "people", "shared"),
    [(1, 4, (1, 1)), (2, 1, (1, 2)), (2, 4, (2, 1)), (4, 4, (2, 2))],
)
def test_threads_share_the_people_and_then_an_inference(
    threads: int, people: int, shared: tuple[int, int]
) -> None:
    options = Case("full", threads, people).options
    assert (options.people_threads, options.intra_op_threads) == shared
    assert options.max_persons == people


@pytest.mark.parametrize(
    ("count", "places"), [(1, (1, 1)), (2, (2, 1)), (3, (2, 2)), (4, (2, 2)), (5, (3, 2))]
)
def test_an_image_shows_as_many_copies_as_there_are_people(
    count: int, places: tuple[int, int]
) -> None:
    columns, rows = places
    shown = copies(np.full((120, 180, 3), 100, np.uint8), count)
    assert shown.shape == (120 // columns * rows, 180, 3)
    assert np.mean(shown == 100) == pytest.approx(count / (columns * rows))


def test_images_without_a_person_are_counted_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((48, 64, 3), np.uint8))
    arguments = ["--models", "lite", "--threads", "1", "--people", "1", "--images", "3", "--json"]
    assert main(["--video", str(tmp_path / "black.png"), *arguments]) == 0
    (cost,) = json.loads(capsys.readouterr().out)["costs"]
    assert cost["tracked"] == 0


def test_unreadable_video_gives_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--video", str(running.ROOT / "setup.py")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("benchmark: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["--threads=0"], "0 is not"),
        (["--people=17"], "17 is not a whole number from 1 to 16"),
        (["--models", "huge"], "'huge'"),
    ],
)
def test_wrong_arguments_are_rejected(
    arguments: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as rejection:
        main(arguments)
    assert rejection.value.code == 2
    assert value in capsys.readouterr().err.splitlines()[-1]

"""Which model a machine can afford: a row per model and number of threads."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import running

from pose_ros.tools.benchmark import main


def test_each_case_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--models", "lite", "heavy", "--threads", "1", "2", "--images", "4"]
    assert main([*arguments, "--json"]) == 0
    costs = json.loads(capsys.readouterr().out)["costs"]
    cases = [("lite", 1), ("lite", 2), ("heavy", 1), ("heavy", 2)]
    assert [(cost["model"], cost["threads"]) for cost in costs] == cases
    for cost in costs:
        assert (cost["images"], cost["pose_share"]) == (4, 1.0)
        assert cost["p95_ms"] > 0
        assert cost["rate_hz"] == pytest.approx(1e3 / cost["mean_ms"])
    assert costs[2]["memory_mb"] > costs[0]["memory_mb"] + 30  # its weights are 24 MB larger


def test_table_has_the_figures_of_one_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--models", "lite", "--threads", "1", "--images", "3"]) == 0
    headings, row = capsys.readouterr().out.splitlines()
    assert headings.startswith("model      threads   mean ms")
    model, threads, *figures = row.split()
    assert (model, threads, figures[-1]) == ("lite", "1", "100%")
    assert len(figures) == 5


def test_images_without_a_person_are_counted_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((48, 64, 3), np.uint8))
    arguments = ["--models", "lite", "--threads", "1", "--images", "3", "--json"]
    assert main(["--video", str(tmp_path / "black.png"), *arguments]) == 0
    (cost,) = json.loads(capsys.readouterr().out)["costs"]
    assert cost["pose_share"] == 0


def test_unreadable_video_gives_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--video", str(running.ROOT / "setup.py")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("benchmark: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "value"), [(["--threads=0"], "0 is not"), (["--models", "huge"], "'huge'")]
)
def test_wrong_arguments_are_rejected(
    arguments: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as rejection:
        main(arguments)
    assert rejection.value.code == 2
    assert value in capsys.readouterr().err.splitlines()[-1]

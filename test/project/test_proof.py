"""Slow steps of CI run where a file that they depend on has changed since they passed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROOF = Path(__file__).resolve().parents[2] / ".ci" / "proof"
STEP = """#!/bin/sh
# with imports: test/test_a.py
# depends on: data/*.txt
echo ran >> runs
exit $(cat exit_code)
"""
FILES = {
    "test/test_a.py": "import helper\nfrom pose_ros import a\n",
    "test/helper.py": "",
    "pose_ros/__init__.py": "import pose_ros.c\n",
    "pose_ros/a.py": "from pose_ros.b import b\n",
    "pose_ros/b.py": "import pose_ros.a\nb = 1\n",
    "pose_ros/c.py": "",
    "data/one.txt": "",
    "exit_code": "0",
    ".ci/step": STEP,
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / ".ci" / "step").chmod(0o755)
    shutil.copy(PROOF, tmp_path / ".ci" / "proof")
    return tmp_path


def prove(tree: Path, **environment: str) -> tuple[int, bool]:
    """Return the exit code, and whether the step ran."""
    (tree / "runs").unlink(missing_ok=True)
    command = [sys.executable, ".ci/proof", "step"]
    inherited = {name: value for name, value in os.environ.items() if name != "CI_ALL"}
    done = subprocess.run(command, cwd=tree, env=inherited | environment, check=False)
    return done.returncode, (tree / "runs").exists()


def test_a_step_that_passed_runs_again_only_if_all_are_asked_for(tree: Path) -> None:
    assert prove(tree) == (0, True)
    assert prove(tree) == (0, False)
    assert prove(tree, CI_ALL="1") == (0, True)


@pytest.mark.parametrize(
    "name",
    [
        "test/test_a.py",
        "test/helper.py",
        "pose_ros/b.py",
        "data/one.txt",
        "data/new.txt",
        ".ci/step",
    ],
)
def test_it_runs_again_after_a_change_of_a_file_that_it_depends_on(tree: Path, name: str) -> None:
    prove(tree)
    with (tree / name).open("a") as file:
        file.write("# changed\n")
    assert prove(tree) == (0, True)


def test_it_does_not_run_after_a_change_of_another_file(tree: Path) -> None:
    prove(tree)
    (tree / "pose_ros/c.py").write_text("c = 1\n")
    assert prove(tree) == (0, False)


@pytest.mark.parametrize(("code", "expected"), [("1", 1), ("77", 0)], ids=["fails", "skipped"])
def test_it_proves_nothing_if_it_does_not_pass(tree: Path, code: str, expected: int) -> None:
    (tree / "exit_code").write_text(code)
    assert prove(tree) == (expected, True)
    assert prove(tree) == (expected, True)


def test_a_pattern_without_files_is_named(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tree / "data/one.txt").unlink()
    assert prove(tree) == (1, False)
    assert "data/*.txt" in capfd.readouterr().err

"""A command below hide_avx512.py finds a processor without AVX-512, and is otherwise as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import hide_avx512
from benchmark.hide_avx512 import CannotHideError, hiding_environment

PROGRAM = """
#include <stdio.h>
int main(void) {
    printf("%d %d", !!__builtin_cpu_supports("avx2"), !!__builtin_cpu_supports("avx512f"));
}
"""


@pytest.fixture(scope="module", autouse=True)
def _can_hide(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        hiding_environment(tmp_path_factory.mktemp("hide"))
    except CannotHideError as error:
        pytest.skip(f"AVX-512 cannot be hidden here: {error}")


def run(*command: object, hidden: bool = True) -> subprocess.CompletedProcess[str]:
    below = [sys.executable, hide_avx512.__file__] if hidden else []
    return subprocess.run(
        [*below, *map(str, command)], check=False, capture_output=True, text=True
    )


def test_avx512_is_hidden_and_avx2_is_not(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.with_suffix(".c").write_text(PROGRAM)
    subprocess.run(["cc", "-o", program, program.with_suffix(".c")], check=True)
    seen = run(program, hidden=False).stdout.split()
    if seen != ["1", "1"]:
        pytest.skip("this processor has no AVX-512 to hide")
    assert run(program).stdout.split() == ["1", "0"]


def test_children_find_it_hidden_too() -> None:
    """Their own children as well: nothing but the environment says so."""
    code = (
        "import subprocess, sys; from numpy._core import _multiarray_umath as numpy;"
        "print(numpy.__cpu_features__['AVX512F']);"
        "len(sys.argv) > 1 and subprocess.run([sys.executable, '-c', sys.argv[1]])"
    )
    done = run(sys.executable, "-c", code, code)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_the_exit_code_is_the_command_s() -> None:
    assert run("sh", "-c", "exit 7").returncode == 7


def test_a_fault_of_the_program_itself_ends_it() -> None:
    code = "import ctypes; ctypes.string_at(0)"
    assert run(sys.executable, "-c", code).returncode == 128 + signal.SIGSEGV


def test_without_a_compiler_the_message_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotHideError, match="cc"):
        hiding_environment(tmp_path)

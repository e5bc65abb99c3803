"""How commands end: one line for an error, an exit code, nothing for a closed pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
import running

from pose_ros.blazepose.errors import PoseError
from pose_ros.tools.command import Interrupted, interruptible, run_command

CLOSED_PIPE = """
import sys
from pose_ros.tools.command import run_command

def work():
    while True:
        print("a line")

sys.exit(run_command("tool", work))
"""


def raising(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize("error", [PoseError("no model"), OSError("no model")])
def test_errors_are_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("tool", lambda: raising(error)) == 1
    assert capsys.readouterr().err == "tool: no model\n"


def test_bugs_are_not_hidden() -> None:
    with pytest.raises(ValueError, match="bug"):
        run_command("tool", lambda: raising(ValueError("bug")))


@pytest.fixture
def _handlers() -> Iterator[None]:
    """Give the signals back to the tests: they stay ignored where a command was interrupted."""
    numbers = signal.SIGINT, signal.SIGTERM
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_work_once(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second one comes while the work cleans up, the third while the process ends."""
    cleaned = []

    def work() -> int:
        with interruptible():
            try:
                os.kill(os.getpid(), number)
            finally:
                os.kill(os.getpid(), number)
                cleaned.append(True)
        return 0

    assert run_command("tool", work) == 128 + number
    os.kill(os.getpid(), number)
    assert cleaned == [True]
    assert capsys.readouterr().err == "tool: interrupted\n"


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("error", [None, ImportError("initialization failed"), PoseError("bad")])
def test_a_signal_ends_the_work_whatever_a_library_makes_of_it(
    error: Exception | None, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        with interruptible():
            with suppress(Interrupted):
                os.kill(os.getpid(), signal.SIGTERM)
            if error:
                raise error
        return 0

    assert run_command("tool", work) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "tool: interrupted\n"


def test_signals_are_handled_as_before_after_the_work() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("redirection", ["", "2>&1"])
def test_closed_pipe_ends_the_command_without_a_traceback(redirection: str) -> None:
    pipeline = f'{sys.executable} -c "$0" {redirection} | head -n 1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", pipeline, CLOSED_PIPE],
        cwd=running.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "a line\n")
    assert done.stderr.count("\n") == (0 if redirection else 1)
    assert done.stderr.startswith("" if redirection else "tool: ")


def test_file_names_of_any_bytes_are_printed() -> None:
    program = (
        "import sys; from pose_ros.tools.command import run_command\n"
        "sys.exit(run_command('tool', lambda: print(sys.argv[1]) or 0))\n"
    )
    command = [sys.executable, "-c", program, "\udcff.png"]
    done = subprocess.run(command, cwd=running.ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"\xff.png\n")

"""How a command ends: an error as one line on stderr, an interrupt cleanly, with an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TextIO

from pose_ros.blazepose.errors import PoseError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal asked the command to end; `exit_code` is what shells expect then."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def run_command(name: str, work: Callable[[], int]) -> int:
    """Run the work of a command and return its exit code.

    PoseError, OSError and Interrupted become one line on stderr. File names of any bytes can be
    printed, as they are.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        exit_code = work()
        print(end="", flush=True)
    except BrokenPipeError:
        _discard(sys.stdout)
        print_error(name, "nothing reads the output any more")
    except (PoseError, OSError) as error:
        print_error(name, error)
    except Interrupted as interrupt:
        print_error(name, "interrupted")
        return interrupt.exit_code
    else:
        return exit_code
    return 1


def print_error(name: str, reason: object) -> None:
    """Print what went wrong to stderr."""
    try:
        print(f"{name}: {reason}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        _discard(sys.stderr)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM raise Interrupted, and no other disturb what follows.

    A library written in C that calls Python may make an error of its own of it, or lose it: the
    block ends with Interrupted all the same. Signals stay ignored then, for the command ends.
    """
    interrupts: list[Interrupted] = []

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        interrupts.append(Interrupted(number))
        raise interrupts[0]

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    except Exception as error:
        if interrupts:
            raise interrupts[0] from error
        raise
    finally:
        if not interrupts:
            for number, handler in before.items():
                signal.signal(number, handler)
    if interrupts:
        raise interrupts[0]


def _discard(stream: TextIO) -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

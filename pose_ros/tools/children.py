"""Child processes that are stopped in time, and never outlive the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from pose_ros.runtime.package_paths import fast_dds_environment
from pose_ros.tools.domains import unused_domain

# Runs a module as the main one. Before that, the kernel is asked to interrupt the process when
# its parent dies (prctl(2), PR_SET_PDEATHSIG = 1); the parent may be dead already.
_GUARDED = """
import ctypes, os, runpy, signal, sys
parent, sys.argv[:] = int(sys.argv[1]), sys.argv[2:]
ctypes.CDLL(None).prctl(1, signal.SIGINT)
if os.getppid() != parent:
    sys.exit(1)
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except KeyboardInterrupt:  # it was still importing
    sys.exit(130)
"""
_GRACE_S = ((signal.SIGINT, 5.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))


def isolate() -> None:
    """Keep to this machine and to a domain of our own, with room for images between processes."""
    os.environ.update(
        ROS_DOMAIN_ID=str(unused_domain()),
        ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
        **fast_dds_environment(),
    )


def guarded(module: str, arguments: list[str]) -> list[str]:
    """Return the command that runs a module until it ends or this process does."""
    return [sys.executable, "-c", _GUARDED, str(os.getpid()), module, *arguments]


class Child:
    """A Python module that runs as a process of its own, with what it prints in a file.

    It has its own session, so that a terminal's Ctrl-C reaches the parent only.
    """

    def __init__(self, module: str, arguments: list[str], log: Path) -> None:
        self.name = module.rpartition(".")[2]
        self._log = log
        command = guarded(module, arguments)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Interrupt it; terminate and kill it if that does not help in time."""
        for number, grace_s in _GRACE_S:
            if self.exit_code is None:
                self._process.send_signal(number)
                self._wait(grace_s)

    def last_lines(self, lines: int = 10) -> str:
        """Return the last lines that it printed."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _wait(self, timeout_s: float) -> None:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return

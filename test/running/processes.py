"""Python processes in a ROS domain of their own, above all the node's."""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from pose_ros.runtime.shared_memory import remove_half_made_ports
from pose_ros.tools.domains import is_unused
from running.waiting import TIMEOUT_S, until

ROOT = Path(__file__).resolve().parents[2]
DOMAINS = tuple(range(71, 100))
_domains = itertools.cycle(DOMAINS)
_GRACE_S = 20.0


@contextmanager
def domain() -> Iterator[int]:
    """Reserve a ROS domain that nothing else on this machine uses at this time.

    The locks are for other tests, which may not have started their nodes yet. What killed
    processes left half made is deleted, else the first process here would print a line of it.
    """
    for number in itertools.islice(_domains, 10 * len(DOMAINS)):
        path = Path(tempfile.gettempdir()) / f"pose_ros_test_domain_{number}.lock"
        try:
            with path.open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_unused(number):
                    remove_half_made_ports(number, min_age_s=0.0)
                    yield number
                    return
        except (BlockingIOError, PermissionError):
            continue
    raise AssertionError(f"the ROS domains {DOMAINS[0]} to {DOMAINS[-1]} are all in use")


def parameters(**values: object) -> list[str]:
    """Command line arguments that set parameters."""
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }
    return [word for name, text in texts.items() for word in ("-p", f"{name}:={text}")]


def resources_of(pid: int) -> tuple[float, int, int]:
    """Memory of its own in MB (neither files nor shared), threads and open files of a process."""
    folder = Path(f"/proc/{pid}")
    own = folder.joinpath("status").read_text().partition("RssAnon:")[2].split()[0]
    return int(own) / 1024, len(os.listdir(folder / "task")), len(os.listdir(folder / "fd"))


class Process:
    """A Python process in a ROS domain; what it prints is kept in a file.

    `launcher` is a command that ends by running the words that come after it.
    """

    def __init__(
        self, domain_id: int, folder: Path, *command: str, launcher: Sequence[str] = ()
    ) -> None:
        self.domain_id = domain_id
        self._log = folder / "output"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*launcher, sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, "ROS_DOMAIN_ID": str(domain_id)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """All that was printed so far."""
        return self._log.read_text(encoding="utf-8")

    def lines(self, text: str) -> list[str]:
        """The printed lines that contain a text."""
        return [line for line in self.output.splitlines() if text in line]

    def wait_for_line(self, text: str, timeout_s: float = TIMEOUT_S) -> str:
        def last() -> str | None:
            is_running, found = self.is_running, self.lines(text)
            assert found or is_running, f"no line {text!r} in\n{self.output}"
            return found[-1] if found else None

        return until(last, f"the line {text!r}", timeout_s)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait for the end; return the exit code."""
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Terminate it; kill it only if that takes too long, as it may be making a port."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.wait(_GRACE_S)
        self.kill()

    @property
    def cpu_s(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def resources(self) -> tuple[float, int, int]:
        return resources_of(self.pid)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def module(name: str) -> tuple[str, ...]:
    """The words that run a module of the tests' folder."""
    code = (
        "import runpy, sys; sys.path[:0] = ['.', 'test']; "
        f"runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
    )
    return "-c", code


@contextmanager
def process(*command: str) -> Iterator[Process]:
    """Run a Python process; whatever happens, it is gone at the end."""
    with domain() as number, tempfile.TemporaryDirectory() as folder:
        started = Process(number, Path(folder), *command)
        try:
            yield started
        finally:
            started.end()


MODEL = ("-p", "model:=upper_body")
"""The model of nodes whose test does not ask for another: it has one graph, and no mask."""


def node_process(*ros_args: str) -> AbstractContextManager[Process]:
    """Run the node and nothing else: for tests of how it starts and ends."""
    return process("-m", "pose_ros.node", "--ros-args", *MODEL, *ros_args)


@contextmanager
def node(*ros_args: str) -> Iterator[Process]:
    """Run the node; at the end interrupt it, and demand exit code 0 and no traceback."""
    with node_process(*ros_args) as started:
        yield started
        assert started.is_running, started.output
        started.signal(signal.SIGINT)
        assert started.wait() == 0, started.output
        assert "Traceback" not in started.output, started.output

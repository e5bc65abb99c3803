"""Ports of Fast DDS that were left half made do not block a node."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import running

from pose_ros.runtime import shared_memory
from pose_ros.runtime.shared_memory import FOLDER, remove_half_made_ports

# ref: DDSI-RTPS 2.2, 9.6.1.1, the ports of a domain; those of the first five processes.
FIRST_PORT, DOMAIN_PORTS, PORTS = 7400, 250, 20

IN_ANOTHER_FOLDER = """
import sys
from pathlib import Path
from pose_ros.runtime import run, shared_memory
shared_memory.FOLDER = Path(sys.argv[1])
run.init([])
run.shutdown()
"""
WITH_PORTS_THAT_COUNT_AS_OLD = """
import re
import runpy
import sys
from pose_ros.runtime import shared_memory
shared_memory._PORT = re.compile(sys.argv.pop())
shared_memory.remove_half_made_ports.__defaults__ = (-sys.maxsize,)
runpy.run_module("pose_ros.gesture_node", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for /dev/shm, where other tests start nodes that delete."""
    monkeypatch.setattr(shared_memory, "FOLDER", tmp_path)
    return tmp_path


def make_empty(file: Path) -> Path:
    """Make a file of long ago."""
    file.touch()
    os.utime(file, (0, 0))
    return file


@contextmanager
def half_made_ports(domain_id: int) -> Iterator[str]:
    """Make them, too new for nodes of other tests to delete; yield a pattern of their names."""
    first = FIRST_PORT + DOMAIN_PORTS * domain_id
    files = [FOLDER / f"fastrtps_port{number}" for number in range(first, first + PORTS)]
    then_s = time.time() + 2 * running.TIMEOUT_S
    for file in files:
        file.touch()
        os.utime(file, (then_s, then_s))
    try:
        yield "|".join(file.name for file in files)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["fastrtps_port1", "fastdds_port31650"])
def test_an_empty_port_is_deleted_with_a_line(folder: Path, name: str) -> None:
    port = make_empty(folder / name)
    (line,) = remove_half_made_ports()
    assert line.startswith(f"deleted {port}: a killed process left it empty")
    assert not port.exists()


def test_what_is_new_in_use_or_no_port_is_kept(folder: Path) -> None:
    (folder / "fastrtps_port1").touch()
    (folder / "fastrtps_port2").write_bytes(b"1")
    os.utime(folder / "fastrtps_port2", (0, 0))
    for name in ("port3_el", "0123456789abcdef_el", "portable", "4"):
        make_empty(folder / f"fastrtps_{name}")
    before = set(folder.iterdir())
    assert remove_half_made_ports(min_age_s=3600.0) == []
    assert set(folder.iterdir()) == before


def test_what_cannot_be_deleted_is_named(folder: Path) -> None:
    port = make_empty(folder / "fastrtps_port1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", _not_permitted)
        (line,) = remove_half_made_ports()
    assert line.startswith(f"{port} cannot be deleted (Operation not permitted); delete it: ")


def _not_permitted(_: Path, *, missing_ok: bool) -> None:
    assert missing_ok
    raise PermissionError(1, "Operation not permitted")


def test_no_such_folder_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "FOLDER", folder / "none")
    assert remove_half_made_ports() == []


def test_a_process_warns_at_its_start(tmp_path: Path) -> None:
    port = make_empty(tmp_path / "fastrtps_port1")
    with running.process("-c", IN_ANOTHER_FOLDER, str(tmp_path)) as process:
        assert process.wait() == 0, process.output
        (line,) = process.output.splitlines()
        assert "[WARN]" in line
        assert f"deleted {port}" in line


def test_a_node_starts_and_ends_where_ports_were_left_half_made(tmp_path: Path) -> None:
    """Without the deletion it prints nothing, and only SIGKILL ends it."""
    with running.domain() as domain_id, half_made_ports(domain_id) as names:
        node = running.Process(domain_id, tmp_path, "-c", WITH_PORTS_THAT_COUNT_AS_OLD, names)
        try:
            node.wait_for_line("waiting for landmarks")
            node.signal(signal.SIGINT)
            assert node.wait() == 0, node.output
        finally:
            node.kill()

"""Ports of Fast DDS that were left half made do not block a node."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import running

from pose_ros.runtime import shared_memory
from pose_ros.runtime.shared_memory import FOLDER, domain_ports, remove_half_made_ports

DOMAIN = 3
PORT, LAST_PORT = 8150, 8399

IN_ANOTHER_FOLDER = """
import sys
from pathlib import Path
from pose_ros.runtime import run, shared_memory
shared_memory.FOLDER = Path(sys.argv[1])
run.init([])
run.shutdown()
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
def half_made_ports(domain_id: int) -> Iterator[None]:
    """Make those of the first five processes of a domain."""
    numbers = domain_ports(domain_id)[:20]
    files = [make_empty(FOLDER / f"fastrtps_port{number}") for number in numbers]
    try:
        yield
    finally:
        for file in files:
            file.unlink(missing_ok=True)


@pytest.mark.parametrize("name", [f"fastrtps_port{PORT}", f"fastdds_port{LAST_PORT}"])
def test_an_empty_port_is_deleted_with_a_line(folder: Path, name: str) -> None:
    port = make_empty(folder / name)
    (line,) = remove_half_made_ports(DOMAIN)
    assert line.startswith(f"deleted {port}: a killed process left it empty")
    assert not port.exists()


def test_what_is_new_in_use_or_no_port_is_kept(folder: Path) -> None:
    (folder / f"fastrtps_port{PORT}").touch()
    in_use = folder / f"fastrtps_port{PORT + 1}"
    in_use.write_bytes(b"1")
    os.utime(in_use, (0, 0))
    for name in (f"port{PORT}_el", "0123456789abcdef_el", "portable", "4"):
        make_empty(folder / f"fastrtps_{name}")
    before = set(folder.iterdir())
    assert remove_half_made_ports(DOMAIN, min_age_s=3600.0) == []
    assert set(folder.iterdir()) == before


def test_what_cannot_be_deleted_is_named(folder: Path) -> None:
    port = make_empty(folder / f"fastrtps_port{PORT}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", _not_permitted)
        (line,) = remove_half_made_ports(DOMAIN)
    assert line.startswith(f"{port} cannot be deleted (Operation not permitted); delete it: ")


def _not_permitted(_: Path, *, missing_ok: bool) -> None:
    assert missing_ok
    raise PermissionError(1, "Operation not permitted")


def test_no_such_folder_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "FOLDER", folder / "none")
    assert remove_half_made_ports(DOMAIN) == []


def test_a_process_warns_at_its_start(tmp_path: Path) -> None:
    with running.domain() as domain_id:
        port = make_empty(tmp_path / f"fastrtps_port{domain_ports(domain_id)[0]}")
        other = make_empty(tmp_path / f"fastrtps_port{domain_ports(domain_id + 1)[0]}")
        process = running.Process(domain_id, tmp_path, "-c", IN_ANOTHER_FOLDER, str(tmp_path))
        assert process.wait() == 0, process.output
        (line,) = process.output.splitlines()
        assert "[WARN]" in line
        assert f"deleted {port}" in line
        assert other.exists()


def test_a_node_starts_and_ends_where_ports_were_left_half_made(tmp_path: Path) -> None:
    """Without the deletion it prints nothing, and only SIGKILL ends it."""
    with running.domain() as domain_id, half_made_ports(domain_id):
        node = running.Process(domain_id, tmp_path, "-m", "pose_ros.gesture_node")
        try:
            node.wait_for_line("waiting for landmarks")
            node.signal(signal.SIGINT)
            assert node.wait() == 0, node.output
        finally:
            node.kill()

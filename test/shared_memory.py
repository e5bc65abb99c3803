"""Shared memory of Fast DDS that killed processes left behind.

A process that is killed leaves its segment in /dev/shm, 70 MB with the profile of the tests.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from pose_ros.runtime.shared_memory import FOLDER, MIN_AGE_S, half_made_ports

_SEGMENT = re.compile(r"fast(?:rtps|dds)_[0-9a-f]{16}")
_MAPPED = re.compile(rf"{FOLDER}/(\w+)")


def segments() -> list[Path]:
    """All segments of processes, alive or not; the small ones of ports are not among them."""
    return [file for file in FOLDER.glob("fast*") if _SEGMENT.fullmatch(file.name)]


def mapped(process: str = "[0-9]*") -> set[str]:
    """The names of what processes map; those of other users cannot be seen."""
    names: set[str] = set()
    for maps in Path("/proc").glob(f"{process}/maps"):
        try:
            names |= set(_MAPPED.findall(os.fsdecode(maps.read_bytes())))
        except OSError:
            continue  # it has ended, or is another user's
    return names


def remove_orphans(min_age_s: float = MIN_AGE_S) -> None:
    """Delete this user's segments that nobody maps, and half-made ports.

    A segment younger than `min_age_s` may be just being made, and not be mapped yet.
    """
    found = [file for file in segments() if _is_old(file, min_age_s)]
    in_use = mapped()  # after the files were listed: who made one has mapped it by now
    orphans = [file for file in found if file.name not in in_use and not _is_locked(file)]
    for file in orphans:
        for name in (file, _lock_of(file)):
            name.unlink(missing_ok=True)
    for _, port in half_made_ports(min_age_s):
        with suppress(PermissionError):  # another user's
            port.unlink(missing_ok=True)


def _is_old(file: Path, min_age_s: float) -> bool:
    try:
        status = file.stat()
    except OSError:
        return False  # gone by now
    return status.st_uid == os.geteuid() and time.time() - status.st_mtime >= min_age_s


def _lock_of(file: Path) -> Path:
    return file.with_name(f"{file.name}_el")


def _is_locked(file: Path) -> bool:
    """Whether its process lives, in another container maybe, and so holds the lock."""
    try:
        with _lock_of(file).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

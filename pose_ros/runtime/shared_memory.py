"""Ports of Fast DDS in shared memory that killed processes left half made.

A process that is killed while it makes a port leaves an empty file. Fast DDS 2.14 waits forever
where it opens that: a node hangs at its start, without a line, and no signal but SIGKILL ends it.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

FOLDER = Path("/dev/shm")
MIN_AGE_S = 5.0
"""A younger file may be a port that is being made, which takes far less than a millisecond."""
_PORT = re.compile(r"fast(?:rtps|dds)_port[0-9]+")
_REASON = "a killed process left it empty, and Fast DDS would wait forever there"


def remove_half_made_ports(min_age_s: float = MIN_AGE_S) -> list[str]:
    """Delete empty ports older than that; return a line of text for each.

    One of another user cannot be deleted: its line says what to do.
    """
    ports = [file for file in FOLDER.glob("fast*") if _PORT.fullmatch(file.name)]
    return [_removed(file) for file in ports if _is_half_made(file, min_age_s)]


def _is_half_made(file: Path, min_age_s: float) -> bool:
    try:
        status = file.stat()
    except OSError:
        return False  # gone by now
    return status.st_size == 0 and time.time() - status.st_mtime >= min_age_s


def _removed(file: Path) -> str:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        return f"{file} cannot be deleted ({error.strerror}); delete it: {_REASON}"
    return f"deleted {file}: {_REASON}"

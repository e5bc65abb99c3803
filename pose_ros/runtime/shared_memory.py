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
_PORT = re.compile(r"fast(?:rtps|dds)_port([0-9]+)")
_REASON = "a killed process left it empty, and Fast DDS would wait forever there"


def domain_ports(domain_id: int) -> range:
    """Return the numbers of the ports of a ROS domain.

    ref: DDSI-RTPS 2.2, 9.6.1.1
    """
    first = 7400 + 250 * domain_id
    return range(first, first + 250)


def remove_half_made_ports(domain_id: int, min_age_s: float = MIN_AGE_S) -> list[str]:
    """Delete empty ports of a ROS domain older than that; return a line of text for each.

    One of another user cannot be deleted: its line says what to do.
    """
    numbers = domain_ports(domain_id)
    return [_removed(file) for number, file in half_made_ports(min_age_s) if number in numbers]


def half_made_ports(min_age_s: float) -> list[tuple[int, Path]]:
    """Return number and file of each empty port that is older than that."""
    found = ((_PORT.fullmatch(file.name), file) for file in FOLDER.glob("fast*"))
    return [(int(name[1]), file) for name, file in found if name and _is_empty(file, min_age_s)]


def _is_empty(file: Path, min_age_s: float) -> bool:
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

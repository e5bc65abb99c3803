"""Waiting for a condition instead of for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

TIMEOUT_S = 120.0

Result = TypeVar("Result")


def until(
    condition: Callable[[], Result | None], what: str, timeout_s: float = TIMEOUT_S
) -> Result:
    """Return the first result that is neither None nor False; AssertionError after the time."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"timed out after {timeout_s} s waiting for {what}")

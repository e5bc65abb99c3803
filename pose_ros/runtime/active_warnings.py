"""Warnings of what lasts: each is logged when it begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from pose_ros.runtime.endpoints import NAME_S, UNNAMED


class ActiveWarnings:
    """Logs a warning when it begins, and again only after it has ended. Any thread may use it.

    The line waits for the names of the nodes in it, `NAME_S` at most.
    """

    def __init__(self, log: Callable[[str], object]) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._active: dict[str, str] = {}
        self._unlogged_since_s: dict[str, float] = {}

    def update(self, kind: str, text: str | None) -> None:
        """Take the present state of one kind of warning; None: there is none."""
        with self._lock:  # so that no report has it before the line is there
            if self._take(kind, text):
                self._log(str(text))

    def _take(self, kind: str, text: str | None) -> bool:
        """Keep the present state of one kind; return whether it is to be logged now."""
        if text is None:
            self._active.pop(kind, None)
            self._unlogged_since_s.pop(kind, None)
            return False
        now_s = time.monotonic()
        if kind not in self._active:
            self._unlogged_since_s[kind] = now_s
        self._active[kind] = text
        since_s = self._unlogged_since_s.get(kind)
        if since_s is None or (UNNAMED in text and now_s - since_s < NAME_S):
            return False
        del self._unlogged_since_s[kind]
        return True

    def update_all(self, warnings: Mapping[str, str | None]) -> None:
        """Take the present state of several kinds."""
        for kind, text in warnings.items():
            self.update(kind, text)

    def get(self, kind: str) -> str | None:
        """Return the warning of a kind, None if it is not active."""
        with self._lock:
            return self._active.get(kind)

    def texts(self, *kinds: str) -> list[str]:
        """Return the active warnings, of some kinds only if they are given; the oldest first."""
        with self._lock:
            return [text for kind, text in self._active.items() if not kinds or kind in kinds]

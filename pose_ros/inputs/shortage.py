"""What most of the latest images lack."""

from __future__ import annotations

from collections import deque

_IMAGES = 10
_SECONDS = 2.0
_BEGIN_SHARE, _END_SHARE = 0.5, 0.25


class Shortage:
    """Whether most of the latest images lack something; times are those of a steady clock.

    The latest are those of two seconds, and ten at least: no chance explains that. It `is_common`
    from the time on that half of them lack it, until fewer than a quarter do.
    """

    def __init__(self) -> None:
        self._latest: deque[tuple[float, bool]] = deque()
        self.is_common = False

    @property
    def share(self) -> float:
        """Which part of the latest images lack it."""
        return sum(lacks for _, lacks in self._latest) / max(len(self._latest), 1)

    @property
    def is_total(self) -> bool:
        """Whether it is common, and none of the latest images has it."""
        return self.is_common and all(lacks for _, lacks in self._latest)

    def add(self, now_s: float, lacks: bool) -> None:
        """Take the next image."""
        self._latest.append((now_s, lacks))
        while len(self._latest) > _IMAGES and self._latest[1][0] <= now_s - _SECONDS:
            self._latest.popleft()
        self._judge()

    def supply(self) -> None:
        """Count what the newest image lacked as there: it came late."""
        if self._latest:
            self._latest[-1] = (self._latest[-1][0], False)
            self._judge()

    def end(self) -> None:
        """Forget the images."""
        self._latest.clear()
        self.is_common = False

    def _judge(self) -> None:
        begin_s, end_s = self._latest[0][0], self._latest[-1][0]
        if self.share < _END_SHARE:
            self.is_common = False
        elif self.share >= _BEGIN_SHARE:
            is_long = len(self._latest) >= _IMAGES and end_s - begin_s >= _SECONDS
            self.is_common = self.is_common or is_long

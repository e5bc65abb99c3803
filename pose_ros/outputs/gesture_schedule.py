"""When the gesture node publishes, by the time that is counted from image to image."""

from __future__ import annotations

from collections.abc import Mapping

from pose_ros.body.behavior import Doing

_REPEAT_NS, _MARKERS_NS = 500_000_000, 99_000_000
"""Markers are to be looked at: ten times a second will do. Stamps are not quite even."""


class Schedule:
    """What was published of each person last, and when."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, Doing]] = {}
        self._markers_ns: int | None = None

    def due(self, doings: Mapping[int, Doing], time_ns: int) -> set[int]:
        """Return of whom something new is published now, or again after half a second."""
        self._last = {
            number: sent for number, sent in self._last.items() if time_ns - sent[0] < _REPEAT_NS
        }
        new = {
            number: doing
            for number, doing in doings.items()
            if number not in self._last or self._last[number][1] != doing
        }
        self._last |= {number: (time_ns, doing) for number, doing in new.items()}
        return set(new)

    def are_markers_due(self, time_ns: int) -> bool:
        """Return whether markers were not published in the last tenth of a second."""
        if self._markers_ns is not None and time_ns - self._markers_ns < _MARKERS_NS:
            return False
        self._markers_ns = time_ns
        return True

"""When the gesture node publishes, by the stamps of the images."""

from __future__ import annotations

from pose_ros.body.behavior import Doing

_REPEAT_NS, _MARKERS_NS = 500_000_000, 99_000_000
"""Markers are to be looked at: ten times a second will do. Stamps are not quite even."""


class Schedule:
    """What was published of each person last, and when."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, Doing]] = {}
        self._markers_ns: int | None = None

    def is_due(self, person_id: int, doing: Doing, stamp_ns: int) -> bool:
        """Return whether what somebody does is new, or was published half a second ago."""
        last = self._last.get(person_id)
        if last is not None and last[1] == doing and stamp_ns - last[0] < _REPEAT_NS:
            return False
        self._last = {
            number: sent for number, sent in self._last.items() if stamp_ns - sent[0] < 10**10
        }
        self._last[person_id] = (stamp_ns, doing)
        return True

    def are_markers_due(self, stamp_ns: int) -> bool:
        """Return whether markers were not published in the last tenth of a second."""
        if self._markers_ns is not None and stamp_ns - self._markers_ns < _MARKERS_NS:
            return False
        self._markers_ns = stamp_ns
        return True

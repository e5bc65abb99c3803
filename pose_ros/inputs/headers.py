"""What is wrong with the headers of a stream of images."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from std_msgs.msg import Header

from pose_ros.blazepose.timeline import FRAME_NS, MIN_FRAME_NS
from pose_ros.runtime.clock import stamp_to_ns

_IMAGES = 10
"""How many stamps in a row have to be wrong."""


class HeaderCheck:
    """Compares stamps with the times of arrival, and looks at the frame_id.

    `problems` has a text, or None, for each kind of problem. `stamp_scale` is how much longer the
    steps of the stamps are taken to be than they say: more than 1 if the tracker counts them as
    frames.
    """

    def __init__(self) -> None:
        self._stamps: deque[tuple[int, int]] = deque(maxlen=_IMAGES)
        self.problems: Mapping[str, str | None] = {}
        self.stamp_scale = 1.0

    def update(self, header: Header, arrival_ns: int) -> None:
        """Take the header of the next image, which arrived at a time of a steady clock."""
        stamp_ns = stamp_to_ns(header.stamp)
        step_ns = stamp_ns - self._stamps[-1][0] if self._stamps else 0
        self.stamp_scale = FRAME_NS / step_ns if 0 < step_ns < MIN_FRAME_NS else 1.0
        if self.stamp_scale == 1.0:
            self._stamps.clear()
        self._stamps.append((stamp_ns, arrival_ns))
        self.problems = {
            "stamp": f"image stamp {stamp_ns} ns is negative" if stamp_ns < 0 else None,
            "stamp steps": self._too_slow(),
            "frame_id": None if header.frame_id else _NO_FRAME_ID,
        }

    def _too_slow(self) -> str | None:
        if len(self._stamps) < _IMAGES:
            return None
        (first_ns, begin_ns), (last_ns, end_ns) = self._stamps[0], self._stamps[-1]
        stamp_hz, arrival_hz = (
            (_IMAGES - 1) * 1e9 / max(span_ns, 1)
            for span_ns in (last_ns - first_ns, end_ns - begin_ns)
        )
        return (
            f"image stamps advance too slowly: images arrive at {arrival_hz:.3g} Hz, by their "
            f"stamps it would be {stamp_hz:.3g} Hz; each counts as a frame of "
            f"{FRAME_NS / 1e6:.0f} ms. Are the stamps in the right unit?"
        )


_NO_FRAME_ID = "images have an empty frame_id: nothing is published on TF, RViz shows no markers"

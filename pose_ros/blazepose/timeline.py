"""The one rule for time stamps: what counts as the next frame, and what as another recording."""

from __future__ import annotations

from dataclasses import dataclass

FRAME_NS = 33_333_000
MAX_GAP_NS = 2 * 10**9


@dataclass(frozen=True, slots=True)
class Timeline:
    """The time that filters see: `time_ns` grows with every frame.

    `timestamp_ns` is the last stamp that was not zero. `has_jumped` tells that this frame's stamp
    went backwards, or more than 2 s forward, so that nothing from before may be used.
    """

    timestamp_ns: int | None = None
    time_ns: int = 0
    has_jumped: bool = False

    def advance(self, timestamp_ns: int) -> Timeline:
        """Return the timeline at the next frame; begun anew if the stamp jumped.

        A stamp that is zero or equal to the last one counts as a frame of 33.333 ms.
        """
        step_ns = FRAME_NS
        if self.timestamp_ns is not None and timestamp_ns not in (0, self.timestamp_ns):
            step_ns = timestamp_ns - self.timestamp_ns
        if not 0 < step_ns <= MAX_GAP_NS:
            return Timeline(timestamp_ns, FRAME_NS, has_jumped=True)
        return Timeline(timestamp_ns or self.timestamp_ns, self.time_ns + step_ns)

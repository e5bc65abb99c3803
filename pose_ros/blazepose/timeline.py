"""The one rule for time stamps: what counts as the next frame, and what as another recording."""

from __future__ import annotations

from dataclasses import dataclass

FRAME_NS = 33_333_000
MIN_FRAME_NS = 500_000
"""A shorter step is no frame time: the stamp is in a wrong unit, or counts frames."""
MAX_GAP_NS = 2 * 10**9


@dataclass(frozen=True, slots=True)
class Timeline:
    """The time that filters see: `time_ns` grows with every frame.

    `timestamp_ns` is the last stamp that was not zero. `has_jumped`: the stamp of this frame went
    backwards, or more than 2 s forward, so that nothing from before may be used.
    `counted_as_frame`: it does not show how much time has passed, and 33.333 ms are assumed.
    """

    timestamp_ns: int | None = None
    time_ns: int = 0
    has_jumped: bool = False
    counted_as_frame: bool = False

    def advance(self, timestamp_ns: int) -> Timeline:
        """Return the timeline at the next frame; reset if the stamp jumped.

        A stamp that is zero, or less than 0.5 ms after the last one, counts as a frame.
        """
        if timestamp_ns == 0:
            return Timeline(self.timestamp_ns, self.time_ns + FRAME_NS, counted_as_frame=True)
        if self.timestamp_ns is None:
            return Timeline(timestamp_ns, self.time_ns + FRAME_NS)
        step_ns = timestamp_ns - self.timestamp_ns
        if not 0 <= step_ns <= MAX_GAP_NS:
            return Timeline(timestamp_ns, FRAME_NS, has_jumped=True)
        if step_ns < MIN_FRAME_NS:
            return Timeline(timestamp_ns, self.time_ns + FRAME_NS, counted_as_frame=True)
        return Timeline(timestamp_ns, self.time_ns + step_ns)

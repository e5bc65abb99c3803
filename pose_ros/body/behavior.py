"""What people do from image to image: their postures and gestures, steady in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pose_ros.blazepose.timeline import Timeline
from pose_ros.body.figure import Figure
from pose_ros.body.gestures import GESTURES, Gesture, Trace
from pose_ros.body.posture import UNKNOWN, posture

_POSTURE_NS = 500_000_000
"""A posture is taken for another one, or for unknown, once it has been that for so long."""
_BEGIN_NS, _END_NS = 200_000_000, 400_000_000
"""A gesture begins once it has been made for so long, and ends as long after it was last made."""
_FORGOTTEN_NS = 1_000_000_000
"""Who is not seen for longer begins anew, unless seen in the last image, however long ago."""


class Doing(NamedTuple):
    """The posture of a person, and the gestures that are going on, by name."""

    posture: str = UNKNOWN
    gestures: tuple[str, ...] = ()


class Behavior:
    """What the people of one image after the other do, all remembered in one record."""

    def __init__(self) -> None:
        self._people: dict[int, _Person] = {}
        self._timeline = Timeline()

    def update(self, figures: Mapping[int, Figure], stamp_ns: int) -> dict[int, Doing]:
        """Return what people do, by id, in an image of them.

        A stamp that jumps, by the rule of `Timeline`, lets everybody begin anew.
        """
        last_ns = self._timeline.time_ns
        self._timeline = self._timeline.advance(stamp_ns)
        people = {} if self.has_jumped else self._people
        forgotten_ns = min(last_ns, self.time_ns - _FORGOTTEN_NS)
        people = {number: item for number, item in people.items() if item.seen_ns >= forgotten_ns}
        self._people = people | {
            number: people.get(number) or _Person(self.time_ns) for number in figures
        }
        return {
            number: self._people[number].update(figure, self.time_ns)
            for number, figure in figures.items()
        }

    @property
    def time_ns(self) -> int:
        """The time that is counted: it grows with every image, and begins anew at a jump."""
        return self._timeline.time_ns

    @property
    def has_jumped(self) -> bool:
        """Whether the stamp of the last image was too far from the one before."""
        return self._timeline.has_jumped


class _Person:
    """What is remembered of one person; `seen_ns` is when they were last seen."""

    def __init__(self, time_ns: int) -> None:
        self.seen_ns = time_ns
        self._trace = Trace()
        self._posture = _Steady(UNKNOWN, time_ns)
        self._gestures = {gesture: _Steady(False, time_ns) for gesture in GESTURES}

    def update(self, figure: Figure, time_ns: int) -> Doing:
        self.seen_ns = time_ns
        self._trace.add(figure, time_ns)
        steady = self._posture.update(posture(figure), _POSTURE_NS, time_ns)
        made = [item.name for item in GESTURES if self._is_made(item, time_ns)]
        return Doing(str(steady), tuple(made))

    def _is_made(self, gesture: Gesture, time_ns: int) -> bool:
        state = self._gestures[gesture]
        is_going_on = bool(state.value)
        is_made = gesture.is_made(self._trace, gesture.side, is_going_on)
        wait_ns = _END_NS if is_going_on else _BEGIN_NS
        return bool(state.update(is_made, wait_ns, time_ns))


class _Steady:
    """A value that becomes another one only after that has been seen for some time."""

    __slots__ = ("_other", "_since_ns", "value")

    def __init__(self, value: str | bool, time_ns: int) -> None:
        self.value = self._other = value
        self._since_ns = time_ns

    def update(self, seen: str | bool, wait_ns: int, time_ns: int) -> str | bool:
        if seen == self.value:
            self._other = seen
        elif seen != self._other:
            self._other, self._since_ns = seen, time_ns
        elif time_ns - self._since_ns >= wait_ns:
            self.value = seen
        return self.value

"""What people do from image to image: their postures and gestures, steady in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pose_ros.body.figure import Figure
from pose_ros.body.gestures import GESTURES, Gesture, Trace
from pose_ros.body.posture import UNKNOWN, posture

_POSTURE_NS = 500_000_000
"""A posture is taken for another one, or for unknown, once it has been that for so long."""
_BEGIN_NS, _END_NS = 200_000_000, 400_000_000
"""A gesture begins once it has been made for so long, and ends as long after it was last made."""
_FORGOTTEN_NS = 1_000_000_000
"""Who is not seen for longer begins anew."""
_MAX_STEP_NS = 2_000_000_000
_STEP_NS = 33_333_333
"""What is counted between two images that have the same stamp."""


class Doing(NamedTuple):
    """The posture of a person, and the gestures that are going on, by name."""

    posture: str = UNKNOWN
    gestures: tuple[str, ...] = ()


class Behavior:
    """What the people of one image after the other do, all remembered in one record."""

    def __init__(self) -> None:
        self._people: dict[int, _Person] = {}
        self._stamp_ns, self._time_ns = 0, 0

    def update(self, figures: Mapping[int, Figure], stamp_ns: int) -> dict[int, Doing]:
        """Return what people do, by id, in an image of them.

        A stamp that jumps, backwards or by more than 2 s, lets everybody begin anew.
        """
        step_ns = stamp_ns - self._stamp_ns
        if self.has_jumped(stamp_ns):
            self._people = {}
        self._stamp_ns = stamp_ns
        self._time_ns += step_ns if 0 < step_ns <= _MAX_STEP_NS else _STEP_NS
        people = {
            number: person
            for number, person in self._people.items()
            if self._time_ns - person.seen_ns <= _FORGOTTEN_NS
        }
        self._people = people | {
            number: people.get(number) or _Person(self._time_ns) for number in figures
        }
        return {
            number: self._people[number].update(figure, self._time_ns)
            for number, figure in figures.items()
        }

    @property
    def has_begun(self) -> bool:
        """Whether there was an image."""
        return self._time_ns > 0

    def has_jumped(self, stamp_ns: int) -> bool:
        """Return whether a stamp is too far from the last one for the people to be the same."""
        return not 0 <= stamp_ns - self._stamp_ns <= _MAX_STEP_NS


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

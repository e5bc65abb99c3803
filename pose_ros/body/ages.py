"""How long people have had their ids."""

from __future__ import annotations

from collections.abc import Iterable

_KEPT_NS = 60 * 10**9
"""Longer than anybody is held."""


class Ages:
    """The times at which people were first and last there, by id."""

    def __init__(self) -> None:
        self._times_ns: dict[int, tuple[int, int]] = {}
        self._now_ns = 0

    def update(self, person_ids: Iterable[int], time_ns: int) -> None:
        """Take who is there at a time; all others are forgotten if time went backwards."""
        if time_ns < self._now_ns:
            self._times_ns = {}
        first_ns = {number: first for number, (first, _) in self._times_ns.items()}
        self._times_ns |= {
            number: (first_ns.get(number, time_ns), time_ns) for number in person_ids
        }
        self._times_ns = {
            number: times
            for number, times in self._times_ns.items()
            if time_ns - times[1] <= _KEPT_NS
        }
        self._now_ns = time_ns

    def age_ns(self, person_id: int) -> int:
        """Return how long ago somebody who is there was first there."""
        return self._now_ns - self._times_ns[person_id][0]

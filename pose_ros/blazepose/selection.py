"""Who is tracked if there are more people than may be.

Whoever is tracked stays, unless `select` prefers others: then somebody new takes the place of the
least preferred one, but only if clearly preferred for a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.person import PersonState, TrackedPerson

_CLEARLY = 1.25
_PATIENCE_NS = 10**9
_MIN_OFF_CENTER = 0.1


def select_people(
    known: Sequence[TrackedPerson],
    options: PoseTrackerOptions,
    image_size: ImageSize,
    time_ns: int,
    distances_m: Mapping[int, float] = MappingProxyType({}),
) -> tuple[TrackedPerson, ...]:
    """Return those of the known people who stay; tentative ones tracked if seen often enough.

    `distances_m` are those of tracked people by id, and that of a tentative one with id 0.
    """
    by_state = {
        state: [person for person in known if person.state == state] for state in PersonState
    }
    tracked = sorted(by_state[PersonState.TRACKED], key=lambda person: person.person_id)
    tracked, newcomers = tracked[: options.max_persons], by_state[PersonState.TENTATIVE]
    held = by_state[PersonState.HELD]
    room = options.max_persons - len(tracked)
    if room > 0 or options.select == "sticky":
        newcomers = [person.confirmed(held, time_ns) for person in newcomers[:room]]
    elif newcomers:
        compared = [*tracked, newcomers[0]]
        preferences = _preferences(compared, options.select, image_size, distances_m)
        tracked, newcomers = _challenge(compared, preferences, time_ns)
    return (*tracked, *newcomers, *held)


def selected_person(
    tracked: Sequence[TrackedPerson],
    options: PoseTrackerOptions,
    image_size: ImageSize,
    distances_m: Mapping[int, float] = MappingProxyType({}),
) -> TrackedPerson:
    """Return the most preferred of the people who are tracked, one or more.

    With `select` sticky that is the one who was tracked first.
    """
    if options.select == "sticky":
        return min(tracked, key=lambda person: person.person_id)
    preferences = _preferences(tracked, options.select, image_size, distances_m)
    return tracked[int(np.argmax(preferences))]


def _challenge(
    compared: Sequence[TrackedPerson], preferences: Sequence[float], time_ns: int
) -> tuple[list[TrackedPerson], list[TrackedPerson]]:
    """Return who of the tracked people stays, and the last one, the challenger, if not lost."""
    *tracked, challenger = compared
    weakest = int(np.argmin(preferences[:-1]))
    if preferences[-1] < _CLEARLY * preferences[weakest]:
        return tracked, []
    challenger = challenger.preferred(time_ns)
    if not challenger.is_preferred_for(_PATIENCE_NS, time_ns):
        return tracked, [challenger]
    del tracked[weakest]
    return tracked, [challenger.tracked()]


def _preferences(
    people: Sequence[TrackedPerson],
    select: str,
    image_size: ImageSize,
    distances_m: Mapping[int, float],
) -> list[float]:
    """Return numbers above 0 that are larger for people who are rather selected.

    Nearness counts only if the distances of all are known, else their sizes do.
    """
    if select == "center":
        return [_centrality(person, image_size) for person in people]
    known_m = [distances_m.get(person.person_id, 0.0) for person in people]
    if select == "nearest" and min(known_m) > 0:
        return [1 / distance_m for distance_m in known_m]
    return [person.skeleton.circle_px for person in people]


def _centrality(person: TrackedPerson, image_size: ImageSize) -> float:
    middle_px = np.array(image_size) / 2
    off_center = math.dist(person.skeleton.hips_px, middle_px) / math.hypot(*image_size)
    return 1 / (_MIN_OFF_CENTER + off_center)

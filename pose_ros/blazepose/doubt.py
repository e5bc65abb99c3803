"""Whether a pose is surely that of the person it is taken for, where people are close.

When somebody passes in front, the pose of the person behind goes over to the one in front. Its
colors and size are then not those that the person had. So they are until the person is seen again,
or is found to be the one whose looks they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from pose_ros.blazepose.appearance import color_difference
from pose_ros.blazepose.association import (
    Skeleton,
    match_best_first,
    overlap,
    similarity,
)
from pose_ros.blazepose.person import ALIKE, PersonState, TrackedPerson
from pose_ros.blazepose.sighting import Sighting

_CLOSE = 0.3
_COLOR_SPREAD, _SIZE_SPREAD = 20.0, 0.2
_STRANGE, _VERY_STRANGE = 0.8, 1.2
_MAX_DOUBT_NS = 1_000_000_000
_MIN_GAIN = 0.6


def who_is_who(
    known: Sequence[TrackedPerson], sightings: Mapping[int, Sighting], time_ns: int
) -> list[TrackedPerson | None]:
    """Return the known people, of whom some are seen, by index: doubted, exchanged, taken up.

    None stands for somebody who was held and is now another one of them.
    """
    expected = [person.expected(time_ns) for person in known]
    after = [
        doubted(person, sightings[index], expected[:index] + expected[index + 1 :], time_ns)
        if index in sightings and person.state != PersonState.TENTATIVE
        else person
        for index, person in enumerate(known)
    ]
    return taken_up(exchanged(after, sightings, time_ns), sightings, time_ns)


def doubted(
    person: TrackedPerson, seen: Sighting, others: Iterable[Skeleton], time_ns: int
) -> TrackedPerson:
    """Return the person, doubted if what is seen may be one of the others, who is close.

    So it is if the pose has changed, and colors and size are not those of before, or are quite
    other ones; and from then on as long as they are. After a second they are taken for the
    person's own.
    """
    strangeness = deviation(person, seen)
    is_close = any(overlap(seen.skeleton, other) > _CLOSE for other in others)
    if strangeness <= _STRANGE or not (is_close or person.is_doubtful):
        return person
    if person.is_doubtful:
        if time_ns - person.suspected_ns < _MAX_DOUBT_NS:
            return replace(person, strange_ns=time_ns, doubted_ns=time_ns)
        return replace(person, colors=seen.colors, size_px=seen.skeleton.circle_px)
    has_changed = similarity(person.skeleton, seen.skeleton) < ALIKE
    if has_changed or strangeness > _VERY_STRANGE:
        return replace(person, strange_ns=time_ns, doubted_ns=time_ns, suspected_ns=time_ns)
    return replace(person, strange_ns=time_ns)


def exchanged(
    known: Sequence[TrackedPerson], sightings: Mapping[int, Sighting], time_ns: int
) -> list[TrackedPerson]:
    """Return the known people, those exchanged who are taken for each other.

    One of the two is seen and doubtful; the other one is so too, or held, or tentative, near by.
    `sightings` are those of the people who are seen in this image, by index.
    """
    after = list(known)
    for one, other in permutations(range(len(known)), 2):
        seen, also_seen = sightings.get(one), sightings.get(other)
        is_doubted = after[one].doubted_ns == time_ns
        if seen is None or not is_doubted or after[one].state == PersonState.TENTATIVE:
            continue
        if _are_exchanged(after[one], seen, after[other], also_seen, time_ns):
            was_other = after[other]
            after[other] = was_other.as_person(after[one])
            if also_seen is not None:
                after[other] = after[other].tracked()
            after[one] = _as_person(after[one], seen, was_other)
    return after


def _are_exchanged(
    one: TrackedPerson,
    seen: Sighting,
    other: TrackedPerson,
    also_seen: Sighting | None,
    time_ns: int,
) -> bool:
    """Whether a doubtful person is another one, and that one, if seen, this one."""
    is_new = other.state == PersonState.TENTATIVE
    is_unseen = also_seen is None
    if not one.is_near(other, time_ns) or (is_unseen and (is_new or other.is_waiting)):
        return False
    own, crossed = [deviation(one, seen)], []
    if not is_new:
        crossed.append(deviation(other, seen))
    if also_seen is not None:
        crossed.append(deviation(one, also_seen))
        if not is_new:
            own.append(deviation(other, also_seen))
    return sum(own) - sum(crossed) > _MIN_GAIN and max(crossed) < _STRANGE


def _as_person(one: TrackedPerson, seen: Sighting, other: TrackedPerson) -> TrackedPerson:
    """Return a doubtful person as another one; tentative, as seen, if the other one is."""
    if other.state != PersonState.TENTATIVE:
        return one.as_person(other)
    looks = replace(other, colors=seen.colors, size_px=seen.skeleton.circle_px)
    return replace(one.as_person(looks), state=PersonState.TENTATIVE, hits=1)


def taken_up(
    known: Sequence[TrackedPerson], sightings: Mapping[int, Sighting], time_ns: int
) -> list[TrackedPerson | None]:
    """Return the known people: tentative ones who are held ones as these; None for those."""
    after: list[TrackedPerson | None] = list(known)
    new = [index for index in sightings if known[index].state == PersonState.TENTATIVE]
    held = [index for index, one in enumerate(known) if one.state == PersonState.HELD]
    held = [index for index in held if index not in sightings]
    scores = [[known[old].return_score(sightings[one], time_ns) for old in held] for one in new]
    for row, column in match_best_first(np.reshape(scores, (len(new), len(held)))).items():
        after[new[row]] = known[new[row]].as_person(known[held[column]]).tracked()
        after[held[column]] = None
    return after


def deviation(person: TrackedPerson, seen: Sighting) -> float:
    """Return how much colors and size of what is seen are not those of a person."""
    growth = math.log(seen.skeleton.circle_px / person.size_px)
    difference = color_difference(person.colors, seen.colors)
    return math.hypot(difference / _COLOR_SPREAD, growth / _SIZE_SPREAD)

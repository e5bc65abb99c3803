"""Who is looked at in an image, if the landmark model does not run for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose_ros.blazepose.association import overlap
from pose_ros.blazepose.observer import Frame
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.people import People
from pose_ros.blazepose.person import PersonState, TrackedPerson
from pose_ros.blazepose.selection import selected_person
from pose_ros.blazepose.sighting import Sighting

_MIN_HITS = 10
"""Images from which the speed is known well enough."""
_FAR = 0.07
"""Of the diameter of the circle around the person: a pose so far off has a similarity of 0.5."""
_PHASE = 0.618
"""Of the interval, from one id to the next: so people have their turns on different images."""


def waiting_people(people: People, options: PoseTrackerOptions, frame: Frame) -> set[int]:
    """Return the indices of known people who are not looked at in an image.

    They are tracked, are not the selected person, and have had their turn in the present interval;
    where they are should be known: they stand apart from everybody, and hardly move. Nobody waits
    while masks are asked for, since these fit only the image that they were made of.
    """
    known, tracked = people.known, people.tracked()
    interval_ns = round(options.landmark_interval_s * 1e9)
    if interval_ns == 0 or options.max_persons == 1 or frame.with_mask or len(tracked) < 2:
        return set()
    asked_for = [person for person in tracked if person.person_id == frame.selected_id]
    selected, *_ = asked_for or [selected_person(tracked, options, frame.size, frame.distances_m)]
    return {
        index
        for index, person in enumerate(known)
        if person.state == PersonState.TRACKED
        and person is not selected
        and not person.is_doubtful
        and not _is_turn(person, interval_ns, frame.time_ns)
        and not _is_close(index, known, frame.time_ns)
        and not _is_moving(person, frame.time_ns)
    }


def with_waiting(
    people: People, options: PoseTrackerOptions, frame: Frame
) -> tuple[People, set[int]]:
    """Return the people, those waiting who do, and the indices of those who are looked at."""
    waiting = waiting_people(people, options, frame)
    known = tuple(
        replace(person, is_waiting=True) if index in waiting else person
        for index, person in enumerate(people.known)
    )
    return replace(people, known=known), set(range(len(known))) - waiting


def waiting_near(people: People, found: Sequence[Sighting], time_ns: int) -> set[int]:
    """Return the indices of people who wait and may, having moved, be what is found."""
    return {
        index
        for index, person in enumerate(people.known)
        if person.is_waiting
        and person.state == PersonState.TRACKED
        and any(overlap(seen.skeleton, person.expected(time_ns)) > 0 for seen in found)
    }


def _is_turn(person: TrackedPerson, interval_ns: int, time_ns: int) -> bool:
    """Whether a new interval of the person has begun since the person was last looked at."""
    phase_ns = round(person.person_id * _PHASE % 1 * interval_ns)
    seen, now = ((at_ns - phase_ns) // interval_ns for at_ns in (person.seen_ns, time_ns))
    return now > seen


def _is_close(index: int, known: Sequence[TrackedPerson], time_ns: int) -> bool:
    """Whether somebody else is so close that the two may be mistaken for each other."""
    expected = [person.expected(time_ns) for person in known]
    others = expected[:index] + expected[index + 1 :]
    return any(overlap(expected[index], other) > 0 for other in others)


def _is_moving(person: TrackedPerson, time_ns: int) -> bool:
    """Whether the person should be far from where they were last seen, or may be: new people."""
    way_px = np.linalg.norm(person.displacement_px(time_ns))
    return person.hits < _MIN_HITS or bool(way_px > _FAR * person.skeleton.circle_px)

"""What is done with one image: look for the people who are known, and find new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose_ros.blazepose.association import (
    Skeleton,
    is_ghost,
    is_part,
    match_best_first,
    without_ghosts,
)
from pose_ros.blazepose.datatypes import Float64Array, ImageSize, NormalizedRect
from pose_ros.blazepose.doubt import doubted, who_is_who
from pose_ros.blazepose.observer import Frame, Observer, Stage
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.people import People
from pose_ros.blazepose.person import PersonState, TrackedPerson
from pose_ros.blazepose.person_detectors import PersonDetector, Place, make_person_detector
from pose_ros.blazepose.regions import Region, region_within
from pose_ros.blazepose.schedule import waiting_near, with_waiting
from pose_ros.blazepose.selection import select_people
from pose_ros.blazepose.sighting import Sighting
from pose_ros.blazepose.track import Pipeline, Track

_SELECT_INTERVAL_NS = 10**9
# Who stays if two poses are of the same person.
_STRONGEST_FIRST = PersonState.TRACKED, PersonState.HELD, PersonState.TENTATIVE


class Step:
    """Takes people from one image to the next.

    One person is tracked as MediaPipe does it: looked for where the last landmarks were, and
    detected again only after a loss. `stage` gives the context in which a stage, `detect` or
    `landmark`, runs. `boxes_px` (B, 4) are where another detector finds people in the image.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        options: PoseTrackerOptions,
        stage: Stage,
        boxes_px: Float64Array | None = None,
    ) -> None:
        self._model = pipeline.model
        self._options = options
        self._stage = stage
        self._detector = make_person_detector(pipeline, options, boxes_px)
        self._is_single = options.max_persons == 1 and options.select == "sticky"
        self._observer = Observer(pipeline, options, stage, with_colors=not self._is_single)

    def __call__(self, people: People, frame: Frame) -> People:
        """Return the people after an image."""
        was_empty = not people.tracked()
        after = self._look_for_known(people, frame)
        if was_empty or not self._is_single:
            after = self._look_for_new(after, frame, was_empty)
        return after.named()

    def _look_for_new(self, people: People, frame: Frame, was_empty: bool) -> People:
        """Find people who are not known; if there was nobody, one is tracked at once."""
        at_once = self._options.max_persons if self._options.static_image_mode else int(was_empty)
        if frame.rect is not None:
            return self._add(people, [Place(frame.rect)], frame, at_once)
        detector = self._detector
        if detector is not None and (was_empty or self._is_due(detector, people, frame)):
            return self._search(detector, people, frame, at_once)
        return people

    def _is_due(self, detector: PersonDetector, people: People, frame: Frame) -> bool:
        """Return whether it is time for the detector to run while somebody is tracked."""
        interval_ns = self._interval_ns(detector, people, frame)
        return people.search.is_due(interval_ns, frame.time_ns)

    def _interval_ns(self, detector: PersonDetector, people: People, frame: Frame) -> int:
        if len(people.active()) >= self._options.max_persons:
            return _SELECT_INTERVAL_NS
        is_moving = people.search.is_moving(frame.image, self._boxes_px(people, frame))
        return detector.moving_interval_ns if is_moving else detector.interval_ns

    def _skeletons(self, people: People, frame: Frame) -> list[Skeleton]:
        return [person.expected(frame.time_ns) for person in people.active()]

    def _boxes_px(self, people: People, frame: Frame) -> list[Float64Array]:
        return [skeleton.box_px for skeleton in self._skeletons(people, frame)]

    def _look_for_known(self, people: People, frame: Frame) -> People:
        people, indices = with_waiting(people, self._options, frame)
        stay = self._look_at(people, indices, frame).known
        selected = select_people(stay, self._options, frame.size, frame.time_ns, frame.distances_m)
        return replace(people, known=selected)

    def _look_at(self, people: People, indices: set[int], frame: Frame) -> People:
        """Look for some of the known people, by index."""
        rects = self._rects(people, indices, frame)
        seen = self._observer.look(frame, [Place(rect) for rect in rects.values()])
        sightings = {index: one for index, one in zip(rects, seen, strict=True) if one is not None}
        recognized = self._recognized(people.known, sightings, frame.time_ns)
        surely = {index: sightings[index] for index in recognized}
        after = [
            self._seen(person, sightings[index], frame)
            if index in recognized
            else self._missed(person, frame.time_ns)
            if index in indices
            else person
            for index, person in enumerate(who_is_who(people.known, surely, frame.time_ns))
            if person is not None
        ]
        return replace(people, known=tuple(person for person in after if person is not None))

    def _rects(self, people: People, indices: set[int], frame: Frame) -> dict[int, NormalizedRect]:
        """Return where to look for the known people, by index; for no more than may be tracked."""
        if self._is_single and frame.rect is not None:
            return dict.fromkeys(range(len(people.known)), frame.rect)
        room = self._options.max_persons - len(people.active())
        rects = {}
        for index, person in enumerate(people.known):
            rect = person.next_rect(frame.time_ns, frame.size)
            is_held = person.state == PersonState.HELD
            room -= is_held
            if rect is not None and index in indices and (room >= 0 or not is_held):
                rects[index] = rect
        return rects

    def _recognized(
        self, known: Sequence[TrackedPerson], sightings: dict[int, Sighting], time_ns: int
    ) -> list[int]:
        """Return who of the known people is seen, rather than somebody else in the same place."""
        if self._is_single:
            return list(sightings)
        likeness = {i: known[i].likeness(seen, time_ns) for i, seen in sightings.items()}
        likely = sorted(
            (index for index in sightings if likeness[index] > 0),
            key=lambda index: (_STRONGEST_FIRST.index(known[index].state), -likeness[index]),
        )
        return [likely[index] for index in without_ghosts([sightings[i].skeleton for i in likely])]

    def _seen(self, person: TrackedPerson, seen: Sighting, frame: Frame) -> TrackedPerson | None:
        again = person.seen(seen, frame.time_ns, self._options)
        return self._missed(person, frame.time_ns) if again is None else again

    def _missed(self, person: TrackedPerson, time_ns: int) -> TrackedPerson | None:
        """Return the person held, or None if lost."""
        hold_ns = 0 if self._is_single else round(self._options.hold_time_s * 1e9)
        if person.state == PersonState.TENTATIVE or time_ns - person.seen_ns > hold_ns:
            return None
        return replace(person, state=PersonState.HELD)

    def _room(self, people: People) -> int:
        """Return how many more people may be found, among them one who may be preferred."""
        active = people.active()
        room = self._options.max_persons - len(active)
        is_choosing = self._options.select != "sticky"
        is_choosing &= all(person.state == PersonState.TRACKED for person in active)
        return max(room, int(is_choosing), 0)

    def _area(self, size: ImageSize) -> Region:
        """Return where people are detected."""
        x_min, y_min, x_max, y_max = self._options.roi_limits
        if self._options.mirrored_input:
            x_min, x_max = 1 - x_max, 1 - x_min
        return region_within((x_min, y_min, x_max, y_max), size)

    def _regions(self, detector: PersonDetector, frame: Frame) -> tuple[Region, ...]:
        """Return where the detector looks, the whole area first."""
        area = self._area(frame.size)
        is_whole = self._is_single or self._options.static_image_mode
        if is_whole or self._options.detect_regions == "off":
            return (area,)
        return detector.regions(area)

    def _search(
        self, detector: PersonDetector, people: People, frame: Frame, at_once: int
    ) -> People:
        """Detect people: in the whole area first if some are to be tracked at once."""
        regions = self._regions(detector, frame)
        if at_once > 0:
            people = self._detect(detector, people, regions[0], frame, at_once)
            if people.tracked() or len(regions) == 1:
                return people
        region, search = people.search.choose(
            frame.image, regions, self._boxes_px(people, frame), frame.time_ns
        )
        return self._detect(detector, replace(people, search=search), region, frame, at_once=0)

    def _detect(
        self,
        detector: PersonDetector,
        people: People,
        region: Region,
        frame: Frame,
        at_once: int,
    ) -> People:
        if not self._room(people):
            return people
        known = self._skeletons(people, frame)
        with self._stage("detect"):
            unknown = detector.find(frame.image, region, known, turn=people.search.empty_runs)
        lost = [] if self._is_single else self._where_lost(people, frame)
        after = self._add(people, [*unknown, *lost], frame, at_once)
        search = people.search.after(
            region,
            frame.time_ns,
            is_promising=detector.repeats and bool(unknown),
            is_empty=len(after.active()) == len(known),
        )
        return replace(after, search=search)

    def _where_lost(self, people: People, frame: Frame) -> list[Place]:
        """Return where the people who are held should be by now."""
        rects = [person.expected_rect(frame.time_ns, frame.size) for person in people.held()]
        return [Place(rect, is_rough=True) for rect in rects if rect is not None]

    def _add(self, people: People, places: Sequence[Place], frame: Frame, at_once: int) -> People:
        """Return the people with those who are seen in places where nobody is known."""
        sightings = []
        exact = self._observer.settle(frame, places[: self._room(people)])
        found = [seen for seen in self._observer.look(frame, exact) if seen is not None]
        people = self._look_at(people, waiting_near(people, found, frame.time_ns), frame)
        skeletons = self._skeletons(people, frame)
        for seen in found:
            if not self._is_doubtful(seen.skeleton, skeletons):
                sightings.append(seen)
                skeletons.append(seen.skeleton)
        return self._returned_or_new(people, sightings, frame, at_once)

    def _is_doubtful(self, one: Skeleton, others: Sequence[Skeleton]) -> bool:
        return is_ghost(one, others) or is_part(one, others)

    def _returned_or_new(
        self, people: People, sightings: Sequence[Sighting], frame: Frame, at_once: int
    ) -> People:
        """Return the people with those seen; up to `at_once` new ones are tracked already."""
        held, known = people.held(), list(people.known)
        scores = [
            [person.return_score(seen, frame.time_ns) for person in held] for seen in sightings
        ]
        returned = match_best_first(np.reshape(scores, (len(sightings), len(held))))
        for index, seen in enumerate(sightings):
            if index in returned:
                place = known.index(held[returned[index]])
                others = [one.expected(frame.time_ns) for one in known if one is not known[place]]
                back = doubted(known[place], seen, others, frame.time_ns)
                known[place] = self._seen(back, seen, frame) or known[place]
            elif (new := self._found(seen, frame)) is not None:
                known.append(new.tracked() if at_once > 0 else new)
                at_once -= 1
        return replace(people, known=tuple(known))

    def _found(self, seen: Sighting, frame: Frame) -> TrackedPerson | None:
        track = Track(self._model, 0, self._options.smoother)
        return TrackedPerson.found(track, seen, frame.time_ns, self._options)

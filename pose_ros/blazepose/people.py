"""The people in a sequence of images: who goes on, who is out of sight, who is new.

A person found anew is tentative, and tracked after three images in a row. One who is lost, mostly
behind somebody else, is held: looked for, and taken up again with the same id.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from pose_ros.blazepose.appearance import color_difference
from pose_ros.blazepose.association import Skeleton, return_score, similarity
from pose_ros.blazepose.datatypes import (
    Float64Array,
    ImageSize,
    NormalizedRect,
    Pose,
)
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.search import Search
from pose_ros.blazepose.sighting import Sighting
from pose_ros.blazepose.track import Track

_CONFIRMING_HITS = 3
_LOOK_AFTER_LOSS_NS = 300_000_000
_VELOCITY_TIME_S = 0.3
_VELOCITY_FADE_S = 1.0
_LOOKS_TIME_S = 1.0
_STRANGE_COLOR = 25.0
_COLOR_SPREAD = 20.0
_NEVER_NS = -(10**18)
_DOUBT_NS = 150_000_000


class PersonState(IntEnum):
    """Whether a person is tracked; the values are those of the landmarks message."""

    TENTATIVE = 1
    TRACKED = 2
    HELD = 3


_MIN_SIMILARITY = {
    PersonState.TENTATIVE: 0.6,
    PersonState.TRACKED: 0.2,
    PersonState.HELD: 0.3,
}


@dataclass(frozen=True, slots=True, eq=False)
class TrackedPerson:
    """What is remembered of one person.

    `pose`, `skeleton`, `color` (3,) and `velocity_px_s` (2,) are those of the last image in which
    the person was seen, at `seen_ns`; `hits` counts these images. `size_px` is the diameter of the
    circle around the person in the last second; at `doubted_ns` the pose may have been another's.
    A person `is_waiting` who was not looked at in the last image.
    """

    state: PersonState
    track: Track
    pose: Pose
    skeleton: Skeleton
    color: Float64Array
    velocity_px_s: Float64Array
    seen_ns: int
    size_px: float
    hits: int = 1
    doubted_ns: int = _NEVER_NS
    is_waiting: bool = False
    preferred_ns: int | None = None

    @classmethod
    def found(
        cls, track: Track, seen: Sighting, time_ns: int, options: PoseTrackerOptions
    ) -> TrackedPerson | None:
        """Return a person seen for the first time; None if the next image has no ROI for them."""
        updated = track.update(
            seen.observation, time_ns, seen.detection, options.smooth_segmentation
        )
        if updated is None:
            return None
        pose, track = updated
        (joints, color), still = (seen.skeleton, seen.color), np.zeros(2)
        return cls(
            PersonState.TENTATIVE, track, pose, joints, color, still, time_ns, joints.circle_px
        )

    @property
    def person_id(self) -> int:
        """The id; 0 for a person who was never tracked."""
        return self.track.person_id

    @property
    def is_doubtful(self) -> bool:
        """Whether the pose may be that of somebody else, or was so shortly before."""
        return self.seen_ns - self.doubted_ns < _DOUBT_NS

    def pose_at(self, time_ns: int) -> Pose:
        """Return the last pose, and how old it is."""
        if time_ns == self.seen_ns:
            return self.pose
        is_held, held_ns = self.state == PersonState.HELD, time_ns - self.seen_ns
        return replace(self.pose, detection=None, is_held=is_held, held_ns=held_ns)

    def tracked(self) -> TrackedPerson:
        """Return the person tracked."""
        return replace(self, state=PersonState.TRACKED)

    def confirmed(self) -> TrackedPerson:
        """Return the person, tracked if seen often enough."""
        return self.tracked() if self.hits >= _CONFIRMING_HITS else self

    def preferred(self, time_ns: int) -> TrackedPerson:
        """Return the person, preferred to one who is tracked."""
        return replace(self, preferred_ns=time_ns) if self.preferred_ns is None else self

    def is_preferred_for(self, duration_ns: int, time_ns: int) -> bool:
        """Whether the person has been preferred for so long."""
        return self.preferred_ns is not None and time_ns - self.preferred_ns >= duration_ns

    def named(self, person_id: int) -> TrackedPerson:
        """Return the person with an id."""
        return replace(
            self,
            track=replace(self.track, person_id=person_id),
            pose=replace(self.pose, person_id=person_id),
        )

    def with_fresh_filter(self, options: PoseTrackerOptions) -> TrackedPerson:
        """Return the person with filters that have seen nothing."""
        return replace(self, track=replace(self.track, smoother=options.smoother))

    def displacement_px(self, time_ns: int) -> Float64Array:
        """Return how far (2,) the person has moved since last seen, if nothing stopped it."""
        gap_s = (time_ns - self.seen_ns) * 1e-9
        reach_s = _VELOCITY_FADE_S * (1 - math.exp(-gap_s / _VELOCITY_FADE_S))
        return self.velocity_px_s * reach_s

    @property
    def _is_moved(self) -> bool:
        return self.state == PersonState.HELD or self.is_waiting

    def expected(self, time_ns: int) -> Skeleton:
        """Return where the person should be: elsewhere than last seen only if held or waiting."""
        if not self._is_moved:
            return self.skeleton
        return self.skeleton.moved(self.displacement_px(time_ns))

    def next_rect(self, time_ns: int, size: ImageSize) -> NormalizedRect | None:
        """Return where to look for the person in the next image; None if held for long."""
        rect = self.track.next_rect
        if rect is None or not self._is_moved:
            return rect
        if self.state == PersonState.HELD and time_ns - self.seen_ns > _LOOK_AFTER_LOSS_NS:
            return None
        x, y = self.displacement_px(time_ns) / size
        return rect._replace(
            x_center=np.float32(rect.x_center + x), y_center=np.float32(rect.y_center + y)
        )

    def likeness(self, seen: Sighting, time_ns: int) -> float:
        """Return in [0, 1] how much this is the person as expected; 0 if it is not."""
        likeness = similarity(self.expected(time_ns), seen.skeleton)
        difference = color_difference(self.color, seen.color)
        if likeness < _MIN_SIMILARITY[self.state] or difference > _STRANGE_COLOR:
            return 0.0
        return likeness * math.exp(-((difference / _COLOR_SPREAD) ** 2) / 2)

    def return_score(self, seen: Sighting, time_ns: int) -> float:
        """Return in [0, 1] how likely this held person is seen again."""
        gap_s = (time_ns - self.seen_ns) * 1e-9
        difference = color_difference(self.color, seen.color)
        return return_score(seen.skeleton, self.expected(time_ns), gap_s, difference)

    def seen(
        self, seen: Sighting, time_ns: int, options: PoseTrackerOptions
    ) -> TrackedPerson | None:
        """Return the person seen again; None if the next image has no ROI for them."""
        is_held = self.state == PersonState.HELD
        track = self.with_fresh_filter(options).track if is_held else self.track
        updated = track.update(
            seen.observation, time_ns, seen.detection, options.smooth_segmentation
        )
        if updated is None:
            return None
        pose, track = updated
        gap_s = (time_ns - self.seen_ns) * 1e-9
        adapted = 1 - math.exp(-min(gap_s, 0.1) / _LOOKS_TIME_S)
        return replace(
            self,
            state=PersonState.TRACKED if is_held else self.state,
            track=track,
            pose=pose,
            skeleton=seen.skeleton,
            color=self.color + adapted * (seen.color - self.color),
            size_px=self.size_px + adapted * (seen.skeleton.circle_px - self.size_px),
            velocity_px_s=self._next_velocity_px_s(seen.skeleton, gap_s),
            seen_ns=time_ns,
            is_waiting=False,
            hits=self.hits + 1,
        )

    def _next_velocity_px_s(self, now: Skeleton, gap_s: float) -> Float64Array:
        if self.state == PersonState.HELD:
            return self.velocity_px_s * math.exp(-gap_s / _VELOCITY_FADE_S)
        velocity_px_s = (now.hips_px - self.skeleton.hips_px) / gap_s
        weight = 1 - math.exp(-gap_s / _VELOCITY_TIME_S)
        return self.velocity_px_s + weight * (velocity_px_s - self.velocity_px_s)


@dataclass(frozen=True, slots=True)
class People:
    """All that is remembered of people, and of the search for them."""

    next_person_id: int
    known: tuple[TrackedPerson, ...] = ()
    search: Search = field(default_factory=Search)

    def active(self) -> list[TrackedPerson]:
        """Return the people who were seen when last looked at."""
        return [person for person in self.known if person.state != PersonState.HELD]

    def held(self) -> list[TrackedPerson]:
        """Return the people who were not seen then."""
        return [person for person in self.known if person.state == PersonState.HELD]

    def tracked(self) -> list[TrackedPerson]:
        """Return the people who are tracked."""
        return [person for person in self.known if person.state == PersonState.TRACKED]

    def poses(self, state: PersonState, time_ns: int) -> list[Pose]:
        """Return the last poses, by id, of the people in a state.

        Those who are seen are left out while their poses may be those of others.
        """
        people = [person for person in self.known if person.state == state]
        sure = [one for one in people if state == PersonState.HELD or not one.is_doubtful]
        return sorted((one.pose_at(time_ns) for one in sure), key=lambda pose: pose.person_id)

    def with_fresh_filters(self, options: PoseTrackerOptions) -> People:
        """Return the people as before, but with filters that have seen nothing."""
        return replace(self, known=tuple(one.with_fresh_filter(options) for one in self.known))

    def named(self) -> People:
        """Return the people, with ids for those who are tracked and have none yet."""
        next_id, known = self.next_person_id, []
        for person in self.known:
            if person.state == PersonState.TRACKED and person.person_id == 0:
                known.append(person.named(next_id))
                next_id += 1
            else:
                known.append(person)
        return replace(self, next_person_id=next_id, known=tuple(known))

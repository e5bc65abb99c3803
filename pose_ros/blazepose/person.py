"""One person in a sequence of images: where last seen, where expected, recognized by what."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from pose_ros.blazepose.appearance import adapted_colors, color_difference
from pose_ros.blazepose.association import Skeleton, return_score, similarity
from pose_ros.blazepose.datatypes import Float64Array, ImageSize, NormalizedRect, Pose
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.sighting import Sighting
from pose_ros.blazepose.track import Track

_CONFIRMING_HITS, _CONFIRMING_HITS_BESIDE = 3, 6
_NEAR = 1.0
ALIKE = 0.7
"""Poses in two images in a row are alike from this similarity on."""
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

    `pose`, `skeleton` and `velocity_px_s` (2,) are those of the last image in which the person was
    seen, at `seen_ns`; `hits` counts these images. `colors` (2, 3) and `size_px`, the diameter of
    the circle around the person, are those of the last second, except when they were `strange`.
    The pose may have been another's at `doubted_ns`, and all the time since `suspected_ns`. Who
    was not looked at in the last image `is_waiting`.
    """

    state: PersonState
    track: Track
    pose: Pose
    skeleton: Skeleton
    colors: Float64Array
    velocity_px_s: Float64Array
    seen_ns: int
    size_px: float
    hits: int = 1
    strange_ns: int = _NEVER_NS
    doubted_ns: int = _NEVER_NS
    suspected_ns: int = _NEVER_NS
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
        (joints, colors), still = (seen.skeleton, seen.colors), np.zeros(2)
        return cls(
            PersonState.TENTATIVE, track, pose, joints, colors, still, time_ns, joints.circle_px
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

    def confirmed(self, others: Iterable[TrackedPerson], time_ns: int) -> TrackedPerson:
        """Return the person, tracked if seen often enough; longer beside one of others, held."""
        is_beside = any(self.is_near(other, time_ns) for other in others)
        hits = _CONFIRMING_HITS_BESIDE if is_beside else _CONFIRMING_HITS
        return self.tracked() if self.hits >= hits else self

    def is_near(self, other: TrackedPerson, time_ns: int) -> bool:
        """Whether the person is so near to where another one should be that it may be the same."""
        one, two = self.expected(time_ns), other.expected(time_ns)
        size_px = math.sqrt(one.circle_px * two.circle_px)
        return math.dist(one.hips_px, two.hips_px) < _NEAR * size_px

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

    def as_person(self, other: TrackedPerson) -> TrackedPerson:
        """Return what is seen of this person as that of another: with the other's id and looks."""
        named = self.named(other.person_id)
        return replace(named, colors=other.colors, size_px=other.size_px)

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
        """Return where to look for the person in the next image; None if held for long.

        Nor is a held person looked for whose middle should be outside of the image.
        """
        if not self._is_moved:
            return self.track.next_rect
        if self.state != PersonState.HELD:
            return self._moved_rect(time_ns, size)
        is_recent = time_ns - self.seen_ns <= _LOOK_AFTER_LOSS_NS
        return self.expected_rect(time_ns, size) if is_recent else None

    def expected_rect(self, time_ns: int, size: ImageSize) -> NormalizedRect | None:
        """Return where a held person should be; None if the middle is outside of the image."""
        rect = self._moved_rect(time_ns, size)
        if rect is None or not (0 <= rect.x_center <= 1 and 0 <= rect.y_center <= 1):
            return None
        return rect

    def _moved_rect(self, time_ns: int, size: ImageSize) -> NormalizedRect | None:
        rect = self.track.next_rect
        if rect is None:
            return None
        x, y = self.displacement_px(time_ns) / size + (rect.x_center, rect.y_center)
        return rect._replace(x_center=np.float32(x), y_center=np.float32(y))

    def likeness(self, seen: Sighting, time_ns: int) -> float:
        """Return in [0, 1] how much this is the person as expected; 0 if it is not."""
        likeness = similarity(self.expected(time_ns), seen.skeleton)
        difference = color_difference(self.colors, seen.colors)
        is_strange = difference > _STRANGE_COLOR and likeness < ALIKE
        if likeness < _MIN_SIMILARITY[self.state] or is_strange:
            return 0.0
        return likeness * math.exp(-((difference / _COLOR_SPREAD) ** 2) / 2)

    def return_score(self, seen: Sighting, time_ns: int) -> float:
        """Return in [0, 1] how likely this held person is seen again."""
        gap_s = (time_ns - self.seen_ns) * 1e-9
        difference = color_difference(self.colors, seen.colors)
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
        is_strange = self.strange_ns == time_ns
        adapted = max(1 - math.exp(-min(gap_s, 0.1) / _LOOKS_TIME_S), 1 / (self.hits + 1))
        adapted *= not is_strange
        return replace(
            self,
            state=PersonState.TRACKED if is_held else self.state,
            track=track,
            pose=pose,
            skeleton=seen.skeleton,
            colors=adapted_colors(self.colors, seen.colors, adapted),
            size_px=self.size_px + adapted * (seen.skeleton.circle_px - self.size_px),
            velocity_px_s=self._next_velocity_px_s(seen.skeleton, gap_s),
            seen_ns=time_ns,
            is_waiting=False,
            hits=self.hits + 1,
        )

    def _next_velocity_px_s(self, now: Skeleton, gap_s: float) -> Float64Array:
        if self.state == PersonState.HELD or self.strange_ns > self.seen_ns:
            return self.velocity_px_s * math.exp(-gap_s / _VELOCITY_FADE_S)
        velocity_px_s = (now.hips_px - self.skeleton.hips_px) / gap_s
        weight = 1 - math.exp(-gap_s / _VELOCITY_TIME_S)
        return self.velocity_px_s + weight * (velocity_px_s - self.velocity_px_s)

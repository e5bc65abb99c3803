"""Who of the people in the frames is the target, and what was asked for about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array, size_of
from pose_ros.body.signals import Signals
from pose_ros.body.target import Candidate, TargetChoice, off_center
from pose_ros.body.velocity import Motion
from pose_ros.outputs.frame import Frame, Person, Target

Find = Callable[[int], "Motion | None"]


class Following:
    """Gives frames, one after the other, their target.

    One thread applies it; any other may ask for another target, and for what to report.
    """

    def __init__(self) -> None:
        self._requests: deque[str] = deque()
        self._choice = TargetChoice()
        self._signals: Signals | None = None
        self._facing: Float64Array | None = None
        self._time_ns, self._follow = 0, "none"
        self._lost = _Lost()

    @property
    def target_id(self) -> int | None:
        """Who is the target, seen or not; None if nobody is."""
        return self._choice.person_id

    def request_next(self) -> None:
        """Have the next person be the target from the next frame on."""
        self._requests.append("next")

    def request_release(self) -> None:
        """Have nobody be the target from the next frame on, until the next one is asked for."""
        self._requests.append("release")

    def apply(self, frame: Frame, find: Find, hold_time_s: float) -> Frame:
        """Return a frame, whose people have their motions, with its target.

        `find` gives the present motion of a person who need not be in the frame.
        """
        self._choose(frame, round(hold_time_s * 1e9))
        target_id, time_ns = self._choice.person_id, frame.poses.time_ns
        motion = None if target_id is None else find(target_id)
        if motion is not None and time_ns - motion.seen_ns > hold_time_s * 1e9:
            motion = None
        for person in frame.people:
            if person.pose.person_id == target_id and person.facing is not None:
                self._facing = person.facing
        self._lost.update(frame, self._choice, motion)
        if target_id is None or motion is None:
            return replace(frame, target_id=target_id, target=None)
        return replace(frame, target_id=target_id, target=Target(motion, self._facing))

    def _choose(self, frame: Frame, hold_ns: int) -> None:
        time_ns, before = frame.poses.time_ns, self._choice
        has_jumped = frame.poses.has_jumped or time_ns < self._time_ns
        if has_jumped:
            self._lost = _Lost()
        if has_jumped or frame.options.follow != self._follow:
            before = TargetChoice(is_released=before.is_released)
        self._time_ns, self._follow = time_ns, frame.options.follow
        present = [pose.person_id for pose in frame.poses]
        before = self._asked(frame, before)
        is_kept = before.person_id in present and not self._requests
        is_asked_for = "next" in self._requests
        candidates = [] if is_kept else _candidates(frame)
        while self._requests:
            request = self._requests.popleft()
            before = before.next(candidates, time_ns) if request == "next" else before.released()
        if self._signals is not None and not is_asked_for:
            candidates = [one for one in candidates if self._signals.is_calling(one.person_id)]
        follow = frame.options.follow
        self._choice = before.updated(present, candidates, follow, hold_ns, time_ns)
        if self._choice.person_id != before.person_id:
            self._facing = None

    def _asked(self, frame: Frame, before: TargetChoice) -> TargetChoice:
        """Return the choice after the gestures of people, if they count.

        The target may end it. A wave counts after ~/release_target too: somebody asks for it.
        """
        if frame.options.follow != "gesture":
            self._signals = None
            return before
        if self._signals is None:  # whoever was chosen otherwise has not asked for it
            self._signals, before = Signals(), TargetChoice()
        self._signals.update((person.pose for person in frame.people), frame.poses.time_ns)
        if before.person_id is not None and self._signals.is_sending_away(before.person_id):
            return TargetChoice()
        is_called = any(map(self._signals.is_calling, [p.pose.person_id for p in frame.people]))
        return replace(before, is_released=before.is_released and not is_called)

    def facts(self, follow: str) -> Mapping[str, str]:
        """Return who was the target in the last frame; if nobody was, since when and why."""
        return self._lost.facts(follow)


class _Lost:
    """What is reported of the target: who it is, or since when and why nobody is."""

    def __init__(self) -> None:
        self._target: str | None = None
        self._reason = "no image was processed for it"
        self._stamps_s: tuple[float, float] | None = None

    def update(self, frame: Frame, choice: TargetChoice, motion: Motion | None) -> None:
        """Take the target of a frame."""
        stamp_s = frame.header.stamp.sec + frame.header.stamp.nanosec * 1e-9
        if motion is not None:
            self._target, self._stamps_s = f"person {choice.person_id}", (stamp_s, stamp_s)
            return
        self._target, self._reason = None, _reason(frame, choice)
        if self._stamps_s is not None:
            self._stamps_s = (self._stamps_s[0], stamp_s)

    def facts(self, follow: str) -> Mapping[str, str]:
        """Return them for the diagnostics; `follow` is the option."""
        if follow == "none":
            return {"target": "none: follow is none"}
        if self._target is not None:
            return {"target": self._target}
        since = "never there"
        if self._stamps_s is not None:
            last_s, now_s = self._stamps_s
            since = f"lost since {last_s:.3f}, {max(now_s - last_s, 0):.1f} s ago"
        return {"target": f"none, {since}: {self._reason}"}


def _reason(frame: Frame, choice: TargetChoice) -> str:
    """Return why a frame has no target."""
    if choice.is_released:
        return "released by ~/release_target"
    if choice.person_id is None and frame.people and frame.options.follow == "gesture":
        return "nobody waves"
    if choice.person_id is None:
        return "the position of nobody is known" if frame.people else "nobody is tracked"
    if choice.person_id in (pose.person_id for pose in frame.poses):
        return f"the position of person {choice.person_id} is unknown"
    return f"person {choice.person_id} is not seen"


def _candidates(frame: Frame) -> list[Candidate]:
    """Return the people who are tracked and whose position is known."""
    return [
        _candidate(frame, person)
        for person in frame.people
        if person.motion is not None and not person.pose.is_held
    ]


def _candidate(frame: Frame, person: Person) -> Candidate:
    pelvis_m = np.nan if person.position is None else person.position.pelvis_m
    distance_m = float(np.linalg.norm(pelvis_m))
    roi = person.pose.roi
    return Candidate(
        person.pose.person_id,
        distance_m if np.isfinite(distance_m) else np.inf,
        off_center(roi.center_px.tolist(), size_of(frame.image)),
        roi.size_px,
    )

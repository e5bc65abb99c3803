"""How the people of a frame move, in the frame that positions are published in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from pose_ros.body.orientation import facing_axes
from pose_ros.body.velocity import Motion, Observation, moved
from pose_ros.geometry.located import Position
from pose_ros.outputs.frame import Frame, Person

_MAX_DISTANCE_M = 1000.0
"""Who seems farther away is nowhere: the camera's calibration is nonsense."""
_NOISE_TIME_S = 0.1
"""How long a pose is off in the same way. From test/outputs/real_motions.py."""


class Motions:
    """Gives the people of frames, one after the other, their motions; for one thread only."""

    def __init__(self) -> None:
        self._motions: Mapping[int, Motion] = {}
        self._frame_id = ""
        self._time_ns = 0
        self._is_known = False

    def reset(self) -> None:
        """Forget all motions."""
        self._motions = {}

    def find(self, person_id: int) -> Motion | None:
        """Return the motion of somebody in the last frame, who may be out of sight."""
        return self._motions.get(person_id) if self._is_known else None

    def apply(self, frame: Frame) -> Frame:
        """Return a located frame with the motions of its people, and the axes of their bodies.

        Held people are where they should be by now. Both are unknown without the transform to
        the frame of positions.
        """
        self._update(frame)
        self._is_known = frame.is_output_frame_known
        people = tuple(self._moving(person, frame) for person in frame.people)
        return replace(frame, people=people, has_motions=True)

    def _update(self, frame: Frame) -> None:
        time_ns, frame_id = frame.poses.time_ns, frame.output_frame_id
        is_continued = self._time_ns < time_ns and frame_id == self._frame_id
        if frame.poses.has_jumped or not is_continued:
            self.reset()
        seen = _observations(frame) if frame.is_output_frame_known else {}
        self._motions = moved(self._motions, seen, time_ns)
        self._time_ns, self._frame_id = time_ns, frame_id

    def _moving(self, person: Person, frame: Frame) -> Person:
        if not self._is_known:
            return replace(person, motion=None, facing=None)
        facing = facing_axes(person.pose)
        if facing is not None and frame.transform is not None:
            facing = frame.output_rotation @ facing
        motion = self._motions.get(person.pose.person_id)
        return Person(person.pose, person.position, motion, facing, person.age_ns)


def _observations(frame: Frame) -> dict[int, Observation]:
    """Return what is seen, in the frame of positions, of people whose pelvis is located."""
    observations = {}
    for person in frame.people:
        if person.position is not None and person.pose.held_ns == 0:
            distance_m = math.hypot(*person.position.pelvis_m.tolist())
            if distance_m < _MAX_DISTANCE_M:  # false for NaN too
                found = _observation(frame, person.position, distance_m)
                observations[person.pose.person_id] = found
    return observations


def _observation(frame: Frame, position: Position, distance_m: float) -> Observation:
    """Return the pelvis; of the variance of its distance, only a part is other in each image."""
    variance_m2 = max(position.distance_std_m**2 - position.distance_noise_m**2, 0.0)
    scale_std = math.sqrt(variance_m2) / distance_m
    pelvis_m, covariance_m2 = position.pelvis_m, position.pelvis_covariance_m2
    biased_m = scale_std * pelvis_m
    output_m = pelvis_m
    if frame.transform is not None:
        rotation = frame.output_rotation
        biased_m, covariance_m2 = rotation @ biased_m, rotation @ covariance_m2 @ rotation.T
        output_m = frame.to_output_frame(pelvis_m[None])[0]
    bias_m2 = biased_m[:, None] * biased_m
    noise_m2 = covariance_m2 - bias_m2
    return Observation(output_m, noise_m2, bias_m2, scale_std, position.source, _NOISE_TIME_S)

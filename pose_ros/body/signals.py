"""Who asks to be followed, and who asks to be left: by a wave, and by raising both arms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pose_ros.blazepose.datatypes import Pose
from pose_ros.body.behavior import Behavior, Doing
from pose_ros.body.figure import LEVEL_CAMERA_UP, Figure, figure_of
from pose_ros.body.vectors import Vector

_WAVES = {"waving_left", "waving_right"}
_BOTH_RAISED = {"raising_left_arm", "raising_right_arm"}


class Signals:
    """What the people of one image after the other ask for."""

    def __init__(self) -> None:
        self._behavior = Behavior()
        self._doings: Mapping[int, Doing] = {}

    def update(self, poses: Iterable[Pose], time_ns: int, up: Vector = LEVEL_CAMERA_UP) -> None:
        """Take the people of an image; `up` is the unit vector upward in the camera's frame."""
        figures = {pose.person_id: _figure(pose, up) for pose in poses if not pose.is_held}
        self._doings = self._behavior.update(figures, time_ns)

    def is_calling(self, person_id: int) -> bool:
        """Return whether somebody waves."""
        return bool(_WAVES & self._gestures(person_id)) and not self.is_sending_away(person_id)

    def is_sending_away(self, person_id: int) -> bool:
        """Return whether somebody raises both arms."""
        return self._gestures(person_id) >= _BOTH_RAISED

    def _gestures(self, person_id: int) -> set[str]:
        return set(self._doings.get(person_id, Doing()).gestures)


def _figure(pose: Pose, up: Vector) -> Figure:
    world_m = pose.world_landmarks_m
    points_m = None if world_m is None else world_m.tolist()
    return figure_of(points_m, pose.landmarks_px.tolist, pose.visibility.tolist(), up)

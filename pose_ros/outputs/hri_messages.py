"""Messages of a body by REP 155: pure functions of a frame, one of its people, and hri_msgs.msg.

ref: ros4hri/hri_msgs, branch humble-devel. Coordinates are parts of the image's size, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import Image, JointState

from pose_ros.blazepose.datatypes import Float64Array, Pose, size_of
from pose_ros.blazepose.drawing import drawn_landmarks
from pose_ros.body.human_model import model_joints
from pose_ros.outputs.body_ids import body_frame, body_id
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.images import image_from_rgb
from pose_ros.outputs.transforms import person_transforms

SKELETON = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle"),
    *("left_hip", "left_knee", "left_ankle", "left_eye", "right_eye", "left_ear", "right_ear"),
)
"""The points of a Skeleton2D, in their order; the neck is between the shoulders."""
_MARGIN = 0.1
"""Of the box around the landmarks, which end at the eyes and the ankles."""


def ids_list(frame: Frame, types: ModuleType) -> Any:  # noqa: ANN401
    """Build the list of the people in a frame."""
    prefix = frame.options.tf_prefix
    ids = [body_id(prefix, person.pose.person_id) for person in frame.people]
    return types.IdsList(header=frame.header, ids=ids)


def roi(frame: Frame, person: Person, types: ModuleType) -> Any:  # noqa: ANN401
    """Build the box around the visible landmarks, with a margin, inside of the image."""
    left, top, right, bottom = (_box_px(frame, person.pose) / _sides_px(frame)).ravel().tolist()
    return types.NormalizedRegionOfInterest2D(
        header=frame.header, xmin=left, ymin=top, xmax=right, ymax=bottom, c=person.pose.score
    )


def cropped(frame: Frame, person: Person, _types: ModuleType) -> Image:
    """Build the part of the image in the box."""
    box_px = _box_px(frame, person.pose)
    width, height = size_of(frame.image)
    left, top = np.minimum(np.floor(box_px[0]), (width - 1, height - 1)).astype(int).tolist()
    right, bottom = np.ceil(box_px[1]).astype(int).tolist()
    part = frame.image[top : max(bottom, top + 1), left : max(right, left + 1)]
    return image_from_rgb(np.ascontiguousarray(part), frame.header)


def skeleton2d(frame: Frame, person: Person, types: ModuleType) -> Any:  # noqa: ANN401
    """Build the points; c is the visibility, 0 for what is outside or not in the model."""
    pose = person.pose
    places = (pose.landmarks_px[:, :2] / _sides_px(frame)).tolist()
    rows = [(x, y, c) for (x, y), c in zip(places, pose.visibility.tolist(), strict=True)]
    found = dict(zip(frame.topology.names, rows, strict=True))
    left, right = found["left_shoulder"], found["right_shoulder"]
    found["neck"] = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2, min(left[2], right[2]))
    points = [_point(found.get(name, (0.0, 0.0, 0.0)), types) for name in SKELETON]
    return types.Skeleton2D(header=frame.header, skeleton=points)


def joint_states(frame: Frame, person: Person, _types: ModuleType) -> JointState:
    """Build the joints of the human model, as `<joint>_<body>`; none without world landmarks."""
    pose = person.pose
    name = body_id(frame.options.tf_prefix, pose.person_id)
    joints: dict[str, float] = {}
    if pose.world_landmarks_m is not None:
        least = frame.options.min_visibility
        joints = model_joints(pose.world_landmarks_m, pose.visibility, least)
    names = [f"{joint}_{name}" for joint in joints]
    return JointState(header=frame.header, name=names, position=[*joints.values()])


def body_transforms(frame: Frame, person: Person) -> list[TransformStamped]:
    """Return the frame `body_<id>`, which is that of the person by another name."""
    return person_transforms(
        frame.header,
        body_frame(frame.options.tf_prefix, person.pose.person_id),
        person.landmarks_m,
        person.pose.visibility,
        frame.topology,
        frame.options.min_visibility,
    )


def _point(row: Sequence[float], types: ModuleType) -> Any:  # noqa: ANN401
    x, y = (min(max(value, 0.0), 1.0) for value in row[:2])
    is_inside = (x, y) == (row[0], row[1])
    return types.NormalizedPointOfInterest2D(x=x, y=y, c=row[2] if is_inside else 0.0)


def _sides_px(frame: Frame) -> Float64Array:
    return np.array(size_of(frame.image), np.float64)


def _box_px(frame: Frame, pose: Pose) -> Float64Array:
    """Return the corners (2, 2) of the box; around the region if no landmark is visible."""
    size_px = size_of(frame.image)
    is_visible = drawn_landmarks(pose, size_px, frame.options.min_visibility)
    points_px = pose.landmarks_px[is_visible, :2].astype(np.float64)
    if not len(points_px):
        points_px = pose.roi.center_px + np.array(((-1,), (1,))) * pose.roi.size_px / 2
    corners_px = np.array((points_px.min(axis=0), points_px.max(axis=0)))
    corners_px += _MARGIN * (corners_px[1] - corners_px[0]) * np.array(((-1,), (1,)))
    inside_px: Float64Array = np.clip(corners_px, 0, size_px)
    return inside_px

"""The clouds of points that the node publishes: landmarks, and people; pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import PointCloud2

from pose_ros.blazepose.datatypes import Float64Array, Pose
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.layout import HELD, LANDMARK_DTYPE, PERSON_DTYPE, TRACKED, cloud_fields

_MAX_HELD_MS = np.iinfo(np.uint16).max
_FIELDS = {dtype: cloud_fields(dtype) for dtype in (LANDMARK_DTYPE, PERSON_DTYPE)}
_UNKNOWN = (np.nan,) * 3


def landmarks(frame: Frame) -> PointCloud2:
    """Build the landmark cloud: a row per person, a point of `LANDMARK_DTYPE` per landmark.

    The time for which a person is held is rounded up to ms, and at most 65535.
    """
    cloud = np.zeros((len(frame.people), len(frame.topology)), LANDMARK_DTYPE)
    for row, person in zip(cloud, frame.people, strict=True):
        _fill_row(row, person.pose, frame.to_output_frame(person.landmarks_m))
    return _message(frame, cloud)


def people(frame: Frame) -> PointCloud2:
    """Build the cloud of people: a point of `PERSON_DTYPE` for each, in one row."""
    cloud = np.zeros((1, len(frame.people)), PERSON_DTYPE)
    for point, person in zip(cloud[0], frame.people, strict=True):
        _fill_point(point, person)
        point["is_target"] = person.pose.person_id == frame.target_id
    return _message(frame, cloud)


def _message(frame: Frame, cloud: npt.NDArray[Any]) -> PointCloud2:
    size = cloud.dtype.itemsize
    message = PointCloud2(
        header=frame.output_header,
        height=cloud.shape[0],
        width=cloud.shape[1],
        fields=_FIELDS[cloud.dtype],
        is_bigendian=False,
        point_step=size,
        row_step=size * cloud.shape[1],
        is_dense=False,
    )
    message.data.frombytes(cloud.tobytes())
    return message


def _fill_row(row: npt.NDArray[Any], pose: Pose, landmarks_m: Float64Array) -> None:
    """Write one person's landmarks (N,) of `LANDMARK_DTYPE`."""
    row["x"], row["y"], row["z"] = landmarks_m.T
    row["u"], row["v"], row["depth_rel"] = pose.landmarks_px.T
    world_m = pose.world_landmarks_m
    row["wx"], row["wy"], row["wz"] = (np.nan,) * 3 if world_m is None else world_m.T
    row["visibility"], row["presence"] = pose.visibility, pose.presence
    row["index"] = np.arange(len(row))
    _fill_state(row, pose)


def _fill_point(point: npt.NDArray[Any], person: Person) -> None:
    """Write one point () of `PERSON_DTYPE`."""
    pose, motion = person.pose, person.motion
    facing = _UNKNOWN if person.facing is None else person.facing[:, 0]
    point["hx"], point["hy"], point["hz"] = facing
    point["x"], point["y"], point["z"] = _UNKNOWN if motion is None else motion.position_m
    point["vx"], point["vy"], point["vz"] = _UNKNOWN if motion is None else motion.velocity_m_s
    for names, covariance in (
        (("sx", "sy", "sz"), None if motion is None else motion.position_covariance_m2),
        (("svx", "svy", "svz"), None if motion is None else motion.velocity_covariance_m2_s2),
    ):
        deviations = _UNKNOWN if covariance is None else np.sqrt(np.diag(covariance))
        for name, value in zip(names, deviations, strict=True):
            point[name] = value
    (point["u"], point["v"]), point["size_px"] = pose.roi.center_px, pose.roi.size_px
    point["height_m"] = np.nan if person.position is None else person.position.height_m
    point["score"], point["age_s"] = pose.score, person.age_ns * 1e-9
    _fill_state(point, pose)


def _fill_state(points: npt.NDArray[Any], pose: Pose) -> None:
    """Write what both kinds of points have: the id, and whether the person is held."""
    points["person_id"] = pose.person_id
    points["state"] = HELD if pose.is_held else TRACKED
    points["held_ms"] = min(-(-pose.held_ns // 10**6), _MAX_HELD_MS)

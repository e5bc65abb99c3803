"""The clouds of points that the node publishes: landmarks, and people; pure functions."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import PointCloud2

from pose_ros.blazepose.datatypes import Float64Array, Pose
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.layout import HELD, LANDMARK_DTYPE, PERSON_DTYPE, TRACKED, cloud_fields

_MAX_HELD_MS = 2**16 - 1
_PERSON = struct.Struct("<20fIfBBH")
"""A point of `PERSON_DTYPE`."""
_FIELDS = {dtype: cloud_fields(dtype) for dtype in (LANDMARK_DTYPE, PERSON_DTYPE)}
_UNKNOWN = (math.nan,) * 3


def landmarks(frame: Frame) -> PointCloud2:
    """Build the landmark cloud: a row per person, a point of `LANDMARK_DTYPE` per landmark.

    The time for which a person is held is rounded up to ms, and at most 65535.
    """
    cloud = np.zeros((len(frame.people), len(frame.topology)), LANDMARK_DTYPE)
    for row, person in zip(cloud, frame.people, strict=True):
        _fill_row(row, person.pose, frame.to_output_frame(person.landmarks_m))
    return _message(frame, LANDMARK_DTYPE, cloud.shape, cloud.tobytes())


def people(frame: Frame) -> PointCloud2:
    """Build the cloud of people: a point of `PERSON_DTYPE` for each, in one row."""
    points = b"".join(_point(person, frame.target_id) for person in frame.people)
    return _message(frame, PERSON_DTYPE, (1, len(frame.people)), points)


def _message(
    frame: Frame, dtype: np.dtype[np.void], shape: tuple[int, int], data: bytes
) -> PointCloud2:
    message = PointCloud2(
        header=frame.output_header,
        height=shape[0],
        width=shape[1],
        fields=_FIELDS[dtype],
        is_bigendian=False,
        point_step=dtype.itemsize,
        row_step=dtype.itemsize * shape[1],
        is_dense=False,
    )
    message.data.frombytes(data)
    return message


def _fill_row(row: npt.NDArray[Any], pose: Pose, landmarks_m: Float64Array) -> None:
    """Write one person's landmarks (N,) of `LANDMARK_DTYPE`."""
    row["x"], row["y"], row["z"] = landmarks_m.T
    row["u"], row["v"], row["depth_rel"] = pose.landmarks_px.T
    world_m = pose.world_landmarks_m
    row["wx"], row["wy"], row["wz"] = (np.nan,) * 3 if world_m is None else world_m.T
    row["visibility"], row["presence"] = pose.visibility, pose.presence
    row["index"] = np.arange(len(row))
    row["person_id"], row["state"], row["held_ms"] = pose.person_id, _state(pose), _held_ms(pose)


def _point(person: Person, target_id: int | None) -> bytes:
    """Return one point of `PERSON_DTYPE`."""
    pose, motion = person.pose, person.motion
    return _PERSON.pack(
        *(_UNKNOWN if motion is None else motion.position_m.tolist()),
        *(_UNKNOWN if motion is None else motion.velocity_m_s.tolist()),
        *(_UNKNOWN if motion is None else _deviations(motion.position_covariance_m2)),
        *(_UNKNOWN if motion is None else _deviations(motion.velocity_covariance_m2_s2)),
        *(_UNKNOWN if person.facing is None else person.facing[:, 0].tolist()),
        *pose.roi.center_px.tolist(),
        pose.roi.size_px,
        math.nan if person.position is None else person.position.height_m,
        pose.score,
        pose.person_id,
        person.age_ns * 1e-9,
        _state(pose),
        pose.person_id == target_id,
        _held_ms(pose),
    )


def _deviations(covariance: Float64Array) -> list[float]:
    return [math.sqrt(max(variance, 0.0)) for variance in covariance.diagonal().tolist()]


def _state(pose: Pose) -> int:
    return HELD if pose.is_held else TRACKED


def _held_ms(pose: Pose) -> int:
    return min(-(-pose.held_ns // 10**6), _MAX_HELD_MS)

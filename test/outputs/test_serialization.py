"""The bytes of clouds: the messages that rclpy would send."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from outputs.test_messages import frame
from outputs.test_motions import at, body
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.outputs import serialization
from pose_ros.outputs.frame import Person
from pose_ros.outputs.layout import LANDMARK_DTYPE, PERSON_DTYPE
from pose_ros.outputs.messages import OUTPUTS
from pose_ros.outputs.serialization import CloudSerializer

CLOUDS = [output for output in OUTPUTS if output.message_type is PointCloud2]
DTYPES = {"landmarks": LANDMARK_DTYPE, "people": PERSON_DTYPE}


def cloud_of(output: Any, people: int, header: Header) -> PointCloud2:
    persons = (Person(body(number), at((0.0, 0.0, number))) for number in range(1, people + 1))
    cloud: PointCloud2 = output.build(frame(*persons, topology=FULL_BODY))
    cloud.header = header
    return cloud


@pytest.mark.parametrize("output", CLOUDS, ids=lambda output: output.name)
@given(
    people=st.integers(0, 4),
    frame_id=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    sec=st.integers(-(2**31), 2**31 - 1),
    nanosec=st.integers(0, 2**32 - 1),
)
def test_the_bytes_are_those_of_the_message(
    output: Any, people: int, frame_id: str, sec: int, nanosec: int
) -> None:
    header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)
    cloud = cloud_of(output, people, header)
    data = output.serialize(cloud)
    assert len(data) == len(serialize_message(cloud))
    assert deserialize_message(data, PointCloud2) == cloud
    assert (cloud.width > 0) == (people > 0 or output.name == "landmarks")


@pytest.mark.parametrize("flag", ["is_dense", "is_bigendian"])
@pytest.mark.parametrize("output", CLOUDS, ids=lambda output: output.name)
def test_flags_are_kept(output: Any, flag: str) -> None:
    cloud = cloud_of(output, 1, Header())
    for value in (False, True):
        setattr(cloud, flag, value)
        assert deserialize_message(output.serialize(cloud), PointCloud2) == cloud


def test_rclpy_does_it_where_messages_have_another_form(monkeypatch: pytest.MonkeyPatch) -> None:
    def longer(message: Any) -> bytes:
        return bytes(serialize_message(message)) + b"end"

    monkeypatch.setattr(serialization, "serialize_message", longer)
    for output in CLOUDS:
        cloud = cloud_of(output, 2, Header(frame_id="camera"))
        data = CloudSerializer(np.dtype(DTYPES[output.name]))(cloud)
        assert data.endswith(b"end")
        assert deserialize_message(data[:-3], PointCloud2) == cloud

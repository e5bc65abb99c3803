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
from pose_ros.outputs.layout import LANDMARK_DTYPE, PERSON_DTYPE, Field
from pose_ros.outputs.messages import OUTPUTS
from pose_ros.outputs.serialization import Cloud, CloudSerializer

CLOUDS = [output for output in OUTPUTS if output.message_type is PointCloud2]
DTYPES = {"landmarks": LANDMARK_DTYPE, "people": PERSON_DTYPE}


def cloud_of(output: Any, people: int, header: Header) -> PointCloud2:
    persons = (Person(body(number), at((0.0, 0.0, number))) for number in range(1, people + 1))
    cloud: PointCloud2 = output.build(frame(*persons, topology=FULL_BODY))
    cloud.header = header
    return cloud


def assert_read(found: Cloud, cloud: PointCloud2) -> None:
    assert found.header == cloud.header
    assert found.stamp_ns == cloud.header.stamp.sec * 10**9 + cloud.header.stamp.nanosec
    assert bytes(found.data) == bytes(cloud.data)
    for name in ("height", "width", "is_bigendian", "point_step", "row_step"):
        assert getattr(found, name) == getattr(cloud, name)
    for one, other in zip(found.fields, cloud.fields, strict=True):
        assert all(getattr(one, name) == getattr(other, name) for name in Field._fields)


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
    assert_read(output.serialize.read(data), cloud)
    assert_read(output.serialize.read(serialize_message(cloud)), cloud)
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


def test_clouds_of_another_layout_are_read_by_rclpy() -> None:
    cloud = cloud_of(CLOUDS[0], 2, Header(frame_id="camera"))
    cloud.fields = [*cloud.fields[1:], cloud.fields[0]]
    found = CloudSerializer(LANDMARK_DTYPE).read(serialize_message(cloud))
    assert (found.fields, found.frame_id) == (cloud.fields, "camera")
    assert found.data == cloud.data


def test_what_padding_holds_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = cloud_of(CLOUDS[0], 2, Header(frame_id="camera"))
    serializer = CloudSerializer(LANDMARK_DTYPE)
    whole = serializer(cloud)
    clean, dirty = (serialization._description(serializer._layout, b) for b in (b"\0", b"\xa5"))
    assert whole.count(clean) == 1
    assert clean != dirty
    monkeypatch.setattr(serialization, "deserialize_message", None)
    assert_read(serializer.read(whole.replace(clean, dirty)), cloud)


@given(data=st.data())
def test_damaged_bytes_are_rejected_or_read_as_rclpy_reads_them(data: st.DataObject) -> None:
    serializer = CloudSerializer(LANDMARK_DTYPE)
    whole = bytearray(serializer(cloud_of(CLOUDS[0], 1, Header(frame_id="camera"))))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, 450))] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = serializer.read(damaged)
    except ValueError:
        return
    assert_read(found, deserialize_message(damaged, PointCloud2))

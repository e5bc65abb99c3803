"""Clouds as bytes, which rclpy takes and gives in place of messages."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from pose_ros.outputs.layout import Field, cloud_fields, layout_of

_STAMP_AND_LENGTH = struct.Struct("=iII")
_SHAPE = struct.Struct("=II")
_LENGTH, _OFFSET_AND_DATATYPE = struct.Struct("=I"), struct.Struct("=IB")
_STEPS_AND_LENGTH = struct.Struct("=?3xIII")
_TRUE, _FALSE = b"\1", b"\0"


class Cloud(NamedTuple):
    """What was read of a cloud: the attributes of a PointCloud2, and of its header by itself."""

    sec: int
    nanosec: int
    frame_id: str
    height: int
    width: int
    fields: Sequence[Any]
    is_bigendian: bool
    point_step: int
    row_step: int
    data: Any

    @property
    def stamp_ns(self) -> int:
        """The stamp in nanoseconds."""
        return self.sec * 10**9 + self.nanosec

    @property
    def header(self) -> Header:
        """The header, made anew: that takes as long as to read the rest."""
        return Header(stamp=Time(sec=self.sec, nanosec=self.nanosec), frame_id=self.frame_id)


class CloudSerializer:
    """Serializes and reads clouds of one kind of point, as rclpy does, but faster.

    What rclpy takes its time for is the description of the fields, a Python object for each, and
    that is the same in each cloud. Where the middleware's messages have another form than CDR,
    or a cloud has other fields, rclpy does it.
    ref: OMG DDS-XTypes 1.3, section 7.4 (plain CDR, version 1)
    """

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._layout = layout_of(dtype)
        self._fields, padded = (_description(self._layout, byte) for byte in (b"\0", b"\xff"))
        # What padding holds is not defined, and not the same from one message to the next
        self._padded = _number(padded)
        self._padding = self._padded ^ _number(self._fields)
        example = _example(cloud_fields(dtype))
        self._encapsulation = serialize_message(example)[:4]
        self._is_plain = self._is_right_for(example)

    def __call__(self, cloud: PointCloud2) -> bytes:
        """Return the bytes of a cloud, whose fields are those of the dtype."""
        return self._serialized(cloud) if self._is_plain else serialize_message(cloud)

    def read(self, data: bytes) -> Cloud:
        """Return a cloud of its bytes. Raises ValueError if they are none of a cloud."""
        cloud = self._read(data) if self._is_plain else None
        if cloud is not None:
            return cloud
        try:
            return _cloud_of(deserialize_message(data, PointCloud2))
        except (RuntimeError, UnicodeError, MemoryError) as error:
            raise ValueError(f"{len(data)} bytes are no cloud: {error}") from error

    def _is_right_for(self, cloud: PointCloud2) -> bool:
        made = self._serialized(cloud)
        try:
            is_as_long = len(made) == len(serialize_message(cloud))
            return is_as_long and bool(deserialize_message(made, PointCloud2) == cloud)
        except RuntimeError:  # rclpy's RMWError: these are no bytes of a message
            return False

    def _serialized(self, cloud: PointCloud2) -> bytes:
        header, steps = cloud.header, (cloud.is_bigendian, cloud.point_step, cloud.row_step)
        name = header.frame_id.encode() + b"\0"
        return b"".join(
            (
                self._encapsulation,
                _STAMP_AND_LENGTH.pack(header.stamp.sec, header.stamp.nanosec, len(name)),
                name,
                bytes(-len(name) % 4),
                _SHAPE.pack(cloud.height, cloud.width),
                self._fields,
                _STEPS_AND_LENGTH.pack(*steps, len(cloud.data)),
                memoryview(cloud.data),
                _TRUE if cloud.is_dense else _FALSE,
            )
        )

    def _read(self, data: bytes) -> Cloud | None:
        """Return a cloud with these fields; None for any other one, and for damaged bytes."""
        try:
            sec, nanosec, length = _STAMP_AND_LENGTH.unpack_from(data, 4)
            name_at = 4 + _STAMP_AND_LENGTH.size
            shape_at = name_at + length + -length % 4
            fields_at = shape_at + _SHAPE.size
            steps_at = fields_at + len(self._fields)
            start = steps_at + _STEPS_AND_LENGTH.size
            fields = _number(data[fields_at:steps_at]) | self._padding
            # The other two bytes are options, such as how many bytes were appended
            if data[:2] != self._encapsulation[:2] or fields != self._padded:
                return None
            shape: tuple[int, int] = _SHAPE.unpack_from(data, shape_at)
            is_bigendian, step, row_step, size = _STEPS_AND_LENGTH.unpack_from(data, steps_at)
            name = data[name_at : name_at + length - 1].decode()
        except (struct.error, UnicodeError):
            return None
        content = memoryview(data)[start : start + size]
        if len(data) <= start + size:  # is_dense comes last
            return None
        steps = (is_bigendian, step, row_step)
        return Cloud(sec, nanosec, name, *shape, self._layout, *steps, content)


def _description(layout: Sequence[Field], padding: bytes) -> bytes:
    """Return the fields as they are in a message, with such bytes where it has none to say."""
    parts = [_LENGTH.pack(len(layout))]
    for field in layout:
        name = field.name.encode() + b"\0"
        parts += (_LENGTH.pack(len(name)), name, padding * (-len(name) % 4))
        parts += (_OFFSET_AND_DATATYPE.pack(field.offset, field.datatype), padding * 3)
        parts.append(_LENGTH.pack(field.count))
    return b"".join(parts)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _cloud_of(message: PointCloud2) -> Cloud:
    header = message.header
    return Cloud(
        header.stamp.sec,
        header.stamp.nanosec,
        header.frame_id,
        *(getattr(message, name) for name in Cloud._fields[3:]),
    )


def _example(fields: list[PointField]) -> PointCloud2:
    """Return a cloud in which no two parts are the same."""
    cloud = PointCloud2(fields=fields, height=2, width=3, point_step=5, row_step=7, is_dense=True)
    cloud.header = Header(stamp=Time(sec=11, nanosec=13), frame_id="camera")
    cloud.data.frombytes(bytes(range(100, 117)))
    return cloud

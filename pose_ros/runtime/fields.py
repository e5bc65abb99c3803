"""What the `uint8[]` fields of messages may hold."""

from __future__ import annotations

from typing import Any


def readable(data: Any) -> Any:  # noqa: ANN401, whatever the client library makes of a field
    """Return the data of a `uint8[]` field as something that Python can view as bytes.

    That is the data itself, but for the `rosidl_buffer.Buffer` of ROS 2 Lyrical and newer. It
    stands for memory of a device, has a length, and is copied from there by `to_bytes` only.

    ref: rosidl, rosidl_buffer_py 5.2.0
    """
    if hasattr(data, "to_bytes") and hasattr(data, "__len__"):
        return data.to_bytes()
    return data

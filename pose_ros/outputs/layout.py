"""One point of `~/landmarks` and of `~/people`: their fields, for writers and readers."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from sensor_msgs.msg import PointField

_FLOATS = ("x", "y", "z", "u", "v", "depth_rel", "wx", "wy", "wz", "visibility", "presence")

LANDMARK_DTYPE = np.dtype(
    [
        *((name, "<f4") for name in _FLOATS),
        ("person_id", "<u4"),
        ("index", "u1"),
        ("state", "u1"),
        ("held_ms", "<u2"),
    ]
)
"""One point of `~/landmarks`: 52 bytes, each of a field. tf2_sensor_msgs takes no other layout."""

_PERSON_FLOATS = (
    *("x", "y", "z", "vx", "vy", "vz", "sx", "sy", "sz", "svx", "svy", "svz"),
    *("hx", "hy", "hz", "u", "v", "size_px", "height_m", "score"),
)

PERSON_DTYPE = np.dtype(
    [
        *((name, "<f4") for name in _PERSON_FLOATS),
        ("person_id", "<u4"),
        ("age_s", "<f4"),
        ("state", "u1"),
        ("is_target", "u1"),
        ("held_ms", "<u2"),
    ]
)
"""One point of `~/people`: 92 bytes, each of a field."""

TRACKED, HELD = 2, 3
"""`state` of a person who is seen in the image, and of one who was shortly before."""

_DATATYPES = {
    "<f4": PointField.FLOAT32,
    "<u4": PointField.UINT32,
    "<u2": PointField.UINT16,
    "|u1": PointField.UINT8,
}


class Field(NamedTuple):
    """A field of a point, with the attributes of a PointField."""

    name: str
    offset: int
    datatype: int
    count: int  # type: ignore[assignment]  # the name is that of a method of tuples, too


@cache
def layout_of(dtype: np.dtype[np.void]) -> tuple[Field, ...]:
    """Return the fields of a point's dtype; for one dtype always the same object."""
    fields = (dtype.fields or {}).items()
    return tuple(
        Field(name, offset, _DATATYPES[field.str], 1) for name, (field, offset, *_) in fields
    )


def cloud_fields(dtype: np.dtype[np.void]) -> list[PointField]:
    """Return the description of a point's dtype that a PointCloud2 carries."""
    return [PointField(**field._asdict()) for field in layout_of(dtype)]

"""One point of `~/landmarks`: its fields, for who writes them and who reads them."""

from __future__ import annotations

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

TRACKED, HELD = 2, 3
"""`state` of a person who is seen in the image, and of one who was shortly before."""

_DATATYPES = {
    "<f4": PointField.FLOAT32,
    "<u4": PointField.UINT32,
    "<u2": PointField.UINT16,
    "|u1": PointField.UINT8,
}


def landmark_fields() -> list[PointField]:
    """Return the description of `LANDMARK_DTYPE` that a PointCloud2 carries."""
    fields = (LANDMARK_DTYPE.fields or {}).items()
    return [
        PointField(name=name, offset=offset, datatype=_DATATYPES[dtype.str], count=1)
        for name, (dtype, offset, *_) in fields
    ]

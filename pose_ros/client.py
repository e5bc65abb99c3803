"""What a subscriber needs: `~/landmarks` and `~/landmark_names` as numpy arrays and names.

Needs numpy and the message types only, so that it runs where the node's other dependencies are
not installed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided
from sensor_msgs.msg import PointCloud2, PointField

if TYPE_CHECKING:
    from std_msgs.msg import String

_FLOATS = ("x", "y", "z", "u", "v", "depth_rel", "wx", "wy", "wz", "visibility", "presence")

LANDMARK_DTYPE = np.dtype(
    {
        "names": [*_FLOATS, "person_id", "index"],
        "formats": ["<f4"] * len(_FLOATS) + ["<u4", "u1"],
        "offsets": list(range(0, 52, 4)),
        "itemsize": 52,
    }
)
"""One point of `~/landmarks`."""

_DATATYPES = {"<f4": PointField.FLOAT32, "<u4": PointField.UINT32, "|u1": PointField.UINT8}


def landmark_fields() -> list[PointField]:
    """Return the description of `LANDMARK_DTYPE` that a PointCloud2 carries."""
    fields = (LANDMARK_DTYPE.fields or {}).items()
    return [
        PointField(name=name, offset=offset, datatype=_DATATYPES[dtype.str], count=1)
        for name, (dtype, offset, *_) in fields
    ]


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The landmarks of P people, N each, as read-only views of a message's data.

    `points` (P, N) has the fields of `LANDMARK_DTYPE`; the properties are views of it. P is 0
    when nobody is in the picture. What is unknown is NaN.
    """

    points: npt.NDArray[Any]

    @property
    def xyz(self) -> npt.NDArray[np.float32]:
        """Places (P, N, 3) in the camera's optical frame, in m."""
        return self._vectors("x", 3)

    @property
    def pixels(self) -> npt.NDArray[np.float32]:
        """Places (P, N, 2) in the image, in px."""
        return self._vectors("u", 2)

    @property
    def depth_rel(self) -> npt.NDArray[np.float32]:
        """Relative depths (P, N) on the scale of pixels; smaller is closer."""
        return self.points["depth_rel"]

    @property
    def world(self) -> npt.NDArray[np.float32]:
        """Places (P, N, 3) relative to the person's mid-hip, in m."""
        return self._vectors("wx", 3)

    @property
    def visibility(self) -> npt.NDArray[np.float32]:
        """Probabilities (P, N) that a landmark is in the picture and not hidden."""
        return self.points["visibility"]

    @property
    def presence(self) -> npt.NDArray[np.float32]:
        """Probabilities (P, N) that a landmark is in the picture."""
        return self.points["presence"]

    @property
    def person_id(self) -> npt.NDArray[np.uint32]:
        """The people's ids (P,)."""
        return self.points["person_id"][:, 0]

    def _vectors(self, first: str, length: int) -> npt.NDArray[np.float32]:
        """View neighbouring float fields, beginning with `first`, as vectors (P, N, length)."""
        column = self.points[first]
        return as_strided(column, (*column.shape, length), (*column.strides, 4), writeable=False)


class LandmarkNames(NamedTuple):
    """What `~/landmark_names` tells: the model, its landmarks' names, and what to connect."""

    model: str
    names: tuple[str, ...]
    connections: tuple[tuple[int, int], ...]


def landmarks_from_msg(msg: PointCloud2) -> Landmarks:
    """Return views of a `~/landmarks` message; nothing is copied.

    Raises ValueError for a cloud of another layout.
    """
    _check_layout(msg)
    points: npt.NDArray[Any] = np.ndarray(
        (msg.height, msg.width),
        LANDMARK_DTYPE,
        buffer=msg.data,
        strides=(msg.row_step, msg.point_step),
    )
    points.setflags(write=False)
    return Landmarks(points)


def names_from_msg(msg: String) -> LandmarkNames:
    """Return what a `~/landmark_names` message tells. Raises ValueError for other texts."""
    try:
        content = json.loads(msg.data)
        connections = tuple((int(start), int(end)) for start, end in content["connections"])
        return LandmarkNames(content["model"], tuple(content["names"]), connections)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"text {msg.data[:80]!r} is not a message of landmark names; "
            "allowed is a JSON object with model, names and connections"
        ) from error


def _check_layout(msg: PointCloud2) -> None:
    """Raise ValueError unless the cloud has the fields and the size of a landmark cloud."""
    if msg.is_bigendian:
        raise ValueError("landmark cloud is big-endian; allowed is little-endian")
    for field in landmark_fields():
        if field not in msg.fields:
            found = ", ".join(f"{other.name} at {other.offset}" for other in msg.fields)
            raise ValueError(
                f"landmark cloud has no {LANDMARK_DTYPE[field.name]} field {field.name!r} at "
                f"offset {field.offset}; it has {found or 'no fields'}"
            )
    if msg.width == 0 or msg.point_step < 52 or msg.row_step < msg.width * msg.point_step:
        raise ValueError(
            f"landmark cloud has width {msg.width}, point_step {msg.point_step} and row_step "
            f"{msg.row_step}; allowed are points of at least 52 bytes, and rows that hold them"
        )
    if len(msg.data) < msg.height * msg.row_step:
        raise ValueError(
            f"landmark cloud of {msg.height} rows of {msg.row_step} bytes has only "
            f"{len(msg.data)} bytes of data"
        )

"""What a subscriber needs: `~/landmarks`, `~/people` and `~/landmark_names` as arrays and names.

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
from sensor_msgs.msg import PointCloud2

from pose_ros.outputs.layout import LANDMARK_DTYPE, PERSON_DTYPE, layout_of
from pose_ros.runtime.fields import readable

if TYPE_CHECKING:
    from std_msgs.msg import String

__all__ = [
    "LANDMARK_DTYPE",
    "PERSON_DTYPE",
    "LandmarkNames",
    "Landmarks",
    "People",
    "landmarks_from_msg",
    "names_from_msg",
    "people_from_msg",
]


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The landmarks of P people, N each, as read-only views of a message's data.

    `points` (P, N) has the fields of `LANDMARK_DTYPE`; the properties are views of it. P is 0
    when nobody is in the image. What is unknown is NaN.
    """

    points: npt.NDArray[Any]

    @property
    def xyz(self) -> npt.NDArray[np.float32]:
        """Positions (P, N, 3) in the camera's optical frame, in m."""
        return _vectors(self.points, "x", 3)

    @property
    def pixels(self) -> npt.NDArray[np.float32]:
        """Positions (P, N, 2) in the image, in px."""
        return _vectors(self.points, "u", 2)

    @property
    def depth_rel(self) -> npt.NDArray[np.float32]:
        """Relative depths (P, N) on the scale of pixels; smaller is closer."""
        return self.points["depth_rel"]

    @property
    def world(self) -> npt.NDArray[np.float32]:
        """Positions (P, N, 3) relative to the person's mid-hip, in m."""
        return _vectors(self.points, "wx", 3)

    @property
    def visibility(self) -> npt.NDArray[np.float32]:
        """Probabilities (P, N) that a landmark is in the image and not hidden."""
        return self.points["visibility"]

    @property
    def presence(self) -> npt.NDArray[np.float32]:
        """Probabilities (P, N) that a landmark is in the image."""
        return self.points["presence"]

    @property
    def person_id(self) -> npt.NDArray[np.uint32]:
        """The people's ids (P,)."""
        return self.points["person_id"][:, 0]

    @property
    def state(self) -> npt.NDArray[np.uint8]:
        """The people's states (P,): 2 is tracked, 3 held; 1 is reserved."""
        return self.points["state"][:, 0]

    @property
    def held_ms(self) -> npt.NDArray[np.uint16]:
        """How old the rows are (P,): ms since the people were last seen; 0 if in this image."""
        return self.points["held_ms"][:, 0]


@dataclass(frozen=True, eq=False)
class People:
    """The people of a `~/people` message, P of them, as read-only views of its data.

    `points` (P,) has the fields of `PERSON_DTYPE`; the properties are views of it. What is unknown
    is NaN. Vectors are in the frame of the message's header.
    """

    points: npt.NDArray[Any]

    @property
    def xyz(self) -> npt.NDArray[np.float32]:
        """Positions (P, 3) of the pelvis, in m."""
        return _vectors(self.points, "x", 3)

    @property
    def velocity(self) -> npt.NDArray[np.float32]:
        """Velocities (P, 3), in m/s."""
        return _vectors(self.points, "vx", 3)

    @property
    def xyz_std(self) -> npt.NDArray[np.float32]:
        """Standard deviations (P, 3) of the positions along the axes, in m."""
        return _vectors(self.points, "sx", 3)

    @property
    def velocity_std(self) -> npt.NDArray[np.float32]:
        """Standard deviations (P, 3) of the velocities along the axes, in m/s."""
        return _vectors(self.points, "svx", 3)

    @property
    def heading(self) -> npt.NDArray[np.float32]:
        """Unit vectors (P, 3) that people face along."""
        return _vectors(self.points, "hx", 3)

    @property
    def center(self) -> npt.NDArray[np.float32]:
        """Centers (P, 2) of the regions in the image, in px; their sides are `size_px`."""
        return _vectors(self.points, "u", 2)

    @property
    def person_id(self) -> npt.NDArray[np.uint32]:
        """The people's ids (P,)."""
        return self.points["person_id"]

    @property
    def is_target(self) -> npt.NDArray[np.bool_]:
        """Whether (P,) they are the target."""
        return self.points["is_target"].view(np.bool_)


class LandmarkNames(NamedTuple):
    """The content of `~/landmark_names`: the model, its landmarks' names, and what to connect."""

    model: str
    names: tuple[str, ...]
    connections: tuple[tuple[int, int], ...]


def landmarks_from_msg(msg: PointCloud2) -> Landmarks:
    """Return views of a `~/landmarks` message.

    Nothing is copied unless its data is a list, or in the memory of a device. Any object with the
    attributes of the message will do, such as one that rosbags read: `data` is bytes, an array or
    a list of byte values. Raises ValueError for a cloud of another layout.
    """
    if msg.width == 0:
        raise ValueError("landmark cloud has width 0; allowed is the number of landmarks")
    return Landmarks(_points(msg, LANDMARK_DTYPE, "landmark cloud"))


def people_from_msg(msg: PointCloud2) -> People:
    """Return views of a `~/people` message, as `landmarks_from_msg` does.

    Raises ValueError for a cloud of another layout, or of more than one row.
    """
    if msg.height != 1:
        raise ValueError(f"cloud of people has {msg.height} rows; allowed is one")
    return People(_points(msg, PERSON_DTYPE, "cloud of people")[0])


def names_from_msg(msg: String) -> LandmarkNames:
    """Return the content of a `~/landmark_names` message. Raises ValueError for other texts."""
    try:
        content = json.loads(msg.data)
        names = tuple(content["names"])
        connections = tuple((start, end) for start, end in content["connections"])
        if not all(isinstance(name, str) for name in (content["model"], *names)):
            raise TypeError("a name is not a text")
        if not all(type(index) is int for pair in connections for index in pair):
            raise TypeError("a connection is not a pair of indices")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(
            f"text {str(msg.data)[:80]!r} is not a message of landmark names; "
            "allowed is a JSON object with model, names and connections"
        ) from error
    return LandmarkNames(content["model"], names, connections)


def _vectors(points: npt.NDArray[Any], first: str, length: int) -> npt.NDArray[np.float32]:
    """View neighboring float fields, beginning with `first`, as vectors (..., length)."""
    column = points[first]
    return as_strided(column, (*column.shape, length), (*column.strides, 4), writeable=False)


def _points(msg: PointCloud2, dtype: np.dtype[np.void], kind: str) -> npt.NDArray[Any]:
    """Return the points (height, width) of a cloud, as views; `kind` is how errors name it."""
    data = _bytes_of(readable(msg.data), kind)
    _check_layout(msg, len(data), dtype, kind)
    points: npt.NDArray[Any] = np.ndarray(
        (msg.height, msg.width),
        dtype,
        buffer=data,
        strides=(msg.row_step, msg.point_step),
    )
    points.setflags(write=False)
    return points


def _bytes_of(data: Any, kind: str) -> npt.NDArray[np.uint8]:  # noqa: ANN401, whatever holds bytes
    """Return the bytes (n,) of a message's data; a view unless it is a list of numbers."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return np.ndarray((len(data),), np.uint8, buffer=data)
    try:
        if isinstance(data, (list, tuple)):  # NumPy below 2 would wrap numbers that are no bytes
            data = np.frombuffer(bytes(data), np.uint8)
        return np.ascontiguousarray(data, np.uint8).ravel()
    except (TypeError, OverflowError, ValueError) as error:
        raise ValueError(
            f"{kind} has data of type {type(data).__name__}; allowed are bytes: {error}"
        ) from error


def _check_layout(msg: PointCloud2, length: int, dtype: np.dtype[np.void], kind: str) -> None:
    """Raise ValueError unless a cloud of `length` bytes has the fields and size of such points."""
    if msg.is_bigendian:
        raise ValueError(f"{kind} is big-endian; allowed is little-endian")
    if msg.fields is not layout_of(dtype):
        _check_fields(msg, dtype, kind)
    size = dtype.itemsize
    if msg.point_step < size or msg.row_step < msg.width * msg.point_step:
        raise ValueError(
            f"{kind} has width {msg.width}, point_step {msg.point_step} and row_step "
            f"{msg.row_step}; allowed are points of at least {size} bytes, and rows that hold them"
        )
    if length < msg.height * msg.row_step:
        raise ValueError(
            f"{kind} of {msg.height} rows of {msg.row_step} bytes has only {length} bytes of data"
        )


def _check_fields(msg: PointCloud2, dtype: np.dtype[np.void], kind: str) -> None:
    found = {(item.name, item.offset, item.datatype, item.count) for item in msg.fields}
    for field in layout_of(dtype):
        if field not in found:
            names = ", ".join(f"{other.name} at {other.offset}" for other in msg.fields)
            raise ValueError(
                f"{kind} has no {dtype[field.name]} field {field.name!r} at "
                f"offset {field.offset}; it has {names or 'no fields'}"
            )

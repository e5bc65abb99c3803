"""Who is seen in a message of landmarks, as figures."""

from __future__ import annotations

import struct
from functools import cache, partial
from typing import Any, NamedTuple

import numpy.typing as npt

from pose_ros.body.figure import Figure, figure_of
from pose_ros.body.vectors import Vector
from pose_ros.outputs.layout import LANDMARK_DTYPE, TRACKED


class Seen(NamedTuple):
    """Somebody's row in the message, and figure."""

    row: int
    figure: Figure


def seen_people(points: npt.NDArray[Any], up: Vector) -> dict[int, Seen]:
    """Return who is seen, by id, of points (P, N); who is only held is not.

    `up` is as a `Figure` has it.
    """
    data, count = points.tobytes(), points.shape[1]
    length = count * LANDMARK_DTYPE.itemsize
    states = _columns(("person_id", "state"), 1, count - 1).iter_unpack(data)
    return {
        person_id: Seen(row, _figure(data, row * length, count, up))
        for row, (person_id, state) in enumerate(states)
        if state == TRACKED
    }


def _figure(data: bytes, start: int, count: int, up: Vector) -> Figure:
    """Return the figure of the landmarks that begin at a byte."""
    world_m = _vectors(data, start, ("wx", "wy", "wz"), count)
    visibility = _columns(("visibility",), count).unpack_from(data, start)
    image = partial(_vectors, data, start, ("u", "v", "depth_rel"), count)
    return figure_of(world_m, image, visibility, up)


def _vectors(data: bytes, start: int, names: tuple[str, ...], count: int) -> list[Vector]:
    values = _columns(names, count).unpack_from(data, start)
    return list(zip(values[0::3], values[1::3], values[2::3], strict=True))


@cache
def _columns(names: tuple[str, ...], count: int, skipped: int = 0) -> struct.Struct:
    """Return what unpacks some fields of that many points, of which it skips some.

    For a few people NumPy takes several times as long.
    """
    fields = (LANDMARK_DTYPE.fields or {}).items()
    point = "".join(
        field.char if name in names else f"{field.itemsize}x"  # NumPy's characters are struct's
        for name, (field, *_) in fields
    )
    return struct.Struct("<" + count * point + f"{skipped * LANDMARK_DTYPE.itemsize}x")

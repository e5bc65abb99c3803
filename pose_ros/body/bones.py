"""Bones between landmarks: one table of their names and ends; their lengths and axes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.topology import FULL_BODY


class Bone(NamedTuple):
    """A bone, the landmarks in whose middles it starts and ends, and where it leads at rest.

    "*" stands for each side, of which the bone's own name has one as well. `rest` is along
    forward, left and up.
    """

    name: str
    start: tuple[str, ...]
    end: tuple[str, ...]
    rest: tuple[float, float, float]


_FORWARD, _UP, _DOWN = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
_HIPS, _SHOULDERS, _EARS = (
    (f"left_{part}", f"right_{part}") for part in ("hip", "shoulder", "ear")
)
_ROWS = (
    Bone("trunk", _HIPS, _SHOULDERS, _UP),
    Bone("neck", _SHOULDERS, _EARS, _UP),
    Bone("*upper_arm", ("*shoulder",), ("*elbow",), _DOWN),
    Bone("*forearm", ("*elbow",), ("*wrist",), _DOWN),
    Bone("*hand", ("*wrist",), ("*index", "*pinky"), _DOWN),
    Bone("*thigh", ("*hip",), ("*knee",), _DOWN),
    Bone("*shank", ("*knee",), ("*ankle",), _DOWN),
    Bone("*foot", ("*heel",), ("*foot_index",), _FORWARD),
)


def _of_side(row: Bone, side: str) -> Bone:
    start, end = (tuple(name.replace("*", side) for name in names) for names in row[1:3])
    return Bone(row.name.replace("*", side), start, end, row.rest)


BONES = tuple(
    _of_side(row, side)
    for row in _ROWS
    for side in (("left_", "right_") if row.name.startswith("*") else ("",))
)
"""All bones, each side's by itself."""

_INDEX = {name: index for index, name in enumerate(FULL_BODY.names)}
_ENDS = np.array(
    [[[_INDEX[names[0]], _INDEX[names[-1]]] for names in (bone.start, bone.end)] for bone in BONES]
)
# Where the axes of a bone lead at rest: x along it, y to the left
_REST = np.array(
    [np.column_stack((b.rest, (0, 1, 0), np.cross(b.rest, (0, 1, 0)))) for b in BONES]
)
_STRAIGHT_BACK = 1e-4


def bone_ends(landmarks_m: npt.ArrayLike) -> Float64Array:
    """Return start and end (B, 2, 3) of all bones, NaN where landmarks (N, 3) are not known.

    Of a model with 25 landmarks those of the legs are unknown.
    """
    points_m = np.full((len(FULL_BODY), 3), np.nan)
    known_m = np.asarray(landmarks_m, np.float64)
    points_m[: len(known_m)] = known_m
    ends_m: Float64Array = points_m[_ENDS].mean(axis=2)
    return ends_m


def bone_lengths_m(landmarks_m: npt.ArrayLike) -> dict[str, float]:
    """Return the lengths of the bones between landmarks (N, 3), by name; NaN where unknown."""
    ends_m = bone_ends(landmarks_m)
    lengths_m = np.linalg.norm(ends_m[:, 1] - ends_m[:, 0], axis=1).tolist()
    return dict(zip((bone.name for bone in BONES), lengths_m, strict=True))


def bone_axes(ends_m: Float64Array, body_axes: Float64Array) -> Float64Array:
    """Return the axes (B, 3, 3), in columns, of bones with some ends (B, 2, 3); NaN if unknown.

    x is along the bone. The others are as at rest, but for the shortest turn from there: at rest y
    is to the left, z of arms and legs forward, of feet up, of trunk and neck backward.
    `body_axes` (3, 3) are those of the body: forward, left and up, in columns. A bone that is
    opposite to how it is at rest is turned about y.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        vectors_m = ends_m[:, 1] - ends_m[:, 0]
        along = vectors_m / np.linalg.norm(vectors_m, axis=1, keepdims=True)
        axes = body_axes @ _REST
        rest, left = axes[:, :, 0], axes[:, :, 1]
        between = rest + along
        scale = (left * along).sum(axis=1) / (1 + (rest * along).sum(axis=1))
        y = left - scale[:, None] * between
    is_back = np.linalg.norm(between, axis=1) < _STRAIGHT_BACK
    y[is_back] = left[is_back]
    found: Float64Array = np.stack((along, y, np.cross(along, y)), axis=2)
    return found

"""Frames of people for TF, and points moved between frames: pure functions, without tf2."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.topology import Topology
from pose_ros.body.bones import BONES, bone_axes, bone_ends
from pose_ros.body.orientation import body_axes


def person_transforms(
    header: Header,
    name: str,
    landmarks_m: npt.ArrayLike,
    visibility: npt.ArrayLike,
    topology: Topology,
    min_visibility: float,
    with_landmarks: bool = False,
    with_bones: bool = False,
) -> list[TransformStamped]:
    """Return the frame `name` of a person and, if asked for, those of landmarks and bones.

    `landmarks_m` (N, 3) are in `header.frame_id`, which is the parent of all frames. A landmark
    is known if it is finite and its `visibility` (N,) is not below `min_visibility`.

    The person's frame has its x axis forward out of the chest, y to the person's left and z up
    along the spine (REP 103). Its origin lies between the hips, and the spine leads from there to
    the middle of the shoulders. Where the hips are unknown it lies between the shoulders, and the
    middle of the ears, which stand above the shoulders of somebody upright, is the spine's end.
    Without these landmarks, or with the shoulders along the spine, there is no such frame.

    A landmark's frame is `<name>/<landmark>`. Landmarks have no orientation of their own: it is
    that of the parent. A bone's is `<name>/<bone>`, with axes as in `bone_axes`. Its origin is
    where the bone starts; both ends must be known, and the person's frame as well.
    """
    points_m = np.array(landmarks_m, np.float64)
    is_known = np.isfinite(points_m).all(axis=1) & (np.asarray(visibility) >= min_visibility)
    points_m[~is_known] = np.nan
    body = _body_frame(points_m, topology)
    frames = [] if body is None else [frame_transform(header, name, *body)]
    if with_landmarks:
        frames += [
            frame_transform(header, f"{name}/{landmark}", point_m, np.eye(3))
            for landmark, point_m, known in zip(topology.names, points_m, is_known, strict=True)
            if known
        ]
    if with_bones and body is not None:
        frames += _bone_transforms(header, name, points_m, body[1])
    return frames


def _bone_transforms(
    header: Header, name: str, points_m: Float64Array, axes_of_body: Float64Array
) -> list[TransformStamped]:
    ends_m = bone_ends(points_m)
    found = zip(BONES, ends_m[:, 0], bone_axes(ends_m, axes_of_body), strict=True)
    return [
        frame_transform(header, f"{name}/{bone.name}", start_m, axes)
        for bone, start_m, axes in found
        if np.isfinite(axes).all()
    ]


def transform_points(points_m: npt.ArrayLike, transform: TransformStamped) -> Float64Array:
    """Move points (n, 3) from the transform's child frame to its header's; NaN stays NaN."""
    shift = transform.transform.translation
    moved_m: Float64Array = _turned(points_m, transform) + np.array((shift.x, shift.y, shift.z))
    return moved_m


def rotation_matrix(transform: TransformStamped) -> Float64Array:
    """Return the rotation (3, 3) of a transform: its columns are the child frame's axes."""
    return _turned(np.eye(3), transform).T


def _turned(vectors: npt.ArrayLike, transform: TransformStamped) -> Float64Array:
    """Return vectors (n, 3) turned by the rotation of a transform."""
    turn, vectors = transform.transform.rotation, np.asarray(vectors, np.float64)
    axis = np.array((turn.x, turn.y, turn.z))
    turned: Float64Array = vectors + 2 * np.cross(axis, np.cross(axis, vectors) + turn.w * vectors)
    return turned


def _body_frame(
    points_m: Float64Array, topology: Topology
) -> tuple[Float64Array, Float64Array] | None:
    """Return origin (3,) and axes (3, 3), in columns, of the body; None if they are unknown."""
    points = dict(zip(topology.names, points_m, strict=True))
    hips, shoulders, ears = (
        (points[f"left_{part}"] + points[f"right_{part}"]) / 2
        for part in ("hip", "shoulder", "ear")
    )
    origin, top = (shoulders, ears) if np.isnan(hips).any() else (hips, shoulders)
    axes = body_axes(points["left_shoulder"] - points["right_shoulder"], top - origin)
    return None if axes is None else (origin, axes)


def frame_transform(
    header: Header, child: str, origin_m: Float64Array, axes: Float64Array
) -> TransformStamped:
    """Return a child frame with its origin (3,) and axes (3, 3), in columns, in the header's."""
    message = TransformStamped()
    message.header, message.child_frame_id = header, child
    shift, turn = message.transform.translation, message.transform.rotation
    shift.x, shift.y, shift.z = origin_m.tolist()
    turn.x, turn.y, turn.z, turn.w = quaternion(axes)
    return message


def quaternion(rotation: Float64Array) -> tuple[float, float, float, float]:
    """Return the unit quaternion (x, y, z, w) of a rotation matrix (3, 3)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    # 4 q q^T of the quaternion q: each row is a multiple of q, the longest one is the most exact
    products = (
        (1 + xx - yy - zz, xy + yx, zx + xz, zy - yz),
        (xy + yx, 1 - xx + yy - zz, yz + zy, xz - zx),
        (zx + xz, yz + zy, 1 - xx - yy + zz, yx - xy),
        (zy - yz, xz - zx, yx - xy, 1 + xx + yy + zz),
    )
    diagonal = [products[row][row] for row in range(4)]
    x, y, z, w = products[diagonal.index(max(diagonal))]
    length = math.hypot(x, y, z, w)
    return x / length, y / length, z / length, w / length

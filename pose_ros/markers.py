"""Markers in the camera's space: skeletons, ROIs and detections, as pure functions of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, Pose, size_of
from pose_ros.blazepose.drawing import (
    CONNECTION_COLOR,
    DETECTION_COLOR,
    ROI_COLOR,
    Color,
    box_corners_px,
    drawn_landmarks,
    side_color,
)
from pose_ros.frame import FrameResult

_MARKER_FRAMES = 3
_FRAME_PERIOD_LIMITS_S = (1 / 30, 2.0)

_Key = tuple[str, int]
"""Namespace and id of a marker; the id is the person's place among the poses."""


class _Shape(NamedTuple):
    """Points (n, 3) of a marker in the camera's frame, and their colours unless all have one."""

    points_m: Float64Array
    colors: tuple[Color, ...] = ()


class _Style(NamedTuple):
    """Type of a marker, and width of its lines or dots in px of the image."""

    kind: int
    size_px: float
    color: Color


_STYLES = {
    "connections": _Style(Marker.LINE_LIST, 3.0, CONNECTION_COLOR),
    "landmarks": _Style(Marker.SPHERE_LIST, 8.0, CONNECTION_COLOR),
    "roi": _Style(Marker.LINE_STRIP, 3.0, ROI_COLOR),
    "detection": _Style(Marker.LINE_STRIP, 3.0, DETECTION_COLOR),
    "detection_keypoints": _Style(Marker.SPHERE_LIST, 12.0, DETECTION_COLOR),
}
_Shapes = Callable[[FrameResult], dict[_Key, _Shape]]


def markers(frame: FrameResult) -> MarkerArray:
    """Build the skeleton of each person: landmarks and connections.

    A person whose place is known is drawn there, with the landmarks that are known; any other on
    the plane at `marker_distance_m` in front of the camera. Left out is what is not drawn on the
    picture either. Markers of the frame before that are not shown any more are deleted.
    """
    return _message(frame, _skeletons)


def roi_markers(frame: FrameResult) -> MarkerArray:
    """Build the ROI of each person, and the detection if there was one.

    They lie on the plane at `marker_distance_m` in front of the camera. Markers of the frame
    before that are not shown any more are deleted.
    """
    return _message(frame, _outlines)


def _skeletons(frame: FrameResult) -> dict[_Key, _Shape]:
    pairs = np.array(frame.topology.connections)
    colors = [side_color(name) for name in frame.topology.names]
    shapes = {}
    for slot, (pose, landmarks_m) in enumerate(zip(frame.poses, frame.landmarks_m, strict=True)):
        points_m = _places(frame, pose, landmarks_m)
        is_shown = drawn_landmarks(pose, size_of(frame.image), frame.min_visibility)
        is_shown &= np.isfinite(points_m).all(axis=1)
        lines = pairs[is_shown[pairs].all(axis=1)]
        dots = np.flatnonzero(is_shown)
        if len(lines):
            shapes["connections", slot] = _Shape(points_m[lines].reshape(-1, 3))
        if len(dots):
            shapes["landmarks", slot] = _Shape(points_m[dots], tuple(colors[i] for i in dots))
    return shapes


def _places(frame: FrameResult, pose: Pose, landmarks_m: Float32Array) -> Float64Array:
    """Return where to draw the landmarks (N, 3): all in space, or all on the image plane."""
    if np.isfinite(landmarks_m).any():
        return np.asarray(landmarks_m, np.float64)
    return _on_plane(frame, pose.landmarks_px[:, :2])


def _outlines(frame: FrameResult) -> dict[_Key, _Shape]:
    shapes = {
        (namespace, slot): _Shape(_on_plane(frame, points_px))
        for slot, pose in enumerate(frame.poses)
        for namespace, points_px in _outlines_px(pose)
    }
    return {key: shape for key, shape in shapes.items() if np.isfinite(shape.points_m).all()}


def _outlines_px(pose: Pose) -> Iterator[tuple[str, npt.ArrayLike]]:
    """Yield namespace and points (n, 2) of a person's ROI and detection."""
    top_left, top_right, bottom_right, bottom_left = pose.roi.corners_px()
    top = (top_left + top_right) / 2
    # One stroke: up from the centre, then once around.
    around = (top_right, bottom_right, bottom_left, top_left)
    yield "roi", (pose.roi.center_px, top, *around, top)
    if pose.detection is not None:
        corners_px = box_corners_px(pose.detection)
        yield "detection", (*corners_px, corners_px[0])
        yield "detection_keypoints", pose.detection.keypoints_px


def _on_plane(frame: FrameResult, points_px: npt.ArrayLike) -> Float64Array:
    return frame.camera.rays(points_px) * frame.marker_distance_m


def _message(frame: FrameResult, shapes_of: _Shapes) -> MarkerArray:
    """Return the markers of the frame's shapes, and the deletion of those that vanished."""
    shapes = shapes_of(frame)
    before = shapes_of(frame.previous) if frame.previous else {}
    shown = [_marker(frame, key, shape) for key, shape in shapes.items()]
    vanished = [_deletion(frame, key) for key in sorted(before.keys() - shapes.keys())]
    return MarkerArray(markers=shown + vanished)


def _marker(frame: FrameResult, key: _Key, shape: _Shape) -> Marker:
    namespace, slot = key
    style = _STYLES[namespace]
    marker = Marker(
        header=frame.space_header, ns=namespace, id=slot, type=style.kind, action=Marker.ADD
    )
    marker.pose.orientation.w = 1.0
    size_m = style.size_px / frame.camera.fx * float(np.median(shape.points_m[:, 2]))
    marker.scale.x = marker.scale.y = marker.scale.z = size_m
    marker.color = _rgba(style.color)
    marker.colors = [_rgba(color) for color in shape.colors]
    marker.lifetime = _lifetime(frame.frame_period_s)
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in frame.in_space(shape.points_m).tolist()]
    return marker


def _rgba(color: Color) -> ColorRGBA:
    red, green, blue = (value / 255 for value in color)
    return ColorRGBA(r=red, g=green, b=blue, a=1.0)


def _deletion(frame: FrameResult, key: _Key) -> Marker:
    return Marker(header=frame.space_header, ns=key[0], id=key[1], action=Marker.DELETE)


def _lifetime(frame_period_s: float) -> Duration:
    """Return the time of some frames; never zero, which would mean for ever."""
    low_s, high_s = _FRAME_PERIOD_LIMITS_S
    lifetime_ns = round(_MARKER_FRAMES * min(max(frame_period_s, low_s), high_s) * 1e9)
    seconds, nanoseconds = divmod(lifetime_ns, 10**9)
    return Duration(sec=seconds, nanosec=nanoseconds)

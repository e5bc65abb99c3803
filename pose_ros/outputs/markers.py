"""Markers in the camera's space: skeletons, ROIs and detections, as pure functions of a frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, Pose, size_of
from pose_ros.blazepose.drawing import (
    DETECTION_COLOR,
    ROI_COLOR,
    Color,
    box_corners_px,
    drawn_landmarks,
    person_color,
    side_color,
)
from pose_ros.outputs.frame import Frame, Person

_MARKER_FRAMES = 3
_PERIOD_LIMITS_S = (1 / 30, 2.0)

Key = tuple[str, int]
"""Namespace and id of a marker; the id is the person's."""


class _Shape(NamedTuple):
    """Points (n, 3) of a marker in the camera's frame, and how large it is in px of the image.

    `colors` has one for each point, unless all have that of the style. A label has its text.
    """

    points_m: Float64Array
    size_px: float
    colors: tuple[Color, ...] = ()
    text: str = ""


class _Style(NamedTuple):
    """Type and color of a marker; None is the person's own color.

    `proportions` are those of its scale: of an arrow, the widths of shaft and head, and the length
    of the head.
    """

    kind: int
    color: Color | None = None
    proportions: tuple[float, float, float] = (1.0, 1.0, 1.0)


_TARGET_COLOR: Color = (255, 200, 0)
_STYLES = {
    "connections": _Style(Marker.LINE_LIST),
    "landmarks": _Style(Marker.SPHERE_LIST),
    "label": _Style(Marker.TEXT_VIEW_FACING),
    "velocity": _Style(Marker.ARROW, proportions=(1.0, 2.5, 3.0)),
    "target": _Style(Marker.SPHERE_LIST, _TARGET_COLOR),
    "roi": _Style(Marker.LINE_STRIP, ROI_COLOR),
    "detection": _Style(Marker.LINE_STRIP, DETECTION_COLOR),
    "detection_keypoints": _Style(Marker.SPHERE_LIST, DETECTION_COLOR),
}
# Parts of the ROI's side, which grows with the body. The eyes of an adult are 3 cm wide, and the
# side is some 2.3 m: spheres of this size leave the landmarks of a face apart.
_SPHERE_SIZE, _LINE_WIDTH, _TEXT_HEIGHT, _LABEL_GAP = 0.008, 0.005, 0.07, 0.07
_ARROW_WIDTH, _TARGET_SIZE = 0.01, 0.05
_MIN_SHOWN_SPEED_M_S = 0.1
_OUTLINE_WIDTH_PX, _KEYPOINT_SIZE_PX = 3.0, 12.0
_OUTLINE_DISTANCE_M = 0.1
"""Close to the lens, so that outlines cover the image in a camera view but nothing in 3D."""


class ShownMarkers:
    """The markers that viewers of one topic show, by what was published there."""

    def __init__(self) -> None:
        self._keys: set[Key] = set()

    def add_deletions(self, message: MarkerArray, header: Header) -> None:
        """Add to a message, about to be published, the deletion of all that it no longer has."""
        keys = {(marker.ns, marker.id) for marker in message.markers}
        message.markers += [
            Marker(header=header, ns=namespace, id=person_id, action=Marker.DELETE)
            for namespace, person_id in sorted(self._keys - keys)
        ]
        self._keys = keys


def markers(frame: Frame) -> MarkerArray:
    """Build the skeleton of each person, landmarks and connections, and a label above it.

    A person whose position is known is drawn there, with the landmarks that are known; any other
    on the plane at `marker_distance_m` in front of the camera. Left out is what is not drawn on
    the image either. The label has the person's id and, where it is known, the distance. Who moves
    has an arrow, as long as the way of a second, and the target a sphere, both at the pelvis.
    """
    return _message(frame, _skeletons(frame))


def roi_markers(frame: Frame) -> MarkerArray:
    """Build the ROI of each person, and the detection if there was one.

    They lie on a plane close in front of the camera.
    """
    return _message(frame, _outlines(frame))


def _skeletons(frame: Frame) -> dict[Key, _Shape]:
    return {
        (namespace, person.pose.person_id): shape
        for person in frame.people
        for namespace, shape in (_skeleton(frame, person) | _movement(frame, person)).items()
    }


def _skeleton(frame: Frame, person: Person) -> dict[str, _Shape]:
    """Return the shapes of a person by namespace; none if no landmark is drawn."""
    points_m, pose = _positions(frame, person), person.pose
    is_shown = drawn_landmarks(pose, size_of(frame.image), frame.options.min_visibility)
    is_shown &= np.isfinite(points_m).all(axis=1)
    dots, pairs = np.flatnonzero(is_shown), np.array(frame.topology.connections)
    if not len(dots):
        return {}
    colors = tuple(side_color(frame.topology.names[index]) for index in dots)
    lines = pairs[is_shown[pairs].all(axis=1)].ravel()
    side_px = pose.roi.size_px
    shapes = {
        "landmarks": _Shape(points_m[dots], _SPHERE_SIZE * side_px, colors),
        "label": _label(frame, person, pose.landmarks_px[dots, :2], points_m[dots]),
    }
    if len(lines):
        shapes["connections"] = _Shape(points_m[lines], _LINE_WIDTH * side_px)
    return shapes


def _movement(frame: Frame, person: Person) -> dict[str, _Shape]:
    """Return the arrow of the velocity, and the mark of the target, of a person who is located."""
    if person.motion is None or person.position is None:
        return {}
    side_px, pelvis_m = person.pose.roi.size_px, person.position.pelvis_m
    shapes = {}
    velocity_m_s = frame.output_rotation.T @ person.motion.velocity_m_s
    if np.linalg.norm(velocity_m_s) >= _MIN_SHOWN_SPEED_M_S:
        ends_m = np.array((pelvis_m, pelvis_m + velocity_m_s))
        shapes["velocity"] = _Shape(ends_m, _ARROW_WIDTH * side_px)
    if person.pose.person_id == frame.target_id:
        shapes["target"] = _Shape(pelvis_m[None], _TARGET_SIZE * side_px)
    return shapes


def _label(frame: Frame, person: Person, shown_px: Float32Array, shown_m: Float64Array) -> _Shape:
    """Return id and distance, above the landmarks (n, 2) in px and (n, 3) that are shown."""
    side_px = person.pose.roi.size_px
    above_px = (shown_px[:, 0].mean(), shown_px[:, 1].min() - _LABEL_GAP * side_px)
    depth_m = np.median(shown_m[:, 2])
    above_m = frame.camera.rays([above_px]) * depth_m
    return _Shape(above_m, _TEXT_HEIGHT * side_px, text=person.label)


def _positions(frame: Frame, person: Person) -> Float64Array:
    """Return where to draw the landmarks (N, 3): where they are, or all on the image plane."""
    if np.isfinite(person.landmarks_m).any():
        return np.asarray(person.landmarks_m, np.float64)
    return frame.camera.rays(person.pose.landmarks_px[:, :2]) * frame.options.marker_distance_m


def _outlines(frame: Frame) -> dict[Key, _Shape]:
    return {
        (namespace, person.pose.person_id): _Shape(
            frame.camera.rays(points_px) * _OUTLINE_DISTANCE_M, size_px
        )
        for person in frame.people
        for namespace, points_px, size_px in _outlines_px(person.pose)
    }


def _outlines_px(pose: Pose) -> Iterator[tuple[str, npt.ArrayLike, float]]:
    """Yield namespace, points (n, 2) and size of a person's ROI and detection."""
    top_left, top_right, bottom_right, bottom_left = pose.roi.corners_px()
    top = (top_left + top_right) / 2
    # One stroke: up from the centre, then once around.
    around = (top_right, bottom_right, bottom_left, top_left)
    yield "roi", (pose.roi.center_px, top, *around, top), _OUTLINE_WIDTH_PX
    if pose.detection is not None:
        corners_px = box_corners_px(pose.detection)
        yield "detection", (*corners_px, corners_px[0]), _OUTLINE_WIDTH_PX
        yield "detection_keypoints", pose.detection.keypoints_px, _KEYPOINT_SIZE_PX


def _message(frame: Frame, shapes: dict[Key, _Shape]) -> MarkerArray:
    """Return the markers of shapes; none without their transform to the output frame.

    A shape that reaches beyond the lens's field of view has none either.
    """
    if not frame.is_output_frame_known:
        return MarkerArray()
    shown = [item for item in shapes.items() if np.isfinite(item[1].points_m).all()]
    return MarkerArray(markers=[_marker(frame, key, shape) for key, shape in shown])


def _marker(frame: Frame, key: Key, shape: _Shape) -> Marker:
    namespace, person_id = key
    style = _STYLES[namespace]
    marker = Marker(
        header=frame.output_header, ns=namespace, id=person_id, type=style.kind, action=Marker.ADD
    )
    marker.pose.orientation.w = 1.0
    size_m = shape.size_px / frame.camera.fx * abs(float(np.median(shape.points_m[:, 2])))
    scale, proportions = marker.scale, style.proportions
    scale.x, scale.y, scale.z = (size_m * proportion for proportion in proportions)
    marker.color = _rgba(person_color(person_id) if style.color is None else style.color)
    marker.colors = [_rgba(color) for color in shape.colors]
    marker.lifetime = _lifetime(frame.period_s)
    points_m = frame.to_output_frame(shape.points_m).tolist()
    if shape.text:
        marker.text, (marker.pose.position,) = shape.text, [_point(point) for point in points_m]
    else:
        marker.points = [_point(point) for point in points_m]
    return marker


def _point(point_m: list[float]) -> Point:
    x, y, z = point_m
    return Point(x=x, y=y, z=z)


def _rgba(color: Color) -> ColorRGBA:
    red, green, blue = (value / 255 for value in color)
    return ColorRGBA(r=red, g=green, b=blue, a=1.0)


def _lifetime(period_s: float) -> Duration:
    """Return the time of some frames; never zero, which would mean forever."""
    low_s, high_s = _PERIOD_LIMITS_S
    lifetime_ns = round(_MARKER_FRAMES * min(max(period_s, low_s), high_s) * 1e9)
    seconds, nanoseconds = divmod(lifetime_ns, 10**9)
    return Duration(sec=seconds, nanosec=nanoseconds)

"""What the node publishes: pure functions from a frame's result to a message, and their table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import (
    ColorRGBA,
    Float32MultiArray,
    Header,
    MultiArrayDimension,
    MultiArrayLayout,
    String,
)
from visualization_msgs.msg import Marker, MarkerArray

from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import Float64Array, ImageArray, ImageSize, Pose
from pose_ros.blazepose.distortion import distortion_from
from pose_ros.blazepose.drawing import (
    DETECTION_COLOR,
    ROI_COLOR,
    Color,
    box_corners_px,
    draw_poses,
)
from pose_ros.blazepose.topology import Topology
from pose_ros.client import LANDMARK_DTYPE, landmark_fields
from pose_ros.images import compressed_from_rgb, image_from_rgb, mono_from_mask

MarkerKey = tuple[str, int]
"""Namespace and id of a marker; the id is the person's place among the poses."""

_MARKER_FRAMES = 3
_FRAME_PERIOD_LIMITS_S = (1 / 30, 2.0)
_LINE_PX = 3.0
_KEYPOINT_PX = 12.0


@dataclass(frozen=True, eq=False)
class FrameResult:
    """All that the outputs of one frame are made of.

    `image` is the RGB image (H, W, 3) that the poses were found in, `header` that of its message.
    `frame_period_s` is the time since the frame before; markers live three of them.
    `previous_markers` are the `markers` of the frame before; those that this frame does not show
    any more are deleted from the viewer. They are all that is handed on from frame to frame.
    `has_mask` tells that the poses were asked for their masks.
    """

    header: Header
    image: ImageArray
    poses: tuple[Pose, ...]
    topology: Topology
    camera: Camera
    min_visibility: float = 0.5
    marker_distance_m: float = 1.0
    frame_period_s: float = 1 / 30
    previous_markers: frozenset[MarkerKey] = frozenset()
    has_mask: bool = False

    @cached_property
    def annotated(self) -> ImageArray:
        """The image (H, W, 3) with the poses drawn on it; drawn once, when first asked for."""
        return draw_poses(self.image, self.poses, self.topology, self.min_visibility)

    @cached_property
    def outlines_px(self) -> dict[MarkerKey, Float64Array]:
        """The points (n, 2) of each marker of ROIs and detections, in image px, all finite."""
        return {
            (namespace, slot): points_px
            for slot, pose in enumerate(self.poses)
            for namespace, points_px in _outlines(pose)
            if np.isfinite(points_px).all()
        }

    @property
    def markers(self) -> frozenset[MarkerKey]:
        """The markers that this frame shows."""
        return frozenset(self.outlines_px)


def landmarks(frame: FrameResult) -> PointCloud2:
    """Build the landmark cloud: a row per person, a point of `LANDMARK_DTYPE` per landmark."""
    cloud = np.zeros((len(frame.poses), len(frame.topology)), LANDMARK_DTYPE)
    for row, pose in zip(cloud, frame.poses, strict=True):
        _fill_row(row, pose)
    message = PointCloud2(
        header=frame.header,
        height=cloud.shape[0],
        width=cloud.shape[1],
        fields=landmark_fields(),
        is_bigendian=False,
        point_step=LANDMARK_DTYPE.itemsize,
        row_step=LANDMARK_DTYPE.itemsize * cloud.shape[1],
        is_dense=False,
    )
    message.data.frombytes(cloud.tobytes())
    return message


def landmarks_array(frame: FrameResult) -> Float32MultiArray:
    """Build the plain array (P, N, 4) of x, y, z and visibility.

    x and y are normalized by the width and height of the image, z by its width.
    """
    height_px, width_px = frame.image.shape[:2]
    values = np.empty((len(frame.poses), len(frame.topology), 4), np.float32)
    for row, pose in zip(values, frame.poses, strict=True):
        row[:, :3] = pose.landmarks_px / np.array((width_px, height_px, width_px), np.float32)
        row[:, 3] = pose.visibility
    labels, strides = ("person", "landmark", "value"), (values.size, 4 * values.shape[1], 4)
    dimensions = [
        MultiArrayDimension(label=label, size=size, stride=stride)
        for label, size, stride in zip(labels, values.shape, strides, strict=True)
    ]
    message = Float32MultiArray(layout=MultiArrayLayout(dim=dimensions))
    message.data.frombytes(values.tobytes())
    return message


def roi_markers(frame: FrameResult) -> MarkerArray:
    """Build the ROI of each person, and the detection if there was one, as markers in metres.

    They lie on the plane at `marker_distance_m` in front of the camera. Markers of the frame
    before that are not shown any more are deleted.
    """
    shown = [_marker(frame, key) for key in frame.outlines_px]
    vanished = [_deletion(frame, key) for key in sorted(frame.previous_markers - frame.markers)]
    return MarkerArray(markers=shown + vanished)


def annotated_image(frame: FrameResult) -> Image:
    """Build the picture with the poses drawn on it."""
    return image_from_rgb(frame.annotated, frame.header)


def annotated_jpeg(frame: FrameResult) -> CompressedImage:
    """Build the picture with the poses drawn on it, as JPEG."""
    return compressed_from_rgb(frame.annotated, frame.header)


def segmentation_mask(frame: FrameResult) -> Image | None:
    """Build the mask of all people: 255 is a person's pixel. None if no mask was predicted."""
    if not frame.has_mask:
        return None
    mask = np.zeros(frame.image.shape[:2], np.float32)
    for pose in frame.poses:
        if pose.mask is not None:
            np.maximum(mask, pose.mask, out=mask)
    return mono_from_mask(np.rint(mask * 255).astype(np.uint8), frame.header)


def landmark_names(model: str, topology: Topology) -> String:
    """Build the JSON text that tells a model's landmark names and connections."""
    content = {"model": model, "names": topology.names, "connections": topology.connections}
    return String(data=json.dumps(content))


@dataclass(frozen=True)
class Output:
    """A topic `~/<name>`: its type, the function that builds a message, and the kind of QoS.

    `qos` is "data" (results), "image" (pictures) or "latched" (the last message is kept). Where
    `build` returns None there is nothing to publish. Only an output that `needs_mask` costs the
    prediction of masks.
    """

    name: str
    message_type: type[Any]
    build: Callable[..., Any]
    qos: str
    needs_mask: bool = False


OUTPUTS = (
    Output("landmarks", PointCloud2, landmarks, "data"),
    Output("landmarks_array", Float32MultiArray, landmarks_array, "data"),
    Output("roi_markers", MarkerArray, roi_markers, "data"),
    Output("annotated_image", Image, annotated_image, "image"),
    Output("annotated_image/compressed", CompressedImage, annotated_jpeg, "image"),
    Output("segmentation_mask", Image, segmentation_mask, "image", needs_mask=True),
)
"""The topics of every frame; `build` takes a FrameResult."""

LANDMARK_NAMES = Output("landmark_names", String, landmark_names, "latched")
"""The topic of every change of the model; `build` takes its name and topology."""


def camera_from_info(
    info: CameraInfo, image_size: ImageSize, is_rectified: bool = False
) -> Camera | None:
    """Return the camera of an image, or None if the message holds no calibration.

    A raw image has the matrix K and the distortion D, a rectified one the matrix P alone. The
    matrix belongs to the full picture of the sensor; the image may be a part of it (`roi`) or
    binned or resized. Raises CameraError for a distortion that is not known.
    """
    window_size = ImageSize(info.roi.width, info.roi.height)
    if not all(window_size):
        window_size = ImageSize(info.width, info.height)
    offset_px = (info.roi.x_offset, info.roi.y_offset)
    if is_rectified:
        projection = np.reshape(info.p, (3, 4))[:, :3]
        return Camera.from_matrix(projection, image_size, window_size, offset_px)
    distortion = distortion_from(info.distortion_model, info.d)
    return Camera.from_matrix(info.k, image_size, window_size, offset_px, distortion)


def _fill_row(row: npt.NDArray[Any], pose: Pose) -> None:
    """Write one person's landmarks (N,) of `LANDMARK_DTYPE`."""
    for name in ("x", "y", "z"):
        row[name] = np.nan
    row["u"], row["v"], row["depth_rel"] = pose.landmarks_px.T
    world_m = pose.world_landmarks_m
    row["wx"], row["wy"], row["wz"] = (np.nan,) * 3 if world_m is None else world_m.T
    row["visibility"], row["presence"] = pose.visibility, pose.presence
    row["person_id"] = pose.person_id
    row["index"] = np.arange(len(row))


def _outlines(pose: Pose) -> Iterator[tuple[str, Float64Array]]:
    """Yield namespace and points (n, 2) of a person's markers."""
    top_left, top_right, bottom_right, bottom_left = pose.roi.corners_px()
    top = (top_left + top_right) / 2
    # One stroke: up from the centre, then once around.
    around = (top_right, bottom_right, bottom_left, top_left)
    yield "roi", np.array((pose.roi.center_px, top, *around, top))
    if pose.detection is not None:
        corners_px = box_corners_px(pose.detection)
        yield "detection", np.array((*corners_px, corners_px[0]), np.float64)
        yield "detection_keypoints", np.array(pose.detection.keypoints_px, np.float64)


_STYLES: dict[str, tuple[int, float, Color]] = {
    "roi": (Marker.LINE_STRIP, _LINE_PX, ROI_COLOR),
    "detection": (Marker.LINE_STRIP, _LINE_PX, DETECTION_COLOR),
    "detection_keypoints": (Marker.SPHERE_LIST, _KEYPOINT_PX, DETECTION_COLOR),
}


def _marker(frame: FrameResult, key: MarkerKey) -> Marker:
    namespace, slot = key
    kind, size_px, color = _STYLES[namespace]
    points_m = frame.camera.rays(frame.outlines_px[key]) * frame.marker_distance_m
    marker = Marker(header=frame.header, ns=namespace, id=slot, type=kind, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    size_m = size_px / frame.camera.fx * frame.marker_distance_m
    marker.scale.x = marker.scale.y = marker.scale.z = size_m
    red, green, blue = (value / 255 for value in color)
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    marker.lifetime = _lifetime(frame.frame_period_s)
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points_m.tolist()]
    return marker


def _deletion(frame: FrameResult, key: MarkerKey) -> Marker:
    return Marker(header=frame.header, ns=key[0], id=key[1], action=Marker.DELETE)


def _lifetime(frame_period_s: float) -> Duration:
    """Return the time of some frames; never zero, which would mean for ever."""
    low_s, high_s = _FRAME_PERIOD_LIMITS_S
    lifetime_ns = round(_MARKER_FRAMES * min(max(frame_period_s, low_s), high_s) * 1e9)
    seconds, nanoseconds = divmod(lifetime_ns, 10**9)
    return Duration(sec=seconds, nanosec=nanoseconds)

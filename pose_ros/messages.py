"""What the node publishes: pure functions from a frame's result to a message, and their table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import (
    Float32MultiArray,
    MultiArrayDimension,
    MultiArrayLayout,
    String,
)
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.datatypes import Float64Array, Pose
from pose_ros.blazepose.topology import Topology
from pose_ros.client import LANDMARK_DTYPE, landmark_fields
from pose_ros.frame import FrameResult
from pose_ros.images import compressed_from_rgb, image_from_rgb, mono_from_mask
from pose_ros.markers import markers, roi_markers


def landmarks(frame: FrameResult) -> PointCloud2:
    """Build the landmark cloud: a row per person, a point of `LANDMARK_DTYPE` per landmark."""
    cloud = np.zeros((len(frame.poses), len(frame.topology)), LANDMARK_DTYPE)
    for row, pose, landmarks_m in zip(cloud, frame.poses, frame.landmarks_m, strict=True):
        _fill_row(row, pose, frame.in_space(landmarks_m))
    message = PointCloud2(
        header=frame.space_header,
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
    prediction of masks, and only one that `needs_place` the search for places in space.
    """

    name: str
    message_type: type[Any]
    build: Callable[..., Any]
    qos: str
    needs_mask: bool = False
    needs_place: bool = False


OUTPUTS = (
    Output("landmarks", PointCloud2, landmarks, "data", needs_place=True),
    Output("landmarks_array", Float32MultiArray, landmarks_array, "data"),
    Output("markers", MarkerArray, markers, "data", needs_place=True),
    Output("roi_markers", MarkerArray, roi_markers, "data"),
    Output("annotated_image", Image, annotated_image, "image"),
    Output("annotated_image/compressed", CompressedImage, annotated_jpeg, "image"),
    Output("segmentation_mask", Image, segmentation_mask, "image", needs_mask=True),
)
"""The topics of every frame; `build` takes a FrameResult."""

LANDMARK_NAMES = Output("landmark_names", String, landmark_names, "latched")
"""The topic of every change of the model; `build` takes its name and topology."""


def _fill_row(row: npt.NDArray[Any], pose: Pose, landmarks_m: Float64Array) -> None:
    """Write one person's landmarks (N,) of `LANDMARK_DTYPE`."""
    row["x"], row["y"], row["z"] = landmarks_m.T
    row["u"], row["v"], row["depth_rel"] = pose.landmarks_px.T
    world_m = pose.world_landmarks_m
    row["wx"], row["wy"], row["wz"] = (np.nan,) * 3 if world_m is None else world_m.T
    row["visibility"], row["presence"] = pose.visibility, pose.presence
    row["person_id"] = pose.person_id
    row["index"] = np.arange(len(row))

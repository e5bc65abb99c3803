"""What the node publishes: pure functions from a frame to a message, and their table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CompressedImage, Image, JointState, PointCloud2
from std_msgs.msg import (
    Float32MultiArray,
    MultiArrayDimension,
    MultiArrayLayout,
    String,
)
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.datatypes import Float32Array, ImageArray
from pose_ros.blazepose.topology import Topology
from pose_ros.outputs.clouds import landmarks, people
from pose_ros.outputs.frame import Frame
from pose_ros.outputs.images import compressed_from_rgb, mono_from_mask, rgb_pixels
from pose_ros.outputs.joint_states import joint_states
from pose_ros.outputs.layout import LANDMARK_DTYPE, PERSON_DTYPE
from pose_ros.outputs.markers import markers, roi_markers
from pose_ros.outputs.serialization import CloudSerializer
from pose_ros.outputs.target_messages import target_odometry, target_pose


def landmarks_array(frame: Frame) -> Float32MultiArray:
    """Build the plain array (P, N, 4) of x, y, z and visibility.

    x and y are normalized by the width and height of the image, z by its width.
    """
    height_px, width_px = frame.image.shape[:2]
    values = np.empty((len(frame.people), len(frame.topology), 4), np.float32)
    for row, person in zip(values, frame.people, strict=True):
        pose = person.pose
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


def annotated_image(frame: Frame) -> Image:
    """Build the image with the poses drawn on it."""
    return frame.annotated


def annotated_jpeg(frame: Frame) -> CompressedImage:
    """Build the image with the poses drawn on it, as JPEG."""
    return compressed_from_rgb(rgb_pixels(frame.annotated), frame.header)


def segmentation_mask(frame: Frame) -> Image:
    """Build the mask of the people who are seen, as one or, with `mask_labels`, apart."""
    size_of_mask = frame.image.shape[:2]
    masks = {pose.person_id: pose.mask for pose in frame.poses if pose.mask is not None}
    mask = (_labels if frame.options.mask_labels else _union)(masks, size_of_mask)
    return mono_from_mask(mask, frame.header)


def landmark_names(model: str, topology: Topology) -> String:
    """Build the JSON text of a model's landmark names and connections."""
    content = {"model": model, "names": topology.names, "connections": topology.connections}
    return String(data=json.dumps(content))


@dataclass(frozen=True)
class Output:
    """A topic `~/<name>`: its type, the function that builds a message, and the kind of QoS.

    `qos` is "data" (results), "image" or "latched" (the last message is kept). Masks are predicted
    only for an output that `needs_masks`, positions estimated only for one that
    `needs_positions`, and motions too for one that `needs_motions`. Where `serialize` is given,
    its bytes go out in place of the message.
    """

    name: str
    message_type: type[Any]
    build: Callable[..., Any]
    qos: str
    needs_masks: bool = False
    needs_positions: bool = False
    needs_motions: bool = False
    serialize: Callable[[Any], bytes] | None = None

    def is_possible(self, frame: Frame) -> bool:
        """Return whether the frame has all that the output needs."""
        return (
            (frame.has_masks or not self.needs_masks)
            and (frame.is_located or not self.needs_positions)
            and (frame.has_motions or not self.needs_motions)
        )


OUTPUTS = (
    Output(
        "landmarks",
        PointCloud2,
        landmarks,
        "data",
        needs_positions=True,
        serialize=CloudSerializer(LANDMARK_DTYPE),
    ),
    Output(
        "people",
        PointCloud2,
        people,
        "data",
        needs_positions=True,
        needs_motions=True,
        serialize=CloudSerializer(PERSON_DTYPE),
    ),
    Output("joint_states", JointState, joint_states, "data"),
    Output("landmarks_array", Float32MultiArray, landmarks_array, "data"),
    Output("markers", MarkerArray, markers, "data", needs_positions=True, needs_motions=True),
    Output("roi_markers", MarkerArray, roi_markers, "data"),
    Output("annotated_image", Image, annotated_image, "image", needs_positions=True),
    Output(
        "annotated_image/compressed",
        CompressedImage,
        annotated_jpeg,
        "image",
        needs_positions=True,
    ),
    Output("segmentation_mask", Image, segmentation_mask, "image", needs_masks=True),
)
"""The topics of every frame; `build` takes a Frame."""

TARGET_OUTPUTS = tuple(
    Output(name, message_type, build, "data", needs_positions=True, needs_motions=True)
    for name, message_type, build in (
        ("target", PoseStamped, target_pose),
        ("target/odometry", Odometry, target_odometry),
    )
)
"""The topics of frames with a target; without one `build` returns None."""

LANDMARK_NAMES = Output("landmark_names", String, landmark_names, "latched")
"""The topic of every change of the model; `build` takes its name and topology."""


def _union(masks: Mapping[int, Float32Array], shape: tuple[int, ...]) -> ImageArray:
    """Return the mask of all people: 255 where a pixel surely belongs to one, else less."""
    union = np.zeros(shape, np.float32)
    for mask in masks.values():
        np.maximum(union, mask, out=union)
    return np.rint(union * 255).astype(np.uint8)


def _labels(masks: Mapping[int, Float32Array], shape: tuple[int, ...]) -> ImageArray:
    """Return whose each pixel is, by the highest mask: ids, counted from 1 to 255; 0 if no one's.

    A pixel is nobody's where no mask is above 0.5.
    """
    labels, highest = np.zeros(shape, np.uint8), np.full(shape, 0.5, np.float32)
    for person_id, mask in masks.items():
        is_higher = mask > highest
        labels[is_higher] = (person_id - 1) % 255 + 1
        highest[is_higher] = mask[is_higher]
    return labels

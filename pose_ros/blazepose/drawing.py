"""Poses drawn on a picture, in the default style of MediaPipe 0.10.

ref: mediapipe/python/solutions/drawing_utils.py and drawing_styles.py; the ROI and the detection
are red and green as in pose_renderer_cpu.pbtxt (0.8.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import (
    Detection,
    Float32Array,
    ImageArray,
    ImageSize,
    Pose,
    Roi,
    size_of,
)
from pose_ros.blazepose.topology import Topology

Color = tuple[int, int, int]

# RGB
LEFT_COLOR: Color = (255, 138, 0)
RIGHT_COLOR: Color = (0, 217, 231)
CENTER_COLOR: Color = (224, 224, 224)
CONNECTION_COLOR: Color = (224, 224, 224)
ROI_COLOR: Color = (255, 64, 64)
DETECTION_COLOR: Color = (64, 220, 64)

MIN_PRESENCE = 0.5
"""Landmarks with a smaller presence are not drawn. ref: _PRESENCE_THRESHOLD of MediaPipe."""

_MIN_LINE_PX = 2
_IMAGE_SIDE_PER_LINE_WIDTH = 240
_ARROW_PER_ROI_SIZE = 1 / 20
_SHIFT = 4  # cv2 takes whole numbers: 1/16 px here
_FARTHEST_PX = 2**20  # far outside any picture, and safe in cv2's 32-bit coordinates

_Points = npt.NDArray[np.floating[Any]]


def draw_poses(
    image: ImageArray, poses: Sequence[Pose], topology: Topology, min_visibility: float = 0.5
) -> ImageArray:
    """Return a copy of an RGB image (H, W, 3) with people, their ROIs and detections drawn on it.

    A landmark is left out if its visibility is below `min_visibility`, its presence below 0.5 or
    its place outside the image; a connection if one of its ends is. Lines grow with the image.
    """
    canvas = np.array(image, order="C")
    width_px = max(_MIN_LINE_PX, round(min(canvas.shape[:2]) / _IMAGE_SIDE_PER_LINE_WIDTH))
    for pose in poses:
        _draw_roi(canvas, pose.roi, width_px // 2)
        if pose.detection is not None:
            _draw_detection(canvas, pose.detection, width_px // 2)
    for pose in poses:
        _draw_skeleton(canvas, pose, topology, min_visibility, width_px)
    return canvas


def box_corners_px(detection: Detection) -> Float32Array:
    """Return the corners (4, 2) of the box: top left, top right, bottom right, bottom left."""
    return detection.box_px[[[0, 1], [2, 1], [2, 3], [0, 3]]]


def drawn_landmarks(
    pose: Pose, image_size: ImageSize, min_visibility: float
) -> npt.NDArray[np.bool_]:
    """Return which landmarks (N,) are sure enough and inside the image."""
    points_px = pose.landmarks_px[:, :2]
    is_inside = ((points_px >= 0) & (points_px <= image_size)).all(axis=1)
    is_sure = (pose.visibility >= min_visibility) & (pose.presence >= MIN_PRESENCE)
    return np.asarray(is_inside & is_sure)


def _draw_skeleton(
    canvas: ImageArray, pose: Pose, topology: Topology, min_visibility: float, width_px: int
) -> None:
    """Draw the connections, then the landmarks in the colours of their sides."""
    is_drawn = drawn_landmarks(pose, size_of(canvas), min_visibility)
    points_px = pose.landmarks_px[:, :2]
    pairs = np.array(topology.connections)
    _draw_lines(canvas, points_px[pairs[is_drawn[pairs].all(axis=1)]], CONNECTION_COLOR, width_px)
    for index in np.flatnonzero(is_drawn):
        color = side_color(topology.names[index])
        _draw_dots(canvas, points_px[index, None], CONNECTION_COLOR, 2 * width_px)
        _draw_dots(canvas, points_px[index, None], color, 1.5 * width_px)


def side_color(name: str) -> Color:
    """Return the colour of a landmark by the person's side it is on."""
    if "left" in name:
        return LEFT_COLOR
    return RIGHT_COLOR if "right" in name else CENTER_COLOR


def _draw_roi(canvas: ImageArray, roi: Roi, width_px: int) -> None:
    """Draw the square, and from its centre an arrow to where up is."""
    corners_px = roi.corners_px()
    right_px, down_px = (corners_px[[1, 3]] - corners_px[0]) * _ARROW_PER_ROI_SIZE
    tip_px = roi.center_px - down_px
    left_wing_px, right_wing_px = tip_px + 0.3 * down_px + np.outer((-0.3, 0.3), right_px)
    arrow_px = np.stack((roi.center_px, tip_px, left_wing_px, tip_px, right_wing_px))
    _draw_lines(canvas, corners_px[None], ROI_COLOR, width_px, is_closed=True)
    _draw_lines(canvas, arrow_px[None], ROI_COLOR, width_px)


def _draw_detection(canvas: ImageArray, detection: Detection, width_px: int) -> None:
    """Draw the box around the face and the keypoints."""
    _draw_lines(canvas, box_corners_px(detection)[None], DETECTION_COLOR, width_px, is_closed=True)
    _draw_dots(canvas, detection.keypoints_px, DETECTION_COLOR, 3 * width_px)


def _draw_lines(
    canvas: ImageArray, lines_px: _Points, color: Color, width_px: int, is_closed: bool = False
) -> None:
    """Draw lines (n, points, 2), without those that reach unbearably far out of the image."""
    lines_px = lines_px[_is_near(lines_px).all(axis=1)]
    cv2.polylines(canvas, list(_fixed(lines_px)), is_closed, color, width_px, cv2.LINE_AA, _SHIFT)


def _draw_dots(canvas: ImageArray, points_px: _Points, color: Color, radius_px: float) -> None:
    """Draw filled circles around points (n, 2)."""
    radius = round(radius_px * 2**_SHIFT)
    for center in _fixed(points_px[_is_near(points_px)]).tolist():
        cv2.circle(canvas, center, radius, color, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _is_near(points_px: _Points) -> npt.NDArray[np.bool_]:
    """Return which points (..., 2) cv2 can take; False for NaN."""
    return np.asarray((np.abs(points_px) < _FARTHEST_PX).all(axis=-1))


def _fixed(points_px: _Points) -> npt.NDArray[np.int32]:
    fixed: npt.NDArray[np.int32] = np.rint(points_px * 2**_SHIFT).astype(np.int32)
    return fixed

"""Poses drawn on an image, in the default style of MediaPipe 0.10.

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
_SHADOW_COLOR: Color = (0, 0, 0)
# Of connections and labels, by id; the first person is drawn as MediaPipe draws everybody.
PERSON_COLORS: tuple[Color, ...] = (
    CONNECTION_COLOR,
    (255, 230, 60),
    (120, 220, 80),
    (255, 120, 200),
    (90, 160, 255),
    (190, 140, 255),
    (200, 150, 90),
    (0, 200, 160),
)

MIN_PRESENCE = 0.5
"""Landmarks with a smaller presence are not drawn. ref: _PRESENCE_THRESHOLD of MediaPipe."""

_MIN_LINE_PX = 2
_IMAGE_SIDE_PER_LINE_WIDTH = 240
_ARROW_PER_ROI_SIZE = 1 / 20
_FONT, _FONT_SCALE_PER_WIDTH, _LABEL_GAP_PER_WIDTH = cv2.FONT_HERSHEY_SIMPLEX, 0.4, 6
_SHIFT = 4  # cv2 takes whole numbers: 1/16 px here
_FARTHEST_PX = 2**20  # far outside any image, and safe in cv2's 32-bit coordinates

_Points = npt.NDArray[np.floating[Any]]


def draw_poses(
    image: ImageArray,
    poses: Sequence[Pose],
    topology: Topology,
    min_visibility: float = 0.5,
    labels: Sequence[str] = (),
) -> ImageArray:
    """Return a copy of an RGB image (H, W, 3) with people drawn on it as by `draw_on`."""
    canvas = np.array(image, order="C")
    draw_on(canvas, poses, topology, min_visibility, labels)
    return canvas


def draw_on(
    canvas: ImageArray,
    poses: Sequence[Pose],
    topology: Topology,
    min_visibility: float = 0.5,
    labels: Sequence[str] = (),
) -> None:
    """Draw people, their ROIs and detections on an RGB image (H, W, 3), contiguous and writable.

    A landmark is left out if its visibility is below `min_visibility`, its presence below 0.5 or
    its position outside the image; a connection if one of its ends is. Lines grow with the image.
    `labels` has an ASCII text for each pose, to be drawn above it, or none at all.
    """
    width_px = max(_MIN_LINE_PX, round(min(canvas.shape[:2]) / _IMAGE_SIDE_PER_LINE_WIDTH))
    for pose in poses:
        _draw_roi(canvas, pose.roi, width_px // 2)
        if pose.detection is not None:
            _draw_detection(canvas, pose.detection, width_px // 2)
    for pose in poses:
        _draw_skeleton(canvas, pose, topology, min_visibility, width_px)
    for pose, label in zip(poses, labels):  # noqa: B905, there may be none
        _draw_label(canvas, pose, label, min_visibility, width_px)


def person_color(person_id: int) -> Color:
    """Return the color of a person's connections and label."""
    return PERSON_COLORS[(person_id - 1) % len(PERSON_COLORS)]


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
    """Draw the connections, then the landmarks in the colors of their sides."""
    person = person_color(pose.person_id)
    is_drawn = drawn_landmarks(pose, size_of(canvas), min_visibility)
    points_px = pose.landmarks_px[:, :2]
    pairs = np.array(topology.connections)
    _draw_lines(canvas, points_px[pairs[is_drawn[pairs].all(axis=1)]], person, width_px)
    for index in np.flatnonzero(is_drawn):
        color = side_color(topology.names[index])
        _draw_dots(canvas, points_px[index, None], person, 2 * width_px)
        _draw_dots(canvas, points_px[index, None], color, 1.5 * width_px)


def _draw_label(
    canvas: ImageArray, pose: Pose, label: str, min_visibility: float, width_px: int
) -> None:
    """Draw a text above the landmarks that are drawn, as far inside the image as it fits."""
    is_drawn = drawn_landmarks(pose, size_of(canvas), min_visibility)
    if not is_drawn.any():
        return
    points_px, scale = pose.landmarks_px[is_drawn, :2], _FONT_SCALE_PER_WIDTH * width_px
    (width, height), _ = cv2.getTextSize(label, _FONT, scale, width_px)
    x_px = points_px[:, 0].mean() - width / 2
    y_px = points_px[:, 1].min() - _LABEL_GAP_PER_WIDTH * width_px
    left = int(min(max(x_px, width_px), canvas.shape[1] - width - width_px))
    place = left, int(max(y_px, height + width_px))
    for color, line_px in (
        (_SHADOW_COLOR, 3 * width_px),
        (person_color(pose.person_id), width_px),
    ):
        cv2.putText(canvas, label, place, _FONT, scale, color, line_px, cv2.LINE_AA)


def side_color(name: str) -> Color:
    """Return the color of a landmark by the person's side it is on."""
    if "left" in name:
        return LEFT_COLOR
    return RIGHT_COLOR if "right" in name else CENTER_COLOR


def _draw_roi(canvas: ImageArray, roi: Roi, width_px: int) -> None:
    """Draw the square, and from its center an arrow to where up is."""
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
    """Draw lines (n, points, 2), without those that reach too far out of the image."""
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

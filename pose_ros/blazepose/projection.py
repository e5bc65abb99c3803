"""From the crop to the image, and from a mirror image to the received one.

ref: LandmarkLetterboxRemovalCalculator, LandmarkProjectionCalculator.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from pose_ros.blazepose.boxes import mirror_boxes
from pose_ros.blazepose.datatypes import (
    Crop,
    Detection,
    Float32Array,
    ImageSize,
    Pose,
    Roi,
)
from pose_ros.blazepose.trigonometry import sin_cos


def project_landmarks(
    landmarks_px: Float32Array, crop: Crop, image_size: ImageSize
) -> Float32Array:
    """Return landmarks (K, 3) in image px from landmarks (K, 3) in crop px; z is on x's scale."""
    rect = crop.rect
    x, y, z = landmarks_px.T / np.float32(crop.tensor.shape[-1])
    left, top = crop.padding
    one, half = np.float32(1), np.float32(0.5)
    x = (x - left) / (one - (left + left)) - half
    y = (y - top) / (one - (top + top)) - half
    z = z / (one - (left + left))
    sin, cos = sin_cos(rect.rotation_rad)
    width, height = np.float32(image_size.width_px), np.float32(image_size.height_px)
    x_px = ((cos * x - sin * y) * rect.width + rect.x_center) * width
    y_px = ((sin * x + cos * y) * rect.height + rect.y_center) * height
    return np.stack([x_px, y_px, z * rect.width * width], axis=1)


def project_world(world_m: Float32Array, rotation_rad: np.float32) -> Float32Array:
    """Return world landmarks (N, 3) in m, turned from the crop's upright to the image's.

    ref: WorldLandmarkProjectionCalculator
    """
    sin, cos = sin_cos(rotation_rad)
    x, y, z = world_m.T
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=1)


def project_mask(mask: Float32Array, crop: Crop, image_size: ImageSize) -> Float32Array:
    """Return the mask (H, W) of the image from the mask (S, S) of the crop; 0 outside of it.

    ref: WarpAffineCalculator
    """
    cell_px = crop.tensor.shape[-1] / mask.shape[-1]
    image_from_mask = crop.image_from_crop * (cell_px, cell_px, 1)
    return np.asarray(cv2.warpAffine(mask, image_from_mask, image_size), np.float32)


def mirror_roi(roi: Roi, width_px: int) -> Roi:
    """Return the ROI as seen in the mirror image of the given width."""
    x, y = roi.center_px
    return Roi(np.array([width_px - 1 - x, y]), roi.size_px, -roi.rotation_rad)


def mirror_pose(pose: Pose, width_px: int) -> Pose:
    """Return the pose as seen in the mirror image; names keep the person's own left and right.

    World landmarks stay those of the real world: a mirror image of it has no right-handed frame.
    """
    mask, detection = pose.mask, pose.detection
    return dataclasses.replace(
        pose,
        landmarks_px=_mirror_points(pose.landmarks_px, width_px),
        auxiliary_px=_mirror_points(pose.auxiliary_px, width_px),
        roi=mirror_roi(pose.roi, width_px),
        next_roi=mirror_roi(pose.next_roi, width_px),
        detection=None if detection is None else _mirror_detection(detection, width_px),
        mask=None if mask is None else mask[:, ::-1],
    )


def _mirror_points(points_px: Float32Array, width_px: int) -> Float32Array:
    mirrored = points_px.copy()
    mirrored[:, 0] = (width_px - 1) - mirrored[:, 0]
    return mirrored


def _mirror_detection(detection: Detection, width_px: int) -> Detection:
    (box_px,) = mirror_boxes(detection.box_px[None].astype(np.float64), width_px)
    box_px = box_px.astype(np.float32)
    return Detection(detection.score, box_px, _mirror_points(detection.keypoints_px, width_px))

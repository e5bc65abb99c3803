"""Boxes around people that another detector has found: upright, xmin, ymin, xmax, ymax in px."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.association import Skeleton, match_best_first
from pose_ros.blazepose.datatypes import Float64Array, ImageSize
from pose_ros.blazepose.regions import Region

_OVERLAP = 0.3
"""Smallest intersection over union of a person's joints and box."""
_MIN_SIDE_PX = 1.0


def check_boxes(boxes_px: npt.ArrayLike) -> Float64Array:
    """Return boxes (B, 4) as an array; raise ValueError for another shape."""
    boxes = np.asarray(boxes_px, np.float64)
    if boxes.size == 0:
        return np.empty((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes_px has shape {boxes.shape}; allowed is (any, 4)")
    return boxes


def mirror_boxes(boxes_px: Float64Array, width_px: int) -> Float64Array:
    """Return boxes (B, 4) as seen in the mirror image of the given width."""
    x_min, y_min, x_max, y_max = boxes_px.T
    return np.stack([width_px - 1 - x_max, y_min, width_px - 1 - x_min, y_max], axis=1)


def visible_boxes(boxes_px: Float64Array, image_size: ImageSize) -> Float64Array:
    """Return the parts of boxes (B, 4) that are in the image; NaN for those that have none.

    A box has none if it is not finite, outside of the image, or if a side is below 1 px.
    """
    width, height = image_size
    is_finite = np.isfinite(boxes_px).all(axis=1)
    cut = np.clip(boxes_px, 0, (width, height, width, height))
    cut[~is_finite | (cut[:, 2:] - cut[:, :2] < _MIN_SIDE_PX).any(axis=1)] = np.nan
    return cut


def boxes_within(boxes_px: Float64Array, area: Region, image_size: ImageSize) -> Float64Array:
    """Return the visible parts (V, 4) of those boxes (B, 4) whose middle is in an area."""
    visible = visible_boxes(boxes_px, image_size)
    middles = (visible[:, :2] + visible[:, 2:]) / 2
    is_within = (middles >= area[:2]).all(axis=1) & (middles <= area[2:]).all(axis=1)
    within: Float64Array = visible[is_within]
    return within


def unknown_boxes(
    boxes_px: Float64Array, people: Sequence[Skeleton], image_size: ImageSize
) -> Float64Array:
    """Return those of the boxes (B, 4) that are of no known person; each has one at the most."""
    others = visible_boxes(np.reshape([one.box_px for one in people], (-1, 4)), image_size)
    overlaps = _overlaps(boxes_px, others)
    known = match_best_first(np.where(overlaps >= _OVERLAP, overlaps, 0.0))
    return np.delete(boxes_px, list(known), axis=0)


def _overlaps(boxes_px: Float64Array, others_px: Float64Array) -> Float64Array:
    """Return the intersection over union (B, O) of boxes (B, 4) and others (O, 4)."""
    low = np.maximum(boxes_px[:, None, :2], others_px[:, :2])
    high = np.minimum(boxes_px[:, None, 2:], others_px[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas, other_areas = (
        (some[:, 2:] - some[:, :2]).prod(axis=1) for some in (boxes_px, others_px)
    )
    overlaps: Float64Array = common / (areas[:, None] + other_areas - common)
    return overlaps

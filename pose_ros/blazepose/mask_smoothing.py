"""Masks blended over time."""

from __future__ import annotations

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array

_MASK_RATIO = 0.7
_UNCERTAINTY = (5.68842, -0.748699, -57.8051, 291.309, -624.717)


def smooth_mask(mask: Float32Array, previous: Float32Array | None) -> Float32Array:
    """Return the mask (H, W), blended with the filtered one before where it is uncertain.

    ref: SegmentationSmoothingCalculator; its polynomial is near the squared entropy of a pixel.
    """
    if previous is None:
        return mask
    x = np.square(mask - np.float32(0.5))
    certainty = np.zeros_like(x)
    for coefficient in _UNCERTAINTY[::-1]:
        certainty = (certainty + np.float32(coefficient)) * x
    uncertainty = np.float32(1) - np.minimum(certainty, np.float32(1))
    blended: Float32Array = mask + (previous - mask) * uncertainty * np.float32(_MASK_RATIO)
    return blended

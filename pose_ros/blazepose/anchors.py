"""Anchor centres of the single-shot detector."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array

_ANCHORS_PER_LAYER = 2


def make_anchors(input_size: int, strides: tuple[int, ...]) -> Float32Array:
    """Return anchor centres (A, 2) as x, y in fractions of the input; every anchor has size 1.

    Layers that share a stride share one grid and repeat its cells.
    ref: SsdAnchorsCalculator with fixed_anchor_size and aspect ratio 1.
    """
    grids = []
    for stride, layers in groupby(strides):
        side = -(-input_size // stride)
        centers = (np.arange(side) + 0.5) / side
        grid = np.stack(np.meshgrid(centers, centers), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, _ANCHORS_PER_LAYER * len(tuple(layers)), axis=0))
    return np.concatenate(grids).astype(np.float32)

"""Where the detector looks next: what it has not seen for long, and where something moves.

The detector costs as much as tracking a person, so it runs now and then, on one region each time,
and more often while something moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import Float64Array, ImageArray
from pose_ros.blazepose.regions import Region

_NEVER_NS = -(10**18)
_CELLS = 90
"""Cells of the shorter side in which motion is seen."""
_CHANGE = 20
_MAX_MOVING = 0.4
"""If more moves than this share of the image, it is the camera that moves."""
_FULL_MOTION, _MOTION_WEIGHT = 0.02, 8.0
_MOVING = 0.002
"""Share of the image."""
_MARGIN = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What is remembered of the search for people.

    When each region was looked at, when the last of all `runs` was, how many of the last ones in a
    row added nobody, and a sample of the pixels of the image in which a region was chosen last.
    """

    looked_ns: Mapping[Region, int] = field(default_factory=lambda: MappingProxyType({}))
    last_ns: int = _NEVER_NS
    runs: int = 0
    empty_runs: int = 0
    is_promising: bool = False
    sample: npt.NDArray[np.uint8] | None = None

    def is_due(self, interval_ns: int, time_ns: int) -> bool:
        """Whether the last run is that long ago, or found somebody new where more may be."""
        return self.is_promising or time_ns - self.last_ns >= interval_ns

    def after(
        self, region: Region, time_ns: int, is_promising: bool = False, is_empty: bool = False
    ) -> Search:
        """Return the search after a run on a region.

        `is_promising` if it found somebody new, `is_empty` if nobody was added to the people.
        """
        looked_ns = MappingProxyType({**self.looked_ns, region: time_ns})
        return replace(
            self,
            looked_ns=looked_ns,
            last_ns=time_ns,
            runs=self.runs + 1,
            empty_runs=self.empty_runs + 1 if is_empty else 0,
            is_promising=is_promising,
        )

    def is_moving(self, image: ImageArray, boxes_px: Iterable[Float64Array]) -> bool:
        """Whether something has moved outside of `boxes_px` since a region was chosen last."""
        sample, step = _sample(image)
        return bool(self._moving(sample, boxes_px, step).mean() > _MOVING)

    def choose(
        self,
        image: ImageArray,
        regions: Sequence[Region],
        boxes_px: Iterable[Float64Array],
        time_ns: int,
    ) -> tuple[Region, Search]:
        """Return which of the regions of an image (H, W, 3) to look at, and the next search.

        Motion in `boxes_px` (xmin, ymin, xmax, ymax), where people are known, does not count.
        """
        sample, step = _sample(image)
        moving = self._moving(sample, boxes_px, step)
        urgency = [self._urgency(region, moving, step, time_ns) for region in regions]
        looked_ns = {
            region: self.looked_ns[region] for region in regions if region in self.looked_ns
        }
        search = replace(self, looked_ns=MappingProxyType(looked_ns), sample=sample.copy())
        return regions[int(np.argmax(urgency))], search

    def _moving(
        self, sample: npt.NDArray[np.uint8], boxes_px: Iterable[Float64Array], step: int
    ) -> npt.NDArray[np.bool_]:
        """Return which cells have changed where nobody is known."""
        if self.sample is None:
            return np.zeros(sample.shape, np.bool_)
        moving: npt.NDArray[np.bool_] = np.abs(sample.astype(np.int16) - self.sample) > _CHANGE
        if moving.mean() > _MAX_MOVING:
            return np.zeros(sample.shape, np.bool_)
        for box_px in boxes_px:
            low, high = box_px[:2], box_px[2:]
            margin = _MARGIN * (high - low).max()
            limits = np.clip(np.concatenate([low - margin, high + margin]), 0, 2**15).astype(int)
            moving[_cells(Region(*limits.tolist()), step)] = False
        return moving

    def _urgency(
        self, region: Region, moving: npt.NDArray[np.bool_], step: int, time_ns: int
    ) -> float:
        cells = moving[_cells(region, step)]
        motion = min(float(cells.mean()) / _FULL_MOTION, 1.0) if cells.size else 0.0
        age_ns = time_ns - self.looked_ns.get(region, _NEVER_NS)
        return age_ns * (1 + _MOTION_WEIGHT * motion)


def _sample(image: ImageArray) -> tuple[npt.NDArray[np.uint8], int]:
    """Return the cells of an image (H, W, 3), and how many px they are apart."""
    step = max(1, min(image.shape[:2]) // _CELLS)
    return image[::step, ::step, 1], step


def _cells(region: Region, step: int) -> tuple[slice, slice]:
    """Return rows and columns of the samples in a region."""
    x_min, y_min, x_max, y_max = (-(-edge // step) for edge in region)
    return slice(y_min, y_max), slice(x_min, x_max)

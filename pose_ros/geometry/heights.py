"""How tall a person is, from all that is known of it, each with its standard deviation.

From the camera alone the distance is as wrong as the height. What is estimated here is therefore
the height with which the model's body gives the right distance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

ADULT_M = 1.7
# Men are 1.756 m tall with a deviation of 0.069 m, women 1.629 m and 0.064 m; so half of each
# 1.693 m and 0.092 m, which is 5.4 %. ref: Gordon et al., 2012 Anthropometric Survey of U.S. Army
# Personnel (ANSUR II), stature.
_ADULT_STD = 0.054
_GIVEN_STD = 0.02
# How well the model's body has the shape and the posture of the person; as real_people.py and
# real_motions.py show.
_FIT_STD = 0.06
_TAUGHT_STD = 0.03
_LOWEST_M, _HIGHEST_M = 0.5, 2.3
_SAMPLES, _SAMPLE_PERIOD_NS = 31, 100_000_000
_AGREE_STD = 2.5


class Height(NamedTuple):
    """An estimate of a height, and its standard deviation as a part of it."""

    height_m: float
    std: float


ADULT = Height(ADULT_M, math.hypot(_ADULT_STD, _FIT_STD))


def taught_height(height_m: float, hidden_std: float) -> Height:
    """Return the height with which a body appears where a depth camera measures it.

    `hidden_std` is how much less sure that is if the body is seen in part only.
    """
    return Height(height_m, math.hypot(_TAUGHT_STD, hidden_std))


@dataclass(frozen=True, slots=True)
class Samples:
    """Heights that were measured in the last seconds, ten a second at most.

    `middle` is their median, which hardly depends on steps and jumps; None without samples.
    """

    heights: tuple[Height, ...] = ()
    time_ns: int = 0
    middle: Height | None = None

    def is_due(self, time_ns: int) -> bool:
        """Whether it is time for another sample."""
        return not self.heights or time_ns - self.time_ns >= _SAMPLE_PERIOD_NS

    def add(self, height: Height | None, time_ns: int) -> Samples:
        """Return the samples with another one, if people can be so tall."""
        if height is None or not _LOWEST_M <= height.height_m <= _HIGHEST_M:
            return self
        heights = (*self.heights, height)[-_SAMPLES:]
        middle = Height(*(median(values) for values in zip(*heights, strict=True)))
        return Samples(heights, time_ns, middle)


NO_SAMPLES = Samples()


@dataclass(frozen=True, slots=True)
class KnownHeights:
    """What was measured of one person's height: by depth, and from where the feet stand."""

    by_depth: Samples = NO_SAMPLES
    by_floor: Samples = NO_SAMPLES

    def estimate(self, given_m: float) -> tuple[Height, bool]:
        """Return the height, and whether it is more than that of an adult.

        `given_m` is the height that the user gives, 0 if unknown. What does not agree with
        a better source does not count: somebody on a step, or a child among adults.
        """
        given = Height(given_m, math.hypot(_GIVEN_STD, _FIT_STD)) if given_m else None
        adult = None if given_m else ADULT
        used: list[Height] = []
        for source in (self.by_depth.middle, given, self.by_floor.middle, adult):
            if source is not None and (not used or _agree(source, combined(used))):
                used.append(source)
        return combined(used), used != [ADULT]


NO_HEIGHTS = KnownHeights()


def combined(heights: Iterable[Height]) -> Height:
    """Return the mean of estimates, weighted by their variances. They are at least one."""
    known = tuple(heights)
    weights = [1 / height.std**2 for height in known]
    total = sum(weights)
    mean_m = sum(w * height.height_m for w, height in zip(weights, known, strict=True)) / total
    return Height(mean_m, 1 / math.sqrt(total))


def _agree(one: Height, other: Height) -> bool:
    limit = _AGREE_STD * math.hypot(one.std, other.std)
    return abs(one.height_m - other.height_m) <= limit * other.height_m

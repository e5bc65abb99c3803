"""Whether a pose is surely that of the person it is taken for, where people are close.

When somebody passes in front, the pose of the person behind goes over to the one in front, mostly
for a few images. Its color and size are then not those that the person had.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pose_ros.blazepose.appearance import color_difference
from pose_ros.blazepose.association import Skeleton, overlap, similarity
from pose_ros.blazepose.people import TrackedPerson
from pose_ros.blazepose.sighting import Sighting

_CLOSE = 0.3
_ALIKE = 0.7
_COLOR_SPREAD, _SIZE_SPREAD = 20.0, 0.2
_MAX_DEVIATION = 0.6


def is_doubtful(person: TrackedPerson, seen: Sighting, others: Iterable[Skeleton]) -> bool:
    """Whether what is seen of a person may be one of the others, who is close.

    So it is if the pose has changed, and color and size are not those of the last second.
    """
    return (
        any(overlap(seen.skeleton, other) > _CLOSE for other in others)
        and similarity(person.skeleton, seen.skeleton) < _ALIKE
        and _deviation(person, seen) > _MAX_DEVIATION
    )


def _deviation(person: TrackedPerson, seen: Sighting) -> float:
    growth = math.log(seen.skeleton.circle_px / person.size_px)
    difference = color_difference(person.color, seen.color)
    return math.hypot(difference / _COLOR_SPREAD, growth / _SIZE_SPREAD)

"""Who is who: pure comparisons of people in one image, with each other and with before.

Poses are compared joint by joint: joints that coincide distinguish people even where they stand
close and their boxes overlap. A joint's tolerance is that of COCO's object keypoint similarity,
the joint's own spread times the size of the person. ref: cocoeval.py (COCO API).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array

# Landmarks that are compared, and their spreads. The upper body ends with the hips.
_SPREADS = {
    0: 0.026,  # nose
    7: 0.035,  # ears
    8: 0.035,
    11: 0.079,  # shoulders
    12: 0.079,
    13: 0.072,  # elbows
    14: 0.072,
    15: 0.062,  # wrists
    16: 0.062,
    23: 0.107,  # hips
    24: 0.107,
    25: 0.087,  # knees
    26: 0.087,
    27: 0.089,  # ankles
    28: 0.089,
}
_JOINTS = np.array(list(_SPREADS))
_TOLERANCES = 2 * np.array(list(_SPREADS.values()))
_SHOULDERS, _HIPS = slice(3, 5), slice(9, 11)
_HEAD = [0, 3, 4]
_SIZE = 0.4
"""The root of a person's area in the image, in diameters of the circle around the person."""
_COINCIDING = 0.5
"""Joints coincide from this similarity on."""
_GHOST_SHARE = 0.5
_GHOST_HEAD = 0.6
_PART_INSIDE, _PART_AREA = 0.8, 0.25
_MIN_AREA_PX = 1e-6
_NEAR = 0.25
_SIZE_RATIO = 2.0
_RETURN_REACH, _RETURN_REACH_PER_S = 0.3, 0.8
_RETURN_GROWTH = 1.6
_MIN_RETURN_SCORE = 0.15
_RETURN_COLOR, _RETURN_ANY_COLOR, _RETURN_TURN_S = 12.0, 0.3, 0.3


class Skeleton(NamedTuple):
    """What is compared of a person.

    Main joints (J, 2) in px, their weights (J,), and the diameter of the circle around the person.
    """

    joints_px: Float64Array
    weights: Float64Array
    circle_px: float

    @property
    def hips_px(self) -> Float64Array:
        """The middle between the hips (2,)."""
        middle: Float64Array = self.joints_px[_HIPS].mean(axis=0)
        return middle

    @property
    def shoulders_px(self) -> Float64Array:
        """The middle between the shoulders (2,)."""
        middle: Float64Array = self.joints_px[_SHOULDERS].mean(axis=0)
        return middle

    @property
    def box_px(self) -> Float64Array:
        """The upright box (4,) around the joints: xmin, ymin, xmax, ymax."""
        return np.concatenate([self.joints_px.min(axis=0), self.joints_px.max(axis=0)])

    def moved(self, displacement_px: Float64Array) -> Skeleton:
        """Return the skeleton elsewhere: displacement (2,)."""
        return self._replace(joints_px=self.joints_px + displacement_px)


def skeleton(landmarks_px: Float32Array, visibility: Float32Array, circle_px: float) -> Skeleton:
    """Return the main joints of landmarks (N, 2 or 3); visible ones weigh more."""
    joints = _JOINTS[len(landmarks_px) > _JOINTS]
    weights = np.maximum(visibility[joints].astype(np.float64), 1e-3)
    return Skeleton(landmarks_px[joints, :2].astype(np.float64), weights, circle_px)


def _similarities(one: Skeleton, others: Sequence[Skeleton]) -> Float64Array:
    """Return the similarity (P, J) in [0, 1] of each joint to the same one of other people."""
    offsets_px = np.stack([other.joints_px for other in others]) - one.joints_px
    circles_px = np.sqrt([one.circle_px * other.circle_px for other in others])
    tolerances_px = _SIZE * circles_px[:, None] * _TOLERANCES[: len(one.joints_px)]
    similarities: Float64Array = np.exp(-np.square(offsets_px).sum(axis=2) / tolerances_px**2 / 2)
    return similarities


def similarity(one: Skeleton, other: Skeleton) -> float:
    """Return the object keypoint similarity of two poses, in [0, 1]."""
    weights = one.weights * other.weights
    return float(np.average(_similarities(one, [other])[0], weights=weights))


def shared_joints(one: Skeleton, others: Sequence[Skeleton]) -> float:
    """Return the share of joints in [0, 1] that coincide with those of any of other people."""
    coincides = (_similarities(one, others) > _COINCIDING).any(axis=0)
    return float(np.average(coincides, weights=one.weights))


def is_ghost(one: Skeleton, others: Sequence[Skeleton]) -> bool:
    """Whether a pose is made of joints of other people, or its nose and shoulders are theirs.

    The others count together, since a pose between two people takes joints from both.
    """
    if not others:
        return False
    heads = _similarities(one, others)[:, _HEAD].mean(axis=1)
    return shared_joints(one, others) > _GHOST_SHARE or bool(heads.max() > _GHOST_HEAD)


def without_ghosts(people: Sequence[Skeleton]) -> list[int]:
    """Return the indices of those that are no ghosts of the ones before them."""
    kept: list[int] = []
    for index, one in enumerate(people):
        if not is_ghost(one, [people[other] for other in kept]):
            kept.append(index)
    return kept


def is_part(one: Skeleton, others: Sequence[Skeleton]) -> bool:
    """Whether a pose is a small one inside of another person, like one found on an arm."""
    box, area = one.box_px, _area(one.box_px)
    return any(
        _area(_common(box, other.box_px)) > _PART_INSIDE * area
        and area < _PART_AREA * _area(other.box_px)
        for other in others
    )


def overlap(one: Skeleton, other: Skeleton) -> float:
    """Return which part in [0, 1] of the smaller one's box is in the other one's box."""
    smaller = min(_area(one.box_px), _area(other.box_px))
    return _area(_common(one.box_px, other.box_px)) / max(smaller, _MIN_AREA_PX)


def _common(one: Float64Array, other: Float64Array) -> Float64Array:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    return np.concatenate([low, np.maximum(low, high)])


def _area(box: Float64Array) -> float:
    return float(np.prod(box[2:] - box[:2]))


def is_known(keypoints_px: Float32Array, people: Sequence[Skeleton]) -> bool:
    """Whether a detection's keypoints (4, 2) lie where a person's hips and shoulders are known."""
    hips_px, circle_px, shoulders_px, _ = keypoints_px.astype(np.float64)
    diameter_px = 2 * math.dist(hips_px, circle_px)
    return any(
        math.dist(hips_px, person.hips_px) < _NEAR * person.circle_px / 2
        and math.dist(shoulders_px, person.shoulders_px) < _NEAR * person.circle_px / 2
        and 1 / _SIZE_RATIO < diameter_px / person.circle_px < _SIZE_RATIO
        for person in people
    )


def return_score(
    found: Skeleton, expected: Skeleton, gap_s: float, color_difference: float
) -> float:
    """Return in [0, 1] how likely a person is one who was lost `gap_s` before.

    Place and size count rather than the posture, which changes meanwhile. Clothes hardly do: but
    a person who turns around may show another color, and is then known by the place alone.
    """
    size_px = math.sqrt(found.circle_px * expected.circle_px)
    distance = math.dist(found.hips_px, expected.hips_px) / size_px
    growth = math.log(found.circle_px / expected.circle_px) / math.log(_RETURN_GROWTH)
    any_color = _RETURN_ANY_COLOR * math.exp(-gap_s / _RETURN_TURN_S)
    color = max(any_color, _bell(color_difference / _RETURN_COLOR))
    reach = _RETURN_REACH + _RETURN_REACH_PER_S * gap_s
    return _bell(distance / reach) * _bell(growth) * color


def _bell(deviation: float) -> float:
    return math.exp(-(deviation**2) / 2)


def match_best_first(scores: Float64Array) -> dict[int, int]:
    """Return who returned: for rows of scores (R, C) their columns, each used at most once.

    The best pair is chosen first; poor ones are none.
    """
    left = np.array(scores, np.float64)
    pairs: dict[int, int] = {}
    while left.size and left.max() > _MIN_RETURN_SCORE:
        row, column = (int(index) for index in np.unravel_index(left.argmax(), left.shape))
        pairs[row] = column
        left[row], left[:, column] = -np.inf, -np.inf
    return pairs

"""What posture somebody is in, from one image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pose_ros.body.figure import SIDES, Figure, Leg

POSTURES = ("standing", "sitting", "lying", "crouching", "unknown")
UNKNOWN = "unknown"

_UPRIGHT, _LEANING = 0.8, 0.7
"""Who stands has the hip this high above the foot they stand on; less is enough if the knee is
straight, as in a large step, or seen by a camera that is not quite level."""
_BENT_KNEE_DEG, _STRAIGHT_KNEE_DEG = 120.0, 150.0
"""Nobody stands on a leg that is bent more than the first; the second is a straight one."""
_LOW = 0.76
"""Who sits or crouches has both hips lower than that; between the two nobody can say."""
_STEEP_THIGH, _FLAT_THIGH = 0.9, 0.6
"""Where the ankle is not visible, and the thigh alone must do: who stands, and who does not."""
_LYING_TILT_DEG = 62.0
_LYING_RISE, _CURLED_RISE = 0.45, 0.3
"""Who lies has the hips lower than the first above straight legs, and the second above bent ones;
higher than that who is bent low over them crouches, or rises."""
_MAX_SITTING_TILT_DEG = 45.0
_ON_FLOOR = 0.2
"""Who crouches has the hips higher than that; lower, one can only sit or lie."""
_BALANCE_PER_DEG = 0.01
_MAX_BALANCED, _MIN_SEATED = -0.07, -0.04
"""Who crouches carries the weight on the feet, and for that bends the back forward; who sits does
neither. The lean alone is not enough: much of it is depth, which the model knows least."""
_ON_FEET = 0.08
"""A lean that is so small is enough."""


def posture(figure: Figure) -> str:
    """Return one of `POSTURES`; `unknown` where the landmarks allow for more than one."""
    legs = [leg for side in SIDES if (leg := figure.leg(side)) is not None]
    if not legs or not figure.has_torso:
        return UNKNOWN
    if _is_stood_on(legs) or _has_steep_thighs(legs):
        return "standing"
    clear = [leg for leg in legs if not _is_unclear(leg)]
    if not clear:
        return UNKNOWN
    tilt_deg, balance = figure.tilt_deg, _balance(figure)
    if tilt_deg >= _LYING_TILT_DEG and all(map(_is_flat, clear)):
        return "lying"
    is_low, is_on_floor = all(map(_is_low, clear)), any(map(_is_on_floor, clear))
    if balance <= _MAX_BALANCED and not is_on_floor and (is_low or all(map(_is_bent, clear))):
        return "crouching"
    is_seated = is_low and tilt_deg <= _MAX_SITTING_TILT_DEG
    return "sitting" if is_seated and (balance >= _MIN_SEATED or is_on_floor) else UNKNOWN


def _balance(figure: Figure) -> float:
    """Return the less, the more somebody seems to rest on the feet; infinity without feet."""
    lean = figure.lean
    if lean is None:
        return math.inf
    return -math.inf if lean <= _ON_FEET else lean - _BALANCE_PER_DEG * figure.tilt_deg


def _is_stood_on(legs: Sequence[Leg]) -> bool:
    """Return whether somebody stands on a leg whose ankle is visible.

    Beside a bent leg it has to be straight: who sits on a high stool has a foot on the ground.
    """
    if any(leg.knee_deg >= _STRAIGHT_KNEE_DEG and leg.rise >= _LEANING for leg in legs):
        return True
    is_high = any(leg.rise >= _UPRIGHT and not math.isnan(leg.knee_deg) for leg in legs)
    return is_high and not any(map(_is_bent, legs))


def _has_steep_thighs(legs: Sequence[Leg]) -> bool:
    """Return whether all thighs are upright, and no ankle is visible that shows who kneels."""
    return all(math.isnan(leg.knee_deg) and leg.rise >= _STEEP_THIGH for leg in legs)


def _is_unclear(leg: Leg) -> bool:
    """Return whether a leg, whose ankle is not visible, may be one that stands or sits."""
    return math.isnan(leg.knee_deg) and _FLAT_THIGH <= leg.rise < _STEEP_THIGH


def _is_low(leg: Leg) -> bool:
    return leg.rise < (_FLAT_THIGH if math.isnan(leg.knee_deg) else _LOW)


def _is_bent(leg: Leg) -> bool:
    """Return whether nobody stands on a leg, however high the hip is; False without an ankle."""
    return leg.knee_deg < _BENT_KNEE_DEG


def _is_on_floor(leg: Leg) -> bool:
    return leg.rise < _ON_FLOOR and not math.isnan(leg.knee_deg)


def _is_flat(leg: Leg) -> bool:
    """Return whether the hip is as low as that of somebody who lies."""
    return leg.rise < (_CURLED_RISE if _is_bent(leg) else _LYING_RISE)

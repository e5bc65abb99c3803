"""How tall a person is by where their feet stand on a floor of known position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array, ImageSize, Pose, freeze
from pose_ros.blazepose.topology import ANKLES, HIPS
from pose_ros.geometry.body_origin import are_seen
from pose_ros.geometry.heights import ADULT_M, FIT_STD, Height

_LEVEL_STD_RAD = math.radians(2.0)
_FRAME_STD_RAD = math.radians(0.5)
# Ankles of adults with shoes are so high above the floor; a step or a carpet changes that.
_ANKLE_M, _FLOOR_STD_M = 0.07, 0.04
# Hips of adults who sit are higher above their ankles than this; the hips of who lies are not.
_MIN_HIP_M = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """A plane: its unit normal (3,), upward, in the camera's optical frame, and how far below
    the camera it is. `tilt_std_rad` is the standard deviation of the normal's direction.
    """

    normal: Float64Array
    camera_height_m: float
    tilt_std_rad: float = _FRAME_STD_RAD

    def __post_init__(self) -> None:
        freeze(self, "normal", (3,), np.float64)

    @classmethod
    def level(cls, camera_height_m: float) -> Floor:
        """Return the floor below a camera that is level within some degrees."""
        return cls(np.array((0.0, -1.0, 0.0)), camera_height_m, _LEVEL_STD_RAD)


def height_on_floor(
    adult: Pose, origin_m: Float64Array, image_size: ImageSize, floor: Floor
) -> Height | None:
    """Return the height of a person whose lower ankle is just above the floor.

    `adult` is their pose with a metric body of ADULT_M, and `origin_m` (3,) where that appears as
    large. None if the ankles are not both in the image and visible, if the person seems to lie or
    if the feet are not below the camera.
    """
    assert adult.world_landmarks_m is not None
    body_m = adult.world_landmarks_m.astype(np.float64)
    above_m = body_m @ floor.normal
    low = min(ANKLES, key=lambda ankle: above_m[ankle])
    ankle_m = origin_m + body_m[low]
    below_m = float(-floor.normal @ ankle_m)
    is_upright = above_m[HIPS].mean() - above_m[low] >= _MIN_HIP_M
    if not (are_seen(adult, ANKLES, image_size).all() and is_upright and below_m > 0):
        return None
    scale = floor.camera_height_m / (below_m + _ANKLE_M)
    across_m = math.sqrt(max(float(ankle_m @ ankle_m) - below_m**2, 0.0))
    tilt_std = floor.tilt_std_rad * across_m / below_m
    std = math.hypot(FIT_STD, tilt_std, _FLOOR_STD_M / floor.camera_height_m)
    return Height(ADULT_M * scale, std)

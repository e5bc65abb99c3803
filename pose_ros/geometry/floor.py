"""How tall a person is by where their feet stand on a floor of known position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array, ImageSize, Pose, freeze
from pose_ros.blazepose.topology import ANKLES, HIPS
from pose_ros.geometry.body_origin import PlacedBody, are_seen
from pose_ros.geometry.heights import ADULT_M, Height

_LEVEL_STD_RAD = math.radians(2.0)
_FRAME_STD_RAD = math.radians(0.5)
# Ankles of adults with shoes are so high above the floor; a step or a carpet changes that.
_ANKLE_M, _FLOOR_STD_M = 0.07, 0.04
# How well the hips are known from there, as real_people.py shows.
_STANCE_STD = 0.05
# How much of the legs' lean is believed: the model does not see where level is, and who stands or
# walks has the hips above the feet.
_LEAN = 0.5
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
    pose: Pose, rays: Float64Array, adult: PlacedBody, image_size: ImageSize, floor: Floor
) -> Height | None:
    """Return the height of a person whose lower ankle is just above the floor.

    The ray (33, 3) of that ankle shows where it is, and the body where the hips are from there.
    `adult` is the metric body of ADULT_M where it appears as large as the pose. None if the
    ankles are not both in the image and visible, if the person seems to lie or if the feet are
    not below the camera.
    """
    above_m = adult.body_m @ floor.normal
    low = min(ANKLES, key=lambda ankle: above_m[ankle])
    is_upright = above_m[HIPS].mean() - above_m[low] >= _MIN_HIP_M
    below, below_m = float(-floor.normal @ rays[low]), floor.camera_height_m - _ANKLE_M
    is_seen = are_seen(pose, ANKLES, image_size).all()
    if not (is_seen and is_upright and below > 0 and below_m > 0):
        return None
    ankle_m = rays[low] * below_m / below
    upright_m = above_m[low] * floor.normal
    to_ankle_m = upright_m + _LEAN * (adult.body_m[low] - upright_m)
    scale = float(ankle_m[2] / (adult.origin_m[2] + to_ankle_m[2]))
    across_m = math.sqrt(max(float(ankle_m @ ankle_m) - below_m**2, 0.0))
    tilt_std = floor.tilt_std_rad * across_m / below_m
    std = math.hypot(_STANCE_STD, tilt_std, _FLOOR_STD_M / floor.camera_height_m)
    return Height(ADULT_M * scale, std)

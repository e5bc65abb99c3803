"""A robot with a camera, and a person who walks: simulated, step by step, without any clock.

The world has x forward from where the robot starts, y to its left. The person is an image that
was cut out of a clip, as tall and as far away as the camera sees them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import cv2
import media
import numpy as np
import numpy.typing as npt
from people.alone import Span
from people.arrays import Arrays, stored_arrays
from people.sources import GROUND_PX, Source, cut_out
from people.sources import HEIGHT_PX as CUTOUT_HEIGHT_PX
from sensor_msgs.msg import CameraInfo

PERSON_M, CAMERA_M = 1.7, 1.0
SIZE_PX, FOCAL_PX = 640, 320.0
DISTANCE_M, SPEED_M_S = 1.2, 0.8
WAIT_S, STRAIGHT_S, TURN_S, WALK_ON_S, STAND_S = 1.0, 6.0, 1.0, 1.5, 5.0
STANDS_FROM_S = WAIT_S + STRAIGHT_S + TURN_S + WALK_ON_S
LEAVES_AT_S = STANDS_FROM_S + STAND_S
_LAG_S = 0.1
"""Of the robot's drives."""
_MAX_SPEED_M_S, _MAX_TURN_RAD_S = 1.2, 1.5
_WALKER = Source("follow_me", Span("walker", (1360, 760, 520), 40, first=2))
_IMAGES_PER_S = 30
_WALL, _FLOOR, _FRAME = (188, 182, 170), (112, 100, 88), (96, 92, 88)
_RED, _WINDOW = (150, 84, 70), (206, 220, 230)


@dataclass(frozen=True)
class Robot:
    """Where a robot of two driven wheels is, which way it looks, and how fast it is."""

    x_m: float = 0.0
    y_m: float = 0.0
    yaw_rad: float = 0.0
    speed_m_s: float = 0.0
    turn_rad_s: float = 0.0

    def moved(self, speed_m_s: float, turn_rad_s: float, step_s: float) -> Robot:
        """The robot some time after a command to drive so."""
        gain = 1 - math.exp(-step_s / _LAG_S)
        speed_m_s = max(-_MAX_SPEED_M_S, min(speed_m_s, _MAX_SPEED_M_S))
        turn_rad_s = max(-_MAX_TURN_RAD_S, min(turn_rad_s, _MAX_TURN_RAD_S))
        speed = self.speed_m_s + gain * (speed_m_s - self.speed_m_s)
        turn = self.turn_rad_s + gain * (turn_rad_s - self.turn_rad_s)
        return replace(
            self,
            x_m=self.x_m + step_s * speed * math.cos(self.yaw_rad),
            y_m=self.y_m + step_s * speed * math.sin(self.yaw_rad),
            yaw_rad=self.yaw_rad + step_s * turn,
            speed_m_s=speed,
            turn_rad_s=turn,
        )

    def sees(self, x_m: float, y_m: float) -> tuple[float, float]:
        """How far ahead and to the left a point of the ground is, in m."""
        x_m, y_m = x_m - self.x_m, y_m - self.y_m
        cos, sin = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        return cos * x_m + sin * y_m, cos * y_m - sin * x_m


@functools.cache
def _way() -> npt.NDArray[np.float64]:
    """The person's positions (n, 2) every 10 ms."""
    times_s = np.arange(round(LEAVES_AT_S * 100)) / 100
    walks = (times_s >= WAIT_S) & (times_s < STANDS_FROM_S)
    heading = math.pi / 2 * np.clip((times_s - WAIT_S - STRAIGHT_S) / TURN_S, 0, 1)
    along = np.column_stack((np.cos(heading), np.sin(heading)))
    steps_m = SPEED_M_S * 0.01 * walks[:, None] * along
    positions_m: npt.NDArray[np.float64] = np.cumsum(steps_m, axis=0) + np.array((DISTANCE_M, 0))
    return positions_m


def person_at(time_s: float) -> tuple[float, float] | None:
    """Where the person is: stands, walks straight, turns, walks on, stands; None once gone."""
    if time_s >= LEAVES_AT_S:
        return None
    x_m, y_m = _way()[int(time_s * 100)]
    return float(x_m), float(y_m)


def calibration() -> CameraInfo:
    """That of the camera: level, a meter above the ground, it looks where the robot drives."""
    middle = SIZE_PX / 2
    k = [FOCAL_PX, 0.0, middle, 0.0, FOCAL_PX, middle, 0.0, 0.0, 1.0]
    return CameraInfo(width=SIZE_PX, height=SIZE_PX, k=k)


def view(robot: Robot, time_s: float) -> media.Image:
    """What the robot's camera sees, RGB (640, 640, 3)."""
    shift_px = round(robot.yaw_rad * FOCAL_PX) % _panorama().shape[1]
    image = np.ascontiguousarray(np.roll(_panorama(), shift_px, axis=1)[:, :SIZE_PX])
    place_m = person_at(time_s)
    ahead_m, left_m = (0.0, 0.0) if place_m is None else robot.sees(*place_m)
    if ahead_m > 0.2:
        _paint_person(image, ahead_m, left_m, time_s)
    return image


def _paint_person(image: media.Image, ahead_m: float, left_m: float, time_s: float) -> None:
    scale = FOCAL_PX * PERSON_M / ahead_m / CUTOUT_HEIGHT_PX
    middle = SIZE_PX / 2
    feet_px = (middle - FOCAL_PX * left_m / ahead_m, middle + FOCAL_PX * CAMERA_M / ahead_m)
    placement = np.column_stack((scale * np.eye(2), feet_px - scale * GROUND_PX))
    cast = _cast()
    number = _image_number(time_s, len(cast["images"]))
    size = (SIZE_PX, SIZE_PX)
    colors, opacity = (
        cv2.warpAffine(cast[name][number], placement, size) for name in ("images", "opacities")
    )
    mixed = image + (colors.astype(np.float32) - image) * (opacity[..., None] / np.float32(255))
    image[:] = np.rint(mixed).astype(np.uint8)


def _image_number(time_s: float, count: int) -> int:
    """Which image of the person is shown: back and forth while they walk."""
    walked_s = min(max(time_s - WAIT_S, 0.0), STANDS_FROM_S - WAIT_S)
    place = round(walked_s * _IMAGES_PER_S) % (2 * count - 2)
    return min(place, 2 * count - 2 - place)


@functools.cache
def _cast() -> Arrays:
    """The images of the person."""
    return stored_arrays(_WALKER.name, _WALKER, lambda: cut_out(_WALKER))


@functools.cache
def _panorama() -> media.Image:
    """A wall with windows and doors all around, and a floor."""
    width_px, horizon_px = round(2 * math.pi * FOCAL_PX), SIZE_PX // 2 + 40
    image = np.full((SIZE_PX, width_px, 3), _FLOOR, np.uint8)
    image[:horizon_px] = _WALL
    for number, left_px in enumerate(range(40, width_px - 100, 190)):
        top_px, color = (90, _RED) if number % 3 == 2 else (120, _WINDOW)
        bottom_px = horizon_px if number % 3 == 2 else 230
        cv2.rectangle(image, (left_px, top_px), (left_px + 90, bottom_px), color, -1)
        cv2.rectangle(image, (left_px, top_px), (left_px + 90, bottom_px), _FRAME, 4)
    noise = np.random.default_rng(1).integers(-4, 5, image.shape)
    panorama: media.Image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return panorama

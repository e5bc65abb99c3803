"""Where the landmarks are in front of the camera: x, y, z in its optical frame, in m.

A landmark's pixel gives its ray, and what is found here is how far along the ray it is: z. So all
points lie exactly on the image, and only the distance is an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array, Pose, Poses
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.smoothing import OneEuroFilter
from pose_ros.blazepose.topology import HIPS
from pose_ros.geometry.body_origin import PlacedBody, hidden_std, place_body, surface_z
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.depth import DepthImage, z_from_depth
from pose_ros.geometry.floor import Floor, height_on_floor
from pose_ros.geometry.heights import (
    ADULT_M,
    NO_HEIGHTS,
    NO_SAMPLES,
    Height,
    KnownHeights,
    Samples,
    taught_height,
)
from pose_ros.geometry.located import DEPTH, Position, by_height, nowhere, position_at
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.stature import usual_body, with_stature

# Speeds are relative to the distance: a person at rest is smoothed at 0.5 Hz; one who walks
# towards the camera at 1 m/s from 3 m away lags by 0.12 s. Less smoothing lets through what
# moving limbs do to the distance: about 5 % back and forth on a person who climbs.
_DISTANCE_FILTER = OneEuroFilter(min_cutoff_hz=0.5, beta=2.0)
_HELD_POSITION_NS = 300_000_000


@dataclass(frozen=True, slots=True)
class _Memory:
    """What is remembered of a person: the distance's filter, and what is known of the height."""

    distance: OneEuroFilter = _DISTANCE_FILTER
    heights: KnownHeights = NO_HEIGHTS


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """Where a person was at `time_ns`, and what is remembered of them."""

    position: Position
    memory: _Memory
    time_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What an image is seen with, and when."""

    camera: Camera
    depth: DepthImage | None
    floor: Floor | None
    time_ns: int
    is_smoothing: bool


class PositionEstimator:
    """Estimates where people are, image after image.

    Distances from world landmarks are filtered over time, by person, while the poses are;
    measured ones are steady by themselves.
    """

    def __init__(self, options: PositionOptions, distance_factor: float = 1.0) -> None:
        self.configure(options, distance_factor)
        self._known: Mapping[int, _Known] = {}

    def configure(self, options: PositionOptions, distance_factor: float = 1.0) -> None:
        """Change options between two images; nothing is forgotten.

        `distance_factor` is that of the model's row.
        """
        self._options, self._distance_factor = options, distance_factor

    def forget_floor(self) -> None:
        """Forget the heights that a floor has shown, because it is another one now."""
        self._known = {
            number: replace(known, memory=_taught(known.memory, by_floor=NO_SAMPLES))
            for number, known in self._known.items()
        }

    def estimate(
        self,
        poses: Poses,
        camera: Camera,
        depth: DepthImage | None,
        floor: Floor | None = None,
    ) -> tuple[Position, ...]:
        """Return the position of each pose, then of each that is held, then of a candidate.

        They are unknown if the camera is not calibrated. Who is not seen in this image stays where
        they were last, and held people are unknown 0.3 s later. `depth` is registered to the
        image, pixel by pixel. Raises ImageError if it has another size than the camera's image.
        Without a `floor` it is that below a level camera, if the options give its height.
        """
        if depth is not None and depth.size != camera.image_size:
            raise ImageError(
                f"depth image has size {tuple(depth.size)}; allowed is that of the image, "
                f"{tuple(camera.image_size)}"
            )
        if floor is None and self._options.camera_height_m:
            floor = Floor.level(self._options.camera_height_m)
        view = _View(camera, depth, floor, poses.time_ns, poses.is_smoothing)
        held = {pose.person_id: self._known.get(pose.person_id) for pose in poses.held}
        seen = {pose.person_id: self._locate(pose, view) for pose in poses}
        self._known = seen | {number: last for number, last in held.items() if last is not None}
        candidates = () if poses.candidate is None else (poses.candidate,)
        return (
            *(known.position for known in seen.values()),
            *(_held_position(pose, held[pose.person_id], poses.time_ns) for pose in poses.held),
            *(self._locate(pose, view).position for pose in candidates),
        )

    def _locate(self, pose: Pose, view: _View) -> _Known:
        last = self._known.get(pose.person_id)
        memory = _Memory() if last is None else last.memory
        if pose.held_ns:
            position = _held_position(pose, last, view.time_ns)
            return _Known(position, memory, view.time_ns - pose.held_ns)
        if not view.is_smoothing:
            memory = replace(memory, distance=_DISTANCE_FILTER)
        position, memory = self._estimate(pose, view, memory)
        return _Known(position, memory, view.time_ns)

    def _estimate(self, pose: Pose, view: _View, memory: _Memory) -> tuple[Position, _Memory]:
        wanted = self._options.position_source if view.camera.is_calibrated else "none"
        rays = view.camera.rays(pose.landmarks_px[:, :2])
        found = None
        if wanted in ("auto", "depth"):
            found = self._by_depth(pose, rays, view, memory)
        if found is None and wanted in ("auto", "world"):
            found = self._by_world(pose, rays, view, memory)
        if found is None:
            _, height_m = self._height(memory)
            return nowhere(pose, height_m), memory
        return found

    def _by_depth(
        self, pose: Pose, rays: Float64Array, view: _View, memory: _Memory
    ) -> tuple[Position, _Memory] | None:
        """Return where the depth image shows a person; None if it shows too little.

        The height with which they would appear where they are is what that teaches.
        """
        if view.depth is None:
            return None
        height, _ = self._height(memory)
        person = with_stature(pose, height.height_m)
        z_m = z_from_depth(person, rays, view.depth, self._options)
        if z_m is None:
            return None
        taught = memory.heights.by_depth
        if taught.is_due(view.time_ns):
            adult = _adult(pose, rays)
            if adult is not None:
                adult_m = surface_z(adult.origin_m, self._distance_factor)
                height = taught_height(
                    ADULT_M * z_m[HIPS].mean() / adult_m, hidden_std(pose, view.camera.image_size)
                )
                memory = _taught(memory, by_depth=taught.add(height, view.time_ns))
        _, height_m = self._height(memory)
        return position_at(pose, view.camera, rays, z_m, "depth", DEPTH, height_m), memory

    def _by_world(
        self, pose: Pose, rays: Float64Array, view: _View, memory: _Memory
    ) -> tuple[Position, _Memory] | None:
        """Return where a person of the known height appears so large; None if that is unknown."""
        adult = _adult(pose, rays)
        if adult is None:
            return None
        on_floor = memory.heights.by_floor
        if view.floor is not None and on_floor.is_due(view.time_ns):
            farther = adult._replace(origin_m=adult.origin_m * self._distance_factor)
            size = view.camera.image_size
            height = height_on_floor(pose, rays, farther, size, view.floor)
            memory = _taught(memory, by_floor=on_floor.add(height, view.time_ns))
        height, height_m = self._height(memory)
        scale = height.height_m / ADULT_M
        distance_m = scale * surface_z(adult.origin_m, self._distance_factor)
        if view.is_smoothing:
            distance_m, used = _smooth(distance_m, memory.distance, view.time_ns)
            memory = replace(memory, distance=used)
        z_m = distance_m + scale * adult.body_m[:, 2]
        how = by_height(height, hidden_std(pose, view.camera.image_size))
        return position_at(pose, view.camera, rays, z_m, "world", how, height_m), memory

    def _height(self, memory: _Memory) -> tuple[Height, float]:
        """Return a person's height, and what of it is known: NaN if only an adult is assumed."""
        height, is_known = memory.heights.estimate(self._options.person_height_m)
        return height, height.height_m if is_known else math.nan


def _adult(pose: Pose, rays: Float64Array) -> PlacedBody | None:
    """Return the body of an adult where it appears like the pose; None if that is unknown."""
    if pose.world_landmarks_m is None:
        return None
    body_m = usual_body(pose.world_landmarks_m, ADULT_M)
    return None if body_m is None else place_body(body_m, pose.visibility, rays)


def _taught(memory: _Memory, **samples: Samples) -> _Memory:
    return replace(memory, heights=replace(memory.heights, **samples))


def _held_position(pose: Pose, last: _Known | None, time_ns: int) -> Position:
    """Return where somebody was when last seen, if that was located and for a held one recent."""
    seen_ns = time_ns - pose.held_ns
    is_recent = pose.held_ns <= _HELD_POSITION_NS or not pose.is_held
    if last is not None and last.time_ns == seen_ns and is_recent:
        return last.position
    return nowhere(pose)


def _smooth(distance_m: float, used: OneEuroFilter, time_ns: int) -> tuple[float, OneEuroFilter]:
    raw = np.array([[distance_m]], np.float32)
    filtered, following = used.apply(raw, time_ns, raw[0, 0])
    return float(filtered[0, 0]), following

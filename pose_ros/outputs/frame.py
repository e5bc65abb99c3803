"""One frame: all that its outputs are made of, with one record for each person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import (
    Float32Array,
    Float64Array,
    ImageArray,
    Pose,
    Poses,
)
from pose_ros.blazepose.drawing import draw_on
from pose_ros.blazepose.topology import Topology
from pose_ros.body.velocity import Motion
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.located import Position
from pose_ros.outputs.images import image_from_rgb, rgb_pixels
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.transforms import rotation_matrix, transform_points

FRAME_PERIOD_S = 1 / 30


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One person of a frame: the pose in the image, and what of the rest was estimated.

    `position` is in the camera's frame; `motion` and `facing`, the axes (3, 3) of the body as in
    `facing_axes`, are in the frame of positions. `age_ns` is how long ago the person got the id.
    """

    pose: Pose
    position: Position | None = None
    motion: Motion | None = None
    facing: Float64Array | None = None
    age_ns: int = 0

    @property
    def landmarks_m(self) -> Float32Array:
        """The landmarks (N, 3) in the camera's optical frame, in m; NaN where unknown."""
        if self.position is None:
            return np.full((len(self.pose.visibility), 3), np.nan, np.float32)
        return self.position.landmarks_m

    @property
    def is_of_this_image(self) -> bool:
        """Whether the pose is that in the image, or the last one of somebody who is held.

        Otherwise it is that of an image before, and the person was not looked at in this one.
        """
        return self.pose.is_held or not self.pose.held_ns

    @property
    def label(self) -> str:
        """The id and what else is known: whether the person is held, and the distance in m."""
        held = " (held)" if self.pose.is_held else ""
        distance_m = None if self.position is None else self.position.distance_m
        distance = "" if distance_m is None else f": {distance_m:.1f} m"
        return f"{self.pose.person_id}{held}{distance}"


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Where the target is and how it moves, and the axes (3, 3) of the body, None if unknown.

    They are in the frame of positions, and predicted while the target is not seen.
    """

    motion: Motion
    facing: Float64Array | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """All that the outputs of one frame are made of.

    `image` is the RGB image (H, W, 3) that the people were found in, `header` that of its message.
    `poses` is the tracker's result, with what it says of the image and its time; outputs are made
    of `people`, by id: tracked ones, and those who are held if the options ask for them.
    `period_s` is the time since the frame before; steps of stamps count `stamp_scale` times.
    `has_masks`: the poses were asked for their masks; `is_located`: positions were estimated;
    `has_motions`: motions were estimated too. `target_id` is who is followed, `target` where that
    is, as far as it is known.
    They are published in the frame that the options ask for, by the `transform` to it;
    as unknown if that is None.
    """

    header: Header
    image: ImageArray
    poses: Poses
    people: tuple[Person, ...]
    topology: Topology
    camera: Camera
    options: OutputOptions
    period_s: float = FRAME_PERIOD_S
    stamp_scale: float = 1.0
    has_masks: bool = False
    is_located: bool = False
    has_motions: bool = False
    target_id: int | None = None
    target: Target | None = None
    transform: TransformStamped | None = None

    @cached_property
    def annotated(self) -> Image:
        """The `rgb8` message with the poses drawn on it; drawn once, when first asked for."""
        labels = [person.label for person in self.people]
        poses = [person.pose for person in self.people]
        message = image_from_rgb(self.image, self.header)
        canvas = rgb_pixels(message)  # drawn in place: one copy less
        draw_on(canvas, poses, self.topology, self.options.min_visibility, labels)
        return message

    @cached_property
    def output_header(self) -> Header:
        """The header of positions: that of the image, in the target frame if there is one."""
        return Header(stamp=self.header.stamp, frame_id=self.output_frame_id)

    @property
    def output_frame_id(self) -> str:
        """The frame of positions."""
        return self.options.target_frame or self.header.frame_id

    @property
    def is_output_frame_known(self) -> bool:
        """Whether positions can be given in the frame of `output_header`."""
        return not self.options.target_frame or self.transform is not None

    @cached_property
    def output_rotation(self) -> Float64Array:
        """The rotation (3, 3) from the camera's frame to the output's, if that is known."""
        if self.transform is None:
            return np.eye(3)
        return rotation_matrix(self.transform)

    def to_output_frame(self, points_m: npt.ArrayLike) -> Float64Array:
        """Move points (n, 3) from the camera's frame to the output's; NaN if that is unknown."""
        points = np.array(points_m, np.float64)
        if self.transform is not None:
            return transform_points(points, self.transform)
        if not self.is_output_frame_known:
            points[:] = np.nan
        return points

"""The result of one frame: all that its outputs are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageArray, Pose
from pose_ros.blazepose.drawing import draw_poses
from pose_ros.blazepose.topology import Topology
from pose_ros.transforms import transform_points


@dataclass(frozen=True, eq=False)
class FrameResult:
    """All that the outputs of one frame are made of.

    `image` is the RGB image (H, W, 3) that the poses were found in, `header` that of its message.
    `landmarks_m` has for each pose its landmarks (N, 3) in the optical frame of the camera, NaN
    where unknown; without it nothing is known. `frame_period_s` is the time since the frame
    before; markers live three of them. `previous` is the frame before, for what has vanished
    since. `has_mask` tells that the poses were asked for their masks. Where there is a
    `transform`, places in space are published in its frame instead of the camera's.
    """

    header: Header
    image: ImageArray
    poses: tuple[Pose, ...]
    topology: Topology
    camera: Camera
    landmarks_m: tuple[Float32Array, ...] = ()
    min_visibility: float = 0.5
    marker_distance_m: float = 1.0
    frame_period_s: float = 1 / 30
    previous: FrameResult | None = None
    has_mask: bool = False
    transform: TransformStamped | None = None

    def __post_init__(self) -> None:
        if not self.landmarks_m:
            unknown = np.full((len(self.topology), 3), np.nan, np.float32)
            object.__setattr__(self, "landmarks_m", (unknown,) * len(self.poses))

    @cached_property
    def annotated(self) -> ImageArray:
        """The image (H, W, 3) with the poses drawn on it; drawn once, when first asked for."""
        return draw_poses(self.image, self.poses, self.topology, self.min_visibility)

    @property
    def space_header(self) -> Header:
        """The header of what is published in space: that of the image, in another frame maybe."""
        if self.transform is None:
            return self.header
        return Header(stamp=self.header.stamp, frame_id=self.transform.header.frame_id)

    def in_space(self, points_m: npt.ArrayLike) -> Float64Array:
        """Move points (n, 3) from the camera's frame to that of `space_header`."""
        if self.transform is None:
            return np.asarray(points_m, np.float64)
        return transform_points(points_m, self.transform)

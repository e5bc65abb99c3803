"""The result of one frame: all that its outputs are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from std_msgs.msg import Header

from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import Float32Array, ImageArray, Pose
from pose_ros.blazepose.drawing import draw_poses
from pose_ros.blazepose.topology import Topology


@dataclass(frozen=True, eq=False)
class FrameResult:
    """All that the outputs of one frame are made of.

    `image` is the RGB image (H, W, 3) that the poses were found in, `header` that of its message.
    `landmarks_m` has for each pose its landmarks (N, 3) in the optical frame of the camera, NaN
    where unknown; without it nothing is known. `frame_period_s` is the time since the frame
    before; markers live three of them. `previous` is the frame before, for what has vanished
    since. `has_mask` tells that the poses were asked for their masks.
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

    def __post_init__(self) -> None:
        if not self.landmarks_m:
            unknown = np.full((len(self.topology), 3), np.nan, np.float32)
            object.__setattr__(self, "landmarks_m", (unknown,) * len(self.poses))

    @cached_property
    def annotated(self) -> ImageArray:
        """The image (H, W, 3) with the poses drawn on it; drawn once, when first asked for."""
        return draw_poses(self.image, self.poses, self.topology, self.min_visibility)

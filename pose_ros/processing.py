"""From an image message to the result of the frame: decode, track, and what markers need."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from pose_ros.blazepose import PoseTracker
from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import ImageArray, ImageSize, size_of
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.topology import Topology
from pose_ros.diagnostics import Diagnostics
from pose_ros.frame import FrameResult
from pose_ros.images import rgb_from_compressed, rgb_from_image
from pose_ros.messages import camera_from_info
from pose_ros.parameters import NodeOptions

_DEFAULT_PERIOD_S = 1 / 30


class FrameProcessor:
    """Answers one image message after the other; for one thread only.

    Raises what PoseTracker raises when the model cannot be loaded.
    """

    def __init__(
        self, options: NodeOptions, models_dir: Path | None, diagnostics: Diagnostics
    ) -> None:
        self._tracker = PoseTracker(options, models_dir, diagnostics.stage)
        self._options = options
        self._diagnostics = diagnostics
        self._previous: FrameResult | None = None
        self._last_stamp_ns = 0

    @property
    def options(self) -> NodeOptions:
        """The options that the next frame is processed with."""
        return self._options

    @property
    def topology(self) -> Topology:
        """Names and connections of the landmarks of the model in use."""
        return MODELS[self._options.model].topology

    @property
    def time_jumps(self) -> int:
        """How often the image stamps jumped and the tracker started afresh."""
        return self._tracker.time_jumps

    @property
    def has_mask(self) -> bool:
        """Whether the mask of the person is predicted."""
        return self._tracker.options.enable_segmentation

    def configure(self, options: NodeOptions) -> None:
        """Change options between two frames; on PoseError nothing has changed.

        Another model starts without masks.
        """
        has_mask = self.has_mask and options.model == self._options.model
        self._tracker.configure(replace(options, enable_segmentation=has_mask))
        self._options = options

    def want_mask(self, is_wanted: bool) -> None:
        """Predict masks from the next frame on, or no longer.

        Raises OptionError if the model has none, ModelFileError if its graph cannot be loaded.
        """
        self._tracker.configure(replace(self._options, enable_segmentation=is_wanted))

    def reset(self) -> None:
        """Forget the person and the time."""
        self._tracker.reset()

    def answer(self, message: Image | CompressedImage, info: CameraInfo | None) -> FrameResult:
        """Return the result for an image message; ImageError if the image cannot be used."""
        with self._diagnostics.stage("decode"):
            image = _decode(message)
        stamp_ns = stamp_to_ns(message.header.stamp)
        with self._diagnostics.stage("track"):
            poses = self._tracker.track(image, stamp_ns)
        result = FrameResult(
            header=message.header,
            image=image,
            poses=poses,
            topology=self.topology,
            camera=self._camera(info, size_of(image)),
            min_visibility=self._options.min_visibility,
            marker_distance_m=self._options.marker_distance_m,
            frame_period_s=self._period_s(stamp_ns),
            previous=self._previous,
            has_mask=self.has_mask,
        )
        self._previous = replace(result, previous=None)
        return result

    def _camera(self, info: CameraInfo | None, image_size: ImageSize) -> Camera:
        """Return the calibrated camera, or one with the assumed field of view."""
        camera = None if info is None else camera_from_info(info, image_size)
        hfov_rad = math.radians(self._options.assumed_hfov_deg)
        return camera or Camera.from_hfov(image_size, hfov_rad)

    def _period_s(self, stamp_ns: int) -> float:
        last_ns, self._last_stamp_ns = self._last_stamp_ns, stamp_ns
        has_period = 0 < last_ns < stamp_ns
        return (stamp_ns - last_ns) / 1e9 if has_period else _DEFAULT_PERIOD_S


def stamp_to_ns(stamp: Time) -> int:
    """Return a stamp in nanoseconds."""
    nanoseconds: int = stamp.sec * 10**9 + stamp.nanosec
    return nanoseconds


def _decode(message: Image | CompressedImage) -> ImageArray:
    if isinstance(message, CompressedImage):
        return rgb_from_compressed(message)
    return rgb_from_image(message)

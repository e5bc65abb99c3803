"""From an image message to the result of the frame: decode, track, and what markers need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from pose_ros.blazepose import PoseTracker
from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import (
    DepthImage,
    Float32Array,
    ImageArray,
    ImageSize,
    Pose,
    size_of,
)
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.position import PositionFinder
from pose_ros.blazepose.topology import Topology
from pose_ros.calibration import Calibration
from pose_ros.diagnostics import Diagnostics
from pose_ros.frame import FrameResult
from pose_ros.images import rgb_from_compressed, rgb_from_image
from pose_ros.parameters import NodeOptions
from pose_ros.stamps import stamp_to_ns

_DEFAULT_PERIOD_S = 1 / 30

FindDepth = Callable[[Header, ImageSize], "DepthImage | None"]
"""Finds the depth image that belongs to the image of a header and size."""


class FrameProcessor:
    """Answers one image message after the other; for one thread only.

    Raises what PoseTracker raises when the model cannot be loaded.
    """

    def __init__(
        self, options: NodeOptions, models_dir: Path | None, diagnostics: Diagnostics
    ) -> None:
        self._tracker = PoseTracker(options, models_dir, diagnostics.stage)
        self._finder = PositionFinder(options, _is_smoothing(options))
        self._calibration = Calibration()
        self._options = options
        self._diagnostics = diagnostics
        self._mask_asked = (False, options.model)
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

    @property
    def calibration_problem(self) -> str | None:
        """What is wrong with the camera's calibration, if anything is."""
        return self._calibration.problem

    def configure(self, options: NodeOptions) -> None:
        """Change options between two frames; on PoseError nothing has changed.

        Another model starts without masks.
        """
        has_mask = self.has_mask and options.model == self._options.model
        self._tracker.configure(replace(options, enable_segmentation=has_mask))
        self._finder.configure(options, _is_smoothing(options))
        self._options = options

    def want_mask(self, is_wanted: bool) -> None:
        """Predict masks from the next frame on, or no longer.

        Raises OptionError if the model has none, ModelFileError if its graph cannot be loaded,
        both only at the first request for a model.
        """
        asked = (is_wanted, self._options.model)
        if asked == self._mask_asked:
            return
        self._mask_asked = asked
        self._tracker.configure(replace(self._options, enable_segmentation=is_wanted))

    def reset(self) -> None:
        """Forget the person and the time."""
        self._tracker.reset()
        self._finder.reset()

    def answer(
        self,
        message: Image | CompressedImage,
        info: CameraInfo | None,
        find_depth: FindDepth | None = None,
    ) -> FrameResult:
        """Return the result for an image message; ImageError if the image cannot be used.

        Places in space are found if there is a `find_depth`, also where it finds no depth.
        """
        with self._diagnostics.stage("decode"):
            image = _decode(message)
        stamp_ns = stamp_to_ns(message.header.stamp)
        with self._diagnostics.stage("track"):
            poses = self._tracker.track(image, stamp_ns)
        camera = self._calibration.camera(info, size_of(image), self._options)
        landmarks_m: tuple[Float32Array, ...] = ()
        if find_depth and poses:
            with self._diagnostics.stage("position"):
                depth = find_depth(message.header, size_of(image))
                landmarks_m = self._landmarks_m(poses, camera, depth, stamp_ns)
        result = FrameResult(
            header=message.header,
            image=image,
            poses=poses,
            topology=self.topology,
            camera=camera,
            landmarks_m=landmarks_m,
            min_visibility=self._options.min_visibility,
            marker_distance_m=self._options.marker_distance_m,
            frame_period_s=self._period_s(stamp_ns),
            previous=self._previous,
            has_mask=self.has_mask,
        )
        self._previous = replace(result, previous=None)
        return result

    def _landmarks_m(
        self, poses: tuple[Pose, ...], camera: Camera, depth: DepthImage | None, stamp_ns: int
    ) -> tuple[Float32Array, ...]:
        positions = self._finder.find(poses, camera, depth, stamp_ns)
        self._diagnostics.positioned(position.source for position in positions)
        return tuple(position.landmarks_m for position in positions)

    def _period_s(self, stamp_ns: int) -> float:
        last_ns, self._last_stamp_ns = self._last_stamp_ns, stamp_ns
        has_period = 0 < last_ns < stamp_ns
        return (stamp_ns - last_ns) / 1e9 if has_period else _DEFAULT_PERIOD_S


def _decode(message: Image | CompressedImage) -> ImageArray:
    if isinstance(message, CompressedImage):
        return rgb_from_compressed(message)
    return rgb_from_image(message)


def _is_smoothing(options: NodeOptions) -> bool:
    return options.smooth_landmarks and not options.static_image_mode

"""All messages that a node takes, subscribed to while they are needed."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.inputs.camera import CameraInput
from pose_ros.inputs.depth import DepthInput
from pose_ros.inputs.detections import DetectionsInput
from pose_ros.inputs.options import InputOptions


class Inputs:
    """The camera, depth, and the detections of another detector.

    For the executor's thread; the worker asks depth and detections for what belongs to an image.
    """

    def __init__(
        self,
        node: Node,
        options: InputOptions,
        receive: Callable[[Image | CompressedImage], None],
    ) -> None:
        self.depth = DepthInput(node, options)
        self.detections = DetectionsInput(node, options)
        self.camera = CameraInput(node, options, receive)

    @property
    def facts(self) -> dict[str, str]:
        """What is worth knowing in `/diagnostics`."""
        return self.camera.facts | self.depth.facts | self.detections.facts

    def update(self, needs_images: bool, needs_depth: bool, needs_detections: bool) -> None:
        """Subscribe to what is needed; unsubscribe from the rest, the camera after some time."""
        self.camera.update(needs_images)
        self.depth.update(needs_depth)
        self.detections.update(needs_detections)

    def release(self) -> None:
        """Unsubscribe from everything."""
        self.camera.release()
        self.depth.release()
        self.detections.release()

    def problems(
        self, timeout_s: float, needs_calibration: bool, needs_depth: bool
    ) -> dict[str, str | None]:
        """Return what is wrong with the messages now: a text, or None, for each kind.

        None for longer than `timeout_s` is a problem (0: never), of calibration and depth only if
        they are needed.
        """
        return {
            **self.camera.problems(timeout_s, needs_calibration),
            **self.depth.problems(timeout_s, needs_depth),
            **self.detections.problems(timeout_s),
        }

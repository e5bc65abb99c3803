"""The node's subscriptions to a camera, held while somebody wants results."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from pose_ros.matching import (
    asked_in_words,
    crowd_sentence,
    silence_sentence,
    subscription_events,
    type_name,
)
from pose_ros.parameters import NodeOptions

_TRANSPORTS = {"raw": (Image, ""), "compressed": (CompressedImage, "/compressed")}
_GRACE_S = 10.0


def input_qos(options: NodeOptions, depth: int) -> QoSProfile:
    """Return the quality of service that is asked of whoever publishes for the node."""
    reliability = ReliabilityPolicy[options.qos_reliability.upper()]
    return QoSProfile(depth=depth, reliability=reliability)


class CameraInput:
    """Gives each image message to `on_image`, and keeps the newest calibration."""

    def __init__(
        self,
        node: Node,
        options: NodeOptions,
        on_image: Callable[[Image | CompressedImage], None],
    ) -> None:
        self._node = node
        self._on_image = on_image
        self._message_type, suffix = _TRANSPORTS[options.image_transport]
        self.topic = node.resolve_topic_name("image") + suffix
        self._qos = input_qos(options, options.qos_depth)
        self.camera_info: CameraInfo | None = None
        self._taken = ExitStack()
        self.is_taken = False
        self._last_image_s = self._last_demand_s = time.monotonic()

    def follow(self, is_wanted: bool) -> None:
        """Subscribe as soon as images are wanted; unsubscribe some time after they no longer are.

        Not at once: viewers come and go, and taking a camera again costs some frames.
        """
        now_s = time.monotonic()
        if is_wanted:
            self._last_demand_s = now_s
            self.take()
        elif now_s - self._last_demand_s > _GRACE_S:
            self.release()

    def take(self) -> None:
        """Subscribe, unless that is done."""
        if self.is_taken:
            return
        node = self._node
        info_topic = node.resolve_topic_name("camera_info")
        for message_type, topic, receive in (
            (self._message_type, self.topic, self._receive),
            (CameraInfo, info_topic, self._receive_info),
        ):
            events = subscription_events(node, topic, self._qos)
            subscription = node.create_subscription(
                message_type, topic, receive, self._qos, event_callbacks=events
            )
            self._taken.callback(node.destroy_subscription, subscription)
        self._last_image_s = time.monotonic()
        self.is_taken = True

    def release(self) -> None:
        """Unsubscribe."""
        self._taken.close()
        self.is_taken = False

    def silence(self, timeout_s: float) -> str | None:
        """Return why no image came for longer than `timeout_s` (0: never), else None."""
        if not self.is_taken or not 0 < timeout_s < time.monotonic() - self._last_image_s:
            return None
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        asked = asked_in_words(self._message_type, self._qos)
        sentence = silence_sentence(self.topic, timeout_s, publishers, asked)
        return sentence + self._remedy()

    def crowd(self) -> str | None:
        """Return a warning where the topic has several publishers, else None."""
        if self._node.count_publishers(self.topic) < 2:
            return None
        return crowd_sentence(self.topic, self._node.get_publishers_info_by_topic(self.topic))

    def _remedy(self) -> str:
        """Return with which settings there would be images, where another topic has some."""
        image = self._node.resolve_topic_name("image")
        for base in (image, image.removesuffix("/compressed")):
            for transport, (message_type, suffix) in _TRANSPORTS.items():
                is_tried = base + suffix == self.topic and message_type is self._message_type
                if not is_tried and self._has_publisher(base + suffix, message_type):
                    return f"; there are images with image_transport:={transport} image:={base}"
        if self._has_publisher(image, CompressedImage):
            return f"; image_transport:=compressed takes CompressedImage from {image}/compressed"
        return ""

    def _has_publisher(self, topic: str, message_type: type) -> bool:
        publishers = self._node.get_publishers_info_by_topic(topic)
        return type_name(message_type) in (item.topic_type for item in publishers)

    def _receive(self, message: Image | CompressedImage) -> None:
        self._last_image_s = time.monotonic()
        self._on_image(message)

    def _receive_info(self, info: CameraInfo) -> None:
        self.camera_info = info

"""The camera: its images, and the newest calibration."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from pose_ros.blazepose.errors import OptionError
from pose_ros.inputs.losses import Counts, LossCheck
from pose_ros.inputs.options import InputOptions
from pose_ros.inputs.qos import input_qos
from pose_ros.inputs.subscription import LazySubscription
from pose_ros.runtime.clock import stamp_to_ns
from pose_ros.runtime.endpoints import (
    lost_images_warning,
    multiple_publishers_warning,
    type_name,
)

_TRANSPORTS = {"raw": (Image, ""), "compressed": (CompressedImage, "/compressed")}
# Viewers come and go, and to subscribe to a camera again costs some frames.
GRACE_S = 10.0


class CameraInput:
    """Gives each image message to `receive`, and keeps the newest calibration."""

    def __init__(
        self,
        node: Node,
        options: InputOptions,
        receive: Callable[[Image | CompressedImage], None],
    ) -> None:
        self._node, self._on_image = node, receive
        self._losses = LossCheck()
        message_type, suffix = _TRANSPORTS[options.image_transport]
        image_topic = node.resolve_topic_name("image") + suffix
        qos = input_qos(options, options.qos_depth)
        self._images = LazySubscription(
            node, message_type, image_topic, qos, self._receive_image, "image", GRACE_S
        )
        self._infos = LazySubscription(
            node, CameraInfo, "camera_info", qos, self._receive_info, "camera_info", GRACE_S
        )
        self.camera_info: CameraInfo | None = None

    @property
    def topic(self) -> str:
        """The full name of the images' topic."""
        return self._images.topic

    @property
    def is_subscribed(self) -> bool:
        """Whether images can come now."""
        return self._images.is_subscribed

    @property
    def facts(self) -> dict[str, str]:
        """What is worth knowing in `/diagnostics`."""
        return {"image topic": self._images.topic, "camera_info topic": self._infos.topic}

    def update(self, is_needed: bool) -> None:
        """Subscribe while images are needed, and some time longer."""
        self._infos.update(is_needed)  # first: the first image may be the only one
        self._images.update(is_needed)
        if not self.is_subscribed:
            self.camera_info = None  # another may have come in the meantime
            self._losses.reset()

    def check(self) -> None:
        """Raise OptionError if the topic of the images is one that the node itself uses."""
        if self._images.conflict is not None:
            raise OptionError(self._images.conflict)

    def release(self) -> None:
        """Unsubscribe."""
        self._images.release()
        self._infos.release()
        self.camera_info = None

    def problems(self, timeout_s: float, needs_calibration: bool) -> dict[str, str | None]:
        """Return what is wrong with the camera's messages now: a text, or None, for each kind.

        No image for longer than `timeout_s` is a problem (0: never), and no camera_info beside
        images if the calibration is needed.
        """
        has_problem = needs_calibration and self.camera_info is None and self._images.has_received
        return {
            "no image": self._no_image_warning(timeout_s),
            "no camera_info": self._no_info_warning(timeout_s) if has_problem else None,
            "lost images": self._lost_images_warning(),
            "publishers": self._multiple_publishers_warning(),
        }

    def _no_image_warning(self, timeout_s: float) -> str | None:
        warning = self._images.no_message_warning(timeout_s)
        return None if warning is None else warning + self._remedy()

    def _no_info_warning(self, timeout_s: float) -> str | None:
        warning = self._infos.no_message_warning(timeout_s)
        if warning is None:
            return None
        others = self._other_info_topics()
        remedy = f"; there is camera_info on {', '.join(others)}" if others else ""
        return f"{warning}; positions stay unknown{remedy}"

    def _lost_images_warning(self) -> str | None:
        if not self._images.is_best_effort:
            self._losses.reset()
            return None
        counts = Counts(self._images.received, self._infos.received, self._images.lost)
        evidence = self._losses.evidence(time.monotonic(), counts)
        return None if evidence is None else lost_images_warning(self.topic, evidence)

    def _other_info_topics(self) -> list[str]:
        """Return the topic beside the image's if it has camera_info, else all that have."""
        beside = self._node.resolve_topic_name("image").rpartition("/")[0] + "/camera_info"
        found = [
            name
            for name, _ in self._node.get_topic_names_and_types()
            if name != self._infos.topic and self._has_publisher(name, CameraInfo)
        ]
        return [beside] if beside in found else found

    def _multiple_publishers_warning(self) -> str | None:
        if self._node.count_publishers(self.topic) < 2:
            return None
        found = self._node.get_publishers_info_by_topic(self.topic)
        return multiple_publishers_warning(self.topic, found) if len(found) > 1 else None

    def _remedy(self) -> str:
        """Return with which settings there would be images, where another topic has some."""
        image, tried_type = self._node.resolve_topic_name("image"), self._images.message_type
        for base in (image, image.removesuffix("/compressed")):
            for transport, (message_type, suffix) in _TRANSPORTS.items():
                is_tried = (base + suffix, message_type) == (self.topic, tried_type)
                if not is_tried and self._has_publisher(base + suffix, message_type):
                    return f"; there are images with image_transport:={transport} image:={base}"
        if self._has_publisher(image, CompressedImage):
            return f"; image_transport:=compressed takes CompressedImage from {image}/compressed"
        return ""

    def _has_publisher(self, topic: str, message_type: type) -> bool:
        publishers = self._node.get_publishers_info_by_topic(topic)
        return type_name(message_type) in (item.topic_type for item in publishers)

    def _receive_image(self, message: Image | CompressedImage) -> None:
        self._losses.receive(time.monotonic(), stamp_to_ns(message.header.stamp))
        self._on_image(message)

    def _receive_info(self, info: CameraInfo) -> None:
        self.camera_info = info

"""The node's subscription to depth images, and which of them belongs to an image."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import ExitStack

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import DepthImage, ImageSize
from pose_ros.blazepose.errors import ImageError
from pose_ros.camera_input import input_qos
from pose_ros.images import Encoding, view_pixels
from pose_ros.matching import asked_in_words, silence_sentence, subscription_events
from pose_ros.parameters import NodeOptions
from pose_ros.stamps import stamp_to_ns

# REP 118: 32FC1 in metres is canonical; 16UC1 is in millimetres, 0 where nothing was measured.
_UNITS_M = {
    "16UC1": (Encoding(np.uint16, 1, None), 0.001),
    "32FC1": (Encoding(np.float32, 1, None), 1.0),
}
_ALIVE_S = 1.0


def depth_from_image(message: Image) -> DepthImage:
    """Return the depths of a message, as a view of its data.

    Raises ImageError for an encoding that holds no depth, sizes that do not fit, missing data.
    """
    if message.encoding not in _UNITS_M:
        raise ImageError(
            f"depth image has encoding {message.encoding!r}; allowed are "
            + " and ".join(repr(name) for name in _UNITS_M)
        )
    encoding, unit_m = _UNITS_M[message.encoding]
    return DepthImage(view_pixels(message, encoding)[..., 0], unit_m)


def check_registered(depth: Image, image_size: ImageSize, frame_id: str) -> None:
    """Raise ImageError unless a depth image shows the same pixels as the image."""
    size = ImageSize(depth.width, depth.height)
    if size != image_size:
        raise ImageError(
            f"depth image measures {size.width_px} x {size.height_px}, the image "
            f"{image_size.width_px} x {image_size.height_px}; depth must be registered to it"
        )
    if depth.header.frame_id != frame_id:
        raise ImageError(
            f"depth image is in frame {depth.header.frame_id!r}, the image in {frame_id!r}; "
            "depth must be registered to it"
        )


class DepthInput:
    """Keeps the newest depth images; the worker asks for the one that belongs to an image.

    Depth is received in the executor's thread and looked for in the worker's.
    """

    def __init__(self, node: Node, options: NodeOptions) -> None:
        self._node = node
        self._qos = input_qos(options, options.depth_queue_size)
        self.topic = node.resolve_topic_name("depth")
        self._taken = ExitStack()
        self._changed = threading.Condition()
        self._kept: deque[Image] = deque(maxlen=options.depth_queue_size)
        self._last_s = -_ALIVE_S
        self._taken_s = 0.0
        self.is_taken = False
        self.unpaired = 0

    def follow(self, is_wanted: bool) -> None:
        """Subscribe or unsubscribe."""
        if not is_wanted:
            self.release()
        elif not self.is_taken:
            events = subscription_events(self._node, self.topic, self._qos)
            subscription = self._node.create_subscription(
                Image, self.topic, self._receive, self._qos, event_callbacks=events
            )
            self._taken.callback(self._node.destroy_subscription, subscription)
            self._taken_s = time.monotonic()
            self.is_taken = True

    def silence(self, timeout_s: float) -> str | None:
        """Return why no depth came for longer than `timeout_s` (0: never), else None."""
        heard_s = max(self._taken_s, self._last_s)
        if not self.is_taken or not 0 < timeout_s < time.monotonic() - heard_s:
            return None
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        asked = asked_in_words(Image, self._qos)
        return silence_sentence(self.topic, timeout_s, publishers, asked)

    def release(self) -> None:
        """Unsubscribe, and forget what came."""
        self._taken.close()
        self.is_taken = False
        with self._changed:
            self._kept.clear()

    def find(self, header: Header, image_size: ImageSize, slop_s: float) -> DepthImage | None:
        """Return the depth image that is nearest in time to an image, or None.

        Their stamps differ by no more than `slop_s`. If depth is coming but none as late as the
        image came yet, this waits for it, `slop_s` at the most. Raises ImageError for a depth
        image that cannot be used.
        """
        stamp_ns = stamp_to_ns(header.stamp)
        with self._changed:
            if not (self.is_taken and self._is_alive()):
                return None
            self._changed.wait_for(lambda: self._has_reached(stamp_ns), slop_s)
            nearest = min(self._kept, key=lambda item: _distance_ns(item, stamp_ns), default=None)
        if nearest is None or _distance_ns(nearest, stamp_ns) > slop_s * 1e9:
            self.unpaired += 1
            return None
        check_registered(nearest, image_size, header.frame_id)
        return depth_from_image(nearest)

    def _is_alive(self) -> bool:
        return time.monotonic() - self._last_s < _ALIVE_S

    def _has_reached(self, stamp_ns: int) -> bool:
        return bool(self._kept) and stamp_to_ns(self._kept[-1].header.stamp) >= stamp_ns

    def _receive(self, message: Image) -> None:
        with self._changed:
            if self._has_reached(stamp_to_ns(message.header.stamp) + 1):
                self._kept.clear()  # time went back, as when a bag starts again
            self._kept.append(message)
            self._last_s = time.monotonic()
            self._changed.notify_all()


def _distance_ns(message: Image, stamp_ns: int) -> int:
    return abs(stamp_to_ns(message.header.stamp) - stamp_ns)

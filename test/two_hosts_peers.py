"""Processes for tests over a network: a camera, and a viewer of topics; both print what they do.

Each line that they print is a JSON list: the camera's `["sent", stamp_ns, publish_ms, readers]`,
the viewer's `[topic, stamp_ns, arrival_ns, content]`.
"""

from __future__ import annotations

import functools
import itertools
import json
import sys
import time
from typing import Any

import cv2
import numpy as np
import running
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import Header

from pose_ros.outputs.images import compressed_from_rgb, image_from_rgb
from pose_ros.runtime import run

RATE_HZ = 30.0
_FRAMES = 20
_JPEG_QUALITY = 97
_TYPES = {
    "/pose/landmarks": PointCloud2,
    "/pose/annotated_image": Image,
    "/pose/annotated_image/compressed": CompressedImage,
    "/diagnostics": DiagnosticArray,
}


def report(*fields: Any) -> None:
    print(json.dumps(fields), flush=True)


class Camera(Node):
    """Publishes a clip at 30 Hz, back and forth; encoded beforehand, to leave time to others."""

    def __init__(
        self,
        transport: str,
        size: tuple[int, int] = (640, 480),
        reliability: str = "best_effort",
    ) -> None:
        super().__init__("camera")
        is_compressed = transport == "compressed"
        to_jpeg = functools.partial(compressed_from_rgb, quality=_JPEG_QUALITY)
        build: Any = to_jpeg if is_compressed else image_from_rgb
        clip = running.person(_FRAMES)
        images = [np.asarray(cv2.resize(frame, size), np.uint8) for frame in clip]
        messages = [build(image, Header(frame_id=running.FRAME_ID)) for image in images]
        self._messages = itertools.cycle(messages + messages[-2:0:-1])
        report("size", max(len(message.data) for message in messages))
        topic = "image/compressed" if is_compressed else "image"
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy[reliability.upper()])
        self._images = self.create_publisher(type(messages[0]), topic, qos)
        self.create_timer(1 / RATE_HZ, self._publish)

    def _publish(self) -> None:
        message, stamp_ns = next(self._messages), self.get_clock().now().nanoseconds
        message.header.stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        start_ns = time.perf_counter_ns()
        self._images.publish(message)
        publish_ms = (time.perf_counter_ns() - start_ns) / 1e6
        report("sent", stamp_ns, publish_ms, self._images.get_subscription_count())


class Viewer(Node):
    """Reports what arrives on topics; reliable, as RViz is by default."""

    def __init__(self, topics: list[str]) -> None:
        super().__init__("viewer")
        for topic in topics:
            receive = functools.partial(self._on_message, topic)
            self.create_subscription(_TYPES[topic], topic, receive, 5)

    def _on_message(self, topic: str, message: Any) -> None:
        stamp = message.header.stamp
        arrival_ns = self.get_clock().now().nanoseconds
        report(topic, stamp.sec * 10**9 + stamp.nanosec, arrival_ns, _content(message))


def _content(message: Any) -> Any:
    """The diagnostic values, or the number of bytes."""
    if isinstance(message, DiagnosticArray):
        (status,) = message.status
        return {item.key: item.value for item in status.values} | {"text": status.message}
    return len(message.data)


if __name__ == "__main__":
    role, arguments = {"camera": Camera, "viewer": Viewer}[sys.argv[1]], json.loads(sys.argv[2])
    run.run(lambda: role(**arguments), [])

"""Another detector, which sends boxes with the images of a soak run, and strange ones at times."""

from __future__ import annotations

import math
import random

from detections import Found, stand_in
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.runtime.clock import stamp_to_ns

_EVERY = 3
_STRANGE_SHARE = 0.1
_COLUMNS, _ROWS = 5, 2


class SoakDetector:
    """Finds a person in each box of a grid, with the messages of the stand-in for vision_msgs."""

    def __init__(self, node: Node, size: ImageSize, rng: random.Random) -> None:
        self._publisher = node.create_publisher(DiagnosticArray, "detections", 10)
        self._boxes, self._rng, self._count = grid(size), rng, 0

    def send(self, header: Header, may_be_strange: bool) -> None:
        """Send the boxes of an image, unless it is one of those that are left out."""
        self._count += 1
        if self._count % _EVERY:
            return
        found, late_ns, frame_id = self._boxes, 0, header.frame_id
        if may_be_strange and self._rng.random() < _STRANGE_SHARE:
            found, late_ns, frame_id = self._rng.choice(strange(self._boxes, frame_id))
        stamp_ns = stamp_to_ns(header.stamp) - late_ns
        self._publisher.publish(stand_in(*found, stamp_ns=stamp_ns, frame_id=frame_id))


def grid(size: ImageSize) -> list[Found]:
    """Return boxes all over the image."""
    width, height = size
    return [
        Found(
            (column + 0.5) / _COLUMNS * width,
            (row + 1) / (_ROWS + 1) * height,
            0.2 * width,
            0.6 * height,
        )
        for row in range(_ROWS)
        for column in range(_COLUMNS)
    ]


def strange(boxes: list[Found], frame_id: str) -> list[tuple[list[Found], int, str]]:
    """Return what no detector should send: boxes, how old they are, and in which frame."""
    return [
        ([boxes[0]._replace(x=math.nan), *boxes], 0, frame_id),
        ([one._replace(x=one.x + 10_000) for one in boxes], 0, frame_id),
        ([one._replace(width=-1.0) for one in boxes], 0, frame_id),
        (boxes * 100, 0, frame_id),
        ([], 0, frame_id),
        (boxes, 10**9, frame_id),
        (boxes, -(10**9), frame_id),
        (boxes, 0, "another_camera"),
    ]

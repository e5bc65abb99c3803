"""A stand-in for tf2_ros, which PyPI does not have: enough to run the node's own code.

It has the names that the node uses, knows direct transforms only, and sends each by itself as a
TransformStamped. It proves nothing of tf2: tests with the real one run where that is installed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time

_STATIC_QOS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_Pair = tuple[str, str]


class TransformException(Exception):  # noqa: N818, tf2's name
    """No such transform."""


class TransformBroadcaster:
    def __init__(self, node: Node) -> None:
        self.pub_tf = node.create_publisher(TransformStamped, "/tf", 100)

    def sendTransform(self, transforms: Sequence[TransformStamped]) -> None:  # noqa: N802
        for transform in transforms:
            self.pub_tf.publish(transform)


class Buffer:
    made: list[Buffer] = []  # noqa: RUF012, for tests to look into

    def __init__(self) -> None:
        self.made.append(self)
        self._moving: dict[_Pair, TransformStamped] = {}
        self._static: dict[_Pair, TransformStamped] = {}
        self.lookups: list[tuple[str, str, Time, Duration]] = []

    def set(self, transform: TransformStamped, is_static: bool) -> None:
        known = self._static if is_static else self._moving
        known[transform.header.frame_id, transform.child_frame_id] = transform

    def can_transform(self, target: str, source: str, _time: Time) -> bool:
        return (target, source) in self._static or (target, source) in self._moving

    def lookup_transform(
        self, target: str, source: str, when: Time, timeout: Duration
    ) -> TransformStamped:
        self.lookups.append((target, source, when, timeout))
        end_s = time.monotonic() + timeout.nanoseconds / 1e9
        while time.monotonic() <= end_s or timeout.nanoseconds == 0:
            if (target, source) in self._static:
                return self._static[target, source]
            found = self._moving.get((target, source))
            if found is not None and when <= Time.from_msg(found.header.stamp):
                return found
            if timeout.nanoseconds == 0:
                break
            time.sleep(0.002)
        raise TransformException(f"no transform from {source} to {target}")

    def clear(self) -> None:
        self._moving.clear()


class TransformListener:
    def __init__(self, buffer: Buffer, node: Node) -> None:
        self._node = node
        add, add_static = partial(buffer.set, is_static=False), partial(buffer.set, is_static=True)
        self._subscriptions = [
            node.create_subscription(TransformStamped, "/tf", add, 100),
            node.create_subscription(TransformStamped, "/tf_static", add_static, _STATIC_QOS),
        ]

    def unregister(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

"""A subscription that is held while somebody needs its messages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from pose_ros.inputs.qos import InputQos, is_latched
from pose_ros.runtime.endpoints import (
    describe_request,
    is_incompatible,
    no_message_warning,
    subscription_events,
    type_conflict,
    type_name,
)

Message = TypeVar("Message")
_LASTING_S = 5.0
"""How long another QoS must be better: to subscribe again costs some messages."""


class LazySubscription(Generic[Message]):
    """Subscribes to a topic when it is needed, and unsubscribes `grace_s` after it no longer is.

    It subscribes again when publishers appear that its QoS does not fit, and when another QoS has
    been better for some seconds: publishers that come and go cost no more than that. It does not
    subscribe while the node itself uses the topic with another type. A latched topic is left at
    once: who needs its message later gets it by subscribing again. Warnings call a message `what`.
    `received` and `lost` count messages since it was needed. For the executor's thread only.
    """

    def __init__(
        self,
        node: Node,
        message_type: type[Message],
        topic: str,
        qos: InputQos,
        receive: Callable[[Message], None],
        what: str,
        grace_s: float = 0.0,
    ) -> None:
        self._node = node
        self.message_type = message_type
        self._name, self.topic = topic, node.resolve_topic_name(topic)
        self._wanted = qos
        self._qos = qos.fitting([])
        self._on_message = receive
        self._what, self._grace_s = what, grace_s
        self._needed_s = self._heard_s = self._best_s = 0.0
        self.received = self.lost = 0
        self.conflict: str | None = None
        """Why it could not subscribe: the node itself uses the topic otherwise."""
        self._subscription: Subscription | None = None

    @property
    def is_subscribed(self) -> bool:
        """Whether there is a subscription now."""
        return self._subscription is not None

    @property
    def is_best_effort(self) -> bool:
        """Whether messages that are lost on the way do not come again."""
        return self.is_subscribed and self._qos.reliability == ReliabilityPolicy.BEST_EFFORT

    @property
    def has_received(self) -> bool:
        """Whether a message came since the node subscribed."""
        return self.is_subscribed and self.received > 0

    def update(self, is_needed: bool) -> None:
        """Subscribe if that is needed; unsubscribe some time after it no longer is."""
        now_s = time.monotonic()
        if is_needed:
            self._needed_s = now_s
        has_grace = now_s - self._needed_s < self._grace_s and not is_latched(self._qos)
        if is_needed or (self.is_subscribed and has_grace):
            self._subscribe(now_s)
        else:
            self.release()

    def _subscribe(self, now_s: float) -> None:
        offered = self._offered()
        qos = self._wanted.fitting(offered)
        if self._subscription is None:
            self._heard_s, self.received, self.lost = now_s, 0, 0
            self._connect(qos)
            self._best_s = now_s if offered else -math.inf
        elif offered and qos == self._qos:
            self._best_s = now_s
        elif offered and (now_s - self._best_s >= _LASTING_S or self._misses(offered)):
            self.release()
            self._connect(qos)
            self._best_s = now_s

    def _misses(self, offered: Sequence[QoSProfile]) -> bool:
        """Return whether nothing comes from some publisher."""
        return any(is_incompatible(qos, self._qos) for qos in offered)

    def _offered(self) -> list[QoSProfile]:
        """Return the QoS of the publishers found of this type of message."""
        found = self._node.get_publishers_info_by_topic(self.topic)
        name = type_name(self.message_type)
        return [item.qos_profile for item in found if item.topic_type == name]

    def _connect(self, qos: QoSProfile) -> None:
        self._qos = qos
        self.conflict = type_conflict(self._node, self._name, self.topic, self.message_type)
        if self.conflict is not None:
            return
        self._subscription = self._node.create_subscription(
            self.message_type,
            self.topic,
            self._receive,
            qos,
            event_callbacks=subscription_events(
                self._node, self.topic, lambda: self._qos, self._count_lost
            ),
        )

    def release(self) -> None:
        """Unsubscribe."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)

    def no_message_warning(self, timeout_s: float) -> str | None:
        """Return why nothing came for longer than `timeout_s` (0: never), or cannot; else None."""
        if self.conflict is not None:
            return self.conflict
        if not self.is_subscribed or not 0 < timeout_s < time.monotonic() - self._heard_s:
            return None
        if self.received == 1 and is_latched(self._qos):
            return None  # sent once, as latched messages are
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        request = describe_request(self.message_type, self._qos)
        missing = f"no {self._what} on {self.topic} for {timeout_s:g} s"
        return no_message_warning(missing, publishers, request)

    def _count_lost(self, count: int) -> None:
        self.lost += count

    def _receive(self, message: Message) -> None:
        self._heard_s = time.monotonic()
        self.received += 1
        self._on_message(message)

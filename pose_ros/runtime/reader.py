"""Messages of one subscription, read in a thread of its own, for less than an executor takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile

from pose_ros.runtime.endpoints import describe_request, no_message_warning

_FOREVER = -1


class MessageReader:
    """Subscribes to a topic, and hands over its messages as bytes.

    Before each message rclpy's executors gather all that a node has, from its services to the
    events of its publishers. That takes several times as long as to take a message; here nothing
    is waited for but messages. Nor are there events, so `qos` has to suit every publisher.

    `process` gets, in the reader's thread, the messages that have come since it was called last.
    What it raises ends the thread, and `check` raises it again.
    ref: rclpy, wait_for_message.py waits in this way
    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        qos: QoSProfile,
        process: Callable[[list[bytes]], None],
    ) -> None:
        self._node, self._process = node, process
        self._message_type, self._qos = message_type, qos
        self._heard_s = time.monotonic()
        self._subscription = node.create_subscription(
            message_type,
            topic,
            process,
            qos,
            raw=True,
            callback_group=_NotForExecutors(),
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )
        self._guard = GuardCondition(None, None, context=node.context)
        self._is_released = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="pose_reader", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what has ended the thread, if anything has."""
        if self._error is not None:
            raise self._error

    def no_message_warning(self, what: str, timeout_s: float) -> str | None:
        """Return why nothing came for longer than `timeout_s`; None if something did.

        `what` is what a message is called.
        """
        if time.monotonic() - self._heard_s <= timeout_s:
            return None
        topic = self._subscription.topic_name
        publishers = self._node.get_publishers_info_by_topic(topic)
        request = describe_request(self._message_type, self._qos)
        missing = f"no {what} on {topic} for {timeout_s:g} s"
        return no_message_warning(missing, publishers, request)

    def release(self) -> None:
        """Let the thread finish what it is at, and unsubscribe, unless that was done before."""
        if self._is_released:
            return
        self._is_released = True
        self._guard.trigger()
        self._thread.join()
        self._node.destroy_subscription(self._subscription)
        self._guard.destroy()

    def _run(self) -> None:
        try:
            with self._subscription.handle, self._guard.handle:
                self._read()
        except Exception as error:
            if self._node.context.ok():  # else ROS was shut down meanwhile
                self._error = error

    def _read(self) -> None:
        wait_set = _rclpy.WaitSet(1, 1, 0, 0, 0, 0, self._node.context.handle)
        while not self._is_released:
            wait_set.clear_entities()
            wait_set.add_subscription(self._subscription.handle)
            wait_set.add_guard_condition(self._guard.handle)
            wait_set.wait(_FOREVER)
            if messages := self._take():
                self._heard_s = time.monotonic()
                self._process(messages)

    def _take(self) -> list[bytes]:
        """Return what has come, in its order: no more than the queue holds, so it is an end."""
        messages: list[bytes] = []
        depth = self._subscription.qos_profile.depth
        while len(messages) < depth and (taken := self._take_one()) is not None:
            messages.append(taken)
        return messages

    def _take_one(self) -> bytes | None:
        taken = self._subscription.handle.take_message(self._subscription.msg_type, True)
        return None if taken is None else bytes(taken[0])


class _NotForExecutors(CallbackGroup):
    """Holds entities that no executor is to wait for."""

    def can_execute(self, entity: object) -> bool:
        return False

    def beginning_execution(self, entity: object) -> bool:
        return False

    def ending_execution(self, entity: object) -> None:
        """Nothing to do: no execution began."""

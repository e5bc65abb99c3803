"""Messages read in a thread of their own, over DDS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from running import TIMEOUT_S
from running.local import local_node
from running.processes import domain
from running.waiting import until
from std_msgs.msg import String

from pose_ros.runtime.reader import MessageReader

QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class Reading:
    """A reader of texts, and a publisher of them."""

    def __init__(self, node: Node) -> None:
        self.texts: list[str] = []
        self.batches: list[int] = []
        self.threads: set[str] = set()
        self.allowed = threading.Event()
        self.allowed.set()
        self.error: Exception | None = None
        self.publisher: Publisher = node.create_publisher(String, "texts", QOS)
        self.reader = MessageReader(node, String, "texts", QOS, self.process)
        until(lambda: self.publisher.get_subscription_count() == 1, "the subscription")

    def process(self, messages: list[bytes]) -> None:
        self.threads.add(threading.current_thread().name)
        self.batches.append(len(messages))
        self.texts += [deserialize_message(data, String).data for data in messages]  # waited for
        assert self.allowed.wait(TIMEOUT_S)
        if self.error is not None:
            raise self.error

    def publish(self, *texts: str) -> None:
        for text in texts:
            self.publisher.publish(String(data=text))

    def wait_for(self, *texts: str) -> None:
        until(lambda: self.texts == list(texts), "the texts")


@contextmanager
def reading() -> Iterator[tuple[Node, Reading]]:
    with local_node() as node:
        made = Reading(node)
        yield node, made
        made.allowed.set()
        made.reader.release()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pose_reader"]


def test_messages_come_as_bytes_in_their_order_in_the_threads_own_time() -> None:
    with reading() as (_, made):
        made.publish("one")
        made.wait_for("one")
        made.publish("two")
        made.publish("three")
        made.wait_for("one", "two", "three")
        assert made.threads == {"pose_reader"}


def test_what_came_while_it_was_busy_comes_together() -> None:
    with reading() as (_, made):
        made.allowed.clear()
        made.publish("one")
        made.wait_for("one")
        made.publish("two", "three", "four")
        assert made.publisher.wait_for_all_acked()
        made.allowed.set()
        made.wait_for("one", "two", "three", "four")
        assert made.batches == [1, 3]


def test_an_executor_leaves_the_messages_alone() -> None:
    with reading() as (node, made):
        executor = SingleThreadedExecutor(context=node.context)
        executor.add_node(node)
        fired: list[int] = []
        node.create_timer(0.1, lambda: fired.append(len(fired)))
        while len(fired) < 3:
            made.publish("text")
            executor.spin_once(timeout_sec=TIMEOUT_S)
        until(lambda: len(made.texts) >= 3, "the texts")
        assert made.threads == {"pose_reader"}
        executor.shutdown()


def test_what_processing_raises_is_raised_again_by_check() -> None:
    with reading() as (_, made):
        made.reader.check()
        made.error = KeyError("of the test")
        made.publish("text")
        until(lambda: not readers(), "the end of the thread")
        with pytest.raises(KeyError, match="of the test"):
            made.reader.check()


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_release_ends_the_thread_and_the_subscription(state: str) -> None:
    with reading() as (_, made):
        if state == "busy":
            made.allowed.clear()
            made.publish("text")
            made.wait_for("text")
            threading.Timer(0.05, made.allowed.set).start()
        made.reader.release()
        assert not readers()
        until(lambda: made.publisher.get_subscription_count() == 0, "the end of it")


def test_a_shutdown_is_no_error() -> None:
    with domain() as number:
        context = Context()
        rclpy.init(context=context, domain_id=number)
        node = rclpy.create_node("test", context=context)
        made = Reading(node)
        context.shutdown()
        made.reader.release()
        made.reader.check()
        node.destroy_node()


def _never(_: list[bytes]) -> None:
    raise AssertionError


def test_many_readers_one_after_the_other_leave_nothing() -> None:
    with local_node() as node:
        before = len(list(node.subscriptions))
        for _ in range(20):
            MessageReader(node, String, "texts", QOS, _never).release()
        assert (len(list(node.subscriptions)), readers()) == (before, [])

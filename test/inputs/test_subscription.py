"""A subscription is held while it is needed, and some time longer."""

from __future__ import annotations

import clock
import pytest
import running
from clock import Clock
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Empty

from pose_ros.inputs import subscription
from pose_ros.inputs.options import InputOptions
from pose_ros.inputs.qos import input_qos
from pose_ros.inputs.subscription import LazySubscription

GRACE_S = 10.0
QOS = input_qos(InputOptions(), depth=1)


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return clock.install(monkeypatch, subscription)


@pytest.fixture
def lazy(node: Node) -> LazySubscription[Empty]:
    return LazySubscription(node, Empty, "beat", QOS, lambda message: None, "beat", GRACE_S)


def found(node: Node) -> int:
    return len(node.get_subscriptions_info_by_topic("/beat"))


def receive_one(node: Node) -> None:
    """Publish until the node has received a message."""
    publisher = node.create_publisher(Empty, "beat", 1)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    running.until(publisher.get_subscription_count, "the subscription")
    publisher.publish(Empty())
    executor.spin_once(timeout_sec=running.TIMEOUT_S)
    executor.remove_node(node)
    node.destroy_publisher(publisher)


def test_it_subscribes_once(node: Node, lazy: LazySubscription[Empty]) -> None:
    assert not lazy.is_subscribed
    for _ in range(2):
        lazy.update(is_needed=True)
        assert lazy.is_subscribed
    running.until(lambda: found(node) == 1, "one subscription")


def test_it_unsubscribes_some_time_after_the_need_ends(
    node: Node, lazy: LazySubscription[Empty], steady: Clock
) -> None:
    lazy.update(is_needed=True)
    steady.advance(GRACE_S - 0.1)
    lazy.update(is_needed=False)
    assert lazy.is_subscribed
    steady.advance(0.2)
    lazy.update(is_needed=False)
    assert not lazy.is_subscribed
    running.until(lambda: found(node) == 0, "no subscription")
    lazy.update(is_needed=True)
    assert lazy.is_subscribed


def test_publishers_that_come_and_go_cost_one_subscription(
    node: Node, lazy: LazySubscription[Empty], steady: Clock
) -> None:
    """A best-effort publisher beside a reliable one; the better QoS is back when it stays away."""
    seen: set[tuple[int, ...]] = set()

    def expect(publishers: int, reliability: str) -> None:
        """Update with so many publishers; note which subscriptions there were."""
        running.until(lambda: node.count_publishers("beat") == publishers, "publishers")
        lazy.update(is_needed=True)
        running.until(lambda: requested(node) == [reliability], f"{reliability}")
        for item in node.get_subscriptions_info_by_topic("/beat"):
            seen.add(tuple(item.endpoint_gid))

    node.create_publisher(Empty, "beat", 1)
    expect(1, "RELIABLE")
    for _ in range(5):
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        other = node.create_publisher(Empty, "beat", qos)
        expect(2, "BEST_EFFORT")
        steady.advance(1.0)
        node.destroy_publisher(other)
        expect(1, "BEST_EFFORT")
        steady.advance(1.0)
    assert len(seen) == 2
    steady.advance(10.0)
    expect(1, "RELIABLE")
    assert len(seen) == 3


def requested(node: Node) -> list[str]:
    """The reliabilities that subscriptions request."""
    found = node.get_subscriptions_info_by_topic("/beat")
    return [item.qos_profile.reliability.name for item in found]


@pytest.mark.parametrize("last", ["nothing", "a message", "a new subscription"])
def test_the_wait_for_a_message_begins_with(
    node: Node, lazy: LazySubscription[Empty], steady: Clock, last: str
) -> None:
    lazy.update(is_needed=True)
    steady.advance(0.3)
    if last == "a message":
        receive_one(node)
    elif last == "a new subscription":
        lazy.release()
        lazy.update(is_needed=True)
    assert (lazy.no_message_warning(0.25) is None) == (last != "nothing")


def test_nothing_is_missed_where_nothing_is_expected(
    lazy: LazySubscription[Empty], steady: Clock
) -> None:
    steady.advance(0.05)
    assert lazy.no_message_warning(0.01) is None
    lazy.update(is_needed=True)
    steady.advance(0.05)
    assert lazy.no_message_warning(0.0) is None
    assert lazy.no_message_warning(60.0) is None
    assert "/beat" in str(lazy.no_message_warning(0.01))

"""Why two ends of a topic do not find each other, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import (
    QoSCompatibility,
    QoSProfile,
    qos_check_compatible,
    qos_policy_name_from_kind,
)
from rclpy.topic_endpoint_info import TopicEndpointInfo

from pose_ros.stamps import STEADY

_NAME_S = 1.0  # the name of a node is known some time after its topics


def silence_sentence(
    topic: str, timeout_s: float, publishers: Sequence[TopicEndpointInfo], asked: str
) -> str:
    """Return why no image comes, as far as the publishers found on the topic tell.

    `asked` are type and QoS that the node asks for.
    """
    if not publishers:
        return f"no image on {topic} for {timeout_s:g} s: nobody publishes there"
    return (
        f"no image on {topic} for {timeout_s:g} s, though it has publishers: "
        f"{_in_words(publishers)}; this node asks for {asked}"
    )


def crowd_sentence(topic: str, publishers: Sequence[TopicEndpointInfo]) -> str:
    """Return what is wrong with several publishers of images on one topic."""
    return (
        f"{len(publishers)} publishers on {topic}, where one camera is expected: "
        f"{_in_words(publishers)}"
    )


def type_name(message_type: type) -> str:
    """Return the name that the graph has for a message type, such as `sensor_msgs/msg/Image`."""
    package, kind, _ = message_type.__module__.split(".")
    return f"{package}/{kind}/{message_type.__name__}"


def asked_in_words(message_type: type, qos: QoSProfile) -> str:
    """Return type and QoS of one end of a topic."""
    return f"{type_name(message_type)}, {_qos_in_words(qos)}"


def subscription_events(node: Node, topic: str, qos: QoSProfile) -> SubscriptionEventCallbacks:
    """Return what tells of publishers that offer less than the node asks for."""

    def misfits() -> list[TopicEndpointInfo]:
        found = node.get_publishers_info_by_topic(topic)
        return [item for item in found if _is_misfit(item.qos_profile, qos)]

    asked = _qos_in_words(qos)
    sentence = f"nothing comes from a publisher of {topic}: this node asks for {asked}"
    return SubscriptionEventCallbacks(
        incompatible_qos=_teller(node, f"{sentence}, offered is less in", misfits)
    )


def publisher_events(node: Node, topic: str, qos: QoSProfile) -> PublisherEventCallbacks:
    """Return what tells of subscribers that ask for more than the node offers."""

    def misfits() -> list[TopicEndpointInfo]:
        found = node.get_subscriptions_info_by_topic(topic)
        return [item for item in found if _is_misfit(qos, item.qos_profile)]

    offered = _qos_in_words(qos)
    sentence = f"a subscriber of {topic} gets nothing: this node offers {offered}"
    return PublisherEventCallbacks(
        incompatible_qos=_teller(node, f"{sentence}, asked is more in", misfits)
    )


def _teller(
    node: Node, sentence: str, misfits: Callable[[], Sequence[TopicEndpointInfo]]
) -> Callable[[Any], None]:
    """Return a callback for the event that an end with QoS that does not fit was found."""

    def tell_later(event: Any) -> None:  # noqa: ANN401, rclpy's own type has no name
        def tell() -> None:
            timer.cancel()
            node.destroy_timer(timer)
            found = _in_words(misfits()) or "gone by now"
            node.get_logger().warning(f"{sentence} {policy}: {found}")

        policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
        timer = node.create_timer(_NAME_S, tell, clock=STEADY)

    return tell_later


def _is_misfit(offered: QoSProfile, asked: QoSProfile) -> bool:
    compatibility, _ = qos_check_compatible(offered, asked)
    return bool(compatibility == QoSCompatibility.ERROR)


def _in_words(ends: Sequence[TopicEndpointInfo]) -> str:
    return ", ".join(
        f"{item.node_namespace.rstrip('/')}/{item.node_name} "
        f"({item.topic_type}, {_qos_in_words(item.qos_profile)})"
        for item in ends
    )


def _qos_in_words(qos: QoSProfile) -> str:
    return f"{qos.reliability.name.lower()}, {qos.durability.name.lower()}"

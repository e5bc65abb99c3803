"""Why two ends of a topic do not find each other, as text."""

from __future__ import annotations

import time
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

from pose_ros.runtime.clock import STEADY_CLOCK

UNNAMED = "a node of unknown name"
"""What texts call the node of an end: its name is known some time after its topics, or never."""
NAME_S = 10.0
"""How long a name is waited for. Programs that use DDS without ROS have none."""
_LOOK_S = 1.0
_UNKNOWN_NAME = "_NODE_NAME_UNKNOWN_"  # rmw's


def no_message_warning(missing: str, publishers: Sequence[TopicEndpointInfo], request: str) -> str:
    """Return why nothing came, as far as the publishers found on the topic show.

    `missing` is what did not come, where and for how long; `request` describes type and QoS that
    the node requests.
    """
    if not publishers:
        return f"{missing}: nobody publishes there"
    found = _describe(publishers)
    return f"{missing}, though it has publishers: {found}; this node requests {request}"


def lost_images_warning(topic: str, evidence: str) -> str:
    """Return what to do where images are lost on their way, as something shows."""
    return (
        f"images on {topic} are lost on the way: {evidence}. With Fast DDS the camera needs the "
        "profile of this package: set FASTRTPS_DEFAULT_PROFILES_FILE (from Kilted on "
        "FASTDDS_DEFAULT_PROFILES_FILE) to config/fastdds_shm.xml where the camera is started, or "
        "to config/fastdds_wlan.xml on both sides of a network that loses packets"
    )


def multiple_publishers_warning(topic: str, publishers: Sequence[TopicEndpointInfo]) -> str:
    """Return what is wrong with several publishers of images on one topic."""
    return (
        f"{len(publishers)} publishers on {topic}, where one camera is expected: "
        f"{_describe(publishers)}"
    )


def shared_output_warning(topic: str, publishers: Sequence[TopicEndpointInfo]) -> str:
    """Return what is wrong with several nodes that publish one output."""
    names = ", ".join(sorted(_node_name(item) for item in publishers))
    return (
        f"{len(publishers)} nodes publish {topic}: {names}; give each node a name or namespace of "
        "its own (a node that was killed counts for about 20 s)"
    )


def type_name(message_type: type) -> str:
    """Return the name that the graph has for a message type, such as `sensor_msgs/msg/Image`."""
    package, kind, _ = message_type.__module__.split(".")
    return f"{package}/{kind}/{message_type.__name__}"


def type_conflict(node: Node, name: str, topic: str, message_type: type) -> str | None:
    """Return why a node cannot use a topic: it does already, with another type; else None.

    A topic has one type in a process; ROS fails to make an end of another. `name` is what the
    node calls the topic.
    """
    used = _other_type(node, topic, message_type)
    return used and (
        f"{name} cannot be {topic}: this node itself uses the topic with {used}; "
        f"needed is another topic, of {type_name(message_type)}"
    )


def _other_type(node: Node, topic: str, message_type: type) -> str | None:
    ends = [
        *node.get_publishers_info_by_topic(topic),
        *node.get_subscriptions_info_by_topic(topic),
    ]
    own, wanted = node.get_fully_qualified_name(), type_name(message_type)
    types = (item.topic_type for item in ends if _node_name(item) == own)
    return next((name for name in types if name != wanted), None)


def describe_request(message_type: type, qos: QoSProfile) -> str:
    """Return type and QoS of one end of a topic."""
    return f"{type_name(message_type)}, {_describe_qos(qos)}"


def subscription_events(
    node: Node,
    topic: str,
    requested: Callable[[], QoSProfile],
    count_lost: Callable[[int], None],
) -> SubscriptionEventCallbacks:
    """Return what warns of publishers that offer less than the node requests at that time.

    `count_lost` gets the number of messages that the middleware finds to be lost.
    """

    def reason() -> str:
        qos = _describe_qos(requested())
        return f"no message from a publisher of {topic}: this node requests {qos}"

    def incompatible() -> list[TopicEndpointInfo]:
        found = node.get_publishers_info_by_topic(topic)
        return [item for item in found if is_incompatible(item.qos_profile, requested())]

    def lost(event: Any) -> None:  # noqa: ANN401, rclpy's own type has no name
        count_lost(event.total_count_change)

    incompatible_qos = _warner(node, reason, incompatible)
    return SubscriptionEventCallbacks(incompatible_qos=incompatible_qos, message_lost=lost)


def publisher_events(node: Node, topic: str, qos: QoSProfile) -> PublisherEventCallbacks:
    """Return what warns of subscribers that request more than the node offers."""

    def incompatible() -> list[TopicEndpointInfo]:
        found = node.get_subscriptions_info_by_topic(topic)
        return [item for item in found if is_incompatible(qos, item.qos_profile)]

    def reason() -> str:
        return f"no message to a subscriber of {topic}: this node offers {_describe_qos(qos)}"

    return PublisherEventCallbacks(incompatible_qos=_warner(node, reason, incompatible))


def _warner(
    node: Node, reason: Callable[[], str], incompatible: Callable[[], Sequence[TopicEndpointInfo]]
) -> Callable[[Any], None]:
    """Return a callback for the event that an end with incompatible QoS was found."""

    def warn_later(event: Any) -> None:  # noqa: ANN401, rclpy's own type has no name
        policy = qos_policy_name_from_kind(event.last_policy_kind).lower()

        def text(found: Sequence[TopicEndpointInfo]) -> str:
            return f"{reason()}; incompatible QoS: {policy}: {_describe(found)}"

        warn_when_named(node, incompatible, text)

    return warn_later


def warn_when_named(
    node: Node,
    find: Callable[[], Sequence[TopicEndpointInfo]],
    text: Callable[[Sequence[TopicEndpointInfo]], str],
) -> None:
    """Log a warning of the ends that are found when the names of their nodes are known.

    That takes a second or more, `NAME_S` at most. Nothing is logged if they are gone by then.
    """
    end_s = time.monotonic() + NAME_S

    def look() -> None:
        found = find()
        if any(map(_is_unnamed, found)) and time.monotonic() < end_s:
            return
        timer.cancel()
        node.destroy_timer(timer)
        if found:
            node.get_logger().warning(text(found))

    timer = node.create_timer(_LOOK_S, look, clock=STEADY_CLOCK)


def is_incompatible(offered: QoSProfile, requested: QoSProfile) -> bool:
    """Return whether no message goes from one end to the other."""
    compatibility, _ = qos_check_compatible(offered, requested)
    return bool(compatibility == QoSCompatibility.ERROR)


def _describe(ends: Sequence[TopicEndpointInfo]) -> str:
    return ", ".join(
        f"{_node_name(item)} ({item.topic_type}, {_describe_qos(item.qos_profile)})"
        for item in ends
    )


def _node_name(item: TopicEndpointInfo) -> str:
    return UNNAMED if _is_unnamed(item) else f"{item.node_namespace.rstrip('/')}/{item.node_name}"


def _is_unnamed(item: TopicEndpointInfo) -> bool:
    return bool(item.node_name == _UNKNOWN_NAME)


def _describe_qos(qos: QoSProfile) -> str:
    return f"{qos.reliability.name.lower()}, {qos.durability.name.lower()}"

"""The node's publishers: one for each output, and what somebody listens to."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from pose_ros.blazepose.topology import Topology
from pose_ros.frame import FrameResult
from pose_ros.matching import publisher_events
from pose_ros.messages import LANDMARK_NAMES, OUTPUTS, Output

_RELIABLE = ReliabilityPolicy.RELIABLE
_LATCHED = DurabilityPolicy.TRANSIENT_LOCAL
QOS = {
    "data": QoSProfile(depth=10, reliability=_RELIABLE),
    "image": QoSProfile(depth=1, reliability=_RELIABLE),
    "latched": QoSProfile(depth=1, reliability=_RELIABLE, durability=_LATCHED),
}


class OutputPublishers:
    """Advertises `~/<name>` for each output; silent while the lifecycle node is inactive."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._publisher_of = {output: self._make(output) for output in (*OUTPUTS, LANDMARK_NAMES)}

    def _make(self, output: Output) -> LifecyclePublisher:
        topic, qos = self._node.resolve_topic_name(f"~/{output.name}"), QOS[output.qos]
        events = publisher_events(self._node, topic, qos)
        publisher: LifecyclePublisher = self._node.create_lifecycle_publisher(
            output.message_type, topic, qos, event_callbacks=events
        )
        return publisher

    def destroy(self) -> None:
        """Take all of them back."""
        for publisher in self._publisher_of.values():
            self._node.destroy_lifecycle_publisher(publisher)

    def wanted(self) -> list[Output]:
        """Return the outputs of a frame that somebody listens to."""
        return [item for item in OUTPUTS if self._publisher_of[item].get_subscription_count()]

    def publish(self, frame: FrameResult, outputs: Sequence[Output]) -> None:
        """Build some outputs of a frame and send them."""
        for output in outputs:
            message = output.build(frame)
            if message is not None:
                self._publisher_of[output].publish(message)

    def publish_names(self, model: str, topology: Topology) -> None:
        """Tell those who listen, and those who will, what the landmarks are called."""
        self._publisher_of[LANDMARK_NAMES].publish(LANDMARK_NAMES.build(model, topology))

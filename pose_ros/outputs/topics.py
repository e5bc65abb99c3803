"""The node's topics: a publisher for each output."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.topology import Topology
from pose_ros.outputs.frame import Frame
from pose_ros.outputs.markers import ShownMarkers
from pose_ros.outputs.messages import LANDMARK_NAMES, OUTPUTS, TARGET_OUTPUTS, Output
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.sink import Demand
from pose_ros.runtime.endpoints import (
    publisher_events,
    shared_output_warning,
    type_conflict,
)

_RELIABLE = ReliabilityPolicy.RELIABLE
_LATCHED = DurabilityPolicy.TRANSIENT_LOCAL
QOS = {
    "data": QoSProfile(depth=10, reliability=_RELIABLE),
    "image": QoSProfile(depth=1, reliability=_RELIABLE),
    "latched": QoSProfile(depth=1, reliability=_RELIABLE, durability=_LATCHED),
}


class TopicSink:
    """Advertises `~/<name>` for each output; publishes nothing while the node is inactive."""

    _OF_FRAMES = (*OUTPUTS, *TARGET_OUTPUTS)

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        outputs = (*self._OF_FRAMES, LANDMARK_NAMES)
        self._publisher_of = {output: self._make(output) for output in outputs}
        self._shown = {output: ShownMarkers() for output in OUTPUTS}

    def _make(self, output: Output) -> LifecyclePublisher:
        name, qos = f"~/{output.name}", QOS[output.qos]
        topic = self._node.resolve_topic_name(name)
        if conflict := type_conflict(self._node, name, topic, output.message_type):
            raise OptionError(conflict)
        events = publisher_events(self._node, topic, qos)
        publisher: LifecyclePublisher = self._node.create_lifecycle_publisher(
            output.message_type, topic, qos, event_callbacks=events
        )
        return publisher

    def subscribed_outputs(self) -> list[Output]:
        """Return the outputs of a frame that have subscribers."""
        return [
            item for item in self._OF_FRAMES if self._publisher_of[item].get_subscription_count()
        ]

    @property
    def demand(self) -> Demand:
        """What the present subscribers need."""
        outputs = self.subscribed_outputs()
        return Demand(
            bool(outputs),
            any(output.needs_masks for output in outputs),
            any(output.needs_positions for output in outputs),
            any(output.needs_motions for output in outputs),
        )

    def update(self, options: OutputOptions) -> None:
        """Do nothing: topics are advertised whatever the options are."""

    def publish(self, frame: Frame) -> None:
        """Publish the outputs that have subscribers and what they need.

        Who subscribed while the frame was made gets the next one.
        """
        for output in self.subscribed_outputs():
            if output.is_possible(frame):
                self._publish(output, frame)

    def _publish(self, output: Output, frame: Frame) -> None:
        message = output.build(frame)
        if isinstance(message, MarkerArray):
            self._shown[output].add_deletions(message, frame.output_header)
        if message is not None:
            serialize = output.serialize
            self._publisher_of[output].publish(serialize(message) if serialize else message)

    def publish_names(self, model: str, topology: Topology) -> None:
        """Publish the landmarks' names, for present subscribers and those to come."""
        self._publisher_of[LANDMARK_NAMES].publish(LANDMARK_NAMES.build(model, topology))

    @property
    def problem(self) -> str | None:
        """What is wrong with the outputs: another node publishes one of them, else None."""
        for publisher in self._publisher_of.values():
            topic = publisher.topic_name
            if self._node.count_publishers(topic) > 1:
                found = self._node.get_publishers_info_by_topic(topic)
                return shared_output_warning(topic, found) if len(found) > 1 else None
        return None

    def release(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publisher_of.values():
            self._node.destroy_lifecycle_publisher(publisher)

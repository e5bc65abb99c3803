"""Bodies below /humans by REP 155, while `publish_hri` asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple

from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image, JointState

from pose_ros.outputs import hri_messages as messages
from pose_ros.outputs.body_ids import body_id
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.packages import import_hri
from pose_ros.outputs.sink import Demand
from pose_ros.outputs.topics import QOS

NAMESPACE = "/humans/bodies"


class _Topic(NamedTuple):
    """A topic of each body: its type, of hri_msgs.msg or not, and what builds a message."""

    type_of: Callable[[ModuleType], type[Any]]
    build: Callable[[Frame, Person, ModuleType], Any]
    qos: str = "data"


_TOPICS = {
    "roi": _Topic(lambda types: types.NormalizedRegionOfInterest2D, messages.roi),
    "cropped": _Topic(lambda _: Image, messages.cropped, "image"),
    "skeleton2d": _Topic(lambda types: types.Skeleton2D, messages.skeleton2d),
    "joint_states": _Topic(lambda _: JointState, messages.joint_states),
}


class HriSink:
    """Publishes `/humans/bodies/tracked`, and what it lists below the id of each body.

    The executor's thread makes and destroys publishers, also those of bodies, which it notices
    with the next `update` after they have come; the worker's thread publishes.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.RLock()
        self._types: ModuleType | None = None
        self._tracked: Publisher | None = None
        self._bodies: dict[str, dict[str, Publisher]] = {}
        self._known: frozenset[str] = frozenset()

    @property
    def demand(self) -> Demand:
        """What the present subscribers need: nothing of it needs positions."""
        with self._lock:
            return Demand(any(publisher.get_subscription_count() for publisher in self._all()))

    def _all(self) -> list[Publisher]:
        of_bodies = [publisher for body in self._bodies.values() for publisher in body.values()]
        return of_bodies if self._tracked is None else [self._tracked, *of_bodies]

    def update(self, options: OutputOptions) -> None:
        """Advertise, or no longer, and the topics of bodies that have come and gone.

        Raises OptionError without hri_msgs.
        """
        with self._lock:
            if not options.publish_hri:
                self.release()
                return
            types = self._types
            if types is None:
                types = import_hri()
                self._tracked = self._make(types.IdsList, "tracked", "data")
                self._types = types
            for name in self._bodies.keys() - self._known:
                self._destroy(self._bodies.pop(name).values())
            for name in self._known - self._bodies.keys():
                self._bodies[name] = {
                    topic: self._make(row.type_of(types), f"{name}/{topic}", row.qos)
                    for topic, row in _TOPICS.items()
                }

    def _make(self, message_type: type[Any], name: str, qos: str) -> Publisher:
        return self._node.create_publisher(message_type, f"{NAMESPACE}/{name}", QOS[qos])

    def publish(self, frame: Frame) -> None:
        """Publish who is tracked, and of those who were looked at what has subscribers."""
        with self._lock:
            types, tracked = self._types, self._tracked
            if types is None or tracked is None:
                return
            known = (*frame.poses, *frame.poses.held)
            self._known = frozenset(
                body_id(frame.options.tf_prefix, pose.person_id) for pose in known
            )
            if tracked.get_subscription_count():
                tracked.publish(messages.ids_list(frame, types))
            for person in frame.people:
                if person.is_of_this_image:
                    self._publish(frame, person, types)

    def _publish(self, frame: Frame, person: Person, types: ModuleType) -> None:
        name = body_id(frame.options.tf_prefix, person.pose.person_id)
        for topic, publisher in self._bodies.get(name, {}).items():
            if publisher.get_subscription_count():
                publisher.publish(_TOPICS[topic].build(frame, person, types))

    def release(self) -> None:
        """Stop publishing."""
        with self._lock:
            self._destroy(self._all())
            self._types, self._tracked, self._bodies = None, None, {}
            self._known = frozenset()

    def _destroy(self, publishers: Iterable[Publisher]) -> None:
        for publisher in publishers:
            self._node.destroy_publisher(publisher)

"""People's frames on TF."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node

from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.hri_messages import body_transforms
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.packages import import_tf2
from pose_ros.outputs.sink import Demand
from pose_ros.outputs.target_messages import target_transform
from pose_ros.outputs.transforms import person_transforms


class TfSink:
    """Publishes people's frames on /tf while `publish_tf` or `publish_hri` asks for it.

    One thread may publish while another connects or disconnects.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.RLock()
        self._broadcaster: Any = None
        self._options = OutputOptions()

    @property
    def demand(self) -> Demand:
        """What the present subscribers of /tf need; the node's own TfFrames is one of them."""
        with self._lock:
            publisher = None if self._broadcaster is None else self._broadcaster.pub_tf
            has_any = publisher is not None and bool(publisher.get_subscription_count())
        return Demand(has_any, needs_positions=has_any, needs_motions=has_any and self._has_target)

    @property
    def _has_target(self) -> bool:
        options = self._options
        has_frame = options.follow != "none" and bool(options.target_tf_frame)
        return options.publish_tf and has_frame

    def update(self, options: OutputOptions) -> None:
        """Advertise /tf, or no longer. Raises OptionError without tf2_ros."""
        self._options = options
        with self._lock:
            if not (options.publish_tf or options.publish_hri):
                self.release()
            elif self._broadcaster is None:
                parameter = "publish_tf" if options.publish_tf else "publish_hri"
                self._broadcaster = import_tf2(parameter).TransformBroadcaster(self._node)

    def publish(self, frame: Frame) -> None:
        """Send the frames of people whose position is known, and the target's, in one message.

        Nothing if the image has no frame_id or a negative stamp: tf2 takes neither.
        """
        if self._broadcaster is None or not frame.header.frame_id or frame.header.stamp.sec < 0:
            return
        options = self._options
        transforms = _of_people(frame, body_transforms) if options.publish_hri else []
        if options.publish_tf:
            target = target_transform(frame)
            transforms += _of_people(frame, _of_person) + ([] if target is None else [target])
        with self._lock:
            if transforms and self._broadcaster is not None:
                self._broadcaster.sendTransform(transforms)

    def release(self) -> None:
        """Stop publishing."""
        with self._lock:
            broadcaster, self._broadcaster = self._broadcaster, None
            if broadcaster is not None:
                self._node.destroy_publisher(broadcaster.pub_tf)


def _of_people(
    frame: Frame, build: Callable[[Frame, Person], list[TransformStamped]]
) -> list[TransformStamped]:
    """Return the frames of all people whose position is known.

    Somebody tracked who was not looked at in this image has none: tf2 interpolates between the
    stamps at which the person was.
    """
    return [
        transform
        for person in frame.people
        if person.is_of_this_image
        for transform in build(frame, person)
    ]


def _of_person(frame: Frame, person: Person) -> list[TransformStamped]:
    options = frame.options
    return person_transforms(
        frame.header,
        f"{options.tf_prefix}person_{person.pose.person_id}",
        person.landmarks_m,
        person.pose.visibility,
        frame.topology,
        options.min_visibility,
        options.tf_landmarks,
        options.tf_bones,
    )

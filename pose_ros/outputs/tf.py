"""People's frames on TF. tf2_ros is imported only when a parameter asks for it."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node

from pose_ros.blazepose.errors import OptionError
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.sink import Demand
from pose_ros.outputs.target_messages import target_transform
from pose_ros.outputs.transforms import bone_transforms, person_transforms


def check_tf(options: OutputOptions) -> None:
    """Raise OptionError if an option asks for TF and there is no tf2_ros."""
    if options.publish_tf:
        import_tf2("publish_tf")
    if options.target_frame:
        import_tf2("target_frame")
    if options.floor_frame:
        import_tf2("floor_frame")


def import_tf2(parameter: str) -> ModuleType:
    """Return tf2_ros; OptionError that names the parameter if it cannot be imported."""
    try:
        import tf2_ros
    except ImportError as error:
        raise OptionError(
            f"{parameter} needs the Python package tf2_ros, which cannot be imported ({error}); "
            "install tf2_ros_py, as with: apt install ros-$ROS_DISTRO-tf2-ros-py"
        ) from error
    module: ModuleType = tf2_ros
    return module


class TfSink:
    """Publishes the people's frames on /tf while `publish_tf` asks for it.

    One thread may publish while another connects or disconnects.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.RLock()
        self._broadcaster: Any = None
        self._has_target = False

    @property
    def demand(self) -> Demand:
        """What the present subscribers of /tf need; the node's own TfFrames is one of them."""
        with self._lock:
            publisher = None if self._broadcaster is None else self._broadcaster.pub_tf
            has_any = publisher is not None and bool(publisher.get_subscription_count())
        return Demand(has_any, needs_positions=has_any, needs_motions=has_any and self._has_target)

    def update(self, options: OutputOptions) -> None:
        """Advertise /tf, or no longer. Raises OptionError without tf2_ros."""
        self._has_target = options.follow != "none" and bool(options.target_tf_frame)
        with self._lock:
            if not options.publish_tf:
                self.release()
            elif self._broadcaster is None:
                self._broadcaster = import_tf2("publish_tf").TransformBroadcaster(self._node)

    def publish(self, frame: Frame) -> None:
        """Send the frames of people whose position is known, and the target's, in one message.

        Nothing if the image has no frame_id or a negative stamp: tf2 takes neither.
        """
        if self._broadcaster is None or not frame.header.frame_id or frame.header.stamp.sec < 0:
            return
        target = target_transform(frame)
        transforms = _transforms(frame) + ([] if target is None else [target])
        with self._lock:
            if transforms and self._broadcaster is not None:
                self._broadcaster.sendTransform(transforms)

    def release(self) -> None:
        """Stop publishing."""
        with self._lock:
            broadcaster, self._broadcaster = self._broadcaster, None
            if broadcaster is not None:
                self._node.destroy_publisher(broadcaster.pub_tf)


def _transforms(frame: Frame) -> list[TransformStamped]:
    """Return the frames of all people whose position is known.

    Somebody tracked who was not looked at in this image has none: tf2 interpolates between the
    stamps at which the person was.
    """
    return [
        transform
        for person in frame.people
        if person.is_of_this_image
        for transform in _of_person(frame, person)
    ]


def _of_person(frame: Frame, person: Person) -> list[TransformStamped]:
    options = frame.options
    known = (
        frame.header,
        f"{options.tf_prefix}person_{person.pose.person_id}",
        person.landmarks_m,
        person.pose.visibility,
        frame.topology,
        options.min_visibility,
    )
    bones = bone_transforms(*known) if options.tf_bones else []
    return person_transforms(*known, options.tf_landmarks) + bones

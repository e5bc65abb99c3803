"""The gesture node: landmarks in; postures, gestures and where people point out."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.option_fields import option_specs
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY
from pose_ros.body.behavior import Behavior
from pose_ros.body.figure import LEVEL_CAMERA_UP
from pose_ros.body.vectors import Vector
from pose_ros.client import Landmarks, landmarks_from_msg, names_from_msg
from pose_ros.command_line import command_line
from pose_ros.outputs.gesture_messages import (
    Shown,
    gesture_markers,
    gestures_text,
    hri_gesture,
    pointing,
    rays,
)
from pose_ros.outputs.gesture_options import GestureOptions
from pose_ros.outputs.gesture_schedule import Schedule
from pose_ros.outputs.layout import LANDMARK_DTYPE
from pose_ros.outputs.packages import hri_gesture_type
from pose_ros.outputs.seen_people import seen_people
from pose_ros.outputs.serialization import Cloud, CloudSerializer
from pose_ros.outputs.tf_frames import TfListener
from pose_ros.outputs.topics import QOS
from pose_ros.outputs.transforms import rotation_matrix
from pose_ros.runtime import run
from pose_ros.runtime.active_warnings import ActiveWarnings
from pose_ros.runtime.clock import STEADY_CLOCK
from pose_ros.runtime.endpoints import type_conflict, type_name
from pose_ros.runtime.overrides import unknown_parameters_warning
from pose_ros.runtime.reader import MessageReader

_UPDATE_PERIOD_S, _SILENCE_S = 1.0, 5.0
# Each line of code that logs a warning has its own period.
_THROTTLED: Any = {"throttle_duration_sec": 5.0, "throttle_time_source_type": STEADY_CLOCK}
_NAMES_OF = {len(topology): topology.names for topology in (FULL_BODY, UPPER_BODY)}
_LANDMARKS_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
_NAMES_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class GestureNode(Node):
    """Publishes what people do, while somebody subscribes; docs/gestures.md describes it.

    No message ends it: what cannot be used is logged. Raises OptionError for a parameter value
    that is not allowed, and for landmarks on a topic of its own.
    """

    def __init__(self) -> None:
        super().__init__("gesture")
        self._log = self.get_logger()
        self._options = _declared(self)
        self._warnings = ActiveWarnings(self._log.warning)
        self._warnings.update("parameters", unknown_parameters_warning(self, "gesture_node"))
        self._wanted: set[Publisher] = set()
        self._reader: MessageReader | None = None
        self._texts = self._publisher(String, "~/gestures")
        self._rays = self._publisher(PoseStamped, "~/pointing")
        self._markers = self._publisher(MarkerArray, "~/markers")
        self._hri_type = hri_gesture_type()
        self._hri: Publisher | None = None
        if self._hri_type is not None:
            self._hri = self._publisher(self._hri_type, "~/hri_gesture")
        gravity_frame = self._options.gravity_frame
        self._frames = TfListener(self, "gravity_frame") if gravity_frame else None
        self._behavior, self._schedule = Behavior(), Schedule()
        self._foreign_count: int | None = None
        self._clouds = CloudSerializer(LANDMARK_DTYPE)
        _check_topic(self, "landmarks", PointCloud2)
        _check_topic(self, "landmark_names", String)
        self.create_subscription(String, "landmark_names", self._receive_names, _NAMES_QOS)
        self.create_timer(_UPDATE_PERIOD_S, self._update, clock=STEADY_CLOCK)
        gravity = f"along z of {gravity_frame}" if gravity_frame else "that of a level camera"
        topic = self.resolve_topic_name("landmarks")
        self._log.info(f"waiting for landmarks on {topic}; up is {gravity}")

    def destroy_node(self) -> None:
        """Let the reader finish first."""
        self._unsubscribe()
        super().destroy_node()

    def _publisher(self, message_type: type[Any], topic: str) -> Publisher:
        """Make a publisher; when somebody subscribes, or no longer does, the node updates."""
        events = PublisherEventCallbacks(matched=lambda _: self._update())
        return self.create_publisher(message_type, topic, QOS["data"], event_callbacks=events)

    # Receive

    def _update(self) -> None:
        """Subscribe to landmarks while somebody subscribes to what is made of them."""
        publishers = (self._texts, self._rays, self._markers, self._hri)
        self._wanted = {item for item in publishers if item and item.get_subscription_count()}
        if self._reader is not None:
            self._reader.check()
        self._warnings.update("landmarks", self._no_landmarks_warning())
        if self._wanted and self._reader is None:
            self._reader = MessageReader(
                self, PointCloud2, "landmarks", _LANDMARKS_QOS, self._receive
            )
        elif not self._wanted:
            self._unsubscribe()

    def _no_landmarks_warning(self) -> str | None:
        reader = self._reader
        warning = None if reader is None else reader.no_message_warning("landmarks", _SILENCE_S)
        if warning is None:
            return None
        others = [
            name
            for name, types in self.get_topic_names_and_types()
            if name.endswith("/landmarks") and type_name(PointCloud2) in types
            if name != self.resolve_topic_name("landmarks") and self.count_publishers(name)
        ]
        return f"{warning}; there are landmarks on {', '.join(others)}" if others else warning

    def _unsubscribe(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.release()

    def _receive(self, messages: list[bytes]) -> None:
        """Process messages, in the reader's thread; of those that waited for TF only the last."""
        for message in messages if self._frames is None else messages[-1:]:
            self._process(message)

    def _receive_names(self, message: String) -> None:
        try:
            names = names_from_msg(message).names
            is_foreign = names != _NAMES_OF.get(len(names))
            self._foreign_count = len(names) if is_foreign else None
        except ValueError as error:
            self._log.warning(f"landmark names rejected: {error}", **_THROTTLED)

    # Process

    def _process(self, data: bytes) -> None:
        """Process one message; none may end the node."""
        try:
            cloud = self._clouds.read(data)
            self._publish(cloud, self._known(landmarks_from_msg(cloud)))
        except ValueError as error:
            self._log.warning(f"landmarks rejected: {error}", **_THROTTLED)
        except Exception:
            if self.context.ok():
                self._log.error(f"internal error: {traceback.format_exc()}", **_THROTTLED)

    def _known(self, landmarks: Landmarks) -> Landmarks:
        """Return landmarks whose names are known; ValueError for those of another model."""
        count = landmarks.points.shape[1]
        if count not in _NAMES_OF:
            raise ValueError(f"{count} landmarks a person; allowed are {sorted(_NAMES_OF)}")
        if count == self._foreign_count:
            raise ValueError("their names are not those of BlazePose")
        return landmarks

    def _publish(self, cloud: Cloud, landmarks: Landmarks) -> None:
        up = LEVEL_CAMERA_UP if self._frames is None else self._up(self._frames, cloud.header)
        seen = seen_people(landmarks.points, up)
        figures = {number: item.figure for number, item in seen.items()}
        doings = self._behavior.update(figures, cloud.stamp_ns)
        time_ns = self._behavior.time_ns
        if self._behavior.has_jumped:
            self._schedule = Schedule()
            text = f"stamp jumped to {cloud.stamp_ns * 1e-9:.3f}: everybody begins anew"
            self._log.warning(text, **_THROTTLED)
        due = self._schedule.due(doings, time_ns)
        has_markers = self._markers in self._wanted and self._schedule.are_markers_due(time_ns)
        if due or has_markers or self._rays in self._wanted:
            xyz, header = landmarks.xyz.tolist(), cloud.header
            people = [
                Shown(number, doings[number], xyz[item.row]) for number, item in seen.items()
            ]
            self._publish_people(header, people, due)
            if has_markers:
                self._markers.publish(gesture_markers(header, people))

    def _publish_people(self, header: Header, people: list[Shown], due: set[int]) -> None:
        for shown in people:
            if shown.person_id in due:
                self._texts.publish(gestures_text(header, shown.person_id, shown.doing))
                self._publish_hri(header, shown)
            if self._rays in self._wanted:
                for _, wrist_m, along in rays(shown):
                    self._rays.publish(pointing(header, wrist_m, along))

    def _publish_hri(self, header: Header, shown: Shown) -> None:
        if self._hri_type and self._hri in self._wanted:
            message = hri_gesture(self._hri_type, header, shown, self._options.tf_prefix)
            if message is not None:
                self._hri.publish(message)

    def _up(self, frames: TfListener, header: Header) -> Vector:
        """Return the direction upward in the camera's frame; that of a level one if unknown."""
        frame = self._options.camera_frame or header.frame_id
        transform = frames.find(
            self._options.gravity_frame, Header(stamp=header.stamp, frame_id=frame)
        )
        if transform is None:
            self._log.warning(
                f"no transform from frame {frame!r} to gravity_frame "
                f"{self._options.gravity_frame!r}: the camera is taken to be level",
                **_THROTTLED,
            )
            return LEVEL_CAMERA_UP
        up: list[float] = rotation_matrix(transform)[2].tolist()
        return up


def _check_topic(node: Node, name: str, message_type: type) -> None:
    """Raise OptionError if a topic is remapped to one that the node uses with another type."""
    if conflict := type_conflict(node, name, node.resolve_topic_name(name), message_type):
        raise OptionError(conflict)


def _declared(node: Node) -> GestureOptions:
    """Declare the options as parameters that cannot change; return their values."""
    defaults = GestureOptions()
    return GestureOptions(
        **{
            name: node.declare_parameter(
                name,
                getattr(defaults, name),
                ParameterDescriptor(description=spec.description, read_only=True),
            ).value
            for name, spec in option_specs(GestureOptions).items()
        }
    )


def main() -> None:
    """Run the node; exit code 1 and one line if it cannot start, 2 for arguments not for ROS."""
    parser = command_line(
        "gesture_node", "Find postures and gestures in landmarks.", GestureOptions(), "landmarks"
    )
    parser.parse_args(run.own_arguments(sys.argv[1:]))
    run.run_or_exit("gesture", GestureNode)


if __name__ == "__main__":
    main()

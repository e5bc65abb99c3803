"""The gesture node: landmarks in; postures, gestures and where people point out."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.option_fields import option_specs
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY
from pose_ros.body.behavior import Behavior, Doing
from pose_ros.body.figure import LEVEL_CAMERA_UP, Figure
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
from pose_ros.outputs.packages import import_hri
from pose_ros.outputs.tf_frames import TfListener
from pose_ros.outputs.topics import QOS
from pose_ros.outputs.transforms import rotation_matrix
from pose_ros.runtime import run
from pose_ros.runtime.clock import STEADY_CLOCK, stamp_to_ns
from pose_ros.runtime.worker import NewestWorker

_UPDATE_PERIOD_S, _WARNING_PERIOD_S = 0.25, 5.0
_REPEAT_NS = 500_000_000
_TRACKED = 2
_LANDMARKS_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
_NAMES_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class GestureNode(Node):
    """Publishes what people do, while somebody subscribes; docs/gestures.md describes it.

    No message ends it: what cannot be used is logged. Raises OptionError for a parameter value
    that is not allowed.
    """

    def __init__(self) -> None:
        super().__init__("gesture")
        self._options = _declared(self)
        self._texts = self.create_publisher(String, "~/gestures", QOS["data"])
        self._rays = self.create_publisher(PoseStamped, "~/pointing", QOS["data"])
        self._markers = self.create_publisher(MarkerArray, "~/markers", QOS["data"])
        self._hri_type = _hri_gesture_type()
        self._hri: Publisher | None = None
        if self._hri_type is not None:
            self._hri = self.create_publisher(self._hri_type, "~/hri_gesture", QOS["data"])
        gravity_frame = self._options.gravity_frame
        self._frames = TfListener(self, "gravity_frame") if gravity_frame else None
        self._behavior, self._sent = Behavior(), _Sent()
        self._wanted: set[Publisher] = set()
        self._names: tuple[str, ...] = ()
        self._subscription: Subscription | None = None
        # Only a transform may be waited for; without one the executor's thread does it all.
        self._worker = NewestWorker(self._process, "gesture_worker") if gravity_frame else None
        self.create_subscription(String, "landmark_names", self._receive_names, _NAMES_QOS)
        self.create_timer(_UPDATE_PERIOD_S, self._update, clock=STEADY_CLOCK)
        gravity = f"along z of {gravity_frame}" if gravity_frame else "that of a level camera"
        topic = self.resolve_topic_name("landmarks")
        self.get_logger().info(f"waiting for landmarks on {topic}; up is {gravity}")

    def destroy_node(self) -> None:
        """Let the worker finish first."""
        if self._worker is not None:
            self._worker.release()
        super().destroy_node()

    # Receive

    def _update(self) -> None:
        """Subscribe to landmarks while somebody subscribes to what is made of them."""
        publishers = (self._texts, self._rays, self._markers, self._hri)
        self._wanted = {item for item in publishers if item and item.get_subscription_count()}
        if self._wanted and self._subscription is None:
            self._subscription = self.create_subscription(
                PointCloud2, "landmarks", self._receive, _LANDMARKS_QOS
            )
        elif not self._wanted and self._subscription is not None:
            self.destroy_subscription(self._subscription)
            self._subscription = None

    def _receive(self, message: PointCloud2) -> None:
        if self._worker is None:
            self._process(message)
        else:
            self._worker.offer(message)

    def _receive_names(self, message: String) -> None:
        try:
            self._names = names_from_msg(message).names
        except ValueError as error:
            self._warn(f"landmark names rejected: {error}")

    # Process

    def _process(self, message: PointCloud2) -> None:
        """Process one message; none may end the node."""
        try:
            self._publish(message.header, self._known(landmarks_from_msg(message)))
        except ValueError as error:
            self._warn(f"landmarks rejected: {error}")
        except Exception:
            if self.context.ok():
                self._warn(f"internal error: {traceback.format_exc()}")

    def _known(self, landmarks: Landmarks) -> Landmarks:
        """Return landmarks whose names are known; ValueError for those of another model."""
        count = landmarks.points.shape[1]
        topologies = {len(topology): topology.names for topology in (FULL_BODY, UPPER_BODY)}
        if count not in topologies:
            raise ValueError(f"{count} landmarks a person; allowed are {sorted(topologies)}")
        if len(self._names) == count and self._names != topologies[count]:
            raise ValueError("their names are not those of BlazePose")
        return landmarks

    def _publish(self, header: Header, landmarks: Landmarks) -> None:
        stamp_ns = stamp_to_ns(header.stamp)
        if self._behavior.has_jumped(stamp_ns):
            self._sent = _Sent()
            if self._behavior.has_begun:
                self._warn(f"stamp jumped to {stamp_ns * 1e-9:.3f}: everybody begins anew")
        up = self._up(header)
        rows = np.flatnonzero(landmarks.state == _TRACKED).tolist()
        figures = {int(landmarks.person_id[row]): figure_of(landmarks, row, up) for row in rows}
        xyz = landmarks.xyz.astype(np.float64)
        doings = self._behavior.update(figures, stamp_ns)
        people = [
            Shown(number, doings[number], xyz[row])
            for number, row in zip(figures, rows, strict=True)
        ]
        self._publish_people(header, stamp_ns, people)

    def _publish_people(self, header: Header, stamp_ns: int, people: list[Shown]) -> None:
        for shown in people:
            if self._sent.is_due(shown.person_id, shown.doing, stamp_ns):
                self._texts.publish(gestures_text(header, shown.person_id, shown.doing))
                self._publish_hri(header, shown)
            if self._rays in self._wanted:
                for _, wrist_m, along in rays(shown):
                    self._rays.publish(pointing(header, wrist_m, along))
        if self._markers in self._wanted:
            self._markers.publish(gesture_markers(header, people))

    def _publish_hri(self, header: Header, shown: Shown) -> None:
        if self._hri_type and self._hri in self._wanted:
            message = hri_gesture(self._hri_type, header, shown)
            if message is not None:
                self._hri.publish(message)

    def _up(self, header: Header) -> Vector:
        """Return the direction upward in the camera's frame; that of a level one if unknown."""
        if self._frames is None:
            return LEVEL_CAMERA_UP
        frame = self._options.camera_frame or header.frame_id
        transform = self._frames.find(
            self._options.gravity_frame, Header(stamp=header.stamp, frame_id=frame)
        )
        if transform is None:
            self._warn(
                f"no transform from frame {frame!r} to gravity_frame "
                f"{self._options.gravity_frame!r}: the camera is taken to be level"
            )
            return LEVEL_CAMERA_UP
        up: list[float] = rotation_matrix(transform)[2].tolist()
        return up

    def _warn(self, text: str) -> None:
        self.get_logger().warning(
            text,
            throttle_duration_sec=_WARNING_PERIOD_S,
            throttle_time_source_type=STEADY_CLOCK,
        )


class _Sent:
    """What was published of each person last, and when."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, Doing]] = {}

    def is_due(self, person_id: int, doing: Doing, stamp_ns: int) -> bool:
        """Return whether what somebody does is new, or was published half a second ago."""
        last = self._last.get(person_id)
        if last is not None and last[1] == doing and stamp_ns - last[0] < _REPEAT_NS:
            return False
        self._last = {
            number: sent for number, sent in self._last.items() if stamp_ns - sent[0] < 10**10
        }
        self._last[person_id] = (stamp_ns, doing)
        return True


def figure_of(landmarks: Landmarks, row: int, up: Vector) -> Figure:
    """Return the figure of a row: of its world landmarks, or in the image where there are none."""
    points: npt.NDArray[Any] = landmarks.world[row]
    if not np.isfinite(points[0, 0]):
        points = np.column_stack((landmarks.pixels[row], landmarks.depth_rel[row]))
    return Figure(points, landmarks.visibility[row], up)


def _hri_gesture_type() -> type[Any] | None:
    """Return the type of hri_msgs, where that package is installed."""
    try:
        found: type[Any] | None = getattr(import_hri(), "Gesture", None)
    except OptionError:
        return None
    return found


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
        "gesture_node", "Tell postures and gestures from landmarks.", GestureOptions(), "landmarks"
    )
    parser.parse_args(run.own_arguments(sys.argv[1:]))
    run.run_or_exit("gesture", GestureNode)


if __name__ == "__main__":
    main()

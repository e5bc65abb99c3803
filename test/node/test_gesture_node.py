"""The gesture node in a process of its own: landmarks in over DDS, what people do out."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import hri
import launch_stub
import numpy as np
import pytest
import running
import yaml
from geometry_msgs.msg import PoseStamped, TransformStamped
from outputs.test_tf import STAND_IN, WITHOUT_TF2
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from running import TIMEOUT_S, Process
from running.local import local_node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from synthetic.limbs import UP
from synthetic.postures import HANGING, OUT, body_in_posture, waving_arm
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.client import LANDMARK_DTYPE
from pose_ros.outputs.gesture_options import GestureOptions
from pose_ros.outputs.layout import cloud_fields
from pose_ros.runtime.clock import stamp_to_ns

FRAME = "camera"
PERIOD_NS = 50_000_000
POINTING = ((0.3, 0.1, -1.0), (0.3, 0.1, -1.0))
TYPES = {"gestures": String, "pointing": PoseStamped, "markers": MarkerArray}
ALL_TYPES = {**TYPES, "hri_gesture": hri.message_type("Gesture")}
NODE = ("-m", "pose_ros.gesture_node")
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def cloud(
    points_m: Float64Array,
    stamp_ns: int,
    person_id: int = 4,
    with_world: bool = True,
) -> PointCloud2:
    """A message of one person, three meters before the camera."""
    points = np.zeros((1, len(points_m)), LANDMARK_DTYPE)
    row = points[0]
    for axes, values in (("xyz", points_m + np.array((0, 0, 3))), (("wx", "wy", "wz"), points_m)):
        for axis, column in zip(axes, values.T, strict=True):
            row[axis] = column if axes == "xyz" or with_world else np.nan
    row["u"], row["v"] = (points_m[:, :2] * 300 + 320).T
    row["visibility"], row["presence"] = 0.95, 0.95
    row["person_id"], row["state"] = person_id, 2
    header = Header(frame_id=FRAME)
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message = PointCloud2(
        header=header, height=1, width=len(points_m), fields=cloud_fields(LANDMARK_DTYPE),
        point_step=LANDMARK_DTYPE.itemsize, row_step=points.nbytes,
    )  # fmt: skip
    message.data.frombytes(points.tobytes())
    return message


class Robot:
    """What publishes landmarks, and subscribes to what the node makes of them."""

    def __init__(self, node: Node, process: Process) -> None:
        self.process, self.node = process, node
        self.received: dict[str, list[Any]] = {name: [] for name in ALL_TYPES}
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._landmarks = node.create_publisher(PointCloud2, "landmarks", 10)
        self._subscriptions: list[Any] = []
        self.stamp_ns = 10**12

    def subscribe(self, *names: str) -> None:
        for name in names:
            made = self.node.create_subscription(
                ALL_TYPES[name], f"gesture/{name}", self.received[name].append, 10
            )
            self._subscriptions.append(made)
        self.until(self.is_heard, "the node's subscription")

    def unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            self.node.destroy_subscription(subscription)
        self.until(lambda: not self.is_heard(), "the end of the node's subscription")

    def is_heard(self) -> bool:
        return self._landmarks.get_subscription_count() > 0

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Handle messages until a condition gives something."""
        end_s = time.monotonic() + TIMEOUT_S
        while not (result := condition()):
            assert time.monotonic() < end_s, f"waited too long for {what}\n{self.process.output}"
            assert self.process.is_running, self.process.output
            self._executor.spin_once(timeout_sec=0.05)
        return result

    def show(
        self,
        points_at: Callable[[float], Float64Array] | Float64Array,
        condition: Callable[[], Any],
        what: str,
        **options: Any,
    ) -> Any:
        """Publish landmarks, a message at a time, until a condition gives something."""
        started_ns = self.stamp_ns
        end_s = time.monotonic() + TIMEOUT_S
        while not (result := condition()):
            assert time.monotonic() < end_s, f"waited too long for {what}\n{self.process.output}"
            self.stamp_ns += PERIOD_NS
            since_s = (self.stamp_ns - started_ns) * 1e-9
            points_m = points_at(since_s) if callable(points_at) else points_at
            self.publish(cloud(points_m, self.stamp_ns, **options))
        return result

    def publish(self, message: PointCloud2) -> None:
        """Publish, and give the node the time to take it before the next one."""
        self._landmarks.publish(message)
        end_s = time.monotonic() + 0.02
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.02)

    def publish_until_line(self, message: PointCloud2, text: str) -> None:
        """Publish again and again: a best-effort subscriber misses what comes too early."""

        def is_logged() -> bool:
            self.publish(message)
            return bool(self.process.lines(text))

        self.until(is_logged, f"the line {text!r}")

    def doing(self, posture: str, *gestures: str) -> Callable[[], dict[str, Any] | None]:
        """Return a condition: somebody is in a posture, and makes these gestures."""

        def found() -> dict[str, Any] | None:
            if not self.received["gestures"]:
                return None
            content: dict[str, Any] = json.loads(self.received["gestures"][-1].data)
            is_it = (content["posture"], content["gestures"]) == (posture, list(gestures))
            return content if is_it else None

        return found


@contextmanager
def robot(*ros_args: str, command: Sequence[str] = NODE) -> Iterator[Robot]:
    """The node, its publisher and its subscriber; at the end it must end cleanly."""
    with running.process(*command, "--ros-args", *ros_args) as process:
        process.wait_for_line("waiting for landmarks")
        with local_node(process.domain_id) as node:
            made = Robot(node, process)
            yield made
            made._executor.shutdown()
        process.signal(2)
        assert process.wait() == 0, process.output
        assert "Traceback" not in process.output, process.output


@pytest.fixture(scope="module")
def watched() -> Iterator[Robot]:
    with robot() as made:
        made.subscribe(*TYPES)
        yield made


def test_posture_and_gestures_are_published_with_the_header(watched: Robot) -> None:
    raised = body_in_posture("standing", (UP, UP))
    content = watched.show(raised, watched.doing("standing", "raising_left_arm"), "a raised arm")
    assert content["frame_id"] == FRAME
    assert content["person_id"] == 4
    stamp_ns = content["stamp"]["sec"] * 10**9 + content["stamp"]["nanosec"]
    assert 0 <= watched.stamp_ns - stamp_ns < 10**10


def test_who_sits_and_waves_is_published(watched: Robot) -> None:
    def sitting(since_s: float) -> Float64Array:
        return body_in_posture("sitting", HANGING, waving_arm(since_s))

    def found() -> bool:
        last = watched.received["gestures"][-1:]
        contents = [json.loads(message.data) for message in last]
        return any(
            content["posture"] == "sitting" and "waving_right" in content["gestures"]
            for content in contents
        )

    watched.show(sitting, found, "a wave")


def test_a_ray_leads_along_the_arm_that_points(watched: Robot) -> None:
    points_m = body_in_posture("standing", POINTING)
    watched.received["pointing"].clear()
    ray = watched.show(points_m, lambda: watched.received["pointing"], "a ray")[-1]
    turn = ray.pose.orientation
    along = (
        1 - 2 * (turn.y**2 + turn.z**2),
        2 * (turn.x * turn.y + turn.z * turn.w),
        2 * (turn.x * turn.z - turn.y * turn.w),
    )
    expected = points_m[15] - points_m[11]
    np.testing.assert_allclose(along, expected / np.linalg.norm(expected), atol=1e-3)
    position = ray.pose.position
    np.testing.assert_allclose(
        (position.x, position.y, position.z), points_m[15] + np.array((0, 0, 3)), atol=1e-4
    )
    assert ray.header.frame_id == FRAME


def test_markers_show_a_text_and_the_ray(watched: Robot) -> None:
    def found() -> Any:
        names = {
            marker.ns for message in watched.received["markers"] for marker in message.markers
        }
        return names >= {"gestures", "pointing_left"}

    watched.received["markers"].clear()
    watched.show(body_in_posture("standing", POINTING), found, "markers")
    texts = [m.text for item in watched.received["markers"] for m in item.markers if m.text]
    assert any("4: standing" in text for text in texts)


def test_both_arms_stretched_out_give_no_ray(watched: Robot) -> None:
    arms = body_in_posture("standing", (OUT, OUT), (OUT, OUT))
    watched.show(arms, watched.doing("standing"), "no gesture")


def test_a_model_without_legs_has_arms_only(watched: Robot) -> None:
    arms = body_in_posture("standing", HANGING, (UP, UP))[:25]
    watched.show(arms, watched.doing("unknown", "raising_right_arm"), "an arm", with_world=False)


def test_damaged_clouds_and_other_models_are_reported(watched: Robot) -> None:
    damaged = cloud(body_in_posture("standing"), watched.stamp_ns)
    damaged.data = damaged.data[:-7]
    watched.publish_until_line(damaged, "landmarks rejected")
    for count in (1, 24, 32):
        watched.publish(cloud(body_in_posture("standing")[:count], watched.stamp_ns))
    watched.publish(PointCloud2())
    watched.show(body_in_posture("standing"), watched.doing("standing"), "a posture after that")


def test_landmarks_that_are_not_numbers_give_unknown(watched: Robot) -> None:
    nowhere = np.full((33, 3), np.nan)
    watched.show(nowhere, watched.doing("unknown"), "nothing known")


@pytest.mark.parametrize("step_ns", [-20 * 10**9, 60 * 10**9])
def test_a_jump_of_time_is_reported_and_everybody_begins_anew(
    watched: Robot, step_ns: int
) -> None:
    watched.show(
        body_in_posture("standing", (UP, UP)),
        watched.doing("standing", "raising_left_arm"),
        "that",
    )
    watched.stamp_ns += step_ns
    watched.show(body_in_posture("standing"), watched.doing("unknown"), "the start")
    watched.show(body_in_posture("standing"), watched.doing("standing"), "a posture")


def test_messages_go_on_while_stamps_stand_still(watched: Robot) -> None:
    for received in watched.received.values():
        received.clear()

    def found() -> bool:
        watched.publish(cloud(body_in_posture("standing"), 0))
        return len(watched.received["gestures"]) >= 5 and len(watched.received["markers"]) >= 10

    watched.until(found, "messages")
    contents = map(json.loads, {message.data for message in watched.received["gestures"]})
    of_then = [content for content in contents if not any(content["stamp"].values())]
    assert len(of_then) <= 3, "the same is published again"


def test_it_is_lazy_and_logs_what_up_is() -> None:
    with robot() as idle:
        assert idle.process.lines("that of a level camera")
        assert not idle.is_heard()
        idle.subscribe("gestures")
        idle.unsubscribe()


def test_hri_gestures_are_in_the_frame_that_publish_hri_gives_the_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not hri.HAS_HRI_MSGS:
        monkeypatch.setenv("PYTHONPATH", hri.python_path())
    with robot(*running.parameters(tf_prefix="front/")) as prefixed:
        prefixed.subscribe("hri_gesture")
        received = prefixed.received["hri_gesture"]
        raised = body_in_posture("standing", (UP, UP))
        message = prefixed.show(raised, lambda: received, "a gesture")[0]
        assert hri.fields(message) == {"gesture": hri.types().Gesture.LEFT_HAND_RAISED}
        assert message.header.frame_id == "body_front_p4"
        assert 0 <= prefixed.stamp_ns - stamp_to_ns(message.header.stamp) < 10**10


def test_each_kind_of_problem_is_logged_even_right_after_another_one() -> None:
    with robot(*running.parameters(gravity_fram="base")) as misused:
        (line,) = misused.process.lines("unknown parameters")
        assert "did you mean gravity_frame?" in line
        assert "gesture_node --help" in line
        misused.subscribe("gestures")
        misused.publish_until_line(PointCloud2(), "landmarks rejected")
        misused.node.create_publisher(String, "landmark_names", LATCHED).publish(String(data="x"))
        misused.until(lambda: misused.process.lines("landmark names rejected"), "the next one")


def test_it_warns_where_no_landmarks_come_and_says_where_there_are_some() -> None:
    with robot(*("-r", "landmarks:=elsewhere")) as mistaken:
        assert not mistaken.process.lines("no landmarks")
        mistaken.node.create_subscription(String, "gesture/gestures", lambda _: None, 10)
        mistaken.until(lambda: mistaken.process.lines("no landmarks on /elsewhere"), "a warning")
        (line,) = mistaken.process.lines("no landmarks")
        assert "nobody publishes there; there are landmarks on /landmarks" in line


@pytest.mark.parametrize(
    ("name", "topic"), [("landmarks", "gesture/markers"), ("landmark_names", "gesture/pointing")]
)
def test_it_does_not_start_with_landmarks_on_a_topic_of_its_own(name: str, topic: str) -> None:
    with running.process(*NODE, "--ros-args", "-r", f"{name}:={topic}") as process:
        assert process.wait() == 1
        (line,) = process.lines("FATAL")
        assert f"{name} cannot be /{topic}: this node itself uses the topic with" in line
        assert "Traceback" not in process.output


def test_it_has_its_own_help() -> None:
    with running.process("-m", "pose_ros.gesture_node", "--help") as process:
        assert process.wait() == 0
        assert "gravity_frame" in process.output
        assert "max_persons" not in process.output


@WITHOUT_TF2
def test_it_does_not_start_with_a_gravity_frame_and_without_tf() -> None:
    arguments = running.parameters(gravity_frame="base_link")
    command = ("-m", "pose_ros.gesture_node", "--ros-args", *arguments)
    with running.process(*command) as process:
        assert process.wait() == 1
        (line,) = process.lines("FATAL")
        assert "gravity_frame" in line


def test_postures_are_told_against_gravity(monkeypatch: pytest.MonkeyPatch) -> None:
    """The camera is turned by 90 degrees, so that who stands is across the image."""
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    with robot(*running.parameters(gravity_frame="base")) as turned:
        assert turned.process.lines("along z of base")
        turned.subscribe("gestures")
        turned.show(body_in_posture("lying"), turned.doing("lying"), "a level camera")
        assert turned.process.lines("no transform from frame 'camera' to gravity_frame 'base'")
        transform = TransformStamped(header=Header(frame_id="base"), child_frame_id=FRAME)
        # Upward is where the head of who lies is: to the left of the camera.
        transform.transform.rotation.y = np.sqrt(0.5)
        transform.transform.rotation.w = np.sqrt(0.5)
        publisher = turned.node.create_publisher(TransformStamped, "/tf_static", LATCHED)
        publisher.publish(transform)
        turned.show(body_in_posture("lying"), turned.doing("standing"), "gravity from TF")


def test_the_policy_allows_what_the_running_node_uses_and_no_more(watched: Robot) -> None:
    """Apart from what only some settings need."""
    (profile,) = ElementTree.parse(running.ROOT / "config" / "gesture.policy.xml").iter("profile")
    allowed = {
        verb: {item.text for part in profile.findall("topics") if verb in part.attrib
               for item in part}
        for verb in ("subscribe", "publish")
    }  # fmt: skip
    watched.until(lambda: ("gesture", "/") in watched.node.get_node_names_and_namespaces(), "name")
    used = {
        "subscribe": watched.node.get_subscriber_names_and_types_by_node("gesture", "/"),
        "publish": watched.node.get_publisher_names_and_types_by_node("gesture", "/"),
    }
    settings = {"/clock", "/tf", "/tf_static", "~/hri_gesture"}
    for verb, topics in used.items():
        names = {name for name, _ in topics}
        found = {
            name if name in ("/parameter_events", "/rosout") else
            name.replace("/gesture/", "~/") if name.startswith("/gesture/") else name[1:]
            for name in names
        }  # fmt: skip
        assert found - {"/parameter_events"} <= allowed[verb]
        assert allowed[verb] - found <= settings


def test_parameter_file_has_exactly_the_options_with_their_defaults() -> None:
    content = yaml.safe_load((running.ROOT / "config" / "gesture.yaml").read_text())
    assert content == {"/**": {"ros__parameters": dataclasses.asdict(GestureOptions())}}


def test_the_launch_file_maps_the_landmarks_of_the_pose_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launch_stub.install(monkeypatch)
    file = running.ROOT / "launch" / "gesture.launch.py"
    launched = launch_stub.load(file, pose="eyes", gravity_frame="odom", tf_prefix="front/")
    assert all(len(text) > 10 for text in launched.descriptions.values())
    assert launched.nodes["gesture_node"].command == [
        *("--ros-args", "-r", "__node:=gesture", "-p", "gravity_frame:=odom"),
        *("-p", "tf_prefix:=front/"),
        *("-r", "landmarks:=eyes/landmarks", "-r", "landmark_names:=eyes/landmark_names"),
    ]

"""TF: refused with a sentence where there is no tf2_ros; the glue; the real thing where it is.

PyPI has no tf2. So the tests of the glue run with a stand-in for tf2_ros that only records how it
is called; it says nothing of tf2 itself. The tests at the end run with the real tf2_ros, over DDS,
and are skipped where it is not installed.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import rclpy
import running
from builtin_interfaces.msg import Time as Stamp
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from pose_ros.blazepose.errors import OptionError
from pose_ros.tf import TargetFrame, TransformOutput, check_tf, no_transform_sentence

HAS_TF2 = importlib.util.find_spec("tf2_ros") is not None
WITHOUT_TF2 = pytest.mark.skipif(HAS_TF2, reason="tf2_ros is installed here: nothing to refuse")
WITH_TF2 = pytest.mark.skipif(not HAS_TF2, reason="tf2_ros is not installed, and not on PyPI")
NODE: Any = None  # neither a refusal nor the stand-in looks at it
HEADER = Header(stamp=Stamp(sec=1_700_000_000), frame_id="camera")


def placed(parent: str, child: str, x_m: float, stamp: Stamp | None = None) -> TransformStamped:
    """A frame at some distance along x of its parent."""
    transform = Transform(translation=Vector3(x=x_m), rotation=Quaternion(w=1.0))
    header = Header(frame_id=parent, stamp=HEADER.stamp if stamp is None else stamp)
    return TransformStamped(header=header, child_frame_id=child, transform=transform)


def test_sentence_of_a_missing_transform_names_both_frames() -> None:
    sentence = no_transform_sentence("map", "camera")
    assert "target_frame 'map'" in sentence
    assert sentence.endswith("stays in 'camera'")


# Without tf2_ros


def test_nothing_is_needed_while_nothing_is_asked_for() -> None:
    check_tf(publish_tf=False, target_frame="")
    assert HAS_TF2 or "tf2_ros" not in sys.modules


@WITHOUT_TF2
@pytest.mark.parametrize(
    ("parameter", "refused"),
    [
        ("publish_tf", lambda: check_tf(publish_tf=True, target_frame="")),
        ("target_frame", lambda: check_tf(publish_tf=False, target_frame="map")),
        ("publish_tf", lambda: TransformOutput(NODE)),
        ("target_frame", lambda: TargetFrame(NODE)),
    ],
    ids=("check_publish_tf", "check_target_frame", "output", "target"),
)
def test_refusal_names_parameter_package_and_remedy(
    parameter: str, refused: Callable[[], object]
) -> None:
    with pytest.raises(OptionError) as caught:
        refused()
    sentence = str(caught.value)
    assert sentence.startswith(f"{parameter} needs the Python package tf2_ros")
    assert "No module named 'tf2_ros'" in sentence
    assert "tf2_ros_py" in sentence
    assert "apt install ros-$ROS_DISTRO-tf2-ros-py" in sentence
    assert "\n" not in sentence


def test_refusal_says_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed tf2_ros whose compiled part does not load: sys.modules blocks the import."""
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(OptionError, match=r"^publish_tf .* cannot be imported \(.*tf2_ros.*\);"):
        check_tf(publish_tf=True, target_frame="")


# With a stand-in


class StandIn(ModuleType):
    """Records what is asked of it; `known` is the answer to look-ups, None raises."""

    class TransformException(Exception):  # noqa: N818, tf2's name
        pass

    def __init__(self) -> None:
        super().__init__("tf2_ros")
        self.sent: list[Any] = []
        self.asked: list[Any] = []
        self.known: TransformStamped | None = None
        self.is_connected = True
        self.done: list[Any] = []
        self.listeners = 0
        self.publisher = SimpleNamespace(get_subscription_count=lambda: self.listeners)
        self.TransformBroadcaster = lambda node: SimpleNamespace(
            pub_tf=self.publisher, sendTransform=self.sent.append
        )
        self.Buffer = lambda: SimpleNamespace(
            can_transform=lambda *asked: self.is_connected,
            lookup_transform=self._lookup,
            clear=lambda: self.done.append("clear"),
        )
        self.TransformListener = lambda buffer, node: SimpleNamespace(
            unregister=lambda: self.done.append("unregister")
        )

    def _lookup(self, *asked: Any) -> TransformStamped:
        self.asked.append(asked)
        if self.known is None:
            raise self.TransformException("unknown")
        return self.known


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    module = StandIn()
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return module


@pytest.mark.usefixtures("stand_in")
def test_what_is_asked_for_is_allowed_where_tf2_ros_is_installed() -> None:
    check_tf(publish_tf=True, target_frame="map")


def test_transforms_go_out_in_one_message(stand_in: StandIn) -> None:
    """Lists only: broadcasters take other sequences for a single transform."""
    output = TransformOutput(NODE)
    both = (placed("camera", "person_1", 2.0), placed("camera", "person_1/nose", 2.1))
    output.publish(both)
    output.publish([])
    assert stand_in.sent == [list(both)]


def test_output_is_wanted_while_somebody_listens(stand_in: StandIn) -> None:
    output = TransformOutput(NODE)
    assert not output.is_wanted
    stand_in.listeners = 1
    assert output.is_wanted


def test_look_up_is_for_the_stamp_of_the_image_and_waits_little(stand_in: StandIn) -> None:
    stand_in.known = placed("map", "camera", 1.0)
    assert TargetFrame(NODE).find("map", HEADER) is stand_in.known
    ((target, source, stamp, timeout),) = stand_in.asked
    assert (target, source) == ("map", "camera")
    assert stamp == Time.from_msg(HEADER.stamp)
    assert Duration() < timeout <= Duration(nanoseconds=50_000_000)


def test_frames_that_are_not_connected_are_not_waited_for(stand_in: StandIn) -> None:
    stand_in.is_connected = False
    assert TargetFrame(NODE).find("map", HEADER) is None
    assert stand_in.asked[0][3] == Duration()


def test_time_jump_clears_the_buffer_and_release_ends_everything(stand_in: StandIn) -> None:
    target = TargetFrame(NODE)
    target.clear()
    target.release()
    assert stand_in.done == ["clear", "unregister"]
    node: Any = SimpleNamespace(destroy_publisher=stand_in.done.append)
    TransformOutput(node).release()
    assert stand_in.done[2:] == [stand_in.publisher]


@pytest.mark.usefixtures("stand_in")
def test_the_images_own_frame_needs_no_look_up() -> None:
    found = TargetFrame(NODE).find("camera", HEADER)
    assert found == TransformStamped(header=HEADER, child_frame_id="camera")


# With the real tf2_ros


class Robot:
    """A node that listens, and another that sends transforms over DDS."""

    def __init__(self, domain_id: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._executor = SingleThreadedExecutor(context=self._context)
        self.listener, self.sender = (
            rclpy.create_node(name, context=self._context) for name in ("listener", "sender")
        )
        for node in (self.listener, self.sender):
            self._executor.add_node(node)

    def close(self) -> None:
        self._executor.shutdown()
        for node in (self.listener, self.sender):
            node.destroy_node()
        rclpy.shutdown(context=self._context)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Handle messages until a condition gives something."""
        deadline_s = time.monotonic() + running.TIMEOUT_S
        while not (answer := condition()):
            assert time.monotonic() < deadline_s, "waited in vain"
            self._executor.spin_once(timeout_sec=0.1)
        return answer


@pytest.fixture
def robot() -> Iterator[Robot]:
    with running.domain() as domain_id:
        robot = Robot(domain_id)
        try:
            yield robot
        finally:
            robot.close()


def tf_subscriptions(node: Node) -> int:
    return sum(item.topic_name.startswith("/tf") for item in node.subscriptions)


@WITH_TF2
def test_real_transforms_arrive(robot: Robot) -> None:
    output, target = TransformOutput(robot.sender), TargetFrame(robot.listener)
    robot.until(lambda: output.is_wanted)
    output.publish([placed("camera", "person_1", 2.0), placed("map", "camera", 1.0)])
    found = robot.until(
        lambda: target.find("map", Header(stamp=HEADER.stamp, frame_id="person_1"))
    )
    assert (found.header.frame_id, found.child_frame_id) == ("map", "person_1")
    assert found.header.stamp == HEADER.stamp
    assert found.transform.translation.x == pytest.approx(3.0)


@WITH_TF2
def test_real_buffer_waits_for_late_transforms_only(robot: Robot) -> None:
    output, target = TransformOutput(robot.sender), TargetFrame(robot.listener)
    robot.until(lambda: output.is_wanted)
    begin_s = time.monotonic()
    assert target.find("nowhere", HEADER) is None
    assert time.monotonic() - begin_s < 0.02
    output.publish([placed("map", "camera", 1.0)])
    robot.until(lambda: target.find("map", HEADER))
    later = Header(stamp=Stamp(sec=HEADER.stamp.sec + 5), frame_id="camera")
    begin_s = time.monotonic()
    assert target.find("map", later) is None
    assert 0.04 < time.monotonic() - begin_s < 0.5
    assert target.find("map", Header(frame_id="camera")) is not None, "the latest one"


@WITH_TF2
@pytest.mark.parametrize("source", ["", "/camera", "nowhere"])
def test_real_buffer_knows_no_frames_of_odd_names(robot: Robot, source: str) -> None:
    target = TargetFrame(robot.listener)
    assert target.find("map", Header(frame_id=source)) is None


@WITH_TF2
def test_real_buffer_is_cleared_and_released(robot: Robot) -> None:
    output, target = TransformOutput(robot.sender), TargetFrame(robot.listener)
    robot.until(lambda: output.is_wanted)
    output.publish([placed("map", "camera", 1.0)])
    robot.until(lambda: target.find("map", HEADER))
    target.clear()
    assert target.find("map", HEADER) is None
    earlier = Stamp(sec=HEADER.stamp.sec - 3600)
    output.publish([placed("map", "camera", 4.0, earlier)])
    found = robot.until(lambda: target.find("map", Header(stamp=earlier, frame_id="camera")))
    assert found.transform.translation.x == 4.0
    assert tf_subscriptions(robot.listener) == 2
    target.release()
    assert tf_subscriptions(robot.listener) == 0
    output.release()
    assert not any(item.topic_name == "/tf" for item in robot.sender.publishers)

"""TF: rejected where there is no tf2_ros; with a stand-in; and the real thing where it is.

PyPI has no tf2. So the node's own code runs with a stand-in for tf2_ros, which says nothing of tf2
itself. The tests with the real tf2_ros are skipped where it is not installed.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
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

from outputs.test_messages import frame, located, pose
from pose_ros.blazepose.errors import OptionError
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.packages import check_packages
from pose_ros.outputs.tf import TfSink
from pose_ros.outputs.tf_frames import TfFrames, TfListener

STAND_IN = running.ROOT / "test" / "stand_in"
HAS_TF2 = importlib.util.find_spec("tf2_ros") is not None
WITHOUT_TF2 = pytest.mark.skipif(HAS_TF2, reason="tf2_ros is installed here: nothing to reject")
WITH_TF2 = pytest.mark.skipif(not HAS_TF2, reason="tf2_ros is not installed, and not on PyPI")
HEADER = Header(stamp=Stamp(sec=1_700_000_000), frame_id="camera")
ASKED: dict[str, Any] = {
    "publish_tf": True,
    "target_frame": "map",
    "floor_frame": "base_footprint",
}
OPTIONS = OutputOptions(publish_tf=True, target_frame="map")


def placed(parent: str, child: str, x_m: float, stamp: Stamp | None = None) -> TransformStamped:
    """A frame at some distance along x of its parent."""
    transform = Transform(translation=Vector3(x=x_m), rotation=Quaternion(w=1.0))
    header = Header(frame_id=parent, stamp=HEADER.stamp if stamp is None else stamp)
    return TransformStamped(header=header, child_frame_id=child, transform=transform)


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
        while not (found := condition()):
            assert time.monotonic() < deadline_s, "timed out"
            self._executor.spin_once(timeout_sec=0.1)
        return found


def tf_subscriptions(node: Node) -> int:
    return sum(item.topic_name.startswith("/tf") for item in node.subscriptions)


def tf_publishers(node: Node) -> int:
    return sum(item.topic_name == "/tf" for item in node.publishers)


# Without tf2_ros


def test_nothing_is_needed_while_nothing_is_asked_for() -> None:
    check_packages(OutputOptions())
    assert HAS_TF2 or "tf2_ros" not in sys.modules


@pytest.mark.parametrize("parameter", ASKED)
def test_the_error_names_parameter_package_and_remedy(
    parameter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)  # blocks the import
    options = OutputOptions(**{parameter: ASKED[parameter]})
    node: Any = None  # not looked at
    frames = TfFrames(node).update
    update = {"publish_tf": TfSink(node).update, "target_frame": frames, "floor_frame": frames}
    for rejecting in (check_packages, update[parameter]):
        with pytest.raises(OptionError, match=f"^{parameter} needs") as caught:
            rejecting(options)
        assert "tf2_ros" in str(caught.value)
        assert "apt install ros-$ROS_DISTRO-tf2-ros-py" in str(caught.value)
        assert "\n" not in str(caught.value)


# With a stand-in


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delitem(sys.modules, "tf2_ros", raising=False)
    monkeypatch.syspath_prepend(str(STAND_IN))
    import tf2_ros

    monkeypatch.setitem(sys.modules, "tf2_ros", tf2_ros)  # so that it is taken out again
    module: ModuleType = tf2_ros
    return module


@pytest.fixture
def robot() -> Iterator[Robot]:
    with running.domain() as domain_id:
        robot = Robot(domain_id)
        try:
            yield robot
        finally:
            robot.close()


def test_look_up_is_for_the_stamp_of_the_image_and_waits_little(
    stand_in: ModuleType, robot: Robot
) -> None:
    listener = TfListener(robot.listener)
    (buffer,) = stand_in.Buffer.made
    buffer.set(placed("map", "camera", 1.0), is_static=False)
    found = listener.find("map", HEADER)
    assert found is not None
    assert found.transform.translation.x == 1.0
    ((target, source, stamp, timeout),) = buffer.lookups
    assert (target, source, stamp) == ("map", "camera", Time.from_msg(HEADER.stamp))
    assert Duration() < timeout <= Duration(nanoseconds=50_000_000)


def test_frames_that_are_not_connected_are_not_waited_for(
    stand_in: ModuleType, robot: Robot
) -> None:
    listener = TfListener(robot.listener)
    assert listener.find("map", HEADER) is None
    assert stand_in.Buffer.made[0].lookups[0][3] == Duration()


def test_the_images_own_frame_needs_no_look_up(stand_in: ModuleType, robot: Robot) -> None:
    listener = TfListener(robot.listener)
    own = TransformStamped(header=HEADER, child_frame_id="camera")
    assert listener.find("camera", HEADER) == own
    assert stand_in.Buffer.made[0].lookups == []


def test_both_connect_and_disconnect_as_the_options_ask(
    stand_in: ModuleType, robot: Robot
) -> None:
    sink, target = TfSink(robot.listener), TfFrames(robot.listener)
    for options, count in ((OPTIONS, 1), (OPTIONS, 1), (OutputOptions(), 0), (OPTIONS, 1)):
        for part in (sink, target):
            part.update(options)
        assert tf_subscriptions(robot.listener) == 2 * count
        assert tf_publishers(robot.listener) == count
    sink.release()
    target.release()
    assert tf_subscriptions(robot.listener) == tf_publishers(robot.listener) == 0


def test_who_was_not_looked_at_has_no_frame_with_the_stamp_of_the_image(
    stand_in: ModuleType, robot: Robot
) -> None:
    sink, received = TfSink(robot.listener), list[TransformStamped]()
    sink.update(OPTIONS)
    robot.sender.create_subscription(TransformStamped, "/tf", received.append, 10)
    robot.until(lambda: sink.demand.has_subscribers)
    positions_m = np.random.default_rng(1).uniform(1, 2, (25, 3))
    waiting, held, seen = (
        located(pose(number, visibility=np.ones(25), **age), positions_m)
        for number, age in enumerate(({"held_ns": 1}, {"held_ns": 1, "is_held": True}, {}), 1)
    )
    sink.publish(frame(waiting, held, seen))
    names = robot.until(lambda: len(received) == 2 and [item.child_frame_id for item in received])
    assert names == ["person_2", "person_3"]
    sink.release()


def test_one_thread_publishes_while_another_connects_and_disconnects(
    stand_in: ModuleType, robot: Robot
) -> None:
    sink, is_over = TfSink(robot.listener), threading.Event()
    shown = frame(
        located(pose(1, visibility=np.ones(25)), np.random.default_rng(1).uniform(1, 2, (25, 3)))
    )

    def publish() -> None:
        while not is_over.is_set():
            assert sink.demand.has_subscribers in (True, False)
            sink.publish(shown)

    robot.sender.create_subscription(TransformStamped, "/tf", lambda message: None, 1)
    with ThreadPoolExecutor(1) as threads:
        published = threads.submit(publish)
        for _ in range(150):
            sink.update(OPTIONS)
            time.sleep(0.002)
            sink.update(OutputOptions())
        is_over.set()
        published.result()  # raises what the thread raised
    sink.release()


# With the real tf2_ros


def sender(robot: Robot) -> Callable[[list[TransformStamped]], None]:
    """A broadcaster and a listener that have both found the other."""
    import tf2_ros

    broadcaster = tf2_ros.TransformBroadcaster(robot.sender)
    robot.until(broadcaster.pub_tf.get_subscription_count)
    (listening,) = (item for item in robot.listener.subscriptions if item.topic_name == "/tf")
    robot.until(listening.get_publisher_count)
    send: Callable[[list[TransformStamped]], None] = broadcaster.sendTransform
    return send


@WITH_TF2
def test_real_transforms_arrive(robot: Robot) -> None:
    target, send = TfListener(robot.listener), sender(robot)
    send([placed("camera", "person_1", 2.0), placed("map", "camera", 1.0)])
    found = robot.until(
        lambda: target.find("map", Header(stamp=HEADER.stamp, frame_id="person_1"))
    )
    assert (found.header.frame_id, found.child_frame_id) == ("map", "person_1")
    assert found.header.stamp == HEADER.stamp
    assert found.transform.translation.x == pytest.approx(3.0)


@WITH_TF2
def test_real_buffer_waits_for_late_transforms_only(robot: Robot) -> None:
    target, send = TfListener(robot.listener), sender(robot)
    begin_s = time.monotonic()
    assert target.find("nowhere", HEADER) is None
    assert time.monotonic() - begin_s < 0.02
    send([placed("map", "camera", 1.0)])
    robot.until(lambda: target.find("map", HEADER))
    later = Header(stamp=Stamp(sec=HEADER.stamp.sec + 5), frame_id="camera")
    begin_s = time.monotonic()
    assert target.find("map", later) is None
    assert 0.04 < time.monotonic() - begin_s < 0.5
    assert target.find("map", Header(frame_id="camera")) is not None, "the latest one"


@WITH_TF2
@pytest.mark.parametrize("source", ["", "/camera", "nowhere"])
def test_real_buffer_knows_no_frames_of_odd_names(robot: Robot, source: str) -> None:
    target = TfListener(robot.listener)
    assert target.find("map", Header(frame_id=source)) is None


@WITH_TF2
def test_real_buffer_is_cleared_and_released(robot: Robot) -> None:
    target, send = TfListener(robot.listener), sender(robot)
    send([placed("map", "camera", 1.0)])
    robot.until(lambda: target.find("map", HEADER))
    target.clear()
    assert target.find("map", HEADER) is None
    earlier = Stamp(sec=HEADER.stamp.sec - 3600)
    send([placed("map", "camera", 4.0, earlier)])
    found = robot.until(lambda: target.find("map", Header(stamp=earlier, frame_id="camera")))
    assert found.transform.translation.x == 4.0
    assert tf_subscriptions(robot.listener) == 2
    target.release()
    assert tf_subscriptions(robot.listener) == 0

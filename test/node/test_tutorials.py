"""The tutorials' programs, as they stand there, but for the interpreter."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rclpy
import running
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import serialize_message
from sensor_msgs.msg import PointCloud2

from pose_ros.client import landmarks_from_msg
from pose_ros.runtime.clock import stamp_to_ns

rosbags_rosbag2 = pytest.importorskip("rosbags.rosbag2")
rosbags_typesys = pytest.importorskip("rosbags.typesys")

PAGE = (running.ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8")
TOPIC = "/camera/image_raw"
START_S = 3 * running.TIMEOUT_S
"""For several processes that start at once."""
CAMERAS = ("front", "rear", "left")
STAMPS_NS = [running.FIRST_NS + number * 100_000_000 for number in range(20)]


def block(section: str, language: str) -> str:
    """The first block of a language in a section of the page."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return str(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[0])


@contextmanager
def heard(domain_id: int, topics: list[str]) -> Iterator[tuple[dict[str, list[Any]], Any]]:
    """Receive clouds; yield them by topic, and a function that handles messages for a moment."""
    context = Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = rclpy.create_node("listener", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    received: dict[str, list[Any]] = {topic: [] for topic in topics}
    for topic in topics:
        node.create_subscription(PointCloud2, topic, received[topic].append, 10)
    try:
        yield received, lambda: executor.spin_once(timeout_sec=0.1)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)


def spin_until_all(received: dict[str, list[Any]], count: int, spin: Any) -> None:
    deadline_s = time.monotonic() + START_S
    while not all(len(messages) >= count for messages in received.values()):
        counts = {topic: len(messages) for topic, messages in received.items()}
        assert time.monotonic() < deadline_s, counts
        spin()


def write_bag(path: Path) -> None:
    """Write images of a person, 0.1 s apart, to a bag."""
    store = rosbags_typesys.get_typestore(rosbags_typesys.Stores.ROS2_JAZZY)
    plugin = rosbags_rosbag2.StoragePlugin.MCAP
    with rosbags_rosbag2.Writer(path, version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection(TOPIC, "sensor_msgs/msg/Image", typestore=store)
        for stamp_ns, rgb in zip(STAMPS_NS, running.person(len(STAMPS_NS)), strict=True):
            message = running.image(rgb, stamp_ns)
            writer.write(connection, stamp_ns, serialize_message(message))


def test_a_replayed_bag_gives_landmarks_at_the_stamps_of_its_images(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag")
    player = tmp_path / "player.py"
    player.write_text(block("Replaying a bag", "python"), encoding="utf-8")
    with (
        running.node("-r", f"image:={TOPIC}") as node,
        heard(node.domain_id, ["/pose/landmarks"]) as (received, spin),
    ):
        command = [sys.executable, str(player), str(tmp_path / "bag")]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(node.domain_id)}
        deadline_s = time.monotonic() + START_S
        while not received["/pose/landmarks"]:  # the node may not know its subscriber yet
            assert time.monotonic() < deadline_s, node.output
            subprocess.run(command, cwd=running.ROOT, env=environment, check=True, timeout=START_S)
            for _ in range(10):
                spin()
    clouds = received["/pose/landmarks"]
    assert {landmarks_from_msg(cloud).points.shape[0] for cloud in clouds} == {1}
    # whoever subscribes late does not get the first ones
    assert {stamp_to_ns(cloud.header.stamp) for cloud in clouds} <= set(STAMPS_NS)


def test_three_cameras_give_three_landmark_topics() -> None:
    words = f"{shlex.quote(sys.executable)} -m"
    script = block("Three cameras", "sh").replace(".venv/bin/python -m", words) + "wait\n"
    topics = [f"/{camera}/pose/landmarks" for camera in CAMERAS]
    with running.domain() as number, heard(number, topics) as (received, spin):
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=running.ROOT,
            env={**os.environ, "ROS_DOMAIN_ID": str(number)},
            start_new_session=True,
        )
        try:
            spin_until_all(received, 1, spin)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    for camera, topic in zip(CAMERAS, topics, strict=True):
        assert received[topic][0].header.frame_id == camera

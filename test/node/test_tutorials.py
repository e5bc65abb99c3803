"""The tutorials' programs, as they stand there, but for the interpreter."""

from __future__ import annotations

import contextlib
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
from sensor_msgs.msg import PointCloud2

from pose_ros.client import landmarks_from_msg
from pose_ros.runtime.clock import stamp_to_ns

rosbags_highlevel = pytest.importorskip("rosbags.highlevel")

PAGE = (running.ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8")
TOPIC = "/camera/image_raw"
START_S = 3 * running.TIMEOUT_S
"""For several processes that start at once."""
CAMERAS = ("front", "rear", "left")


def blocks(section: str, language: str) -> list[str]:
    """The blocks of a language in a section of the page."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


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


def test_a_replayed_bag_gives_landmarks_at_the_stamps_of_its_images(tmp_path: Path) -> None:
    bag, player = tmp_path / "bag", tmp_path / "player.py"
    program, writer = blocks("Replaying a bag", "python")
    player.write_text(program, encoding="utf-8")
    (tmp_path / "bag.py").write_text(writer, encoding="utf-8")
    subprocess.run([sys.executable, tmp_path / "bag.py", bag], cwd=running.ROOT, check=True)
    times_ns = stamps_of(bag)
    # the walker is too far away for upper_body to be found in whatever images are not dropped
    with (
        running.node("-r", f"image:={TOPIC}", *running.parameters(model="lite")) as node,
        heard(node.domain_id, ["/pose/landmarks"]) as (received, spin),
    ):
        command = [sys.executable, str(player), str(bag)]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(node.domain_id)}
        deadline_s = time.monotonic() + START_S
        while not (clouds := sure(received["/pose/landmarks"], times_ns)):
            # the node may not know its subscriber yet
            assert time.monotonic() < deadline_s, node.output
            subprocess.run(command, cwd=running.ROOT, env=environment, check=True, timeout=START_S)
            for _ in range(10):
                spin()
    assert {landmarks_from_msg(cloud).points.shape[0] for cloud in clouds} == {1}
    # whoever subscribes late does not get the first ones
    stamps_ns = {stamp_to_ns(cloud.header.stamp) for cloud in received["/pose/landmarks"]}
    assert stamps_ns <= set(times_ns)


def stamps_of(bag: Path) -> list[int]:
    """The times of the messages of a bag, which are the stamps of its images."""
    with rosbags_highlevel.AnyReader([bag]) as reader:
        return [time_ns for _, time_ns, _ in reader.messages()]


def sure(clouds: list[PointCloud2], times_ns: list[int]) -> list[PointCloud2]:
    """Those of images in which the model always finds the walker: from the fifteenth on."""
    return [cloud for cloud in clouds if stamp_to_ns(cloud.header.stamp) >= times_ns[14]]


def test_three_cameras_give_three_landmark_topics() -> None:
    words = f"{shlex.quote(sys.executable)} -m"
    (script,) = blocks("Three cameras", "sh")
    script = script.replace(".venv/bin/python -m", words)
    script += "trap 'kill $(jobs -p)' TERM\nwait\nwait\n"  # as the page says; then until all end
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
            shell.terminate()
            shell.wait(START_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    for camera, topic in zip(CAMERAS, topics, strict=True):
        assert received[topic][0].header.frame_id == camera


def test_diagnostics_are_printed(tmp_path: Path) -> None:
    (program,) = blocks("Diagnostics", "python")
    with running.node() as node:
        printer = running.Process(node.domain_id, tmp_path, "-u", "-c", program)
        try:
            printer.wait_for_line("idle: nobody subscribed")
            printer.wait_for_line("    model: ")
        finally:
            printer.kill()

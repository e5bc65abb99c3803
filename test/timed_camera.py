"""A camera as a process of its own that notes how long each publish took.

It begins with the first subscriber and prints one line a frame: seconds since frame 0, ms taken.
SIGTERM ends it. Do not kill it: for a subscriber that has stalled, Fast DDS 2.14 makes the port of
shared memory anew with each image, and all who send there wait forever if it is left half made.
"""

from __future__ import annotations

import argparse
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rclpy
import running
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from running import Process
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose_ros.outputs.images import image_from_rgb

DISCOVERY_S = 1.0
QUEUE = 5  # as most drivers have


@contextmanager
def timed_camera(domain_id: int, folder: Path, *words: str) -> Iterator[Process]:
    """Run such a camera; its words are those of the command line."""
    process = Process(domain_id, folder, *running.module("timed_camera"), *words)
    try:
        yield process
        process.signal(signal.SIGTERM)
        process.wait()
    finally:
        process.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480), help="width, height")
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--reliability", default="reliable")
    options = parser.parse_args()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("camera")
    qos = QoSProfile(depth=QUEUE, reliability=ReliabilityPolicy[options.reliability.upper()])
    images = node.create_publisher(Image, "image", qos)
    infos = node.create_publisher(CameraInfo, "camera_info", qos)
    while not images.get_subscription_count():
        time.sleep(0.02)
    time.sleep(DISCOVERY_S)
    width, height = options.size
    play(images, infos, np.zeros((height, width, 3), np.uint8), options.rate, ended)
    node.destroy_node()
    rclpy.shutdown()


def play(
    images: Publisher, infos: Publisher, rgb: np.ndarray, rate_hz: float, ended: threading.Event
) -> None:
    """Publish until the end; a frame that is late is not made up for."""
    message = image_from_rgb(rgb, Header(frame_id="camera"))
    info = CameraInfo(width=rgb.shape[1], height=rgb.shape[0], header=message.header)
    start_s = due_s = time.monotonic()
    while not ended.wait(max(0.0, due_s - time.monotonic())):
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
        info.header = message.header
        infos.publish(info)
        before_s = time.monotonic()
        images.publish(message)
        taken_s = time.monotonic() - before_s
        print(f"{before_s - start_s:.3f} {taken_s * 1e3:.2f}", flush=True)
        due_s = max(due_s + 1 / rate_hz, before_s)


if __name__ == "__main__":
    main()

"""The video source as a process of its own, received over real DDS."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import encoded
import media
import numpy as np
import pytest
import rclpy
import running
import yaml
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from pose_ros.blazepose.errors import ImageError, OptionError
from pose_ros.inputs.images import rgb_from_compressed, rgb_from_image
from pose_ros.runtime.clock import stamp_to_ns
from pose_ros.tools.calibration import camera_info_from_fov, camera_info_from_yaml
from pose_ros.tools.frames import open_frames

CLIP = media.path("person")
MODULE = "pose_ros.tools.video_source"
CALIBRATION = {
    "image_width": 64,
    "image_height": 48,
    "camera_name": "test",
    "camera_matrix": {"rows": 3, "cols": 3, "data": [50, 0, 31.5, 0, 51.0, 23.5, 0, 0, 1]},
    "distortion_model": "plumb_bob",
    "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1, -0.2, 0.001, 0.002, 0]},
    "rectification_matrix": {"rows": 3, "cols": 3, "data": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
    "projection_matrix": {
        "rows": 3,
        "cols": 4,
        "data": [49, 0, 31, 0, 0, 50, 23, 0, 0, 0, 1, 0],
    },
}


SLOW_SUBSCRIBER = """
import rclpy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("slow")
node.create_subscription(Image, "image", lambda _: print("an image", flush=True), 10)
rclpy.spin(node)
"""


class Listener:
    """Subscribes before the source starts, and keeps all messages by topic."""

    def __init__(self, domain_id: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._node = rclpy.create_node("listener", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        # first, for the source begins when it knows a subscriber of images
        self.camera_infos: list[CameraInfo] = self._keep("camera_info", CameraInfo)
        self.jpegs: list[CompressedImage] = self._keep("image/compressed", CompressedImage)
        self.images: list[Image] = self._keep("image", Image)

    def _keep(self, topic: str, message_type: Any) -> list[Any]:
        received: list[Any] = []
        self._node.create_subscription(message_type, topic, received.append, 50)
        return received

    def until(self, condition: Callable[[], bool], source: running.Process) -> None:
        """Handle messages until a condition holds."""
        end_s = time.monotonic() + running.TIMEOUT_S
        while not condition():
            assert time.monotonic() < end_s, source.output
            self._executor.spin_once(timeout_sec=0.05)

    def spin_to_end(self, source: running.Process, count: int) -> None:
        """Handle messages until the source has ended and so many images are here."""
        self.until(lambda: not source.is_running, source)
        assert source.wait() == 0, source.output
        self.until(lambda: min(len(self.images), len(self.camera_infos)) >= count, source)

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)


@contextmanager
def received(*arguments: str) -> Iterator[tuple[running.Process, Listener]]:
    """Run the source, which waits for the listener."""
    command = ("-m", MODULE, *arguments, "--wait-for-subscriber", f"{running.TIMEOUT_S:g}")
    with running.process(*command) as source:
        listener = Listener(source.domain_id)
        try:
            yield source, listener
        finally:
            listener.close()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with three small images of one color, and a file that is none."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, level in enumerate((0, 100, 200)):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), level, np.uint8))
    (folder / "notes.txt").write_text("no image")
    return folder


def stamps_ns(messages: list[Any]) -> list[int]:
    return [stamp_to_ns(message.header.stamp) for message in messages]


def test_clip_arrives_whole_with_its_stamps_and_calibration(tmp_path: Path) -> None:
    log = tmp_path / "stamps.txt"
    arguments = ("--frames", "20", "--frame-id", "eye", "--stamps", str(log), "--hfov-deg", "90")
    before_ns = time.time_ns()
    with received(str(CLIP), *arguments) as (source, listener):
        listener.spin_to_end(source, 20)
    sent_ns = [int(line) for line in log.read_text().split()]
    assert before_ns < sent_ns[0] < time.time_ns()
    assert stamps_ns(listener.images) == sent_ns
    assert stamps_ns(listener.camera_infos) == sent_ns
    assert len(sent_ns) == 20
    assert np.diff(sent_ns).min() >= 40_000_000  # 25 Hz; longer on a busy machine
    assert {item.header.frame_id for item in (*listener.images, *listener.camera_infos)} == {"eye"}
    np.testing.assert_array_equal(rgb_from_image(listener.images[0]), running.person()[0])
    assert listener.camera_infos[0].k[0] == pytest.approx(400 / 2)
    assert (listener.camera_infos[0].width, listener.camera_infos[0].height) == (400, 300)


def test_it_ends_when_a_subscriber_that_stalls_has_the_last_image(tmp_path: Path) -> None:
    log = tmp_path / "stamps.txt"
    words = (str(CLIP), "--frames=2", "--rate=0.2", "--wait-for-subscriber=600")
    with running.process("-m", MODULE, *words, f"--stamps={log}") as source:
        subscriber = running.Process(source.domain_id, tmp_path, "-c", SLOW_SUBSCRIBER)
        try:
            subscriber.wait_for_line("an image")
            subscriber.signal(signal.SIGSTOP)
            running.until(lambda: log.read_text().count("\n") == 2, "the last image")
            time.sleep(1.0)
            assert source.is_running
            subscriber.signal(signal.SIGCONT)
            assert source.wait() == 0, source.output
            running.until(lambda: len(subscriber.lines("an image")) == 2, "both images")
        finally:
            subscriber.kill()


def steps_ns(log: Path) -> set[int]:
    """Play some frames without a listener; return the steps between their stamps."""
    words = ("-m", MODULE, str(CLIP), "--frames", "20", "--stamps", str(log))
    with running.process(*words) as source:
        assert source.wait() == 0, source.output
    return set(np.diff([int(line) for line in log.read_text().split()]).tolist())


@pytest.mark.timed
def test_stamps_are_steady(tmp_path: Path) -> None:
    tries = (steps_ns(tmp_path / str(number)) for number in range(5))
    assert {40_000_000} in tries  # other work on the machine must not decide


def test_folder_is_looped_with_growing_stamps_at_the_rate_asked_for(images: Path) -> None:
    with received(str(images), "--loop", "--rate", "50", "--compressed") as (source, listener):
        listener.until(lambda: min(len(listener.images), len(listener.jpegs)) >= 8, source)
        source.signal(signal.SIGINT)
        assert source.wait() == 0, source.output
    levels = [int(rgb_from_image(message)[0, 0, 0]) for message in listener.images]
    assert levels[:7] == [0, 100, 200, 0, 100, 200, 0]
    periods_ns = np.diff(stamps_ns(listener.images))
    assert periods_ns.min() >= 20_000_000
    second = stamps_ns(listener.images)[1]
    (jpeg,) = (item for item in listener.jpegs if stamp_to_ns(item.header.stamp) == second)
    assert rgb_from_compressed(jpeg).mean() == pytest.approx(100, abs=3)


def test_calibration_file_is_published(images: Path, tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(yaml.safe_dump(CALIBRATION))
    with received(str(images), "--camera-info", str(path)) as (source, listener):
        listener.spin_to_end(source, 1)
    info = listener.camera_infos[0]
    assert list(info.k) == [50, 0, 31.5, 0, 51, 23.5, 0, 0, 1]
    assert list(info.d) == [0.1, -0.2, 0.001, 0.002, 0]
    assert list(info.p) == [49, 0, 31, 0, 0, 50, 23, 0, 0, 0, 1, 0]
    assert info.distortion_model == "plumb_bob"
    assert info.header.frame_id == "camera"


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_two_interrupts_end_it_cleanly(pause_s: float) -> None:
    with received(str(CLIP), "--loop") as (source, listener):
        listener.until(lambda: len(listener.images) >= 3, source)
        source.signal(signal.SIGINT)
        time.sleep(pause_s)
        source.signal(signal.SIGINT)
        assert source.wait() == 0
        assert source.output == ""


def test_terminate_ends_it_cleanly_while_it_waits() -> None:
    with running.process("-m", MODULE, str(CLIP), "--wait-for-subscriber", "600") as source:
        with running.local_node(source.domain_id) as node:
            running.until(lambda: node.count_publishers("/image"), "the source")
        source.signal(signal.SIGTERM)
        assert source.wait() == 0
        assert source.output == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["setup.py"],
        ["missing.mp4"],
        ["launch"],
        ["--camera-info", "setup.cfg", str(CLIP)],
        ["--camera-info", "gone.yaml", str(CLIP)],
        ["--stamps", str(CLIP), str(CLIP)],
    ],
)
def test_what_cannot_be_played_gives_one_line_and_exit_code_1(arguments: list[str]) -> None:
    with running.process("-m", MODULE, *arguments) as source:
        assert source.wait() == 1
        (line,) = source.output.splitlines()
    assert line.startswith("video_source: ")
    assert arguments[-2 if len(arguments) > 1 else 0] in line


def test_calibration_of_another_size_gives_one_line_and_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(yaml.safe_dump(CALIBRATION))
    with running.process("-m", MODULE, str(CLIP), "--camera-info", str(path)) as source:
        assert source.wait() == 1
        (line,) = source.output.splitlines()
    assert "64 x 48" in line
    assert "400 x 300" in line


def test_damaged_image_ends_it_with_one_line_and_how_much_was_played(images: Path) -> None:
    data = (images / "1.png").read_bytes()
    (images / "1.png").write_bytes(data[: len(data) // 2])
    with running.process("-m", MODULE, str(images)) as source:
        assert source.wait() == 1
        (line,) = source.output.splitlines()
    assert str(images / "1.png") in line
    assert "1 frames were published" in line


def test_truncated_video_is_played_as_far_as_it_goes_and_reported(tmp_path: Path) -> None:
    path, log = encoded.video("plain.mp4", tmp_path), tmp_path / "stamps.txt"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with running.process("-m", MODULE, str(path), "--stamps", str(log)) as source:
        assert source.wait() == 0, source.output
        (line,) = source.output.splitlines()
    assert f"50 frames, {len(log.read_text().split())} could be read" in line


def test_loop_over_a_source_that_has_gone_ends(images: Path) -> None:
    with received(str(images), "--loop", "--rate", "100") as (source, listener):
        listener.until(lambda: len(listener.images) >= 4, source)
        for path in images.iterdir():
            path.write_bytes(b"")
        assert source.wait() == 1
        assert source.output.startswith("video_source: ")


def test_variable_rate_is_played_with_its_own_times(tmp_path: Path) -> None:
    path, log = encoded.video("variable.mp4", tmp_path), tmp_path / "stamps.txt"
    with running.process("-m", MODULE, str(path), "--stamps", str(log)) as source:
        assert source.wait() == 0, source.output
    stamps_ms = np.array([int(line) for line in log.read_text().split()]) / 1e6
    expected_ms = np.diff([*range(0, 1000, 40), *range(1000, 2000, 200)])
    steps_ms = np.diff(stamps_ms)
    assert len(steps_ms) == len(expected_ms)
    assert (steps_ms > expected_ms - 1).all()  # later ones start anew on a busy machine


@pytest.mark.parametrize(("max_width", "size"), [(100, (100, 75)), (400, (400, 300))])
def test_wider_frames_are_scaled_down_with_their_calibration(
    max_width: int, size: tuple[int, int]
) -> None:
    arguments = ("--frames", "2", "--max-width", str(max_width), "--hfov-deg", "90")
    with received(str(CLIP), *arguments) as (source, listener):
        listener.spin_to_end(source, 2)
    assert {(item.width, item.height) for item in listener.images} == {size}
    assert {(item.width, item.height) for item in listener.camera_infos} == {size}
    assert listener.camera_infos[0].k[0] == pytest.approx(size[0] / 2)


@pytest.mark.skipif(os.path.exists("/dev/video99"), reason="this machine has a camera 99")
def test_missing_camera_is_reported() -> None:
    with pytest.raises(ImageError, match="camera 99"):
        next(iter(open_frames("99")))


@pytest.mark.parametrize("hfov_deg", [30.0, 60.0, 120.0])
def test_assumed_calibration_sees_the_field_of_view(hfov_deg: float) -> None:
    info = camera_info_from_fov(640, 480, hfov_deg)
    left_rad = math.atan2(info.k[2] + 0.5, info.k[0])
    right_rad = math.atan2(640 - 0.5 - info.k[2], info.k[0])
    assert math.degrees(left_rad + right_rad) == pytest.approx(hfov_deg)
    assert info.k[0] == info.k[4] == info.p[0] == info.p[5]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"camera_matrix": {"data": [1, 2]}}, "camera_matrix has 2"),
        ({"camera_matrix": None}, "NoneType"),
        ({"image_width": "wide"}, "wide"),
    ],
)
def test_bad_calibration_is_reported(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(yaml.safe_dump({**CALIBRATION, **change}))
    with pytest.raises(OptionError, match=reason):
        camera_info_from_yaml(path)


def test_calibration_without_a_matrix_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(yaml.safe_dump({"image_width": 64, "image_height": 48}))
    with pytest.raises(OptionError, match="distortion_model"):
        camera_info_from_yaml(path)

"""The video source as a process of its own, heard over real DDS."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
import running
import yaml
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from pose_ros.blazepose.errors import ImageError, OptionError
from pose_ros.images import rgb_from_compressed, rgb_from_image
from pose_ros.stamps import stamp_to_ns
from pose_ros.tools.calibration import camera_info_from_fov, camera_info_from_yaml
from pose_ros.tools.frames import open_frames

CLIP = running.ROOT / "docs" / "demo" / "person.mp4"
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


class Listener:
    """Subscribes before the source starts, and keeps all messages by topic."""

    def __init__(self, domain_id: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._node = rclpy.create_node("listener", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.images: list[Image] = self._keep("image", Image)
        self.jpegs: list[CompressedImage] = self._keep("image/compressed", CompressedImage)
        self.camera_infos: list[CameraInfo] = self._keep("camera_info", CameraInfo)

    def _keep(self, topic: str, message_type: Any) -> list[Any]:
        received: list[Any] = []
        self._node.create_subscription(message_type, topic, received.append, 50)
        return received

    def hear_out(self, source: running.Process, count: int | None = None) -> None:
        """Spin until the source has ended, or until there are so many images."""
        end_s = time.monotonic() + running.TIMEOUT_S
        while source.is_running and (count is None or len(self.images) < count):
            assert time.monotonic() < end_s, source.output
            self._executor.spin_once(timeout_sec=0.05)
        for _ in range(20):
            self._executor.spin_once(timeout_sec=0.01)

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)


@contextmanager
def heard(*arguments: str) -> Iterator[tuple[running.Process, Listener]]:
    """Run the source, which waits for the listener."""
    command = ("-m", MODULE, *arguments, "--wait-for-subscriber", "20")
    with running.process(*command) as source:
        listener = Listener(source.domain_id)
        try:
            yield source, listener
        finally:
            listener.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with three small pictures of one colour, and a file that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, level in enumerate((0, 100, 200)):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), level, np.uint8))
    (folder / "notes.txt").write_text("no picture")
    return folder


def stamps_ns(messages: list[Any]) -> list[int]:
    return [stamp_to_ns(message.header.stamp) for message in messages]


def test_clip_arrives_whole_with_steady_stamps_and_calibration(tmp_path: Path) -> None:
    log = tmp_path / "stamps.txt"
    arguments = ("--frames", "20", "--frame-id", "eye", "--stamps", str(log), "--hfov-deg", "90")
    before_ns = time.time_ns()
    with heard(str(CLIP), *arguments) as (source, listener):
        listener.hear_out(source)
        assert source.wait() == 0, source.output
    sent_ns = [int(line) for line in log.read_text().split()]
    assert before_ns < sent_ns[0] < time.time_ns()
    assert stamps_ns(listener.images) == sent_ns
    assert stamps_ns(listener.camera_infos) == sent_ns
    assert len(sent_ns) == 20
    assert set(np.diff(sent_ns)) == {40_000_000}  # 25 Hz
    assert {item.header.frame_id for item in (*listener.images, *listener.camera_infos)} == {"eye"}
    np.testing.assert_array_equal(rgb_from_image(listener.images[0]), running.person()[0])
    assert listener.camera_infos[0].k[0] == pytest.approx(400 / 2)
    assert (listener.camera_infos[0].width, listener.camera_infos[0].height) == (400, 300)


def test_folder_is_looped_with_growing_stamps_at_the_rate_asked_for(pictures: Path) -> None:
    with heard(str(pictures), "--loop", "--rate", "50", "--compressed") as (source, listener):
        listener.hear_out(source, count=8)
        source.signal(signal.SIGINT)
        assert source.wait() == 0, source.output
    assert len(listener.images) >= 8
    levels = [int(rgb_from_image(message)[0, 0, 0]) for message in listener.images]
    assert levels[:7] == [0, 100, 200, 0, 100, 200, 0]
    periods_ns = np.diff(stamps_ns(listener.images))
    assert periods_ns.min() >= 20_000_000
    assert len(listener.jpegs) >= 7
    assert rgb_from_compressed(listener.jpegs[1]).mean() == pytest.approx(100, abs=3)


def test_calibration_file_is_published(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(yaml.safe_dump(CALIBRATION))
    with heard(str(pictures), "--camera-info", str(path)) as (source, listener):
        listener.hear_out(source)
        assert source.wait() == 0, source.output
    info = listener.camera_infos[0]
    assert list(info.k) == [50, 0, 31.5, 0, 51, 23.5, 0, 0, 1]
    assert list(info.d) == [0.1, -0.2, 0.001, 0.002, 0]
    assert list(info.p) == [49, 0, 31, 0, 0, 50, 23, 0, 0, 0, 1, 0]
    assert info.distortion_model == "plumb_bob"
    assert info.header.frame_id == "camera"


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_two_interrupts_end_it_in_peace(pause_s: float) -> None:
    with heard(str(CLIP), "--loop") as (source, listener):
        listener.hear_out(source, count=3)
        source.signal(signal.SIGINT)
        time.sleep(pause_s)
        source.signal(signal.SIGINT)
        assert source.wait() == 0
        assert source.output == ""


def test_terminate_ends_it_in_peace_while_it_waits() -> None:
    with running.process("-m", MODULE, str(CLIP), "--wait-for-subscriber", "60") as source:
        time.sleep(2.0)
        source.signal(signal.SIGTERM)
        assert source.wait() == 0
        assert source.output == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["setup.py"], "setup.py cannot be read as a video or a picture"),
        (["missing.mp4"], "missing.mp4 does not exist"),
        (["launch"], "folder launch has no picture that can be read"),
        (["docs/demo/person.mp4", "--camera-info", "setup.cfg"], "is not a camera calibration"),
        (["docs/demo/person.mp4", "--camera-info", "gone.yaml"], "is not a camera calibration"),
    ],
)
def test_what_cannot_be_played_gives_one_sentence_and_exit_code_1(
    arguments: list[str], sentence: str
) -> None:
    with running.process("-m", MODULE, *arguments) as source:
        assert source.wait() == 1
        (line,) = source.output.splitlines()
    assert line.startswith("video_source: ")
    assert sentence in line


def test_calibration_of_another_size_gives_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(yaml.safe_dump(CALIBRATION))
    with running.process("-m", MODULE, str(CLIP), "--camera-info", str(path)) as source:
        assert source.wait() == 1
        assert source.output.splitlines() == [
            "video_source: the calibration is for images of 64 x 48 pixels, "
            "the source has 400 x 300"
        ]


def test_damaged_picture_gives_one_sentence_and_exit_code_1(pictures: Path) -> None:
    data = (pictures / "1.png").read_bytes()
    (pictures / "1.png").write_bytes(data[: len(data) // 2])
    with running.process("-m", MODULE, str(pictures)) as source:
        assert source.wait() == 1
        assert source.lines("video_source: ") == [
            f"video_source: picture {pictures / '1.png'} cannot be decoded: its data is damaged"
        ]
        assert "Traceback" not in source.output


def test_frames_of_a_video_have_its_own_times() -> None:
    frames = open_frames(str(CLIP))
    times_ns = [frame.time_ns for frame in frames]
    assert frames.rate_hz == pytest.approx(25)
    assert frames.count == len(times_ns) == 250
    assert set(np.diff(times_ns)) == {40_000_000}


@pytest.mark.skipif(os.path.exists("/dev/video99"), reason="this machine has a camera 99")
def test_missing_camera_is_told() -> None:
    with pytest.raises(ImageError, match="camera 99 cannot be opened"):
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
        ({"camera_matrix": {"data": [1, 2]}}, "camera_matrix has 2 numbers instead of 9"),
        ({"camera_matrix": None}, "NoneType"),
        ({"image_width": "wide"}, "wide"),
    ],
)
def test_bad_calibration_is_told(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(yaml.safe_dump({**CALIBRATION, **change}))
    with pytest.raises(OptionError, match=reason):
        camera_info_from_yaml(path)


def test_calibration_without_a_matrix_is_told(tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text(yaml.safe_dump({"image_width": 64, "image_height": 48}))
    with pytest.raises(OptionError, match="it has no 'distortion_model'"):
        camera_info_from_yaml(path)

"""A video file, a picture, a folder of pictures or a camera, played as a ROS camera."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TextIO

from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from pose_ros import spinning
from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import OptionError, PoseError
from pose_ros.images import compressed_from_rgb, image_from_rgb
from pose_ros.tools.calibration import camera_info_from_fov, camera_info_from_yaml
from pose_ros.tools.frames import Frame, FrameSource, open_frames

_QUEUE = 5
_DISCOVERY_S = 0.5
"""How long the other side may need to know us once we know it, and to fetch the last image."""


class VideoSource(Node):
    """Publishes frames at their own rate, until they end or ROS is shut down.

    Stamps are the node clock's time at the first frame plus whole frame periods, so they are
    steady however late a frame leaves. A frame that is more than a period late starts a new count,
    so that no burst follows. Cameras give their own rate, and the time of arrival is the stamp.
    `failure` tells why it ended early.
    """

    def __init__(self, frames: FrameSource, options: argparse.Namespace) -> None:
        super().__init__("video_source")
        self.failure: Exception | None = None
        self._frames, self._options = frames, options
        rate_hz = options.rate or frames.rate_hz
        self._period_ns = round(1e9 / rate_hz) if rate_hz else None
        qos = QoSProfile(depth=_QUEUE, reliability=options.reliability)
        self._images = self.create_publisher(Image, "image", qos)
        self._camera_infos = self.create_publisher(CameraInfo, "camera_info", qos)
        self._jpegs = None
        if options.compressed:
            self._jpegs = self.create_publisher(CompressedImage, "image/compressed", qos)
        self._stop = threading.Event()
        self._player = threading.Thread(target=self._play, name="player")
        self._player.start()

    def destroy_node(self) -> None:
        """End the player, then the node."""
        self._stop.set()
        if threading.current_thread() is not self._player:  # rclpy may call this from any thread
            self._player.join()
        super().destroy_node()

    def _play(self) -> None:
        """Publish everything, then shut ROS down."""
        try:
            self._wait_for_subscriber()
            with ExitStack() as stack:
                path: Path | None = self._options.stamps
                log = stack.enter_context(path.open("w", buffering=1)) if path else None
                self._publish_all(log)
            self._stop.wait(_DISCOVERY_S)
        except (PoseError, OSError) as error:
            self.failure = error
        except Exception as error:
            if self.context.ok():  # else the shutdown came between two calls
                self.failure = error
                raise
        finally:
            self.context.try_shutdown()

    def _publish_all(self, log: TextIO | None) -> None:
        for stamp_ns, frame in self._paced(self._chosen()):
            self._publish(frame.image, stamp_ns)
            if log:
                log.write(f"{stamp_ns}\n")

    def _wait_for_subscriber(self) -> None:
        """Return when somebody listens to the images and has had time to know us, or too late."""
        wait_s: float = self._options.wait_for_subscriber
        end_s = time.monotonic() + wait_s
        while wait_s and not self._stop.wait(0.05):
            if self._is_heard():
                self._stop.wait(_DISCOVERY_S)
                return
            if time.monotonic() > end_s:
                self.get_logger().warning(
                    f"nobody subscribed within {wait_s:g} s; starting anyway"
                )
                return

    def _is_heard(self) -> bool:
        publishers = [self._images] + ([self._jpegs] if self._jpegs else [])
        return any(publisher.get_subscription_count() for publisher in publishers)

    def _chosen(self) -> Iterator[Frame]:
        """Yield the frames that shall be played: again and again, or up to a number."""
        yield from islice(self._frames, self._options.frames)
        while self._options.loop:
            yield from islice(self._frames, self._options.frames)

    def _paced(self, frames: Iterator[Frame]) -> Iterator[tuple[int, Frame]]:
        """Yield each frame with its stamp, when it is due, until the node stops."""
        start_ns = due_ns = start_stamp_ns = 0
        for frame in frames:
            now_ns, now_stamp_ns = time.monotonic_ns(), self.get_clock().now().nanoseconds
            if self._period_ns is None or now_ns > due_ns + self._period_ns:
                start_ns, due_ns, start_stamp_ns = now_ns, now_ns, now_stamp_ns
            if self._stop.wait(max(0, due_ns - now_ns) / 1e9) or not self.context.ok():
                return
            yield start_stamp_ns + due_ns - start_ns, frame
            due_ns += self._period_ns or 0

    def _publish(self, image: ImageArray, stamp_ns: int) -> None:
        seconds, nanoseconds = divmod(stamp_ns, 10**9)
        stamp = Time(sec=seconds, nanosec=nanoseconds)
        header = Header(stamp=stamp, frame_id=self._options.frame_id)
        camera_info = self._camera_info(image)
        camera_info.header = header
        self._camera_infos.publish(camera_info)
        self._images.publish(image_from_rgb(image, header))
        if self._jpegs and self._jpegs.get_subscription_count():
            self._jpegs.publish(compressed_from_rgb(image, header))

    def _camera_info(self, image: ImageArray) -> CameraInfo:
        height_px, width_px = image.shape[:2]
        info: CameraInfo | None = self._options.camera_info
        if info is None:
            return camera_info_from_fov(width_px, height_px, self._options.hfov_deg)
        if (info.width, info.height) != (width_px, height_px):
            raise OptionError(
                f"the calibration is for images of {info.width} x {info.height} pixels, "
                f"the source has {width_px} x {height_px}"
            )
        return info


def main(args: list[str] | None = None) -> int:
    """Play the source that the command line names; return the exit code."""
    args = sys.argv[1:] if args is None else args
    options = _parser().parse_args(remove_ros_args(args))
    try:
        frames = open_frames(options.source)
        if options.camera_info:
            options.camera_info = camera_info_from_yaml(options.camera_info)
    except PoseError as error:
        print(f"video_source: {error}", file=sys.stderr)
        return 1
    node = spinning.run(lambda: VideoSource(frames, options), args)
    if node is None or node.failure is None:
        return 0
    print(f"video_source: {node.failure}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="video_source", description=__doc__, epilog="Takes --ros-args as well."
    )
    parser.add_argument("source", help="video, picture, folder of pictures, or camera number")
    parser.add_argument("--rate", type=_positive, metavar="HZ", help="default: the source's own")
    parser.add_argument("--frames", type=int, metavar="N", help="play the first N frames only")
    parser.add_argument(
        "--loop",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="start again at the end",
    )
    parser.add_argument("--frame-id", default="camera", help="default: camera")
    parser.add_argument("--compressed", action="store_true", help="publish JPEG images as well")
    parser.add_argument(
        "--hfov-deg",
        type=_angle,
        default=60.0,
        metavar="DEG",
        help="horizontal field of view for the camera_info; default: 60",
    )
    parser.add_argument(
        "--camera-info", type=Path, metavar="FILE", help="calibration file (YAML) instead"
    )
    parser.add_argument(
        "--reliable",
        dest="reliability",
        action="store_const",
        const=ReliabilityPolicy.RELIABLE,
        default=ReliabilityPolicy.RELIABLE,
        help="serve every subscriber (default)",
    )
    parser.add_argument(
        "--best-effort",
        dest="reliability",
        action="store_const",
        const=ReliabilityPolicy.BEST_EFFORT,
        help="as most camera drivers do",
    )
    parser.add_argument(
        "--wait-for-subscriber",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="start when somebody listens to the images, or after this time",
    )
    parser.add_argument(
        "--stamps", type=Path, metavar="FILE", help="write the stamp of each sent frame, in ns"
    )
    return parser


def _positive(text: str) -> float:
    if not 0 < (value := float(text)) < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _angle(text: str) -> float:
    if not 0 < (value := float(text)) < 180:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 180")
    return value


if __name__ == "__main__":
    sys.exit(main())

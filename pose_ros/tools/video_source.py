"""A video file, an image, a folder of images or a camera, played as a ROS camera."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from builtin_interfaces.msg import Time
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import ImageError, OptionError, PoseError
from pose_ros.outputs.images import compressed_from_rgb, image_from_rgb
from pose_ros.runtime import run
from pose_ros.tools.arguments import angle_deg, positive_count, positive_number
from pose_ros.tools.calibration import camera_info_from_fov, camera_info_from_yaml
from pose_ros.tools.command import run_command
from pose_ros.tools.frame import Frame, FrameSource, played, within_width
from pose_ros.tools.frames import open_frames, source_files
from pose_ros.tools.opencv_files import silence
from pose_ros.tools.output_files import check_outputs, text_log
from pose_ros.tools.video import shortfall

_NAME = "video_source"
_QUEUE = 5
_DISCOVERY_S = 0.5
"""Time for discovery on the other side, and for the last image to arrive there."""
_DELIVERY_S = 5.0
_ACKNOWLEDGED = Duration(seconds=0.1)


class VideoSource(Node):
    """Publishes frames at their own times, until they end or ROS is shut down.

    Stamps are the node clock's time at the first frame plus the frames' own times, so they are
    steady however late a frame leaves. After a frame that is later than the next one is due,
    stamps start anew, so that no burst follows. A live camera's frames are stamped on arrival.
    `failure` is the error that ended it early.
    """

    def __init__(self, frames: FrameSource, options: argparse.Namespace) -> None:
        super().__init__(_NAME)
        self.failure: Exception | None = None
        self._frames, self._options, self._published = frames, options, 0
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
            with text_log(self._options.stamps) as log:
                self._publish_all(log)
            self._wait_for_delivery()
        except (PoseError, OSError) as error:
            self.failure = PoseError(f"{error}; {self._published} frames were published")
        except Exception as error:
            if self.context.ok():  # else the shutdown came between two calls
                self.failure = error
                raise
        finally:
            self.context.try_shutdown()

    def _publish_all(self, log: TextIO | None) -> None:
        options = self._options
        frames = played(self._frames, options.frames, options.loop, options.rate)
        for stamp_ns, frame in self._paced(frames):
            self._publish(within_width(frame.image, options.max_width), stamp_ns)
            self._published += 1
            if log:
                log.write(f"{stamp_ns}\n")
        if self._stop.is_set() or not self.context.ok():
            return
        if options.loop or not self._published:
            raise ImageError(f"{options.source} has no frame that can be read")
        missing = shortfall(self._frames, self._published)
        if missing and not options.frames:
            self.get_logger().warning(missing)

    def _wait_for_subscriber(self) -> None:
        """Return when there is a subscriber to the images and discovery is over, or too late."""
        wait_s: float = self._options.wait_for_subscriber
        end_s = time.monotonic() + wait_s
        while wait_s and not self._stop.wait(0.05):
            if self._has_subscribers():
                self._stop.wait(_DISCOVERY_S)
                return
            if time.monotonic() > end_s:
                self.get_logger().warning(f"no subscriber after {wait_s:g} s; starting anyway")
                return

    def _wait_for_delivery(self) -> None:
        """Return when the reliable subscribers have all, or too late; others get some time."""
        end_s = time.monotonic() + _DELIVERY_S
        if self._stop.wait(_DISCOVERY_S) or not self.context.ok():
            return
        for publisher in (self._camera_infos, *self._image_publishers):
            while not publisher.wait_for_all_acked(_ACKNOWLEDGED):
                if self._stop.is_set() or time.monotonic() > end_s:
                    return

    @property
    def _image_publishers(self) -> list[Publisher]:
        return [self._images] + ([self._jpegs] if self._jpegs else [])

    def _has_subscribers(self) -> bool:
        return any(item.get_subscription_count() for item in self._image_publishers)

    def _paced(self, frames: Iterator[Frame]) -> Iterator[tuple[int, Frame]]:
        """Yield each frame with its stamp, when it is due, until the node stops."""
        start_ns = start_stamp_ns = last_ns = 0
        is_live = self._frames.rate_hz is None and not self._options.rate
        for frame in frames:
            now_ns, now_stamp_ns = time.monotonic_ns(), self.get_clock().now().nanoseconds
            due_ns, step_ns = start_ns + frame.time_ns, frame.time_ns - last_ns
            if is_live or now_ns > due_ns + step_ns:
                start_ns, start_stamp_ns = (now - frame.time_ns for now in (now_ns, now_stamp_ns))
                due_ns = now_ns
            last_ns = frame.time_ns
            if self._stop.wait(max(0, due_ns - now_ns) / 1e9) or not self.context.ok():
                return
            yield start_stamp_ns + frame.time_ns, frame

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
    options = _parser().parse_args(run.own_arguments(args))
    return run_command(_NAME, lambda: _run(options, args))


def _run(options: argparse.Namespace, args: list[str]) -> int:
    silence()
    frames = open_frames(options.source)
    if options.stamps:
        inputs = [Path(options.camera_info)] if options.camera_info else []
        check_outputs([options.stamps], [*source_files(options.source, frames), *inputs])
    if options.camera_info:
        options.camera_info = camera_info_from_yaml(options.camera_info)
    node = run.run(lambda: VideoSource(frames, options), args)
    if node is not None and node.failure is not None:
        raise node.failure
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_NAME, description=__doc__, epilog="Takes --ros-args as well."
    )
    parser.add_argument("source", help="video, image, folder of images, or camera number")
    _add_playing(parser.add_argument_group("what is played, and when"))
    _add_camera(parser.add_argument_group("the camera"))
    return parser


def _add_playing(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--rate", type=positive_number, metavar="HZ", help="default: the source's own times"
    )
    group.add_argument("--frames", type=positive_count, metavar="N", help="the first N only")
    looping = argparse.BooleanOptionalAction
    group.add_argument("--loop", action=looping, default=False, help="start again at the end")
    group.add_argument(
        "--max-width", type=positive_count, metavar="PX", help="scale wider frames down to this"
    )
    group.add_argument(
        "--wait-for-subscriber",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="start with the first subscriber to the images, or after this time",
    )
    group.add_argument("--stamps", type=Path, metavar="FILE", help="write the stamps in ns here")


def _add_camera(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--frame-id", default="camera", help="default: camera")
    group.add_argument("--compressed", action="store_true", help="publish JPEG images as well")
    group.add_argument(
        "--hfov-deg",
        type=angle_deg,
        default=60.0,
        metavar="DEG",
        help="field of view; default: 60",
    )
    group.add_argument(
        "--camera-info", type=Path, metavar="FILE", help="calibration file (YAML) instead of that"
    )
    qos = group.add_mutually_exclusive_group()
    for policy, help_text in (
        (ReliabilityPolicy.RELIABLE, "serve every subscriber (default)"),
        (ReliabilityPolicy.BEST_EFFORT, "as most camera drivers do"),
    ):
        flag = f"--{policy.name.lower().replace('_', '-')}"
        qos.add_argument(
            flag, dest="reliability", action="store_const", const=policy, help=help_text
        )
    group.set_defaults(reliability=ReliabilityPolicy.RELIABLE)


if __name__ == "__main__":
    sys.exit(main())

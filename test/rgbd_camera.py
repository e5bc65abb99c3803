"""One half of an RGB-D camera, as a process: the image with its calibration, or the depth image.

Both halves run on one time grid, given by the same --start, but leave with their own jitter.
"""

from __future__ import annotations

import argparse
import time

import cv2
import media
import numpy as np
import rclpy
import surfaces
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from running import FIRST_NS
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.images import image_from_rgb

PERIOD_NS = 50_000_000
FRAME_ID = "camera_optical"
JITTER_S = 0.012
STAMP_JITTER_NS = 5_000_000


def picture(name: str) -> ImageArray:
    """The first picture of a source, 640 pixels wide."""
    rgb = next(media.frames(name))
    height = round(rgb.shape[0] * 640 / rgb.shape[1])
    return np.asarray(cv2.resize(rgb, (640, height), interpolation=cv2.INTER_AREA), np.uint8)


def calibration(height: int, width: int) -> CameraInfo:
    """A camera with focal lengths and a principal point of its own."""
    k = [600.0, 0.0, width / 2 + 7.0, 0.0, 590.0, height / 2 - 11.0, 0.0, 0.0, 1.0]
    p = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    return CameraInfo(height=height, width=width, k=k, p=p, distortion_model="plumb_bob")


def depth_message(surface: str, encoding: str, height: int, width: int, header: Header) -> Image:
    """Render a surface as a message of 16UC1 (mm) or 32FC1 (m)."""
    k = calibration(height, width).k
    depth_m = surfaces.depth_image_m(surfaces.SURFACES[surface], k, height, width)
    if encoding == "16UC1":
        pixels = np.rint(np.nan_to_num(depth_m) * 1000).astype("<u2")
    else:
        pixels = depth_m.astype("<f4")
    message = Image(
        header=header, height=height, width=width, encoding=encoding, step=pixels[0].nbytes
    )
    message.data.frombytes(pixels.tobytes())
    return message


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("half", choices=("image", "depth"))
    parser.add_argument("--start", type=float, required=True, help="time.monotonic of frame 0")
    parser.add_argument("--first", type=int, default=0, help="first frame that is sent")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--picture", default="person")
    parser.add_argument("--surface", default="plane")
    parser.add_argument("--encoding", default="16UC1")
    parser.add_argument("--shrink", type=int, default=1, help="divide the depth image's size")
    parser.add_argument("--frame-id", default=FRAME_ID)
    options = parser.parse_args()
    rclpy.init()
    play(rclpy.create_node(f"{options.half}_camera"), options)
    rclpy.shutdown()


def play(node: Node, options: argparse.Namespace) -> None:
    """Send the frames, each when it is due and a little later."""
    rgb = picture(options.picture)
    height, width = (side // options.shrink for side in rgb.shape[:2])
    header = Header(frame_id=options.frame_id)
    infos = []
    if options.half == "image":
        message = image_from_rgb(rgb, header)
        infos = [node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)]
    else:
        message = depth_message(options.surface, options.encoding, height, width, header)
    publisher = node.create_publisher(Image, options.half, qos_profile_sensor_data)
    info = calibration(height, width)
    random = np.random.default_rng(len(options.half))
    for frame in range(options.first, options.frames):
        due_s = options.start + frame * PERIOD_NS / 1e9 + random.uniform(0, JITTER_S)
        time.sleep(max(0.0, due_s - time.monotonic()))
        late_ns = 0 if infos else int(random.integers(-STAMP_JITTER_NS, STAMP_JITTER_NS))
        seconds, nanoseconds = divmod(FIRST_NS + frame * PERIOD_NS + late_ns, 10**9)
        header.stamp = Time(sec=seconds, nanosec=nanoseconds)
        message.header = info.header = header
        for other in infos:
            other.publish(info)
        publisher.publish(message)


if __name__ == "__main__":
    main()

"""One half of an RGB-D camera, as a process: the image with its calibration, or the depth image.

Both halves run on one time grid, but send with their own jitter. Each prints "ready" when it could
send (the image: when it has a subscriber) and begins when the file --start has a time in it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import cv2
import media
import numpy as np
import numpy.typing as npt
import rclpy
import surfaces
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import qos_profile_sensor_data
from running import FIRST_NS
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.outputs.images import image_from_rgb

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


def off_center(info: CameraInfo) -> CameraInfo:
    """A calibration with its principal point 40 px to the right of the middle."""
    info.k[2] = info.p[2] = info.width / 2 + 40.0
    return info


def mirrored_slope(height: int, width: int) -> Image:
    """Depth of a mirrored image: 1.5 m at the left of the real world, and 2 mm more each pixel."""
    row_mm = (np.arange(width) * 2 + 1500)[::-1]
    pixels = np.tile(row_mm, (height, 1)).astype("<u2")
    message = Image(height=height, width=width, encoding="16UC1", step=2 * width)
    message.data.frombytes(pixels.tobytes())
    return message


def slope_points_m(info: CameraInfo, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Where pixels (n, 2) of a mirrored image are on that slope, in the real world: (n, 3)."""
    fx, _, cx, _, fy, cy = info.k[:6]
    u, v = pixels.astype(np.float64).T
    real_u = info.width - 1 - u
    z_m = (real_u * 2 + 1500) / 1000
    return np.column_stack(((real_u - cx) / fx * z_m, (v - cy) / fy * z_m, z_m))


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
    parser.add_argument("--start", type=Path, help="file with time.monotonic of frame 0")
    parser.add_argument("--first", type=int, default=0, help="first frame that is sent")
    parser.add_argument("--end", type=int, help="first frame that is not sent; default: none")
    parser.add_argument("--picture", default="person")
    parser.add_argument("--surface", default="plane")
    parser.add_argument("--encoding", default="16UC1")
    parser.add_argument("--shrink", type=int, default=1, help="divide the depth image's size")
    parser.add_argument("--frame-id", default=FRAME_ID)
    options = parser.parse_args()
    rclpy.init()
    play(rclpy.create_node(f"{options.half}_camera"), options)
    rclpy.shutdown()


def wait_for_start(options: argparse.Namespace, publisher: Publisher) -> float:
    """Say when frames could be sent; return when frame 0 is due."""
    while options.half == "image" and not publisher.get_subscription_count():
        time.sleep(0.02)
    print("ready", flush=True)
    while not options.start.exists():
        time.sleep(0.02)
    return float(options.start.read_text())


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
    start_s = wait_for_start(options, publisher)
    for frame in itertools.islice(itertools.count(), options.first, options.end):
        due_s = start_s + frame * PERIOD_NS / 1e9 + random.uniform(0, JITTER_S)
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

"""A node that records what the pose node publishes, joined by the stamps of the images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import String

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.client import Landmarks, landmarks_from_msg, names_from_msg
from pose_ros.inputs.images import rgb_from_image
from pose_ros.tools.image_files import ImageFile, VideoFile
from pose_ros.tools.landmark_table import LandmarkRow, LandmarkTable

_QUEUE = 50
_MAX_WAITING = 20


@dataclass(frozen=True, eq=False)
class Result:
    """The landmarks of one image, the time of their arrival, and the image's age then."""

    landmarks: Landmarks
    arrival_ns: int
    latency_ns: int

    @property
    def has_pose(self) -> bool:
        """Whether there is a person."""
        return len(self.landmarks.points) > 0


class Recorder(Node):
    """Keeps landmarks by stamp, and writes each annotated image that belongs to some.

    `best` is the annotated image with the highest mean visibility.
    """

    def __init__(self, video: VideoFile) -> None:
        super().__init__("recorder")
        self.results: dict[int, Result] = {}
        self.best: ImageArray | None = None
        self._best_visibility = -1.0
        self._video = video
        self._names: tuple[str, ...] = ("",) * 256
        self._waiting: dict[int, ImageArray] = {}
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._inputs = [
            self.create_subscription(PointCloud2, "pose/landmarks", self._on_landmarks, _QUEUE),
            self.create_subscription(Image, "pose/annotated_image", self._on_image, _QUEUE),
            self.create_subscription(String, "pose/landmark_names", self._on_names, latched),
        ]

    def is_connected(self) -> bool:
        """Whether the pose node advertises all that is recorded."""
        return all(self.count_publishers(item.topic_name) for item in self._inputs)

    def write_table(self, path: Path, frame_of: Mapping[int, int]) -> None:
        """Write the landmarks of the images whose frame number `frame_of` gives by their stamp."""
        with LandmarkTable(path) as table:
            for stamp_ns in sorted(self.results.keys() & frame_of.keys()):
                for row in self._rows(stamp_ns, frame_of[stamp_ns]):
                    table.write(row)

    def write_best(self, path: Path) -> None:
        """Write the best image, if there is one."""
        if self.best is not None:
            with ImageFile(path) as file:
                file.write(self.best)

    def _on_names(self, message: String) -> None:
        self._names = names_from_msg(message).names

    def _on_landmarks(self, message: PointCloud2) -> None:
        arrival_ns = self.get_clock().now().nanoseconds
        stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
        landmarks = landmarks_from_msg(message)
        self.results[stamp_ns] = Result(landmarks, arrival_ns, arrival_ns - stamp_ns)
        if stamp_ns in self._waiting:
            self._keep(stamp_ns, self._waiting.pop(stamp_ns))

    def _on_image(self, message: Image) -> None:
        stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
        image = rgb_from_image(message)
        if stamp_ns in self.results:
            self._keep(stamp_ns, image)
            return
        self._waiting[stamp_ns] = image
        if len(self._waiting) > _MAX_WAITING:
            del self._waiting[min(self._waiting)]

    def _keep(self, stamp_ns: int, image: ImageArray) -> None:
        self._video.write(image, stamp_ns)
        visibility = self.results[stamp_ns].landmarks.visibility
        mean = float(visibility.mean()) if visibility.size else 0.0
        if mean > self._best_visibility:
            self._best_visibility, self.best = mean, image

    def _rows(self, stamp_ns: int, frame: int) -> Iterator[LandmarkRow]:
        for point in self.results[stamp_ns].landmarks.points.flat:
            yield _row(stamp_ns, frame, self._names[int(point["index"])], point)


def _row(stamp_ns: int, frame: int, name: str, point: np.void) -> LandmarkRow:
    values: dict[str, Any] = {
        column: point[field].item()
        for column, field in (
            ("person_id", "person_id"),
            ("index", "index"),
            ("u_px", "u"),
            ("v_px", "v"),
            ("depth_rel", "depth_rel"),
            ("visibility", "visibility"),
            ("presence", "presence"),
        )
    }
    return LandmarkRow(stamp_ns=stamp_ns, frame=frame, name=name, **values)

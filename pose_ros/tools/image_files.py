"""Files that images are written to: a picture, or a video frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import ImageError


class VideoFile:
    """Writes RGB frames (H, W, 3) of one size as MPEG-4; the file is made at the first one."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        self.path, self.frames = path, 0
        self._rate_hz = rate_hz
        self._shape: tuple[int, ...] = ()
        self._writer = cv2.VideoWriter()

    def write(self, image: ImageArray) -> None:
        """Append a frame. Raises ImageError if the file or the frame cannot be written."""
        if not self._shape:
            self._open(image)
        if image.shape != self._shape:
            raise ImageError(f"frame {self.frames} has shape {image.shape}, not {self._shape}")
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self.frames += 1

    def close(self) -> None:
        """Finish the file."""
        self._writer.release()

    def _open(self, image: ImageArray) -> None:
        self._shape = image.shape
        size, codec = image.shape[1::-1], int.from_bytes(b"mp4v", "little")
        if not self._writer.open(str(self.path), codec, self._rate_hz, size):
            raise ImageError(f"{self.path} cannot be written as an MPEG-4 video")


@dataclass(frozen=True)
class PictureFile:
    """Writes an RGB image (H, W, 3) as a picture; the last one stays."""

    path: Path

    def write(self, image: ImageArray) -> None:
        """Write the picture. Raises ImageError if that fails."""
        if not cv2.imwrite(str(self.path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
            raise ImageError(f"{self.path} cannot be written")

    def close(self) -> None:
        """Do nothing: each picture is finished when it is written."""

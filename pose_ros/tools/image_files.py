"""Image and video files that tools write."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import ImageError
from pose_ros.tools.opencv_files import utf8_name
from pose_ros.tools.output_files import OutputError, OutputFile

_MIN_RATE_HZ, _MAX_RATE_HZ = 1.0, 1000.0
_INTEGER_RATES_HZ = 60.0
"""From here on rates are rounded: MPEG-4 counts in fractions with denominators up to 65535."""


class VideoFile(OutputFile):
    """Writes RGB images (H, W, 3) of one size as MPEG-4; the file is made at the first one.

    The video has a constant rate in Hz. Each image is shown from its time on, as well as the rate
    allows: the one before is repeated until then, and none is left out. `images` counts them.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        super().__init__(path)
        self.images = 0
        rate_hz = min(max(rate_hz, _MIN_RATE_HZ), _MAX_RATE_HZ)
        self._rate_hz = float(round(rate_hz)) if rate_hz > _INTEGER_RATES_HZ else rate_hz
        self._writer = cv2.VideoWriter()
        self._frames, self._start_ns = 0, 0
        self._last_bgr = np.zeros((0, 0, 3), np.uint8)

    def write(self, image: ImageArray, time_ns: int) -> None:
        """Append an image. Raises ImageError for another size, OutputError for an unfit file."""
        if not self.images:
            self._open(image.shape)
            self._start_ns = time_ns
        elif image.shape != self._last_bgr.shape:
            raise ImageError(
                f"image {self.images} has shape {image.shape}, not {self._last_bgr.shape}"
            )
        while self._frames < round((time_ns - self._start_ns) * 1e-9 * self._rate_hz):
            self._append()
        self._last_bgr = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
        self._append()
        self.images += 1

    def _append(self) -> None:
        self._writer.write(self._last_bgr)
        self._frames += 1

    def _open(self, shape: tuple[int, ...]) -> None:
        size, codec = shape[1::-1], int.from_bytes(b"mp4v", "little")
        with utf8_name(self._part.parent) as folder:
            name = str(Path(folder, self._part.name))
            if not self._writer.open(name, codec, self._rate_hz, size):
                raise OutputError(f"{self.path} cannot be written as an MPEG-4 video")

    def _finish(self) -> None:
        """See that the video can be read: OpenCV reports no full disk."""
        self._close()
        if self.images and not self._is_readable():
            raise OutputError(f"{self.path} could not be written completely; is the disk full?")

    def _close(self) -> None:
        self._writer.release()

    def _is_readable(self) -> bool:
        with utf8_name(self._part) as name:
            capture = cv2.VideoCapture(name)
            try:
                return capture.grab() and capture.get(cv2.CAP_PROP_FRAME_COUNT) >= self._frames
            finally:
                capture.release()


class ImageFile(OutputFile):
    """Writes an RGB image (H, W, 3) in the format of the file's suffix; the last one stays."""

    def write(self, image: ImageArray, _time_ns: int = 0) -> None:
        """Write the image. Raises OSError if that fails."""
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(self.path.suffix, bgr)
        self._part.write_bytes(data.tobytes())

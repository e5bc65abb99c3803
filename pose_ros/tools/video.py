"""Video files as frames with growing times, whatever the container says of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from pose_ros.tools.file_ends import is_cut
from pose_ros.tools.frame import Frame, FrameSource
from pose_ros.tools.opencv_files import utf8_name

_USUAL_RATES_HZ = (0.1, 240.0)
"""Rates outside are those of a container's clock rather than of its frames."""
_UNKNOWN_RATE_HZ = 25.0
_MAX_STEP_NS = 60 * 10**9
_MEASURED_FRAMES = 50
_MAX_FRAMES = 1e9
_HEAD_BYTES = 2**20
_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
_COMPLETE = 0.95


@dataclass(frozen=True)
class Video:
    """A video file, or a file with an animation.

    `rate_hz` and `count` are the rate and the number of frames that the header announces; without
    a plausible rate there, that of the first frames.
    """

    path: Path
    rate_hz: float
    count: int | None

    def __iter__(self) -> Iterator[Frame]:
        """Decode the frames; the first one's time is 0."""
        with _opened(self.path) as capture:
            for time_ns in _times_ns(capture, self.rate_hz):
                is_decoded, bgr = capture.retrieve()
                if not is_decoded:
                    return
                yield Frame(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), time_ns)

    def fastest_rate_hz(self) -> float:
        """Return the rate of the fastest tenth of the frames; reads the whole file.

        A copy with this constant rate can show nearly every frame at its time.
        """
        with _opened(self.path) as capture:
            steps_ns = np.diff(list(_times_ns(capture, self.rate_hz)))
        return 1e9 / float(np.percentile(steps_ns, 10)) if len(steps_ns) else self.rate_hz


def shortfall(source: FrameSource, frames: int) -> str:
    """Return what to report if only so many frames of a source could be read; "" if all were."""
    if not isinstance(source, Video):
        return ""
    if source.count is not None and frames < _COMPLETE * source.count:
        return (
            f"{source.path} announces {source.count} frames, {frames} could be read; it may be "
            "truncated, damaged, or cut without encoding it anew"
        )
    if is_cut(source.path):
        return f"{source.path} is truncated: {frames} frames could be read"
    return ""


def open_video(path: Path) -> Video | None:
    """Return a video; None if there is no frame that can be read."""
    with _opened(path) as capture:
        header_hz = capture.get(cv2.CAP_PROP_FPS)
        header_count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        is_usual = _USUAL_RATES_HZ[0] <= header_hz <= _USUAL_RATES_HZ[1]
        frames = islice(_times_ns(capture, _UNKNOWN_RATE_HZ), 1 if is_usual else _MEASURED_FRAMES)
        times_ns = list(frames)
    if not times_ns:
        return None
    rate_hz = header_hz if is_usual else _mean_rate_hz(times_ns)
    has_count = header_hz > 0 and 0 < header_count < _MAX_FRAMES
    return Video(path, rate_hz, round(header_count * rate_hz / header_hz) if has_count else None)


def is_animation(path: Path) -> bool:
    """Whether an image file holds images that are shown one after the other.

    These are animated GIF and PNG, and JPEG after JPEG in a file that is not named as one: photos
    may have another image behind the first.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    is_candidate = (
        head.startswith(b"GIF8")
        or b"acTL" in head.partition(b"IDAT")[0]
        or (head.startswith(b"\xff\xd8") and path.suffix.lower() not in _JPEG_SUFFIXES)
    )
    if not is_candidate:
        return False
    with _opened(path) as capture:
        return bool(capture.grab() and capture.grab())


def _mean_rate_hz(times_ns: list[int]) -> float:
    if len(times_ns) < 2:
        return _UNKNOWN_RATE_HZ
    return (len(times_ns) - 1) * 1e9 / times_ns[-1]


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    with utf8_name(path) as name:
        capture = cv2.VideoCapture(name)
        try:
            yield capture
        finally:
            capture.release()


def _times_ns(capture: cv2.VideoCapture, rate_hz: float) -> Iterator[int]:
    """Grab frame after frame, and yield the time of each.

    Containers without times, or with the wrong ones, make OpenCV give zeros or huge numbers:
    a frame without a plausible step follows the one before as that followed its own.
    """
    time_ns, step_ns = 0, round(1e9 / rate_hz)
    last_ms: float | None = None
    while capture.grab():
        now_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        if last_ms is not None:
            given_ns = round((now_ms - last_ms) * 1e6)
            step_ns = given_ns if 0 < given_ns <= _MAX_STEP_NS else step_ns
            time_ns += step_ns
        last_ms = now_ms
        yield time_ns

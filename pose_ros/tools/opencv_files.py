"""How tools use OpenCV's files: with names of any bytes, and without log lines of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2

_FFMPEG_QUIET = "-8"


def silence() -> None:
    """Turn off the logs of OpenCV and its FFmpeg: tools report what went wrong, once.

    They write a line for each damaged macroblock, and for each frame on a full disk.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
    getattr(cv2.utils, "logging", cv2).setLogLevel(0)  # OpenCV 5 has moved it


@contextmanager
def utf8_name(path: Path) -> Iterator[str]:
    """Yield a name of a file or folder that is UTF-8: its own, or that of a link for the time.

    OpenCV takes no other.
    """
    with ExitStack() as stack:
        if not _is_utf8(str(path)):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pose_ros_"))
            link = Path(folder, "link" + (path.suffix if _is_utf8(path.suffix) else ""))
            link.symlink_to(path.absolute())
            path = link
        yield str(path)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

"""JPEG and PNG data, checked before a decoder sees it: headers can claim anything."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.errors import ImageError, quote

MAX_DECODED_PIXELS = 2**26
"""Largest JPEG or PNG that is decoded, in pixels (8192 x 8192: 192 MiB of RGB)."""

MAX_JPEG_SCANS = 100
"""Most scans of a JPEG that is decoded; encoders write up to some dozen, each costs its time."""

_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_JPEG_BASELINE = (0xC0, 0xC1)
_FILL = 128
"""Gray that decoders give the blocks that are missing at the end."""
_JPEG_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})


def decode_compressed(data: bytes, format_text: str, flags: int) -> npt.NDArray[Any]:
    """Decode a JPEG or PNG with the flags of `cv2.imdecode`.

    A JPEG may lack its end marker, as those of some cameras do, if its one scan is whole. Raises
    ImageError for other formats, sizes that are not allowed, and truncated or damaged data.
    """
    name = f"compressed image (format {quote(format_text)}, {len(data)} bytes)"
    whole = _whole(data, name)
    try:
        pixels = cv2.imdecode(np.frombuffer(whole, np.uint8), flags)
    except cv2.error as error:  # out of memory, or above the user's own limits for cv2
        raise ImageError(f"{name} cannot be decoded: cv2 rejects it ({error.err})") from error
    if pixels is None:
        raise ImageError(f"{name} cannot be decoded: its data is damaged")
    if whole is not data and (pixels[-4:, -4:] == _FILL).all():
        raise ImageError(f"{name} is truncated")
    return pixels


def _whole(data: bytes, name: str) -> bytes:
    """Return data with its end, before a decoder allocates for it; ImageError if it is unfit."""
    if data.startswith(b"\xff\xd8\xff"):
        size, end, is_baseline = _jpeg_header(data)
        scans = data.count(_JPEG_SCAN)
        whole = data
        if data.rfind(_JPEG_END) <= end:
            is_one_scan = is_baseline and data.count(_JPEG_SCAN, end) == 1
            whole = _with_end_marker(data) if is_one_scan else b""
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        scans, whole = 0, data if _is_whole_png(data) else b""
    else:
        raise ImageError(f"{name} is neither JPEG nor PNG")
    if size[0] * size[1] > MAX_DECODED_PIXELS:
        raise ImageError(
            f"{name} claims {size[0]} x {size[1]} pixels, allowed are {MAX_DECODED_PIXELS}"
        )
    if scans > MAX_JPEG_SCANS:
        raise ImageError(f"{name} has {scans} scans, allowed are {MAX_JPEG_SCANS}")
    if not whole:
        raise ImageError(f"{name} is truncated")
    return whole


def _with_end_marker(data: bytes) -> bytes:
    """Return a JPEG with its end marker in place of zeros that may follow the scan."""
    scan = data.rstrip(b"\0")
    if scan.endswith(b"\xff") and len(scan) < len(data):
        scan += b"\0"  # 0xff 0x00 is a byte of the scan
    return scan + _JPEG_END


def _jpeg_header(data: bytes) -> tuple[tuple[int, int], int, bool]:
    """Width and height from a JPEG's frame header, the position after them, and if it is baseline.

    Markers are sought as libjpeg does it, so that both find the same frame header. Without one
    the size is (0, 0) at the end of the data. ref: ITU T.81, B.2.2.
    """
    position = 2
    while marker := _JPEG_MARKER.search(data, position):
        code, position = marker[1][0], marker.end()
        if code in _JPEG_FRAMES:
            height, width = (
                int.from_bytes(data[position + at : position + at + 2], "big") for at in (3, 5)
            )
            return (width, height), position + 7, code in _JPEG_BASELINE
        if code not in _JPEG_BARE_MARKERS:
            position += int.from_bytes(data[position : position + 2], "big")
    return (0, 0), len(data), False


def _is_whole_png(data: bytes) -> bool:
    """Whether the chunks end with IEND, all within the data (ISO/IEC 15948, 5.3).

    OpenCV allocates and fills what a chunk's length claims, up to 4 GiB.
    """
    position, kind = 8, b""
    while kind != b"IEND" and position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return kind == b"IEND" and position <= len(data)

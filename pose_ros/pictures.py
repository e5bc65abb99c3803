"""JPEG and PNG data, checked before a decoder sees it: headers can claim anything."""

from __future__ import annotations

import re

from pose_ros.blazepose.errors import ImageError, quote

MAX_DECODED_PIXELS = 2**26
"""Largest JPEG or PNG that is decoded, in pixels (8192 x 8192: 192 MiB of RGB)."""

MAX_JPEG_SCANS = 100
"""Most scans of a JPEG that is decoded; encoders write up to some dozen, each costs its time."""

_JPEG_SCAN = b"\xff\xda"
_JPEG_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})


def check_picture(data: bytes, format_text: str) -> None:
    """Refuse what is not a whole JPEG or PNG of bearable size, before a decoder allocates for it.

    Some versions of OpenCV fill up truncated JPEGs with grey.
    """
    if data.startswith(b"\xff\xd8\xff"):
        size, end = _jpeg_size(data)
        is_whole = data.rfind(b"\xff\xd9") > end
        scans = data.count(_JPEG_SCAN)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        is_whole = _is_whole_png(data)
        scans = 0
    else:
        raise ImageError(f"{describe_picture(data, format_text)} is neither JPEG nor PNG")
    if size[0] * size[1] > MAX_DECODED_PIXELS:
        raise ImageError(
            f"{describe_picture(data, format_text)} claims {size[0]} x {size[1]} pixels, "
            f"allowed are {MAX_DECODED_PIXELS}"
        )
    if scans > MAX_JPEG_SCANS:
        raise ImageError(
            f"{describe_picture(data, format_text)} has {scans} scans, allowed are "
            f"{MAX_JPEG_SCANS}"
        )
    if not is_whole:
        raise ImageError(f"{describe_picture(data, format_text)} is truncated")


def _jpeg_size(data: bytes) -> tuple[tuple[int, int], int]:
    """Width and height from a JPEG's frame header, and the position after them (ITU T.81, B.2.2).

    Markers are sought as libjpeg does it, so that both find the same frame header. Without one
    the size is (0, 0) at the end of the data.
    """
    position = 2
    while marker := _JPEG_MARKER.search(data, position):
        code, position = marker[1][0], marker.end()
        if code in _JPEG_FRAMES:
            height, width = (
                int.from_bytes(data[position + at : position + at + 2], "big") for at in (3, 5)
            )
            return (width, height), position + 7
        if code not in _JPEG_BARE_MARKERS:
            position += int.from_bytes(data[position : position + 2], "big")
    return (0, 0), len(data)


def _is_whole_png(data: bytes) -> bool:
    """Whether the chunks end with IEND, all within the data (ISO/IEC 15948, 5.3).

    OpenCV allocates and fills what a chunk's length claims, up to 4 GiB.
    """
    position, kind = 8, b""
    while kind != b"IEND" and position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return kind == b"IEND" and position <= len(data)


def describe_picture(data: bytes, format_text: str) -> str:
    """Return how to name the picture in a sentence."""
    return f"compressed image (format {quote(format_text)}, {len(data)} bytes)"

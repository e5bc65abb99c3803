"""Whether a video file that announces no number of frames ends where its format says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_HEAD_BYTES, _TAIL_BYTES = 2**20, 64
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_MATROSKA = b"\x1a\x45\xdf\xa3"
# Elements whose size may be unknown, as in a live stream (RFC 9559, 5.1 and 5.1.3).
_CONTAINERS = (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75")


def is_cut(path: Path) -> bool:
    """Return whether the end of a GIF, PNG, series of JPEG, or Matroska (WebM) is missing.

    False for other formats: raw H.264, for one, has nothing that marks its end.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head.startswith(_MATROSKA):
            return _is_cut_matroska(file)
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        tail = file.read().rstrip(b"\0\r\n")
    if head.startswith(b"GIF8"):
        return not tail.endswith(b";")
    if head.startswith(b"\x89PNG"):
        return b"IEND" not in tail
    # the images of some cameras have no end marker
    return head.startswith(_JPEG_START) and _JPEG_END in head and not tail.endswith(_JPEG_END)


def _is_cut_matroska(file: BinaryIO) -> bool:
    """Return whether an element goes on behind the end; those of unknown size are entered."""
    end, position = os.fstat(file.fileno()).st_size, 0
    while position < end:
        file.seek(position)
        name = _read_number(file)
        size = _read_number(file)
        if not size:
            return True
        is_unknown = name in _CONTAINERS and set(_value_bits(size)) == {"1"}
        position = file.tell() + (0 if is_unknown else int(_value_bits(size), 2))
    return position > end


def _read_number(file: BinaryIO) -> bytes:
    """Read a number of 1 to 8 bytes, whose length the leading zeros give; empty if it is cut."""
    first = file.read(1)
    length = 9 - first[0].bit_length() if first else 0
    number = first + file.read(max(0, length - 1))
    return number if len(number) == length <= 8 else b""


def _value_bits(number: bytes) -> str:
    """Return the bits of a number behind those of its length."""
    return f"{int.from_bytes(number, 'big'):0{8 * len(number)}b}"[len(number) :]

"""How many bits the values of 16-bit images use: cameras of 10 or 12 bits send such images too."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

_BITS = (8, 10, 12, 14, 16)


class ValueRange:
    """The range of the 16-bit values of a stream of images: the least that holds all so far.

    It only grows, so that brightness does not change back and forth; a dark first image does no
    harm. Images of another kind or size are another stream. `notice` describes the range in use.
    """

    def __init__(self) -> None:
        self._stream: tuple[str, tuple[int, ...]] | None = None
        self._bits = 0
        self.notice: str | None = None

    def update(self, kind: str, pixels: npt.NDArray[Any]) -> int:
        """Take the next image of a stream; return the largest value of the range."""
        if self._stream != (kind, pixels.shape):
            self._stream, self._bits = (kind, pixels.shape), 0
        if self._bits < _BITS[-1]:
            used = int(pixels.max()).bit_length()
            self._bits = max(self._bits, next(bits for bits in _BITS if used <= bits))
        maximum = (1 << self._bits) - 1
        self.notice = (
            f"{kind} images use {self._bits} of 16 bits: values are scaled by 255/{maximum}"
        )
        return maximum

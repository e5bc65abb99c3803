"""The crop: a rotated square of the image, sampled into the model's input tensor.

MediaPipe samples 8-bit pixels with OpenCV 4's fixed-point bilinear warp (1/32 px), whose bytes
changed in later OpenCV versions. Here the fixed-point maps are made in numpy and only sampled
by OpenCV, so every version gives the bytes of OpenCV 4.11. The compiled library, where there is
one, gives the same bytes in less time.
ref: ImageToTensorCalculator (image_to_tensor_utils.cc, image_to_tensor_converter_opencv.cc).
"""

from __future__ import annotations

import math
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import (
    Crop,
    Float32Array,
    Float64Array,
    ImageArray,
    NormalizedRect,
    size_of,
)
from pose_ros.blazepose.perspective import image_from_square
from pose_ros.native.library import native_library

_SUBPIXELS = 32
_SUBPIXEL_BITS = 5
_BLOCK = 64
_BAND = 64
_FAR_PX = 2**15 - 1
MAX_SIDE_PX = _FAR_PX - 1
"""Largest side of an image that can be sampled. ref: cv::remap."""
# Levels of 8 bits become level * scale + offset: [0, 1], or [-1, 1] as OpenCV's convertTo does it.
_UNIT = float(np.float32(1 / 255)), 0.0
_SIGNED = float(np.float32(2 / 255)), -1.0


class Cropper:
    """Samples crops of one size, by default with the compiled library if there is one.

    It keeps its buffers, so it serves one thread, and a crop's tensor lasts until the next crop.
    """

    def __init__(self, input_size: int, with_native: bool = True) -> None:
        self._size = input_size
        native = native_library() if with_native else None
        self._sampler: Sampler = native or _NumpySampler(input_size)
        self._tensor = np.empty((1, 3, input_size, input_size), np.float32)

    def crop(self, image: ImageArray, rect: NormalizedRect) -> Crop:
        """Return a part of an RGB image (H, W, 3), in [0, 1]; the border is repeated outside."""
        return self._crop(image, rect, is_black_outside=False, values=_UNIT)

    def letterbox(self, image: ImageArray) -> Crop:
        """Return the whole RGB image (H, W, 3), in [-1, 1], with black bars."""
        one, half = np.float32(1), np.float32(0.5)
        rect = NormalizedRect(half, half, one, one, np.float32(0))
        return self._crop(image, rect, is_black_outside=True, values=_SIGNED)

    def _crop(
        self,
        image: ImageArray,
        rect: NormalizedRect,
        is_black_outside: bool,
        values: tuple[float, float],
    ) -> Crop:
        width, height = (np.float32(side) for side in size_of(image))
        center_px = (rect.x_center * width, rect.y_center * height)
        size_px, padding = _square(rect.width * width, rect.height * height)
        corners_px = _corners(center_px, size_px, rect.rotation_rad)
        # affine but for the float32 rounding of the corners, which moves samples by up to 1e-4 px
        projective = image_from_square(corners_px, self._size)
        self._sampler.crop(image, projective, is_black_outside, values, self._tensor)
        image_from_crop = projective[:2] / projective[2, 2]
        return Crop(self._tensor, image_from_crop, rect, padding)


def _square(
    width_px: np.float32, height_px: np.float32
) -> tuple[np.float32, tuple[np.float32, np.float32]]:
    """Return the side of the square around a rectangle, and its padding as fractions of it."""
    aspect = height_px / width_px
    one, two = np.float32(1), np.float32(2)
    if aspect < one:
        return width_px, (np.float32(0), (one - aspect) / two)
    return height_px, ((one - one / aspect) / two, np.float32(0))


def _corners(
    center_px: tuple[np.float32, np.float32], size_px: np.float32, rotation_rad: np.float32
) -> Float32Array:
    """Return bottom left, top left, top right and bottom right (4, 2) of a rotated square.

    ref: cv::RotatedRect::points of OpenCV 4.10, in its float32 steps.
    """
    degrees = np.float32(float(rotation_rad * np.float32(180)) / math.pi)
    angle_rad = float(degrees) * math.pi / 180
    a = np.float32(math.sin(angle_rad)) * np.float32(0.5)
    b = np.float32(math.cos(angle_rad)) * np.float32(0.5)
    x, y = center_px
    bottom_left = np.array([x - a * size_px - b * size_px, y + b * size_px - a * size_px])
    top_left = np.array([x + a * size_px - b * size_px, y - b * size_px - a * size_px])
    twice_center = np.float32(2) * np.array(center_px)
    corners = bottom_left, top_left, twice_center - bottom_left, twice_center - top_left
    return np.stack(corners).astype(np.float32)


class Sampler(Protocol):
    """Samples a square of an image into a tensor, as `NativeLibrary` does."""

    def crop(
        self,
        image: ImageArray,
        image_from_crop: Float64Array,
        is_black_outside: bool,
        values: tuple[float, float],
        tensor: Float32Array,
    ) -> None:
        """Fill a tensor (1, 3, S, S) from an RGB image (H, W, 3) by a projective map (3, 3)."""


class _NumpySampler:
    """Samples with numpy and OpenCV; what it gives is the definition."""

    def __init__(self, size: int) -> None:
        self._maps = _FixedPointMaps(size)
        self._pixels = np.empty((size, size, 3), np.uint8)
        self._planes = np.empty((3, size, size), np.uint8)

    def crop(
        self,
        image: ImageArray,
        image_from_crop: Float64Array,
        is_black_outside: bool,
        values: tuple[float, float],
        tensor: Float32Array,
    ) -> None:
        border = cv2.BORDER_CONSTANT if is_black_outside else cv2.BORDER_REPLICATE
        maps = self._maps.fill(image_from_crop)
        cv2.remap(image, *maps, cv2.INTER_LINEAR, dst=self._pixels, borderMode=border)
        cv2.split(self._pixels, mv=tuple(self._planes))
        scale, offset = values
        if offset == 0:
            np.multiply(self._planes, np.float32(scale), out=tensor[0], dtype=np.float32)
        else:
            table = (np.arange(256) * scale + offset).astype(np.float32)
            np.take(table, self._planes, out=tensor[0], mode="clip")


class _FixedPointMaps:
    """OpenCV's fixed-point maps of a square: whole pixels (S, S, 2), and the 1/32 px within them.

    Sums are taken in the order of cv::warpPerspective of OpenCV 4.10, block by block, since a
    coordinate half-way between two map values goes where its last bit points. The maps are made
    in bands of rows whose buffers stay in the processor's cache.
    """

    def __init__(self, size: int) -> None:
        blocks = -(-size // _BLOCK)
        band = math.gcd(size, _BAND)
        width = blocks * _BLOCK
        self._size, self._band = size, band
        self._rows = np.arange(size, dtype=np.float64)[:, None, None]
        self._block_starts = np.arange(0, width, _BLOCK, dtype=np.float64)[:, None]
        self._within = np.arange(_BLOCK, dtype=np.float64)
        self._sums = np.empty((3, band, blocks, _BLOCK))
        self._subpixels = np.empty((2, band, width), np.int32)
        self._parts = np.empty((2, band, width), np.int32)
        self._whole = np.empty((2, band, width), np.int16)
        self._pairs = np.empty((size, width, 2), np.int16)
        self._table_index = np.empty((size, width), np.uint16)

    def fill(
        self, image_from_crop: Float64Array
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint16]]:
        """Return the maps of a projective transform (3, 3); they last until the next call.

        Pixels beyond 16 bits are moved within them.
        """
        is_far = self._is_far(image_from_crop)
        along_x, along_y, origin = image_from_crop.T[:, :, None, None, None]
        rows = along_x * self._block_starts + along_y * self._rows + origin
        steps = along_x * self._within
        for start in range(0, self._size, self._band):
            band = slice(start, start + self._band)
            np.add(rows[:, band], steps, out=self._sums)
            self._round_to_subpixels(is_far)
            self._split(self._pairs[band], self._table_index[band])
        return self._pairs[:, : self._size], self._table_index[:, : self._size]

    def _is_far(self, image_from_crop: Float64Array) -> bool:
        """Return whether some pixel lies beyond 16 bits."""
        side = float(self._size)
        corners = np.array([(0, 0, 1), (side, 0, 1), (0, side, 1), (side, side, 1)]).T
        x, y, scale = image_from_crop @ corners
        return not (np.maximum(abs(x), abs(y)) <= _FAR_PX * abs(scale)).all()

    def _round_to_subpixels(self, is_far: bool) -> None:
        """Divide the band's homogeneous coordinates; keep them in whole 1/32 px."""
        coordinates, scale = self._sums[:2], self._sums[2]
        np.divide(_SUBPIXELS, scale, out=scale)
        np.multiply(coordinates, scale, out=coordinates)
        if is_far:
            limit = _FAR_PX * _SUBPIXELS
            np.clip(coordinates, -limit, limit, out=coordinates)
        np.rint(coordinates, out=coordinates)
        whole = coordinates.reshape(self._subpixels.shape)
        np.copyto(self._subpixels, whole, casting="unsafe")

    def _split(self, pairs: npt.NDArray[np.int16], table_index: npt.NDArray[np.uint16]) -> None:
        """Write the band's whole pixels, and OpenCV's number for each 1/32 px pair."""
        np.right_shift(self._subpixels, _SUBPIXEL_BITS, out=self._parts)
        np.copyto(self._whole, self._parts, casting="unsafe")
        cv2.merge(tuple(self._whole), dst=pairs)
        x, y = np.bitwise_and(self._subpixels, _SUBPIXELS - 1, out=self._parts)
        np.left_shift(y, _SUBPIXEL_BITS, out=y)
        np.add(x, y, out=table_index, casting="unsafe")

"""The crop: a rotated square of the image, sampled into the model's input tensor.

MediaPipe samples 8-bit pixels with OpenCV 4's fixed-point bilinear warp (1/32 px), whose bytes
changed in later OpenCV versions. Here the fixed-point maps are made in numpy and only sampled
by OpenCV, so every version gives the bytes of OpenCV 4.11.
ref: ImageToTensorCalculator (image_to_tensor_utils.cc, image_to_tensor_converter_opencv.cc).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import (
    Crop,
    Float32Array,
    Float64Array,
    ImageArray,
    ImageSize,
    NormalizedRect,
    Roi,
)

_SUBPIXELS = 32
_SUBPIXEL_BITS = 5
_BLOCK = 64
_MAP_LIMITS = (-(2**15), 2**15 - 1)
_UNIT_SCALE = np.float32(1 / 255)
# scaled and shifted in one rounding, as OpenCV's convertTo does
_SIGNED_VALUES = (np.arange(256) * float(np.float32(2 / 255)) - 1).astype(np.float32)


def size_of(image: ImageArray) -> ImageSize:
    """Return the size of an image (H, W, 3)."""
    return ImageSize(image.shape[1], image.shape[0])


def crop_roi(image: ImageArray, roi: Roi, input_size: int) -> Crop:
    """Return the ROI of an RGB image (H, W, 3) as a tensor in [0, 1]; the border is repeated."""
    rect = roi.normalized(size_of(image))
    pixels, image_from_crop, padding = _sample(image, rect, input_size, cv2.BORDER_REPLICATE)
    tensor = np.multiply(pixels.transpose(2, 0, 1)[None], _UNIT_SCALE, dtype=np.float32)
    return Crop(tensor, image_from_crop, roi, padding)


def letterbox(image: ImageArray, input_size: int) -> Crop:
    """Return the whole RGB image (H, W, 3) as a tensor in [-1, 1], with black bars."""
    size = size_of(image)
    one, half = np.float32(1), np.float32(0.5)
    rect = NormalizedRect(half, half, one, one, np.float32(0))
    pixels, image_from_crop, padding = _sample(image, rect, input_size, cv2.BORDER_CONSTANT)
    tensor = _SIGNED_VALUES[pixels.transpose(2, 0, 1)[None]]
    center_px = np.array(size) / 2
    return Crop(tensor, image_from_crop, Roi(center_px, float(max(size)), 0.0), padding)


def _sample(
    image: ImageArray, rect: NormalizedRect, input_size: int, border: int
) -> tuple[ImageArray, Float64Array, tuple[np.float32, np.float32]]:
    """Return the crop's pixels (S, S, 3), `image_from_crop` and the padding of the square."""
    width, height = (np.float32(side) for side in size_of(image))
    center_px = (rect.x_center * width, rect.y_center * height)
    size_px, padding = _square(rect.width * width, rect.height * height)
    corners_px = _corners(center_px, size_px, rect.rotation_rad)
    projective = _image_from_crop(corners_px, input_size)
    maps = _fixed_point_maps(projective, input_size)
    pixels = cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(pixels, np.uint8), projective[:2] / projective[2, 2], padding


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


def _image_from_crop(corners_px: Float32Array, input_size: int) -> Float64Array:
    """Return the projective map (3, 3) from crop px to image px.

    It is affine but for the float32 rounding of the corners, which moves samples by up to 1e-4 px.
    """
    side = float(input_size)
    square = np.array([(0, side), (0, 0), (side, 0), (side, side)], np.float32)
    _, image_from_crop = cv2.invert(cv2.getPerspectiveTransform(corners_px, square))
    return np.asarray(image_from_crop, np.float64)


def _fixed_point_maps(
    image_from_crop: Float64Array, input_size: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint16]]:
    """Return OpenCV's fixed-point maps: whole pixels (S, S, 2), and the 1/32 px within them.

    Sums are taken in the order of cv::warpPerspective of OpenCV 4.10, block by block, since a
    coordinate half-way between two map values goes where its last bit points.
    """
    along_x, along_y, origin = image_from_crop.T[:, :, None, None, None]
    block_starts = np.arange(0, input_size, _BLOCK)[:, None]
    rows = np.arange(input_size)[:, None, None]
    blocks = (along_x * block_starts + along_y * rows + origin) + along_x * np.arange(_BLOCK)
    x, y, scale = blocks.reshape(3, input_size, -1)[:, :, :input_size]
    scale = _SUBPIXELS / scale
    subpixels = np.rint([x * scale, y * scale]).astype(np.int32)
    whole = np.clip(subpixels >> _SUBPIXEL_BITS, *_MAP_LIMITS).astype(np.int16)
    fraction = subpixels & (_SUBPIXELS - 1)
    table_index = (fraction[1] * _SUBPIXELS + fraction[0]).astype(np.uint16)
    return np.ascontiguousarray(whole.transpose(1, 2, 0)), table_index

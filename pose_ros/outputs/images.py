"""RGB arrays and masks to image messages. What is no image raises `ImageError`."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import ImageError


def image_from_rgb(rgb: ImageArray, header: Header) -> Image:
    """Build an `rgb8` message from RGB (H, W, 3) uint8. Raises ImageError for other arrays."""
    _check_array(rgb, "(H, W, 3)", rgb.ndim == 3 and rgb.shape[2] == 3)
    return _image_message(rgb, "rgb8", header)


def rgb_pixels(message: Image) -> ImageArray:
    """Return the pixels (H, W, 3) of a message of `image_from_rgb`; a view, to be written on."""
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def mono_from_mask(mask: ImageArray, header: Header) -> Image:
    """Build a `mono8` message from a mask (H, W) uint8. Raises ImageError for other arrays."""
    _check_array(mask, "(H, W)", mask.ndim == 2)
    return _image_message(mask, "mono8", header)


def compressed_from_rgb(rgb: ImageArray, header: Header, quality: int = 90) -> CompressedImage:
    """Build a JPEG message from RGB (H, W, 3) uint8, with JPEG quality 0 to 100.

    `format` is what image_transport's subscribers expect: the source encoding, then the channel
    order given to the encoder. Raises ImageError for other arrays and for sizes JPEG cannot hold.
    """
    _check_array(rgb, "(H, W, 3)", rgb.ndim == 3 and rgb.shape[2] == 3)
    if max(rgb.shape) > 65500:
        raise ImageError(f"a JPEG has at most 65500 pixels per side, got shape {rgb.shape}")
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    message = CompressedImage(header=header, format="rgb8; jpeg compressed bgr8")
    message.data.frombytes(jpeg)
    return message


def _check_array(pixels: ImageArray, shape: str, is_right_shape: bool) -> None:
    if pixels.dtype != np.uint8 or not is_right_shape or pixels.size == 0:
        raise ImageError(
            f"expected a non-empty uint8 array {shape}, got {pixels.dtype} {pixels.shape}"
        )


def _image_message(pixels: ImageArray, encoding: str, header: Header) -> Image:
    height, width = pixels.shape[:2]
    message = Image(
        header=header, height=height, width=width, encoding=encoding, step=pixels[0].nbytes
    )
    # The setter of `data` would copy an array element by element.
    message.data.frombytes(np.ascontiguousarray(pixels))
    return message

"""Image messages to RGB arrays, with numpy and cv2.

`ENCODINGS` is the one place to add a raw encoding; what it does not list is offered to
`cv_bridge`, which is imported only then. A message that cannot be used raises `ImageError`. Sizes
are checked against the data before anything is allocated, because headers can claim anything.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import ImageError, quote
from pose_ros.inputs.compressed_images import decode_compressed
from pose_ros.inputs.value_range import ValueRange
from pose_ros.runtime.fields import readable

_Pixels = npt.NDArray[Any]
_MAX_REASON = 300


class Encoding(NamedTuple):
    """How a raw encoding lies in memory and becomes RGB.

    `dtype` and `channels` describe a pixel. `to_rgb` is a cv2 conversion code, a function of the
    pixels, or None for what is RGB already. The image height is a multiple of `block[0]`, width
    and step are multiples of `block[1]`. `data_rows` is the number of data rows per image row:
    more than 1 where chroma planes follow the first plane.
    """

    dtype: type[np.uint8] | type[np.uint16] | type[np.float32]
    channels: int
    to_rgb: int | Callable[[_Pixels], _Pixels] | None
    block: tuple[int, int] = (1, 1)
    data_rows: float = 1


def _rgb_from_nv24(planes: _Pixels) -> _Pixels:
    """Convert the Y plane and the interleaved full-size UV plane (3 H, W, 1) to RGB (H, W, 3).

    cv2 has no code for it. Each pixel becomes a UYVY pair of equal pixels, so that colors
    equal those of the other YUV encodings.
    """
    height, width = planes.shape[0] // 3, planes.shape[1]
    luma, chroma = planes[:height], planes[height:].reshape(height, width, 2)
    pairs = np.concatenate((chroma[..., :1], luma, chroma[..., 1:], luma), axis=2)
    twins = cv2.cvtColor(pairs.reshape(height, 2 * width, 2), cv2.COLOR_YUV2RGB_UYVY)
    return twins[:, ::2]


_UYVY = Encoding(np.uint8, 2, cv2.COLOR_YUV2RGB_UYVY, block=(1, 2))
_YUYV = Encoding(np.uint8, 2, cv2.COLOR_YUV2RGB_YUY2, block=(1, 2))

# Names: sensor_msgs/image_encodings.hpp, and nv12 as hardware decoders call their output.
# cv2 names a Bayer pattern by its second row and column, ROS by its first: rggb is cv2's BG.
# The bare OpenCV types (8UC3 and so on) are in OpenCV's channel order: gray, BGR, BGRA. 16UC1 is
# depth.
ENCODINGS = {
    "rgb8": Encoding(np.uint8, 3, None),
    "rgb16": Encoding(np.uint16, 3, None),
    "bgr8": Encoding(np.uint8, 3, cv2.COLOR_BGR2RGB),
    "bgr16": Encoding(np.uint16, 3, cv2.COLOR_BGR2RGB),
    "8UC3": Encoding(np.uint8, 3, cv2.COLOR_BGR2RGB),
    "16UC3": Encoding(np.uint16, 3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding(np.uint8, 4, cv2.COLOR_RGBA2RGB),
    "rgba16": Encoding(np.uint16, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding(np.uint8, 4, cv2.COLOR_BGRA2RGB),
    "bgra16": Encoding(np.uint16, 4, cv2.COLOR_BGRA2RGB),
    "8UC4": Encoding(np.uint8, 4, cv2.COLOR_BGRA2RGB),
    "16UC4": Encoding(np.uint16, 4, cv2.COLOR_BGRA2RGB),
    "mono8": Encoding(np.uint8, 1, cv2.COLOR_GRAY2RGB),
    "mono16": Encoding(np.uint16, 1, cv2.COLOR_GRAY2RGB),
    "8UC1": Encoding(np.uint8, 1, cv2.COLOR_GRAY2RGB),
    "uyvy": _UYVY,
    "yuv422": _UYVY,
    "yuyv": _YUYV,
    "yuv422_yuy2": _YUYV,
    "nv12": Encoding(np.uint8, 1, cv2.COLOR_YUV2RGB_NV12, block=(2, 2), data_rows=1.5),
    "nv21": Encoding(np.uint8, 1, cv2.COLOR_YUV2RGB_NV21, block=(2, 2), data_rows=1.5),
    "nv24": Encoding(np.uint8, 1, _rgb_from_nv24, data_rows=3),
    "bayer_rggb8": Encoding(np.uint8, 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": Encoding(np.uint8, 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": Encoding(np.uint8, 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": Encoding(np.uint8, 1, cv2.COLOR_BayerGB2RGB),
    "bayer_rggb16": Encoding(np.uint16, 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr16": Encoding(np.uint16, 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg16": Encoding(np.uint16, 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg16": Encoding(np.uint16, 1, cv2.COLOR_BayerGB2RGB),
}


def rgb_from_image(msg: Image, value_range: ValueRange | None = None) -> ImageArray:
    """Convert an image message of any color or gray encoding to RGB (H, W, 3) uint8.

    `step` and `is_bigendian` are honoured; 16-bit values are scaled by 255 / 65535, or as the
    range of the stream asks. An `rgb8` message without row padding is not copied: the result is a
    read-only view of its data. Raises ImageError for an encoding without color, sizes that do not
    fit together, or missing data.
    """
    encoding = ENCODINGS.get(msg.encoding)
    if encoding is None:
        _check_size(msg, data_rows=1)
        _check_color(msg.encoding)
        return _rgb_from_cv_bridge(msg)
    rgb = _eight_bits(_to_rgb(view_pixels(msg, encoding), encoding), value_range, msg.encoding)
    return np.ascontiguousarray(rgb[:, : msg.width])


def rgb_from_compressed(msg: CompressedImage, value_range: ValueRange | None = None) -> ImageArray:
    """Decode a JPEG or PNG message to RGB (H, W, 3) uint8.

    The pixel grid is the sensor's: an EXIF orientation is ignored. Alpha is dropped and 16-bit
    PNGs are scaled as raw images are. The file itself defines its channel order, as
    compressed_image_transport writes it; of `format` only a Bayer name before the semicolon
    matters, because that plugin stores such mosaics as gray images. Raises ImageError for other
    formats, depth, damaged or truncated data and images of more than 2^26 pixels.
    """
    source = msg.format.split(";")[0].strip()
    _check_color(source)
    is_mosaic = source.startswith("bayer_") and source in ENCODINGS
    colors = cv2.IMREAD_GRAYSCALE if is_mosaic else cv2.IMREAD_COLOR
    flags = colors | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = decode_compressed(bytes(readable(msg.data)), msg.format, flags)
    rgb = _to_rgb(pixels, ENCODINGS[source if is_mosaic else "bgr8"])
    return _eight_bits(rgb, value_range, "PNG")


def _check_size(msg: Image, data_rows: float) -> None:
    if not (msg.width and msg.height):
        raise ImageError(f"image of {msg.width} x {msg.height} pixels is empty")
    needed = int(msg.height * data_rows) * msg.step
    if len(msg.data) < needed:
        raise ImageError(
            f"{quote(msg.encoding)} image of {msg.width} x {msg.height} pixels with step "
            f"{msg.step} needs {needed} bytes of data, got {len(msg.data)}"
        )


def _check_row(msg: Image, encoding: Encoding) -> None:
    row = msg.width * encoding.channels * np.dtype(encoding.dtype).itemsize
    if msg.step < row:
        raise ImageError(
            f"step {msg.step} is shorter than a row of {msg.width} {msg.encoding!r} pixels, "
            f"which has {row} bytes"
        )
    block_height, block_width = encoding.block
    if msg.height % block_height or msg.width % block_width or msg.step % block_width:
        raise ImageError(
            f"{msg.encoding!r} image needs width and step divisible by {block_width} and height "
            f"by {block_height}, got {msg.width} x {msg.height} with step {msg.step}"
        )


def view_pixels(msg: Image, encoding: Encoding) -> npt.NDArray[Any]:
    """View the data as (rows, columns, channels), read-only.

    It is a copy only where byte order, alignment or memory are foreign to this machine. Of planar
    encodings the padding stays in, since the planes share it. Raises ImageError for sizes that do
    not fit together, or missing data.
    """
    _check_size(msg, encoding.data_rows)
    _check_row(msg, encoding)
    dtype = np.dtype(encoding.dtype)
    columns = msg.step if encoding.data_rows > 1 else msg.width
    pixels: _Pixels = np.ndarray(
        (int(msg.height * encoding.data_rows), columns, encoding.channels),
        dtype.newbyteorder(">" if msg.is_bigendian else "<"),
        buffer=readable(msg.data),
        strides=(msg.step, encoding.channels * dtype.itemsize, dtype.itemsize),
    )
    pixels.flags.writeable = False
    return np.require(pixels, dtype, ["ALIGNED"])


def _to_rgb(pixels: _Pixels, encoding: Encoding) -> _Pixels:
    if encoding.to_rgb is None:
        return pixels
    if callable(encoding.to_rgb):
        return encoding.to_rgb(pixels)
    return cv2.cvtColor(pixels, encoding.to_rgb)


def _eight_bits(rgb: _Pixels, value_range: ValueRange | None, kind: str) -> ImageArray:
    """Scale 16-bit values to 8 bits, rounded. ref: cv_bridge.cpp, toCvCopyImpl."""
    if rgb.dtype == np.uint16:
        maximum = 65535 if value_range is None else value_range.update(kind, rgb)
        rgb = cv2.convertScaleAbs(rgb, alpha=255 / maximum)
    return rgb


def _check_color(encoding: str) -> None:
    """Raise ImageError for bare numbers without color.

    They are depth in most cases, and a cv_bridge built for another numpy aborts on them.
    """
    if encoding not in ENCODINGS and re.fullmatch(r"\d+[USF](C\d*)?", encoding):
        raise ImageError(
            f"image encoding {quote(encoding)} is not a color or gray image (is it depth?), "
            f"supported are {', '.join(ENCODINGS)}"
        )


def _rgb_from_cv_bridge(msg: Image) -> ImageArray:
    try:
        rgb: ImageArray = _cv_bridge().imgmsg_to_cv2(msg, "rgb8")
    except Exception as error:  # a broken cv_bridge raises anything, AttributeError too
        reason = textwrap.shorten(str(error), _MAX_REASON, placeholder="...")
        raise ImageError(
            f"image encoding {quote(msg.encoding)} is not supported, and cv_bridge cannot "
            f"convert it ({reason}); supported are {', '.join(ENCODINGS)}"
        ) from error
    return rgb


def _cv_bridge() -> Any:  # noqa: ANN401
    """Return cv_bridge's converter; ImportError if there is none, or one that must not be used."""
    error = _cv_bridge_error()
    if error:
        raise ImportError(error)
    from cv_bridge import CvBridge

    return CvBridge()


@functools.cache
def _cv_bridge_error() -> str:
    """Return why cv_bridge cannot be imported or used, and what to do; else nothing.

    One built for NumPy 1 can be imported beside NumPy 2, and ends the process when it is used. The
    import prints a traceback of NumPy's in that case, here into the text that is searched for it.
    """
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        try:
            import cv_bridge  # noqa: F401
        except Exception as error:
            return str(error)
    if "_ARRAY_API" in printed.getvalue():
        return f"it was built for NumPy 1, this is NumPy {np.__version__}: install 'numpy<2'"
    return ""

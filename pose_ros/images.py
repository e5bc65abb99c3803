"""Image messages <-> RGB arrays, with numpy and cv2.

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
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.errors import ImageError, quote
from pose_ros.pictures import check_picture, describe_picture

if TYPE_CHECKING:
    from std_msgs.msg import Header

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

    cv2 has no code for it. Each pixel becomes a UYVY pair of twins, so that colours equal those
    of the other YUV encodings.
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
# The bare OpenCV types (8UC3 and so on) are in OpenCV's channel order: grey, BGR, BGRA.
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
    "16UC1": Encoding(np.uint16, 1, cv2.COLOR_GRAY2RGB),
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


def rgb_from_image(msg: Image) -> ImageArray:
    """Convert an image message of any colour or grey encoding to RGB (H, W, 3) uint8.

    `step` and `is_bigendian` are honoured; 16-bit values are scaled by 255 / 65535. An `rgb8`
    message without row padding is not copied: the result is a read-only view of its data. Raises
    ImageError for an encoding without colour, sizes that do not fit together, or missing data.
    """
    encoding = ENCODINGS.get(msg.encoding)
    if encoding is None:
        _check_size(msg, data_rows=1)
        return _rgb_from_cv_bridge(msg)
    rgb = _eight_bits(_to_rgb(view_pixels(msg, encoding), encoding))
    return np.ascontiguousarray(rgb[:, : msg.width])


def rgb_from_compressed(msg: CompressedImage) -> ImageArray:
    """Decode a JPEG or PNG message to RGB (H, W, 3) uint8.

    The pixel grid is the sensor's: an EXIF orientation is ignored. Alpha is dropped and 16-bit
    PNGs are scaled as raw images are. The file itself defines its channel order, as
    compressed_image_transport writes it; of `format` only a Bayer name before the semicolon
    matters, because that plugin stores such mosaics as grey pictures. Raises ImageError for other
    formats, damaged or truncated data and pictures of more than 2^26 pixels.
    """
    data = bytes(msg.data)
    check_picture(data, msg.format)
    name = describe_picture(data, msg.format)
    source = msg.format.split(";")[0].strip()
    is_mosaic = source.startswith("bayer_") and source in ENCODINGS
    colours = cv2.IMREAD_GRAYSCALE if is_mosaic else cv2.IMREAD_COLOR
    flags = colours | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:  # out of memory, or above the user's own limits for cv2
        raise ImageError(f"{name} cannot be decoded: cv2 refuses it ({error.err})") from error
    if pixels is None:
        raise ImageError(f"{name} cannot be decoded: its data is damaged")
    return _eight_bits(_to_rgb(pixels, ENCODINGS[source if is_mosaic else "bgr8"]))


def image_from_rgb(rgb: ImageArray, header: Header) -> Image:
    """Build an `rgb8` message from RGB (H, W, 3) uint8. Raises ImageError for other arrays."""
    _check_array(rgb, "(H, W, 3)", rgb.ndim == 3 and rgb.shape[2] == 3)
    return _image_message(rgb, "rgb8", header)


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

    It is a copy only where byte order or alignment are foreign to this machine. Of planar
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
        buffer=msg.data,
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


def _eight_bits(rgb: _Pixels) -> ImageArray:
    """Scale 16-bit values to 8 bits, rounded. ref: cv_bridge.cpp, toCvCopyImpl."""
    if rgb.dtype == np.uint16:
        rgb = cv2.convertScaleAbs(rgb, alpha=255 / 65535)
    return rgb


def _rgb_from_cv_bridge(msg: Image) -> ImageArray:
    # Bare numbers carry no colour, and a cv_bridge built for another numpy aborts on them.
    if re.fullmatch(r"\d+[USF](C\d*)?", msg.encoding):
        raise ImageError(
            f"image encoding {quote(msg.encoding)} is not a colour or grey image (is it depth?), "
            f"supported are {', '.join(ENCODINGS)}"
        )
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

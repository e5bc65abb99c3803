"""Messages, parameters and model files as nobody should send them, drawn by hypothesis.

Each strategy starts from something that fits together and damages it about every second time, so
that the branches behind the checks are reached as well as the checks.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import running
from builtin_interfaces.msg import Time
from detections import Found
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from pose_ros.inputs.images import ENCODINGS
from pose_ros.parameters import parameter_specs

Draw = Callable[[st.SearchStrategy[Any]], Any]

DEPTH_ENCODINGS = ("16UC1", "32FC1")
NEAR_MISSES = (
    *("", " ", "rgb", "RGB8", "rgb8 ", "rgb8\n", "rgb8\0", "bgr888", "mono", "bayer_rggb"),
    *("8UC", "8UC2", "8UC5", "8SC1", "32FC1", "32SC4", "64F", "64FC99999999999", "\u0665UC1"),
    *("nv99", "h264"),
)
EDGES = (0, 1, 2, 7, 255, 32_766, 32_767, 65_500, 100_000, 2**31 - 1, 2**31, 2**32 - 1)
MAX_SENTENCE = 1000
_DAMAGES = st.sampled_from((0, 0, 1, 1, 2))
_OTHER_LAYOUTS = {
    "16UC1": (np.uint16, 1, (1, 1), 1.0),
    "32FC1": (np.float32, 1, (1, 1), 1.0),
}

seeds = st.integers(0, 2**32 - 1)
edges = st.sampled_from(EDGES)
odd_text = st.one_of(
    st.text(max_size=12), st.sampled_from(("a\nb", "\0", "'", "x" * 400, "\u202e%s{0}"))
)


def draw_each(
    number: int, start: int, check: Callable[..., None], *strategies: st.SearchStrategy[Any]
) -> None:
    """Call `check` with drawn values; a failure is shown in its smallest form."""
    quick = settings(
        max_examples=number,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    seed(start)(quick(given(*strategies)(check)))()


def assert_is_one_line(text: str) -> None:
    """It is one line, not empty, and of a length that a log can bear."""
    assert text.isprintable(), repr(text)
    assert 20 < len(text) <= MAX_SENTENCE, text


# Headers

near_times_ns = st.integers(-5, 60).map(lambda frames: running.FIRST_NS + frames * 33_333_333)
odd_times = st.builds(
    Time,
    sec=st.one_of(st.sampled_from((0, -1, 2**31 - 1, -(2**31))), st.integers(-(2**31), 2**31 - 1)),
    nanosec=st.one_of(st.sampled_from((0, 999_999_999, 2**32 - 1)), seeds),
)
times = st.one_of(near_times_ns.map(lambda ns: running.header(ns).stamp), odd_times)
"""Stamps that follow, repeat or go back by frames; zero, negative, beyond all bounds."""

headers = st.builds(Header, stamp=times, frame_id=odd_text)


# Raw images


@functools.cache
def _person(height: int, width: int) -> npt.NDArray[np.uint8]:
    (person,) = running.person()
    return np.asarray(cv2.resize(person, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _pixels(draw: Draw, height: int, width: int, channels: int, dtype: Any) -> npt.NDArray[Any]:
    """Black, noise or a person, (H, W, C)."""
    kind = draw(st.sampled_from(("black", "noise", "person", "person")))
    if kind == "noise":
        random = np.random.default_rng(draw(seeds))
        raw = random.bytes(height * width * channels * np.dtype(dtype).itemsize)
        return np.frombuffer(raw, dtype).reshape(height, width, channels)
    if kind == "black":
        return np.zeros((height, width, channels), dtype)
    rgb = _person(height, width)
    pixels = rgb if channels == 3 else np.dstack([rgb[..., 1]] * channels)
    scaled: npt.NDArray[Any] = pixels.astype(dtype) * dtype(257 if dtype == np.uint16 else 1)
    return scaled


_small = st.tuples(st.integers(1, 24), st.integers(1, 24))
_people = st.sampled_from(((72, 96), (96, 72), (150, 200)))
_long = st.tuples(st.integers(1, 2), st.sampled_from((32_766, 32_768, 70_000)))
sizes = st.one_of(_small, _small, _people, _people, _people, _long, _long.map(lambda s: s[::-1]))


@st.composite
def fitting_images(draw: Draw, encodings: Sequence[str]) -> Image:
    """A message whose fields fit together; not all encodings are colours."""
    name = draw(st.sampled_from(encodings))
    dtype: Any
    dtype, channels, _, block, data_rows = ENCODINGS.get(name, (np.uint8, 1, None, (1, 1), 1))
    if name in _OTHER_LAYOUTS:
        dtype, channels, block, data_rows = _OTHER_LAYOUTS[name]
    height, width = draw(sizes)
    height, width = -(-height // block[0]) * block[0], -(-width // block[1]) * block[1]
    pixels = _pixels(draw, int(height * data_rows), width, channels, dtype)
    padding = block[1] * draw(st.sampled_from((0, 0, 1, 8)))
    message = running.raw(name, pixels, padding)
    message.height, message.header = height, draw(headers)
    return message


def _with_data(message: Any, data: bytes) -> None:
    del message.data[:]
    message.data.frombytes(data)


def _damage_image(draw: Draw, message: Image) -> None:
    field = draw(
        st.sampled_from(("width", "height", "step", "size", "encoding", "is_bigendian", "data"))
    )
    if field == "size":
        message.width = message.height = draw(edges)
    elif field == "encoding":
        message.encoding = draw(st.one_of(st.sampled_from(NEAR_MISSES), odd_text))
    elif field == "is_bigendian":
        message.is_bigendian = draw(st.integers(0, 255))
    elif field == "data":
        length = draw(st.one_of(st.integers(0, 100), st.just(len(message.data) - 1)))
        _with_data(message, bytes(message.data[: max(0, length)]))
    else:
        setattr(message, field, draw(st.one_of(edges, st.integers(0, 100))))


@st.composite
def images(draw: Draw, encodings: Sequence[str] = (*ENCODINGS, *DEPTH_ENCODINGS * 4)) -> Image:
    """Image messages of some encodings, damaged in up to two ways."""
    message = draw(fitting_images(encodings))
    for _ in range(draw(_DAMAGES)):
        _damage_image(draw, message)
    return message


# Compressed images

FORMATS = (
    *("jpeg", "png", "", "rgb8; jpeg compressed bgr8", "bgr16; png compressed bgr16", ";;;"),
    *("bayer_rggb8; png compressed ", "bayer_grbg16; jpeg compressed ", "bayer_x; ", "h264"),
    *("32FC1; compressedDepth png", "16UC1; compressedDepth", "mono8; jpeg compressed rgb8"),
)
JPEG_SEGMENTS = (
    b"\xff\x01",
    b"\xff\xff",
    b"\xff\xe2\x00\x0d\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01",  # a frame header within
    b"\xff\xfe\xff\xff",  # a comment longer than the file
    b"\xff\xc0\x00\x11\x08\x00\x08\x00\x08\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01",
)


def png_chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """A PNG chunk, which may claim another length than it has."""
    claimed = len(content) if length is None else length
    return (
        claimed.to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
    )


@st.composite
def picture_files(draw: Draw) -> bytes:
    """A whole JPEG or PNG, baseline or progressive, grey, colour or with alpha, 8 or 16 bits."""
    is_png = draw(st.booleans())
    dtype = draw(st.sampled_from((np.uint8, np.uint16))) if is_png else np.uint8
    channels = draw(st.sampled_from((1, 3, 4) if is_png else (1, 3)))
    height, width = draw(st.one_of(_small, _people))
    pixels = _pixels(draw, height, width, channels, dtype)
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, draw(st.integers(0, 1))]
    return bytes(cv2.imencode(".png" if is_png else ".jpg", pixels, [] if is_png else flags)[1])


def flip_bits(draw: Draw, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(draw(st.integers(1, 8))):
        at, bit = draw(st.integers(0, max(0, len(data) - 1))), draw(st.integers(0, 7))
        flipped[at : at + 1] = bytes(byte ^ 1 << bit for byte in flipped[at : at + 1])
    return bytes(flipped)


def _claim_size(draw: Draw, data: bytes) -> bytes:
    """Write another width and height into the header."""
    width: int = draw(edges)
    height: int = draw(edges)
    if data.startswith(b"\x89PNG"):
        claim = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:29]
        return data[:12] + claim + zlib.crc32(claim).to_bytes(4, "big") + data[33:]
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) + 5
    claim = min(height, 65_535).to_bytes(2, "big") + min(width, 65_535).to_bytes(2, "big")
    return data[:at] + claim + data[at + 4 :]


def _insert(draw: Draw, data: bytes) -> bytes:
    """Insert a JPEG segment, or a PNG chunk that may claim up to 4 GiB, behind the header."""
    if not data.startswith(b"\x89PNG"):
        at: int = draw(st.sampled_from((2, 20, len(data) - 2)))
        segment: bytes = draw(st.sampled_from(JPEG_SEGMENTS))
        return data[:at] + segment + data[at:]
    kind = draw(st.sampled_from((b"IHDR", b"tEXt", b"zTXt", b"iCCP", b"acTL", b"fcTL", b"IDAT")))
    length = draw(st.one_of(st.none(), edges))
    at = draw(st.sampled_from((8, 33, len(data) - 12)))
    return data[:at] + png_chunk(kind, draw(st.binary(max_size=30)), length) + data[at:]


def _repeat_scans(draw: Draw, data: bytes) -> bytes:
    """Repeat the last scan's header: each scan costs a decoder a pass over the picture."""
    at = data.rfind(b"\xff\xda")
    if at < 0:
        return data
    scan = data[at : at + min(20, 2 + int.from_bytes(data[at + 2 : at + 4], "big"))]
    times: int = draw(st.sampled_from((1, 50, 5000)))
    return data[:-2] + scan * times + data[-2:]


FILE_DAMAGES: tuple[Callable[[Draw, bytes], bytes], ...] = (
    flip_bits,
    _claim_size,
    _insert,
    _repeat_scans,
    lambda draw, data: data[: draw(st.integers(0, len(data)))],
    lambda draw, data: data[draw(st.integers(0, 12)) :],
    lambda draw, data: data + draw(st.binary(max_size=40)),
    lambda draw, data: draw(st.binary(max_size=200)),
)


@st.composite
def compressed_images(draw: Draw) -> CompressedImage:
    """CompressedImage messages, their data damaged in up to two ways, with any format text."""
    data = draw(picture_files())
    for _ in range(draw(_DAMAGES)):
        data = draw(st.sampled_from(FILE_DAMAGES))(draw, data)
    text = draw(st.one_of(st.sampled_from(FORMATS), st.sampled_from(FORMATS), odd_text))
    message = CompressedImage(header=draw(headers), format=text)
    _with_data(message, data)
    return message


# Calibrations

odd_numbers = st.one_of(
    st.floats(),
    st.sampled_from((0.0, -1.0, 5e-324, 1e-30, 1e30, 1e308, float("inf"), float("nan"))),
)
_plausible_k = st.just([500.0, 0.0, 50.0, 0.0, 500.0, 40.0, 0.0, 0.0, 1.0])


@st.composite
def camera_infos(draw: Draw) -> CameraInfo:
    """Calibrations: of any numbers, or plausible but for one number."""
    k = draw(st.one_of(_plausible_k, st.lists(odd_numbers, min_size=9, max_size=9)))
    k[draw(st.integers(0, 8))] = draw(st.one_of(st.just(1.0), odd_numbers))
    some = st.one_of(st.integers(0, 200), edges)
    return CameraInfo(
        header=draw(headers),
        width=draw(some),
        height=draw(some),
        distortion_model=draw(st.one_of(st.sampled_from(("plumb_bob", "equidistant")), odd_text)),
        d=draw(st.lists(odd_numbers, max_size=14)),
        k=k,
        p=draw(st.lists(odd_numbers, min_size=12, max_size=12)),
        binning_x=draw(some),
        binning_y=draw(some),
        roi=RegionOfInterest(
            **{name: draw(some) for name in ("x_offset", "y_offset", "width", "height")},
            do_rectify=draw(st.booleans()),
        ),
    )


# Detections

_classes = st.one_of(st.just("person"), st.just("person"), odd_text)
_somewhere, _sizes = st.floats(0, 150), st.floats(5, 200)


@st.composite
def _detection(draw: Draw) -> Found:
    """A box somewhere about the image, of which a number may be any."""
    values = [*(draw(_somewhere) for _ in range(2)), *(draw(_sizes) for _ in range(2)), 0.9, 0.0]
    if draw(st.sampled_from((False, False, False, False, True))):
        values[draw(st.integers(0, 5))] = draw(odd_numbers)
    x, y, width, height, score, theta = values
    return Found(x, y, width, height, score, draw(_classes), theta)


@st.composite
def detections(draw: Draw) -> list[Found]:
    """What another detector finds in one image: nobody, some boxes, or a thousand."""
    some = draw(st.lists(_detection(), max_size=5))
    many = draw(st.sampled_from((1, 1, 1, 1, 1000)))
    return [one._replace(x=one.x + 7 * index % 150) for index in range(many) for one in some][
        :1000
    ]


# Parameters

_whole = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-2, 200))
_fractions = st.one_of(odd_numbers, st.floats(-0.5, 1.5))
_scalars = (st.booleans(), _whole, _fractions, odd_text)
_lists = tuple(st.lists(item, min_size=1, max_size=3) for item in _scalars)
_names = tuple(parameter_specs())
_words = st.sampled_from(
    ("upper_body", "lite", "UPPER_BODY", "../lite", "/dev/zero", "raw", "compressed", "reliable")
)
values = st.one_of(*_scalars, *_lists, _words, _words.map(lambda word: [word]), st.none())
parameters = st.builds(
    Parameter,
    st.sampled_from(_names) | st.sampled_from(("use_sim_time", "modell", "a.b")),
    value=values,
)
nested_values = st.recursive(values, lambda item: st.lists(item, max_size=3), max_leaves=6)

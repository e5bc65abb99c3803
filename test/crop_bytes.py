"""Print the version of OpenCV and one sha256 over the bytes of many crops.

The same hash under every version of OpenCV is the proof that the crop does not depend on it.
Needs numpy, OpenCV and this package only; what it crops comes from seeded numbers.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import Crop, ImageArray, ImageSize, Roi

ROIS_PER_IMAGE = 20
IMAGE_SIZES = ((640, 480), (480, 640), (321, 241), (1280, 720), (64, 64), (2, 3))
CROP_SIZE = 256
LETTERBOX_SIZES = (128, 224)


def make_image(generator: np.random.Generator, width_px: int, height_px: int) -> ImageArray:
    """Return an RGB image (H, W, 3): noise on a slope, so that shifts and details both show."""
    slope = np.add.outer(np.arange(height_px), np.arange(width_px))[..., None] * (1, 2, 3)
    noise = generator.integers(0, 64, (height_px, width_px, 3))
    return ((slope + noise) % 256).astype(np.uint8)


def make_roi(generator: np.random.Generator, width_px: int, height_px: int) -> Roi:
    """Return an ROI of any rotation and size up to twice the image, often partly outside it."""
    center_px = generator.uniform(-0.25, 1.25, 2) * (width_px, height_px)
    size_px = max(width_px, height_px) * 2 ** generator.uniform(-6, 1)
    return Roi(center_px, float(size_px), float(generator.uniform(-np.pi, np.pi)))


def crops(with_native: bool) -> Iterator[Crop]:
    """Make the same crops and letterboxes each time; each lasts until the next one of its size.

    `with_native`: by the compiled library, if there is one.
    """
    generator = np.random.default_rng(2021)
    cropper, *letterboxes = (Cropper(size, with_native) for size in (CROP_SIZE, *LETTERBOX_SIZES))
    for size in IMAGE_SIZES:
        image = make_image(generator, *size)
        for _ in range(ROIS_PER_IMAGE):
            yield cropper.crop(image, make_roi(generator, *size).normalized(ImageSize(*size)))
        for letterbox in letterboxes:
            yield letterbox.letterbox(image)


def crop_hash(with_native: bool = False) -> str:
    """Return the sha256 over the tensors of all crops."""
    digest = hashlib.sha256()
    for crop in crops(with_native):
        digest.update(crop.tensor.tobytes())
    return digest.hexdigest()


def main() -> None:
    """Run the command."""
    print(f"OpenCV {cv2.__version__}, numpy {np.__version__}: {crop_hash()}")


if __name__ == "__main__":
    main()

"""The same images and ROIs on two kinds of processors: crops, landmarks, people found.

    other_machine.py images FILE            write frames of a shipped clip, with ROIs
    other_machine.py results FILE OUT       write what each model makes of them
    other_machine.py results FILE OUT A     and what is made of the networks' outputs in A
    other_machine.py compare A B            exit with 1 unless two machines' results agree

All that is not a network has to agree within `OWN_PX`, given the same outputs of the networks.
Networks sum float32 in the order of their kernels, which differ between processors, and between
two levels of onnxruntime's graph optimization on one of them: with these on x86 the raw landmarks
differ by up to 0.0012 (`full`) and 0.0023 (`heavy`) px of the crop. So landmarks by a machine's
own networks have to agree within `NETWORK_PX` only.

Needs numpy, OpenCV, onnxruntime and this package's core only.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import (
    Crop,
    Float32Array,
    ImageArray,
    ImageSize,
    Roi,
    size_of,
)
from pose_ros.blazepose.detector import Detector
from pose_ros.blazepose.inference import Network, OnnxModel, Shapes
from pose_ros.blazepose.landmarker import Landmarker
from pose_ros.blazepose.models import MODELS, MOVENET, PoseModel
from pose_ros.blazepose.movenet import MoveNet
from pose_ros.blazepose.options import ModelOptions, PoseTrackerOptions
from pose_ros.blazepose.projection import project_landmarks
from pose_ros.blazepose.regions import Region
from pose_ros.blazepose.tracker import PoseTracker

FRAMES = (0, 10)
MIN_SCORE, MOVENET_SCORE = 0.5, 0.3
KERNEL = 7
OWN_PX, NETWORK_PX = 0.001, 0.01

Arrays = Mapping[str, Any]


class Recorded:
    """A network that returns what it is given, or what another one returns; `last` keeps it."""

    sigmoid = staticmethod(OnnxModel.sigmoid)

    def __init__(self, last: list[Float32Array], network: Network | None = None) -> None:
        self.last, self._network = last, network

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        """Return the outputs."""
        if self._network is not None:
            self.last = self._network.run(tensor)
        return self.last


def load(file: str, inputs: Shapes, outputs: Shapes) -> OnnxModel:
    return OnnxModel(file, inputs, outputs, ModelOptions(intra_op_threads=1))


def write_images(file: str) -> None:
    """Write frames (F, H, W, 3) and, for each model, the ROIs (F, 4) that a tracker used."""
    import media

    images = np.array(list(itertools.islice(media.frames("person"), max(FRAMES) + 1)))
    arrays: dict[str, Any] = {"images": images[list(FRAMES)]}
    for name in MODELS:
        tracker = PoseTracker(PoseTrackerOptions(model=name))
        found = [tracker.track(image, i * 33_333_333)[0].roi for i, image in enumerate(images)]
        rows = [[*roi.center_px, roi.size_px, roi.rotation_rad] for roi in found]
        arrays[name] = np.array(rows)[list(FRAMES)]
    np.savez(file, **arrays)


def write_results(file: str, out: str, other: str | None = None) -> None:
    """Write the results of the images in a file; with those made of another machine's networks."""
    with np.load(file) as given:
        results = dict([*landmarks(given), *people(given["images"])])
        if other is not None:
            with np.load(other) as recorded:
                results |= dict(landmarks_of_outputs(given, recorded))
    np.savez(out, **results)


def crops(given: Arrays, name: str) -> Iterator[tuple[int, Crop, ImageSize]]:
    """Yield the crops of a model's ROIs, one valid until the next."""
    cropper = Cropper(MODELS[name].input_size)
    for number, (image, row) in enumerate(zip(given["images"], given[name], strict=True)):
        roi = Roi(row[:2], float(row[2]), float(row[3]))
        yield number, cropper.crop(image, roi.normalized(size_of(image))), size_of(image)


def landmarks(given: Arrays) -> Iterator[tuple[str, Any]]:
    """Yield each model's crops, the outputs of its network, and its landmarks in image px."""
    for name, model in MODELS.items():
        used: list[Recorded] = []

        def kept(file: str, inputs: Shapes, outputs: Shapes, used: list[Recorded] = used) -> Any:
            used.append(Recorded([], load(file, inputs, outputs)))
            return used[-1]

        landmarker = Landmarker(model, KERNEL, kept)
        for number, crop, size in crops(given, name):
            yield f"crop {name} {number}", crop.tensor.copy()
            yield f"px {name} {number}", _landmarks_px(landmarker, crop, size)
            for index, output in enumerate(used[0].last):
                yield f"net{index} {name} {number}", output


def landmarks_of_outputs(given: Arrays, recorded: Arrays) -> Iterator[tuple[str, Any]]:
    """Yield the landmarks in image px of the networks' outputs that another machine wrote."""
    for name, model in MODELS.items():
        for number, crop, size in crops(given, name):
            landmarker = _of_outputs(model, _outputs(recorded, name, number))
            yield f"given {name} {number}", _landmarks_px(landmarker, crop, size)


def _of_outputs(model: PoseModel, outputs: list[Float32Array]) -> Landmarker:
    return Landmarker(model, KERNEL, lambda *_: Recorded(outputs))  # type: ignore[arg-type]


def _outputs(arrays: Arrays, name: str, number: int) -> list[Float32Array]:
    keys = (f"net{index} {name} {number}" for index in itertools.count())
    return [arrays[key] for key in itertools.takewhile(lambda key: key in arrays, keys)]


def _landmarks_px(landmarker: Landmarker, crop: Crop, size: ImageSize) -> Float32Array:
    found = landmarker.predict(crop, MIN_SCORE)
    assert found is not None, "nobody is found"
    return project_landmarks(found.landmarks_px, crop, size)


def people(images: ImageArray) -> Iterator[tuple[str, Any]]:
    """Yield the keypoints or boxes of each detector, in image px."""
    for detector_model in dict.fromkeys(model.detector for model in MODELS.values()):
        detector = Detector(detector_model, load)
        for number, image in enumerate(images):
            found = [person.keypoints_px for person in detector.detect(image, MIN_SCORE)]
            yield f"px {detector_model.file} {number}", np.array(found)
    movenet = MoveNet(MOVENET, load)
    for number, image in enumerate(images):
        region = Region(0, 0, *size_of(image))
        yield f"px {MOVENET.file} {number}", movenet.boxes_px(image, MOVENET_SCORE, region)


def compare(first: str, second: str) -> int:
    """Print the largest difference of each model; return 1 if one is too large, else 0."""
    with np.load(first) as here, np.load(second) as other:
        names = [name for name in here.files if name.startswith("crop ")]
        differing = [name for name in names if here[name].tobytes() != other[name].tobytes()]
        print(f"{len(names)} crops, {len(differing)} of them differ")
        is_equal = not differing
        for model in dict.fromkeys(name.split()[1] for name in here.files if name[:2] == "px"):
            own_px = _most(here, other, f"px {model} ", f"given {model} ")
            most_px = _most(here, other, f"px {model} ", f"px {model} ")
            raw = _most(here, other, f"net0 {model} ", f"net0 {model} ")
            print(
                f"{model}: {most_px:.6f} px at most; raw landmarks of the network {raw:.6f} px of "
                f"the crop; with the same outputs of the network {own_px:.6f} px"
            )
            is_equal &= own_px <= OWN_PX and most_px <= NETWORK_PX
    return 0 if is_equal else 1


def _most(here: Arrays, other: Arrays, of_here: str, of_other: str) -> float:
    """Return the largest difference of arrays by the starts of their names; 0 without any."""
    pairs = [(f"{of_here}{number}", f"{of_other}{number}") for number in range(len(FRAMES))]
    found = [(here[one], other[two]) for one, two in pairs if one in here and two in other]
    assert all(one.size and one.shape == two.shape for one, two in found), of_here
    return max((float(abs(one - two).max()) for one, two in found), default=0.0)


def main(command: str, *files: str) -> int:
    """Run one of the commands."""
    if command == "compare":
        return compare(*files)
    if command == "images":
        write_images(*files)
    else:
        write_results(*files)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

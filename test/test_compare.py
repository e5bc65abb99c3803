"""The full-body golden files, the masks in them, what a loss changes, and the comparison.

All of it without MediaPipe itself; `test/reference/` holds what needs it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import dataclasses
import importlib
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import media
import numpy as np
import numpy.typing as npt
import pytest

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions, Roi, detector, landmarker
from pose_ros.blazepose.datatypes import Float32Array, ImageSize, NormalizedRect
from pose_ros.blazepose.topology import FULL_BODY

REFERENCE = Path(__file__).parent / "reference"
sys.path.insert(0, str(REFERENCE))
compare = importlib.import_module("compare")
make = importlib.import_module("make")
mediapipe_pose = importlib.import_module("mediapipe_pose")

GOLDEN = Path(__file__).parent / "golden"
MODELS = ("lite", "full", "heavy")
PICTURES = ("astronaut", *(f"faceapi_sample{number}" for number in range(1, 7)))
FRAMES = {"astronaut_moving": 40, "cap12_edit": 100, "cuts": 140, "sports2d_demo": 120}
MASKS = {"astronaut": (1, 512, 512), "cap12_edit": (3, 300, 400)}
LOST = {"astronaut_moving": (18, 22), "cuts": (40, 50)}  # first frame without, and with, a person
VALUES_PER_FRAME = {
    "landmarks": (33, 5),
    "world": (33, 4),
    "roi": (5,),
    "next_roi": (5,),
    "detected": (),
    "detector_score": (),
    "detector_keypoints": (4, 2),
    "found": (),
    "timestamp_ns": (),
}
FILES = [
    *(f"{model}__{name}__static" for model in MODELS for name in PICTURES),
    *(
        f"{model}__{name}__{kind}"
        for model in MODELS
        for name in FRAMES
        for kind in ("raw", "smooth")
    ),
]

VISIBILITY = 1e-3  # with the reference's ROI: only the inference kernels differ
WORLD_P99_M = 1e-4
FLOAT_STEP = 2**-23  # with the reference's inference: float32's step below 2
KERNEL = 9  # as MediaPipe's Python package runs the models

Arrays = dict[str, npt.NDArray[Any]]


def golden(stem: str) -> Arrays:
    with np.load(GOLDEN / f"{stem}.npz") as arrays:
        return dict(arrays)


def options(model: str, **others: Any) -> PoseTrackerOptions:
    return PoseTrackerOptions(model=model, heatmap_kernel=KERNEL, **others)


def roi_of(row: npt.NDArray[np.float32], image: npt.NDArray[np.uint8]) -> Roi | None:
    size = ImageSize(image.shape[1], image.shape[0])
    return Roi.from_normalized(NormalizedRect(*row), size) if np.isfinite(row).all() else None


# --- the golden files


def test_every_full_body_input_has_its_golden_files() -> None:
    masks = {f"{model}__{name}__mask" for model in MODELS for name in MASKS}
    found = {file.stem for model in MODELS for file in GOLDEN.glob(f"{model}__*.npz")}
    assert found == {*FILES, *masks} == {Path(recipe.file).stem for recipe in make.recipes()}


@pytest.mark.parametrize("stem", FILES)
def test_a_full_body_golden_file_has_the_shapes_of_its_readme(stem: str) -> None:
    arrays, count = golden(stem), FRAMES.get(stem.split("__")[1], 1)
    shapes = {name: values.shape for name, values in arrays.items()}
    assert shapes == {name: (count, *shape) for name, shape in VALUES_PER_FRAME.items()}
    kinds = {"detected": np.bool_, "found": np.bool_, "timestamp_ns": np.int64}
    assert all(values.dtype == kinds.get(name, np.float32) for name, values in arrays.items())


@pytest.mark.parametrize("stem", FILES)
def test_a_full_body_golden_file_says_in_every_array_alike_what_is_absent(stem: str) -> None:
    arrays = golden(stem)
    for name, present in {
        "landmarks": arrays["found"],
        "world": arrays["found"],
        "next_roi": arrays["found"],
        "detector_score": arrays["detected"],
        "detector_keypoints": arrays["detected"],
    }.items():
        numbers = np.isfinite(arrays[name]).reshape(len(present), -1)
        assert np.array_equal(numbers, np.broadcast_to(present[:, None], numbers.shape)), name
    count = len(arrays["found"])
    assert np.array_equal(arrays["timestamp_ns"], 33_333_000 * np.arange(1, count + 1))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", MASKS)
def test_a_golden_mask_has_the_size_of_its_image(model: str, name: str) -> None:
    arrays = golden(f"{model}__{name}__mask")
    assert arrays["mask"].shape == MASKS[name]
    assert arrays["mask"].dtype == np.uint8
    assert arrays["frame"].shape == MASKS[name][:1]


@pytest.mark.parametrize("model", MODELS)
def test_rois_do_not_depend_on_the_smoothing_of_landmarks(model: str) -> None:
    for name in ("astronaut_moving", "cuts"):
        raw, smooth = golden(f"{model}__{name}__raw"), golden(f"{model}__{name}__smooth")
        assert np.array_equal(raw["roi"], smooth["roi"], equal_nan=True)


def test_the_clip_with_cuts_has_its_pieces_in_one_size() -> None:
    media.require("cuts")
    images = list(media.frames("cuts"))
    assert {image.shape for image in images} == {(480, 640, 3)}
    assert len(images) == media.frame_count("cuts") == FRAMES["cuts"]
    black = [index for index, image in enumerate(images) if not image.any()]
    assert black == [*range(40, 50), *range(90, 100)]
    webcam = list(islice(media.frames("cap12_edit"), 80))
    for index, source in ((0, 0), (39, 39), (100, 40), (139, 79)):
        assert np.array_equal(images[index][4::8, 4::8], webcam[source][2::5, 2::5])


# --- the mask of the person


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", MASKS)
def test_masks_agree_with_the_reference(model: str, name: str) -> None:
    media.require(name)
    is_static = name in PICTURES
    masks = golden(f"{model}__{name}__mask")
    rois = golden(f"{model}__{name}__{'static' if is_static else 'raw'}")["roi"]
    # MediaPipe's Python package does not smooth masks, whatever it is told
    plain = {"enable_segmentation": True, "smooth_segmentation": False}
    tracker = PoseTracker(options(model, static_image_mode=is_static, **plain))
    for wanted, index in zip(masks["mask"] / 255, masks["frame"], strict=True):
        image = next(islice(media.frames(name), int(index), None))
        roi = None if is_static else roi_of(rois[index], image)
        (pose,) = tracker.track(image, 0, roi)
        assert pose.mask is not None
        ours, theirs = pose.mask > 0.5, wanted > 0.5
        assert (ours & theirs).sum() >= 0.99 * (ours | theirs).sum()
        assert np.abs(pose.mask - wanted).mean() <= 0.01


# --- what a loss changes


class KeepingTracker(PoseTracker):
    """Loses a person as MediaPipe does: the filters of visibility and world keep their state."""

    def _lost(self, state: Any) -> Any:
        lost, before = super()._lost(state), state.smoother
        smoother = dataclasses.replace(
            lost.smoother, visibility=before.visibility, world=before.world
        )
        return dataclasses.replace(lost, smoother=smoother)


def track(
    tracker: PoseTracker, name: str, reference: Arrays, is_forced: bool
) -> list[Pose | None]:
    """Track a clip, each pose None where the reference has none as well."""
    poses: list[Pose | None] = []
    for index, image in zip(range(FRAMES[name]), media.frames(name), strict=False):
        roi = roi_of(reference["roi"][index], image) if is_forced else None
        found = tracker.track(image, int(reference["timestamp_ns"][index]), roi)
        assert bool(found) == reference["found"][index]
        poses.append(found[0] if found else None)
    return poses


def distances(poses: list[Pose | None], reference: Arrays) -> dict[str, Float32Array]:
    """Return the largest difference of a landmark per frame: visibility, and world in m."""
    visibility, world_m = np.zeros((2, len(poses)), np.float32)
    for index, pose in enumerate(poses):
        if pose is not None and pose.world_landmarks_m is not None:
            wanted = reference["world"][index]
            visibility[index] = np.abs(pose.visibility - wanted[:, 3]).max()
            world_m[index] = np.abs(pose.world_landmarks_m - wanted[:, :3]).max()
    return {"visibility": visibility, "world": world_m}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", LOST)
def test_after_a_loss_only_what_mediapipe_keeps_of_its_filters_differs(
    model: str, name: str
) -> None:
    media.require(name)
    reference = golden(f"{model}__{name}__smooth")
    poses = track(PoseTracker(options(model)), name, reference, is_forced=True)
    ours = distances(poses, reference)
    keeping = distances(
        track(KeepingTracker(options(model)), name, reference, is_forced=True), reference
    )
    assert keeping["visibility"].max() <= VISIBILITY
    assert np.percentile(keeping["world"], 99) <= WORLD_P99_M
    lost, back = LOST[name]
    for value in ours:
        assert np.array_equal(ours[value][:lost], keeping[value][:lost])
    assert ours["visibility"][back:].max() > 100 * VISIBILITY
    assert ours["world"][back:].max() > 100 * WORLD_P99_M
    unfiltered = golden(f"{model}__{name}__raw")["world"][back]
    pose = poses[back]
    assert pose is not None
    assert pose.world_landmarks_m is not None
    assert np.abs(pose.visibility - unfiltered[:, 3]).max() <= VISIBILITY
    assert np.abs(pose.world_landmarks_m - unfiltered[:, :3]).max() <= WORLD_P99_M


@pytest.fixture
def reference_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put LiteRT in place of onnxruntime, and the C library's exponential in place of ours.

    Ours is rounded correctly, the C library's in nearly every last bit: two graphs of the
    reference's kind are equal only with the same one.
    """
    litert = importlib.import_module("litert")
    litert.require()
    exponential = ctypes.CDLL(ctypes.util.find_library("m")).expf
    exponential.restype, exponential.argtypes = ctypes.c_float, [ctypes.c_float]

    def sigmoid(logits: Float32Array) -> Float32Array:
        powers = np.array([exponential(-x) for x in logits.ravel()], np.float32)
        result: Float32Array = np.float32(1) / (np.float32(1) + powers.reshape(logits.shape))
        return result

    for module in (detector, landmarker):
        monkeypatch.setattr(module, "OnnxModel", litert.LiteRtModel)
        monkeypatch.setattr(module, "sigmoid", sigmoid)


@pytest.mark.usefixtures("reference_arithmetic")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", LOST)
def test_with_the_references_arithmetic_a_tracker_that_keeps_these_filters_is_the_reference(
    model: str, name: str
) -> None:
    """Running freely: ROIs have the same bits in every frame, before and after each loss.

    LiteRT chooses its kernels by the processor: on one of another kind than where the golden
    files were made this test would fail for that reason alone.
    """
    media.require(name)
    reference = golden(f"{model}__{name}__smooth")
    poses = track(KeepingTracker(options(model)), name, reference, is_forced=False)
    size = ImageSize(*next(media.frames(name)).shape[1::-1])
    for pose, row in zip(poses, reference["next_roi"], strict=True):
        assert pose is None or pose.next_roi.normalized(size) == tuple(row)
    found = [index for index, pose in enumerate(poses) if pose and pose.detection]
    assert found == np.flatnonzero(reference["detected"]).tolist()
    for value in distances(poses, reference).values():
        assert value.max() <= FLOAT_STEP


# --- the comparison command


def compared(reference: Arrays, name: str, mode: str, is_forced: bool = False) -> Any:
    """Compare `lite` with a reference, on the frames of an input."""
    tracker = PoseTracker(
        options("lite", static_image_mode=mode == "static", smooth_landmarks=mode == "smooth")
    )
    return compare.compare(media.frames(name), reference, tracker, is_forced)


def test_a_comparison_measures_pixels_visibility_and_millimetres() -> None:
    media.require("astronaut")
    reference = golden("lite__astronaut__static")
    assert np.nanmax(compared(reference, "astronaut", "static").distances["px"]) < 0.5
    reference["landmarks"][0, :, 0] += 3 / 512
    reference["world"][0, :, 1] += 0.02
    reference["landmarks"][0, 0, 3] = 0.9
    distances = compared(reference, "astronaut", "static").distances
    assert np.nanmedian(distances["px"]) == pytest.approx(3, abs=0.05)
    assert np.nanmedian(distances["world mm"]) == pytest.approx(20, abs=0.5)
    assert distances["visibility"][0, 0] == pytest.approx(0.1, abs=0.01)


def test_a_comparison_leaves_out_what_the_reference_calls_invisible() -> None:
    media.require("astronaut")
    reference = golden("lite__astronaut__static")
    hidden = reference["landmarks"][:, :, 3] <= 0.5
    assert hidden.any()
    for values in compared(reference, "astronaut", "static").distances.values():
        assert np.array_equal(np.isnan(values), hidden)


def test_a_comparison_names_the_frames_in_which_only_one_sees_a_pose() -> None:
    media.require("astronaut")
    reference = golden("lite__astronaut__static")
    assert compared(reference, "astronaut", "static").presence_differs == []
    reference["found"][0] = False
    comparison = compared(reference, "astronaut", "static")
    assert comparison.presence_differs == [0]
    assert np.isnan(comparison.distances["px"]).all()


def test_a_comparison_judges_visibility_and_world_up_to_the_first_loss() -> None:
    media.require("astronaut_moving")
    reference = golden("lite__astronaut_moving__smooth")
    distances = compared(reference, "astronaut_moving", "smooth", is_forced=True).distances
    seen = {value: np.isfinite(rows).any(axis=1) for value, rows in distances.items()}
    lost, back = LOST["astronaut_moving"]
    assert np.flatnonzero(~seen["px"]).tolist() == list(range(lost, back))
    for value in ("visibility", "world mm"):
        assert np.flatnonzero(seen[value]).tolist() == list(range(lost))
    assert np.nanmax(distances["visibility"]) <= VISIBILITY


def test_the_table_has_a_line_per_landmark_and_one_for_all() -> None:
    px = np.full((4, 33), np.nan)
    px[:, 0], px[:2, 32] = (1, 2, 3, 40), (5, 6)
    rows = {"px": px, "visibility": px / 1000, "world mm": px}
    lines = compare.table(compare.Comparison(rows, [2]), FULL_BODY.names)
    values, heads, *landmarks, everything, presence = lines
    assert values.split() == ["px", "visibility", "world", "mm"]
    assert heads.split() == ["landmark", "frames", *(["median", "p95", "max"] * 3)]
    assert [line.split()[0] for line in landmarks] == list(FULL_BODY.names)
    assert landmarks[0].split()[:5] == ["nose", "4", "2.5", "34", "40"]
    assert landmarks[1].split()[1:] == ["0", *["-"] * 9]
    assert everything.split()[:2] == ["all", "6"]
    assert presence.endswith("only one of both sees a pose: [2]")


# --- the way to MediaPipe's environment and back


def test_frames_reach_the_other_process_unchanged(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in ((2, 5), (300, 401))]
    out = tmp_path / "frames.npz"
    code = (
        f"import sys, numpy; sys.path.insert(0, {str(REFERENCE)!r}); import run_graph; "
        f"numpy.savez({str(out)!r}, *run_graph.read_frames(sys.stdin.buffer))"
    )
    assert mediapipe_pose._feed([sys.executable, "-c", code], images, tmp_path / "log") == 0
    with np.load(out) as received:
        assert len(received.files) == len(images)
        for image, other in zip(images, received.values(), strict=True):
            assert np.array_equal(image, other)


def test_a_failure_of_the_other_process_is_told_with_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mediapipe_pose, "ensure_environment", lambda: None)
    monkeypatch.setattr(mediapipe_pose, "PYTHON", Path(sys.executable))

    def endless() -> Iterator[npt.NDArray[np.uint8]]:
        while True:
            yield np.zeros((480, 640, 3), np.uint8)

    with pytest.raises(mediapipe_pose.MediaPipeError, match="invalid choice: 'nobody'"):
        mediapipe_pose.run_mediapipe(endless(), "nobody", "static")


def test_a_change_of_one_bit_of_a_golden_file_is_told() -> None:
    old = golden("lite__astronaut__static")
    assert make.changes(old, golden("lite__astronaut__static")) == []
    new = golden("lite__astronaut__static")
    new["roi"][0, 1] = np.nextafter(new["roi"][0, 1], np.float32(9))
    new["world"] = new["world"].astype(np.float64)
    new["found"][0] = False
    new["detector_score"][0] = np.nan
    del new["next_roi"]
    told = make.changes(old, new)
    assert [line.split()[0] for line in told] == [
        "next_roi", "detector_score", "found", "roi", "world"
    ]  # fmt: skip
    assert told[1] == "detector_score by 0, 1 values came or went"
    assert told[3] == "roi by 1.19e-07, 0 values came or went"

"""The golden files are complete, and each has the shapes and gaps that its README describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
IMAGES = ("astronaut", *(f"faceapi_sample{number}" for number in range(1, 7)))
FULL_BODY = ("lite", "full", "heavy")
CLIPS = {"astronaut_moving": 40, "cap12_edit": 100, "cuts": 140, "sports2d_demo": 120}
UPPER_BODY_CLIPS = {"astronaut_moving": 40, "cap12_edit": 150, "sports2d_demo": 150}
FRAMES = {"upper_body": UPPER_BODY_CLIPS, **dict.fromkeys(FULL_BODY, CLIPS)}
MASKS = {"astronaut": (1, 512, 512), "cap12_edit": (3, 300, 400)}
# Per array: shape of a frame, and the array that gives in which frames it has values.
COMMON = {
    "roi": ((5,), ""),
    "next_roi": ((5,), "found"),
    "detected": ((), ""),
    "detector_score": ((), "detected"),
    "detector_keypoints": ((4, 2), "detected"),
    "timestamp_ns": ((), ""),
}
WITH_WORLD = {"landmarks": ((33, 5), "found"), "world": ((33, 4), "found"), "found": ((), "")}
ARRAYS: dict[str, dict[str, tuple[tuple[int, ...], str]]] = {
    "upper_body": {
        **COMMON,
        "landmarks": ((25, 5), "found"),
        "auxiliary": ((2, 5), "found"),
        "pose_flag": ((), ""),
        "roi": ((5,), "cropped"),
    },
    **{model: {**COMMON, **WITH_WORLD} for model in FULL_BODY},
}
STEMS = [
    *(f"{model}__{name}__static" for model in FRAMES for name in IMAGES),
    *(
        f"{model}__{name}__{k}"
        for model in FRAMES
        for name in FRAMES[model]
        for k in ("raw", "smooth")
    ),
]


def golden(stem: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(GOLDEN / f"{stem}.npz") as arrays:
        return dict(arrays)


def test_every_input_has_its_golden_files() -> None:
    masks = {f"{model}__{name}__mask" for model in FULL_BODY for name in MASKS}
    assert {file.stem for file in GOLDEN.glob("*.npz")} == {*STEMS, *masks}


@pytest.mark.parametrize("stem", STEMS)
def test_a_golden_file_has_the_arrays_of_its_readme(stem: str) -> None:
    model, name, _ = stem.split("__")
    arrays, count = golden(stem), FRAMES[model].get(name, 1)
    shapes = {key: values.shape for key, values in arrays.items()}
    assert shapes == {key: (count, *shape) for key, (shape, _) in ARRAYS[model].items()}
    kinds = {"detected": np.bool_, "found": np.bool_, "timestamp_ns": np.int64}
    assert all(values.dtype == kinds.get(key, np.float32) for key, values in arrays.items())
    assert np.array_equal(arrays["timestamp_ns"], 33_333_000 * np.arange(1, count + 1))


@pytest.mark.parametrize("stem", STEMS)
def test_a_golden_file_has_the_same_gaps_in_every_array(stem: str) -> None:
    arrays, model = golden(stem), stem.split("__")[0]
    flags = dict(arrays)
    if model == "upper_body":
        flags["cropped"] = np.isfinite(arrays["pose_flag"])
        flags["found"] = np.nan_to_num(arrays["pose_flag"]) > 0.5
    for name, (_, flag) in ARRAYS[model].items():
        if flag:
            numbers = np.isfinite(arrays[name]).reshape(len(arrays[name]), -1)
            assert np.array_equal(numbers, np.repeat(flags[flag][:, None], numbers.shape[1], 1)), (
                name
            )


@pytest.mark.parametrize("model", FULL_BODY)
@pytest.mark.parametrize("name", MASKS)
def test_a_golden_mask_has_the_size_of_its_image(model: str, name: str) -> None:
    arrays = golden(f"{model}__{name}__mask")
    assert arrays["mask"].shape == MASKS[name]
    assert arrays["mask"].dtype == np.uint8
    assert arrays["frame"].shape == MASKS[name][:1]


@pytest.mark.parametrize("model", FULL_BODY)
@pytest.mark.parametrize("name", ["astronaut_moving", "cuts"])
def test_rois_do_not_depend_on_the_smoothing_of_landmarks(model: str, name: str) -> None:
    raw, smooth = (golden(f"{model}__{name}__{kind}") for kind in ("raw", "smooth"))
    assert np.array_equal(raw["roi"], smooth["roi"], equal_nan=True)

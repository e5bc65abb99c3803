"""The landmark model on a real crop, and the heatmap's refinement against a slow scalar one."""

from __future__ import annotations

import functools
import math

import media
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import (
    Crop,
    CropLandmarks,
    Float32Array,
    ImageArray,
    Roi,
    size_of,
)
from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.inference import OnnxModel, Shapes
from pose_ros.blazepose.landmarker import MIN_REFINE_CONFIDENCE, Landmarker, refine
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import ModelOptions

BOTH_ERAS = pytest.mark.parametrize("name", ["upper_body", "lite"])
FULL_BODY = [name for name, model in MODELS.items() if model.mask_file]
INPUT_SIZE, SIGMOID = 256, OnnxModel.sigmoid
MAP_SIZE = 64
ROI = Roi(np.array((200.0, 300.0)), 640.0, 0.0)
# Sums of up to 81 cells in float32, each rounded by 2**-24 at most, against sums in float64.
REFINED_PX = INPUT_SIZE * 81 * 2**-24
seeds = st.integers(0, 2**32 - 1)


def crop_of(image: ImageArray, roi: Roi = ROI) -> Crop:
    """Crop with buffers of its own, so that the crop lasts."""
    return Cropper(INPUT_SIZE).crop(image, roi.normalized(size_of(image)))


def load(file: str, inputs: Shapes, outputs: Shapes) -> OnnxModel:
    return OnnxModel(file, inputs, outputs, ModelOptions())


@functools.cache
def make_landmarker(name: str, kernel: int = 7) -> Landmarker:
    return Landmarker(MODELS[name], kernel, load)


@pytest.fixture(scope="module")
def crop() -> Crop:
    return crop_of(next(media.frames("person")), ROI)


def predict(landmarker: Landmarker, crop: Crop, with_mask: bool = False) -> CropLandmarks:
    found = landmarker.predict(crop, 0.0, with_mask)
    assert found is not None
    return found


@pytest.mark.parametrize("name", MODELS)
def test_all_landmarks_and_the_auxiliary_ones_are_in_crop_px(name: str, crop: Crop) -> None:
    found = make_landmarker(name).predict(crop, 0.5)
    assert found is not None
    assert found.landmarks_px.shape == (len(MODELS[name].topology) + 2, 3)
    face_px = found.landmarks_px[:11, :2]
    assert ((face_px > 0) & (face_px < INPUT_SIZE)).all()
    for probabilities in (found.visibility, found.presence):
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert found.visibility[0] > 0.9
    assert found.mask is None


@pytest.mark.parametrize("name", MODELS)
def test_world_landmarks_are_meters_around_the_hips(name: str, crop: Crop) -> None:
    found = predict(make_landmarker(name), crop)
    if not MODELS[name].world_values:
        assert found.world_m is None
        return
    assert found.world_m is not None
    shoulders_m, hips_m = found.world_m[11:13], found.world_m[23:25]
    assert 0.2 < math.dist(*shoulders_m) < 0.6
    assert np.abs(hips_m.mean(axis=0)).max() < 0.05
    assert shoulders_m[:, 1].max() < -0.2  # y is down


@BOTH_ERAS
def test_the_threshold_is_exclusive(name: str, crop: Crop) -> None:
    landmarker = make_landmarker(name)
    score = predict(landmarker, crop).score
    assert landmarker.predict(crop, score) is None
    assert (
        landmarker.predict(crop, float(np.nextafter(np.float32(score), np.float32(0)))) is not None
    )


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_crop_has_no_pose(name: str) -> None:
    black, roi = np.zeros((100, 100, 3), np.uint8), Roi(np.array((50.0, 50.0)), 100.0, 0.0)
    assert make_landmarker(name).predict(crop_of(black, roi), 0.5) is None


@BOTH_ERAS
def test_a_prediction_outlives_the_next_one(name: str, crop: Crop) -> None:
    landmarker, has_mask = make_landmarker(name), name in FULL_BODY
    first = predict(landmarker, crop, has_mask)
    arrays = [first.landmarks_px, first.visibility, first.presence, first.world_m, first.mask]
    kept = [array for array in arrays if array is not None]
    before = [array.copy() for array in kept]
    image = np.ascontiguousarray(next(media.frames("person"))[::-1])
    predict(landmarker, crop_of(image), has_mask)
    assert all(map(np.array_equal, kept, before))


@pytest.mark.parametrize("name", FULL_BODY)
def test_the_graph_with_the_mask_gives_the_same_landmarks_to_the_bit(
    name: str, crop: Crop
) -> None:
    lean = predict(make_landmarker(name), crop)
    rich = predict(make_landmarker(name), crop, with_mask=True)
    for field in ("landmarks_px", "visibility", "presence", "world_m"):
        assert np.array_equal(getattr(rich, field), getattr(lean, field)), field
    assert rich.score == lean.score
    assert rich.mask is not None
    assert rich.mask.shape == (INPUT_SIZE, INPUT_SIZE)
    nose_x, nose_y = rich.landmarks_px[0, :2].astype(int)
    assert rich.mask[nose_y, nose_x] > 0.9
    assert rich.mask[2, 2] < 0.1
    assert 0 <= rich.mask.min() <= rich.mask.max() <= 1


def test_the_upper_body_has_no_mask() -> None:
    with pytest.raises(OptionError, match="upper_body"):
        make_landmarker("upper_body").load_mask()


def test_the_kernel_is_that_of_the_options(crop: Crop) -> None:
    seven, nine = (predict(make_landmarker("lite", kernel), crop) for kernel in (7, 9))
    assert not np.array_equal(seven.landmarks_px[:, :2], nine.landmarks_px[:, :2])
    assert np.array_equal(seven.landmarks_px[:, 2], nine.landmarks_px[:, 2])


def refine_slowly(
    landmarks_px: Float32Array, heatmap: Float32Array, kernel: int
) -> list[tuple[float, float, float]]:
    """Refine landmark by landmark and cell by cell in plain float64 Python."""
    refined = []
    reach = kernel // 2
    for (x, y, z), logits in zip(landmarks_px.tolist(), heatmap.tolist(), strict=True):
        column, row = int(x / INPUT_SIZE * MAP_SIZE), int(y / INPUT_SIZE * MAP_SIZE)
        best = total = sum_x = sum_y = 0.0
        if 0 <= column < MAP_SIZE and 0 <= row < MAP_SIZE:
            for r in range(max(0, row - reach), min(MAP_SIZE, row + reach + 1)):
                for c in range(max(0, column - reach), min(MAP_SIZE, column + reach + 1)):
                    confidence = 1 / (1 + math.exp(-logits[r][c]))
                    best = max(best, confidence)
                    total += confidence
                    sum_x += confidence * c
                    sum_y += confidence * r
        if best >= 0.5:
            x, y = (s / total / MAP_SIZE * INPUT_SIZE for s in (sum_x, sum_y))
        refined.append((x, y, z))
    return refined


@pytest.mark.parametrize("kernel", [7, 9])
@given(seeds, st.sampled_from([-6.0, -2.0, 0.0]))
def test_refinement_agrees_with_the_slow_one(kernel: int, seed: int, level: float) -> None:
    """Landmarks lie all over the map, on its border and outside; some find no confident cell."""
    generator = np.random.default_rng(seed)
    heatmap = generator.normal(level, 2, (35, MAP_SIZE, MAP_SIZE)).astype(np.float32)
    landmarks_px = generator.uniform(-40, 296, (35, 3)).astype(np.float32)
    options = kernel, INPUT_SIZE, SIGMOID, MIN_REFINE_CONFIDENCE
    refined = refine(landmarks_px, heatmap, *options)
    expected = refine_slowly(landmarks_px, heatmap, kernel)
    assert np.abs(refined - np.array(expected)).max() <= REFINED_PX


def peak(column: int, row: int, logit: float) -> Float32Array:
    """Return a heatmap (1, S, S) that is empty but for one cell."""
    heatmap = np.full((1, MAP_SIZE, MAP_SIZE), -80, np.float32)
    heatmap[0, row, column] = logit
    return heatmap


def refine_one(x: float, y: float, heatmap: Float32Array, kernel: int = 7) -> list[float]:
    options = kernel, INPUT_SIZE, SIGMOID, MIN_REFINE_CONFIDENCE
    (refined,) = refine(np.array([(x, y, 5)], np.float32), heatmap, *options)
    values: list[float] = refined.tolist()
    return values


def test_a_landmark_moves_to_a_confident_cell_and_keeps_its_depth() -> None:
    assert refine_one(100, 80, peak(26, 19, 4)) == pytest.approx([26 * 4, 19 * 4, 5])


@pytest.mark.parametrize(("logit", "moves"), [(-1e-3, False), (0.0, True), (1e-3, True)])
def test_a_confidence_of_one_half_is_enough(logit: float, moves: bool) -> None:
    assert (refine_one(100, 80, peak(26, 19, logit))[0] == 26 * 4) == moves


@pytest.mark.parametrize(("kernel", "steps", "moves"), [(7, 3, True), (7, 4, False), (9, 4, True)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_window_reaches_half_a_kernel(kernel: int, steps: int, moves: bool, sign: int) -> None:
    cell = 25 + sign * steps
    assert (refine_one(100, 80, peak(cell, 20, 9), kernel)[0] == cell * 4) == moves
    assert (refine_one(80, 100, peak(20, cell, 9), kernel)[1] == cell * 4) == moves


@pytest.mark.parametrize("corner", [0, MAP_SIZE - 1])
def test_at_the_border_the_window_is_cut_and_does_not_wrap(corner: int) -> None:
    point = corner * 4.0
    assert refine_one(point, point, peak(corner, corner, 9))[:2] == pytest.approx([point, point])
    for far in ((MAP_SIZE - 1 - corner, corner), (corner, MAP_SIZE - 1 - corner)):
        assert refine_one(point, point, peak(*far, 9)) == [point, point, 5]


@pytest.mark.parametrize("outside", [(-4.0, 100), (100, -4.0), (256, 100), (100, 256.5)])
def test_a_landmark_outside_the_map_stays(outside: tuple[float, float]) -> None:
    full = np.full((1, MAP_SIZE, MAP_SIZE), 9, np.float32)
    assert refine_one(*outside, full) == [*outside, 5]


def test_refinement_does_not_change_its_input() -> None:
    landmarks_px, heatmap = np.full((1, 3), 100, np.float32), peak(26, 26, 4)
    before = landmarks_px.copy(), heatmap.copy()
    refine(landmarks_px, heatmap, 7, INPUT_SIZE, SIGMOID, MIN_REFINE_CONFIDENCE)
    assert np.array_equal(landmarks_px, before[0])
    assert np.array_equal(heatmap, before[1])

"""The landmark model on a real crop."""

from __future__ import annotations

import media
import numpy as np
import pytest

from pose_ros.blazepose.crop import crop_roi
from pose_ros.blazepose.datatypes import Crop, Roi
from pose_ros.blazepose.landmarker import Landmarker
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import PoseTrackerOptions

MODEL = MODELS["upper_body"]


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker(MODEL, PoseTrackerOptions(), None)


@pytest.fixture(scope="module")
def crop() -> Crop:
    image = next(media.frames("person"))
    return crop_roi(image, Roi(np.array((200.0, 150.0)), 384.0, 0.0), MODEL.input_size)


def test_all_landmarks_and_the_auxiliary_ones_are_in_crop_px(
    landmarker: Landmarker, crop: Crop
) -> None:
    found = landmarker.predict(crop, 0.5)
    assert found is not None
    assert found.landmarks_px.shape == (27, 3)
    face_px = found.landmarks_px[:11, :2]
    assert ((face_px > 0) & (face_px < MODEL.input_size)).all()
    for probabilities in (found.visibility, found.presence):
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert found.visibility[0] > 0.9
    assert (found.world_m, found.mask) == (None, None)


def test_the_threshold_is_exclusive(landmarker: Landmarker, crop: Crop) -> None:
    found = landmarker.predict(crop, 0.0)
    assert found is not None
    assert landmarker.predict(crop, found.score) is None
    assert (
        landmarker.predict(crop, float(np.nextafter(np.float32(found.score), np.float32(0))))
        is not None
    )


def test_an_empty_crop_has_no_pose(landmarker: Landmarker) -> None:
    black, roi = np.zeros((100, 100, 3), np.uint8), Roi(np.array((50.0, 50.0)), 100.0, 0.0)
    assert landmarker.predict(crop_roi(black, roi, MODEL.input_size), 0.5) is None


def test_a_prediction_outlives_the_next_one(landmarker: Landmarker, crop: Crop) -> None:
    first = landmarker.predict(crop, 0.0)
    assert first is not None
    before = first.landmarks_px.copy()
    image = np.ascontiguousarray(next(media.frames("person"))[::-1])
    landmarker.predict(crop_roi(image, crop.roi, MODEL.input_size), 0.0)
    assert np.array_equal(first.landmarks_px, before)

"""People who stand, without networks: what is seen of them, and what is remembered."""

from __future__ import annotations

import numpy as np

from pose_ros.blazepose.association import skeleton
from pose_ros.blazepose.datatypes import ImageSize, NormalizedRect
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.person import TrackedPerson
from pose_ros.blazepose.sighting import Sighting
from pose_ros.blazepose.smoothing import LandmarkSet
from pose_ros.blazepose.track import Observation, Track

SIZE = ImageSize(1000, 500)
MODEL = MODELS["lite"]
OPTIONS = PoseTrackerOptions(model="lite")
COLORS = np.array(((100.0, 130.0, 130.0), (60.0, 128.0, 120.0)))


def sighting(x_px: float, height_px: float = 200.0) -> Sighting:
    """Return what is seen of a person who stands in the middle of the height."""
    rng = np.random.default_rng(7)
    shape = rng.uniform(-0.5, 0.5, (33, 3)).astype(np.float32) * (0.3, 1, 0.3)
    points_px = (shape * height_px + (x_px, 250, 0)).astype(np.float32)
    hips_px = points_px[23:25].mean(axis=0)
    landmarks = LandmarkSet(
        landmarks_px=points_px,
        auxiliary_px=np.stack([hips_px, hips_px - (0, height_px / 2, 0)]).astype(np.float32),
        visibility=np.ones(33, np.float32),
        world_m=(shape * 1.7).astype(np.float32),
    )
    rect = NormalizedRect(*map(np.float32, (0.5, 0.5, 0.1, 0.2, 0)))
    seen = Observation(rect, SIZE, landmarks, np.ones(33, np.float32), 0.9, None)
    return Sighting(seen, skeleton(points_px, landmarks.visibility, height_px), COLORS)


def person(x_px: float = 500.0, *, person_id: float = 0, **shape: float) -> TrackedPerson:
    """Return somebody just found; tracked if there is an id."""
    track = Track(MODEL, 0, MODEL.smoothing)
    found = TrackedPerson.found(track, sighting(x_px, **shape), 0, OPTIONS)
    assert found is not None
    return found.tracked().named(int(person_id)) if person_id else found

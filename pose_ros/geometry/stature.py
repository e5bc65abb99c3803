"""How tall the body of the world landmarks is, and the body of somebody whose height is known.

The network gives every person much the same metric body, so its size says little about the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, Pose
from pose_ros.blazepose.topology import EARS, FULL_BODY, HIPS, KNEES, SHOULDERS

# Ankles are at 0.04 of the height of somebody who stands, ears at 0.93. ref: Drillis and Contini,
# Body Segment Parameters (1966), for the ankle; ANSUR II (2012), tragion height.
_ANKLE_TO_EAR = 0.89


class _Bone(NamedTuple):
    """A bone: in whose middles it starts and ends, its length, and the landmarks that it carries.

    `of_height` is the length as a part of the person's height, `of_chain` how often it counts in
    the chain from the ankles to the ears.
    """

    start: Sequence[int]
    end: Sequence[int]
    carried: range
    of_height: float
    of_chain: float


# Lengths are between the places that the models call joints: the mean of eight people whose
# landmarks were measured by depth or by four cameras. The models' hips are below the joints.
_BONES = (
    _Bone(HIPS, SHOULDERS, range(HIPS[0]), 0.315, 1),
    _Bone(SHOULDERS, EARS, range(SHOULDERS[0]), 0.125, 1),
    *(_Bone((hip,), (hip + 2,), range(hip + 2, len(FULL_BODY), 2), 0.225, 0.5) for hip in HIPS),
    *(
        _Bone((knee,), (knee + 2,), range(knee + 2, len(FULL_BODY), 2), 0.225, 0.5)
        for knee in KNEES
    ),
)
_OF_HEIGHT, _OF_CHAIN = (
    np.array([getattr(bone, part) for bone in _BONES]) for part in ("of_height", "of_chain")
)


def _vectors() -> Float64Array:
    """Return what landmarks are multiplied by to get the bones: (bones, 33)."""
    vectors = np.zeros((len(_BONES), len(FULL_BODY)))
    for vector, bone in zip(vectors, _BONES, strict=True):
        vector[[*bone.start]] = -1 / len(bone.start)
        vector[[*bone.end]] = 1 / len(bone.end)
    return vectors


def _carried() -> Float64Array:
    """Return 1 where a bone carries a landmark, else 0: (33, bones)."""
    carried = np.zeros((len(FULL_BODY), len(_BONES)))
    for number, bone in enumerate(_BONES):
        carried[bone.carried, number] = 1
    return carried


_VECTORS, _CARRIED = _vectors(), _carried()


def stature_m(world_m: Float32Array) -> float:
    """Return the height in m that a body of world landmarks (33, 3) has when it stands.

    It is that of the chain from the ankles to the ears, so it hardly depends on the posture.
    """
    return _stature_m(np.linalg.norm(_VECTORS @ world_m.astype(np.float64), axis=1))


def _stature_m(lengths_m: Float64Array) -> float:
    return float(_OF_CHAIN @ lengths_m) / _ANKLE_TO_EAR


def with_stature(pose: Pose, height_m: float) -> Pose:
    """Return the pose with a metric body so tall; as it is if 0, or without such a body."""
    if height_m == 0 or pose.world_landmarks_m is None:
        return pose
    model_m = stature_m(pose.world_landmarks_m)
    if not model_m > 0:
        return pose
    scale = np.float32(height_m / model_m)
    return replace(pose, world_landmarks_m=pose.world_landmarks_m * scale)


def usual_body(world_m: Float32Array, height_m: float) -> Float64Array | None:
    """Return the body (33, 3) in m of somebody so tall in the posture of world landmarks (33, 3).

    The middle of its hips is the origin. Its bones are as long as those of people of that height
    are in the mean: the model's lengths err more than people differ, most where it only guesses,
    as outside of the image. None if the world landmarks have no size.
    """
    given_m = world_m.astype(np.float64)
    bones_m = _VECTORS @ given_m
    lengths_m = np.linalg.norm(bones_m, axis=1)
    model_m = _stature_m(lengths_m)
    if not (0 < model_m < np.inf and lengths_m.all()):
        return None
    scale = height_m / model_m
    longer = _OF_HEIGHT * height_m / lengths_m - scale
    body_m: Float64Array = scale * (given_m - given_m[HIPS].mean(axis=0))
    body_m += _CARRIED @ (bones_m * longer[:, None])
    return body_m

"""Postures of synthetic bodies, and of some of the labeled people."""

from __future__ import annotations

import media
import numpy as np
import pytest
from synthetic.limbs import body_of_limbs, heading_and_tilt
from synthetic.postures import ALL_VISIBLE, HANGING, LEGS, body_in_posture, figure_of

from body import gestures_evaluate, labeled
from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.topology import ANKLES, HIPS, KNEES
from pose_ros.body.figure import Figure
from pose_ros.body.posture import POSTURES, posture

HEADINGS_DEG = (0, 40, 90, 135, 180, -60)
# Some of those in clips that other tests need too.
SUBSET = [
    person
    for person in labeled.people()
    if person.picture in ("p2s_single_cam02", "p2s_multi_cam02")
]


@pytest.mark.parametrize("heading_deg", HEADINGS_DEG)
@pytest.mark.parametrize("name", [*LEGS, "lying"])
def test_a_body_is_in_its_posture_from_every_side(name: str, heading_deg: float) -> None:
    assert posture(figure_of(body_in_posture(name), heading_deg)) == name


@pytest.mark.parametrize("tilt_deg", [-50, 50])
@pytest.mark.parametrize("name", [*LEGS, "lying"])
def test_it_is_the_same_for_a_camera_that_is_tilted_and_knows_it(
    name: str, tilt_deg: float
) -> None:
    assert posture(figure_of(body_in_posture(name), 30, tilt_deg)) == name


def test_who_stands_on_one_leg_stands() -> None:
    points_m = body_in_posture("standing")
    points_m[KNEES[0]], points_m[ANKLES[0]] = (0.1, 0.05, -0.42), (0.1, 0.46, -0.42)
    assert posture(figure_of(points_m)) == "standing"


@pytest.mark.parametrize("hidden", [KNEES, HIPS, [*KNEES, *ANKLES]])
def test_it_is_unknown_while_the_body_is_hidden(hidden: list[int]) -> None:
    visibility = ALL_VISIBLE.copy()
    visibility[hidden] = 0.3
    assert posture(Figure(body_in_posture("standing").tolist(), visibility.tolist())) == "unknown"


@pytest.mark.parametrize(("name", "expected"), [("standing", "standing"), ("sitting", "sitting")])
def test_knees_are_enough_where_feet_are_hidden(name: str, expected: str) -> None:
    visibility = ALL_VISIBLE.copy()
    visibility[ANKLES] = 0.1
    assert posture(Figure(body_in_posture(name).tolist(), visibility.tolist())) == expected


@pytest.mark.parametrize("name", ["standing", "sitting"])
def test_knees_that_the_model_guesses_are_not_enough(name: str) -> None:
    """Of who sits behind a table it takes the knees for straight below the hips."""
    visibility = ALL_VISIBLE.copy()
    visibility[KNEES], visibility[ANKLES] = 0.65, 0.1
    assert posture(Figure(body_in_posture(name).tolist(), visibility.tolist())) == "unknown"


def test_who_kneels_is_not_said_to_stand() -> None:
    points_m = body_in_posture("standing")
    points_m[ANKLES] = points_m[KNEES] + (0.0, 0.05, 0.41)
    assert posture(figure_of(points_m)) != "standing"


def test_a_model_without_legs_gives_no_posture() -> None:
    assert (
        posture(Figure(body_in_posture("standing")[:25].tolist(), ALL_VISIBLE[:25].tolist()))
        == "unknown"
    )


def test_landmarks_that_are_unknown_give_none() -> None:
    for broken in (*HIPS, *KNEES):
        points_m = body_in_posture("standing")
        points_m[broken] = np.nan
        assert posture(Figure(points_m.tolist(), ALL_VISIBLE.tolist())) in ("unknown", "standing")
    assert posture(Figure(np.full((33, 3), np.nan).tolist(), ALL_VISIBLE.tolist())) == "unknown"


@pytest.mark.parametrize("seed", range(20))
def test_any_landmarks_give_one_of_the_postures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points_m = rng.normal(size=(33, 3)) * 10.0 ** rng.integers(-3, 4)
    points_m[rng.random(33) < 0.2] = 0.0  # limbs of no length
    assert posture(Figure(points_m.tolist(), rng.random(33).tolist())) in POSTURES


def test_the_labels_are_of_people_in_known_pictures() -> None:
    names = {*labeled.pictures(), *media.TABLE}
    assert {person.picture for person in labeled.people()} <= names
    assert len(labeled.people()) >= 100
    for person in labeled.people():
        assert person.posture in {*POSTURES, "other"} - {"unknown"}
        assert set(person.arms.values()) <= {"0", "1", "?"}


def test_labeled_people_are_in_their_postures() -> None:
    """`gestures_evaluate.py` judges all of them."""
    media.require(*{person.picture for person in SUBSET})
    score = gestures_evaluate.Score()
    for person in SUBSET:
        score.add(person, labeled.pose_of(person))
    assert score.postures == {("standing", "standing"): len(SUBSET)}


def test_who_is_half_down_on_much_bent_knees_crouches() -> None:
    bent = ((0.0, 0.75, -0.66), (0.0, 0.8, 0.6))
    half_down = figure_of(body_of_limbs(HANGING + bent, HANGING + bent))
    leg = half_down.leg("left")
    assert leg is not None
    assert leg.rise > 0.7
    assert posture(half_down) == "crouching"


def test_who_is_bent_low_over_bent_legs_crouches() -> None:
    """As somebody who lands after a jump: the back is level, and the hips are above the feet."""
    bent = ((0.0, 0.1, -1.0), (0.0, 0.75, 0.66))
    bent_low = figure_of(stooped(body_of_limbs(HANGING + bent, HANGING + bent), 75.0))
    assert bent_low.tilt_deg > 65
    assert posture(bent_low) == "crouching"


def stooped(points_m: Float64Array, tilt_deg: float) -> Float64Array:
    """Return joints with all above the hips turned forward."""
    hips_m = points_m[list(HIPS)].mean(axis=0)
    return np.vstack(
        (hips_m + (points_m[:23] - hips_m) @ heading_and_tilt(0, tilt_deg).T, points_m[23:])
    )


def test_who_has_a_foot_on_the_ground_from_a_high_stool_is_not_said_to_stand() -> None:
    down, drawn_up = ((0.0, 0.9, -0.5), (0.0, 1.0, 0.2)), ((0.0, 0.5, -0.9), (0.0, 1.0, 0.4))
    on_stool = figure_of(body_of_limbs(HANGING + down, HANGING + drawn_up))
    leg = on_stool.leg("left")
    assert leg is not None
    assert leg.rise > 0.8
    assert posture(on_stool) != "standing"


@pytest.mark.parametrize(
    ("tilt_deg", "expected"), [(5.0, "sitting"), (15.0, "sitting"), (45.0, "crouching")]
)
def test_feet_below_the_seat_leave_it_to_the_back(tilt_deg: float, expected: str) -> None:
    """Of people seen from in front the model often has the feet too far back."""
    bent = ((0.0, 0.4, -1.0), (0.0, 0.9, 0.6))
    assert (
        posture(figure_of(stooped(body_of_limbs(HANGING + bent, HANGING + bent), tilt_deg)))
        == expected
    )


def test_one_visible_leg_tells_who_crouches() -> None:
    visibility = ALL_VISIBLE.copy()
    visibility[[KNEES[0], ANKLES[0]]] = 0.2
    points_m = stooped(body_in_posture("crouching"), 30.0)
    assert posture(Figure(points_m.tolist(), visibility.tolist())) == "crouching"


def test_who_sits_on_the_floor_does_not_crouch() -> None:
    drawn_up = ((0.0, -0.7, -0.7), (0.0, 0.75, 0.6))
    assert posture(figure_of(body_of_limbs(HANGING + drawn_up, HANGING + drawn_up))) == "sitting"

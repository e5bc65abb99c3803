"""Short scenes of one and two people: their truth, and the tracker on them."""

from __future__ import annotations

import media
import numpy as np
import pytest

from people.judging import Frame, Row, judge
from people.rendering import MIRRORED, render
from people.rooms import room
from people.runs import Result, run_scene
from people.scenes import RATE_HZ, SCENES
from people.subject import Subject, options_of
from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.topology import FULL_BODY

CLIPS = ("sports2d_demo", "p2s_multi_cam02")


@pytest.fixture(scope="module", autouse=True)
def _clips() -> None:
    media.require(*CLIPS)


@pytest.fixture(scope="module")
def one_at_a_time() -> Subject:
    return Subject(options_of("full", max_persons=1, detector="blazepose"))


def run(name: str, subject: Subject) -> Result:
    return run_scene(name, subject, watch=lambda image, poses: None)


def test_the_truth_judged_by_itself_is_perfect() -> None:
    frames = [
        Frame(people, [Row(10 + one.identity, one.landmarks_px) for one in people])
        for _, people in render(SCENES["small_2"])
    ]
    figures = judge(frames)
    assert (figures.recall, figures.idf1, figures.people) == (1, 1, 2)
    assert (figures.ghosts, figures.switches, figures.merged_frames) == (0, 0, 0)


def test_people_who_pass_hide_each_other_for_a_while() -> None:
    shares = [
        {person.identity: person.visible_share for person in people}
        for _, people in render(SCENES["small_2"])
    ]
    nearer, farther = sorted((0, 1), key=lambda who: -SCENES["small_2"].actors[who].ground_px)
    assert min(share[nearer] for share in shares) > 0.9
    assert min(share[farther] for share in shares) < 0.6
    assert max(share[farther] for share in shares) > 0.95


def test_a_person_is_where_the_truth_says_and_the_room_is_empty_elsewhere() -> None:
    image, (person,) = list(render(SCENES["small_1"]))[45]
    difference = np.abs(image.astype(int) - room(SCENES["small_1"].room)).max(axis=2)
    left, top = person.landmarks_px.min(axis=0).astype(int) - 40
    right, bottom = person.landmarks_px.max(axis=0).astype(int) + 40
    beside = difference.copy()
    beside[max(top, 0) : bottom, max(left, 0) : right] = 0
    assert (difference > 20).sum() > person.area_px / 2
    assert beside.max() == 0


def test_mirrored_people_have_their_sides_exchanged() -> None:
    names = [FULL_BODY.names[index] for index in MIRRORED]
    exchanged = [name.replace("left", "L").replace("right", "left") for name in FULL_BODY.names]
    assert names == [name.replace("L", "right") for name in exchanged]


def test_one_person_is_found_and_keeps_one_id(one_at_a_time: Subject) -> None:
    figures = run("small_1", one_at_a_time).figures
    assert figures.recall >= 0.75
    assert (figures.people, figures.ids, figures.switches, figures.ghosts) == (1, 1, 0, 0)


def test_two_who_pass_each_other_keep_one_id_each() -> None:
    subject = Subject(options_of("lite", max_persons=4, detector="blazepose"))
    figures = run("small_2", subject).figures
    assert figures.recall >= 0.7
    assert figures.idf1 >= 0.75
    assert (figures.people, figures.ids, figures.switches) == (2, 2, 0)
    assert figures.ghosts_per_frame <= 0.13
    assert figures.merged_frames <= RATE_HZ / 2


def test_costs_are_counted(one_at_a_time: Subject) -> None:
    costs = run("small_1", one_at_a_time).costs
    assert costs.images == 90
    assert 0 < costs.detector_runs < costs.images
    assert costs.cpu_ms_per_image > 0


@pytest.mark.parametrize(
    ("detector", "value"), [("no_such_detector", "no_such_detector"), ("", "person_detector")]
)
def test_a_detector_that_the_tracker_does_not_have_is_rejected(detector: str, value: str) -> None:
    with pytest.raises(OptionError, match=value):
        options_of("full", max_persons=1, detector=detector)

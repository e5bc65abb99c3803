"""Who is looked at in an image, if the landmark model does not run for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazepose.rectangles import Rectangles, Somebody, draw
from blazepose.standing import SIZE, person, sighting
from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import Float32Array, Poses
from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.observer import Frame
from pose_ros.blazepose.people import People
from pose_ros.blazepose.person import PersonState, TrackedPerson
from pose_ros.blazepose.schedule import waiting_near, waiting_people

OPTIONS = PoseTrackerOptions(model="lite", max_persons=4, landmark_interval_s=0.1)
STEP_NS = 10**9 // 30
APART = [Somebody(40 + 80 * index, 90, 70, index) for index in range(4)]
IMAGE = np.zeros((SIZE.height_px, SIZE.width_px, 3), np.uint8)


def waiting_ids(
    people: Sequence[TrackedPerson],
    time_ns: int,
    options: PoseTrackerOptions,
    **frame: Any,
) -> list[int]:
    waiting = waiting_people(People(1, tuple(people)), options, Frame(IMAGE, time_ns, **frame))
    return sorted(people[index].person_id for index in waiting)


@pytest.mark.parametrize("interval_s", [-0.01, 0.51, float("nan")])
def test_longer_intervals_are_rejected(interval_s: float) -> None:
    with pytest.raises(OptionError, match="landmark_interval_s"):
        replace(OPTIONS, landmark_interval_s=interval_s)


# Who waits


def known(x_px: float, person_id: float, **shape: float) -> TrackedPerson:
    return replace(person(x_px, person_id=person_id, **shape), hits=10)


ROW = [known(150 + 200 * index, person_id=index + 1) for index in range(4)]
SOON_NS = 1


@given(
    st.sampled_from(["sticky", "largest", "nearest", "center"]),
    st.floats(0.01, 0.5),
    st.lists(st.integers(1, 50), min_size=1, max_size=4, unique=True),
    st.integers(0, 2 * 10**9),
)
def test_one_person_never_waits_and_nobody_does_beyond_the_interval(
    select: str, interval_s: float, numbers: list[int], age_ns: int
) -> None:
    people = [known(150 + 200 * i, person_id=number) for i, number in enumerate(numbers)]
    options = replace(OPTIONS, select=select, landmark_interval_s=interval_s)
    waiting = waiting_ids(people, age_ns, options)
    assert len(waiting) < len(people)
    assert waiting == [] or age_ns < interval_s * 1e9


@pytest.mark.parametrize(
    ("options", "frame"),
    [
        ({"landmark_interval_s": 0.0}, {}),
        ({"max_persons": 1}, {}),
        ({"max_persons": 1, "select": "largest"}, {}),
        ({}, {"with_mask": True}),
    ],
)
def test_nobody_waits_unless_asked_for(options: dict[str, Any], frame: dict[str, Any]) -> None:
    assert waiting_ids(ROW, SOON_NS, OPTIONS) == [2, 3, 4]
    assert waiting_ids(ROW, SOON_NS, replace(OPTIONS, **options), **frame) == []


@pytest.mark.parametrize(
    ("select", "distances_m", "expected"),
    [
        ("sticky", {}, 1),
        ("center", {}, 2),
        ("largest", {}, 4),
        ("nearest", {1: 3.0, 2: 2.9, 3: 1.4, 4: 2.0}, 3),
        ("nearest", {1: 3.0, 2: 2.9, 3: 1.4}, 4),
    ],
)
def test_the_selected_person_does_not_wait(
    select: str, distances_m: dict[int, float], expected: int
) -> None:
    people = [ROW[0], known(450, 2), ROW[2], known(900, 4, height_px=260)]
    options = replace(OPTIONS, select=select)
    waiting = waiting_ids(people, SOON_NS, options, distances_m=distances_m)
    assert waiting == sorted({1, 2, 3, 4} - {expected})


def test_the_person_who_is_asked_for_is_the_selected_one_while_tracked() -> None:
    assert waiting_ids(ROW, SOON_NS, OPTIONS, selected_id=3) == [1, 2, 4]
    lost = [*ROW[:2], replace(ROW[2], state=PersonState.HELD), ROW[3]]
    assert waiting_ids(lost, SOON_NS, OPTIONS, selected_id=3) == [2, 4]


def test_who_is_not_tracked_does_not_wait() -> None:
    tentative, held = (
        replace(ROW[index], state=state)
        for index, state in ((2, PersonState.TENTATIVE), (3, PersonState.HELD))
    )
    assert waiting_ids([*ROW[:2], tentative, held], SOON_NS, OPTIONS) == [2]


@pytest.mark.parametrize("state", PersonState)
def test_people_who_are_close_do_not_wait(state: PersonState) -> None:
    close = replace(person(360, person_id=9), state=state)
    assert waiting_ids([*ROW, close], SOON_NS, OPTIONS) == [3, 4]


@pytest.mark.parametrize(("speed_px_s", "gap_s"), [(100.0, 0.15), (500.0, 0.0285)])
def test_who_moves_waits_a_part_of_the_size_only(speed_px_s: float, gap_s: float) -> None:
    walking = replace(known(500, 6), velocity_px_s=np.array((0.0, speed_px_s)))
    options = replace(OPTIONS, landmark_interval_s=0.5)
    for factor, expected in ((0.8, [6]), (1.2, [])):
        time_ns = round(factor * gap_s * 1e9)
        assert waiting_ids([ROW[0], walking], time_ns, options) == expected


def test_who_waits_and_may_be_found_elsewhere_is_looked_at() -> None:
    people = People(5, tuple(replace(one, is_waiting=one.person_id > 1) for one in ROW))
    near_first, near_third, near_nobody = sighting(170), sighting(590), sighting(900)
    assert waiting_near(people, [near_first, near_third, near_nobody], SOON_NS) == {2}
    assert waiting_near(people, [near_nobody], SOON_NS) == set()
    assert waiting_near(people, [], SOON_NS) == set()


def test_who_is_new_does_not_wait() -> None:
    assert waiting_ids([ROW[0], replace(ROW[1], hits=9)], SOON_NS, OPTIONS) == []


def test_people_who_walk_towards_each_other_do_not_wait_once_they_should_be_close() -> None:
    walking = replace(ROW[1], velocity_px_s=np.array((1000.0, 0.0)), is_waiting=True)
    options = replace(OPTIONS, landmark_interval_s=0.5)
    people = [ROW[0], walking, ROW[2], ROW[3]]
    assert waiting_ids(people, 10**7, options) == [2, 3, 4]
    assert waiting_ids(people, 2 * 10**8, options) == [4]


@settings(max_examples=30)
@given(st.sampled_from([15.0, 30.0, 60.0]), st.floats(0.0, 0.5), st.integers(1, 1000))
def test_each_is_looked_at_as_often_as_asked_for(
    rate_hz: float, interval_s: float, person_id: int
) -> None:
    options = replace(OPTIONS, landmark_interval_s=interval_s)
    selected, other, looks = known(150, 1).named(0), known(800, person_id), []
    for index in range(1, round(10 * rate_hz)):
        time_ns = round(index / rate_hz * 1e9)
        if not waiting_ids([selected, other], time_ns, options):
            other = replace(other, seen_ns=time_ns)
            looks.append(time_ns)
    gaps_s = np.diff(looks) * 1e-9
    assert gaps_s.max() <= interval_s + 1 / rate_hz + 1e-6
    assert np.mean(gaps_s) == pytest.approx(max(interval_s, 1 / rate_hz), rel=0.12)


# The tracker


class Scene:
    """A tracker of rectangles, and the time that passes with each image."""

    def __init__(self, **options: Any) -> None:
        self.tracker = PoseTracker(replace(OPTIONS, **options), backend=Rectangles)
        self._time_ns = 0

    def show(self, people: Sequence[Somebody], **given: Any) -> Poses:
        self._time_ns += STEP_NS
        return self.tracker.track(draw(people), self._time_ns, **given)


def ages(result: Sequence[Pose]) -> dict[int, int]:
    """Return how old each pose is, in images."""
    return {pose.person_id: round(pose.held_ns / STEP_NS) for pose in result}


def test_everybody_has_a_row_on_every_image_which_says_how_old_it_is() -> None:
    scene, seen = Scene(), dict[int, Float32Array]()
    for _ in range(20):
        seen |= {pose.person_id: pose.landmarks_px for pose in scene.show(APART)}
    for _ in range(30):
        result = scene.show(APART)
        assert [pose.person_id for pose in result] == [1, 2, 3, 4]
        assert result.held == ()
        assert not any(pose.is_held for pose in result)
        assert result[0].held_ns == 0
        assert max(ages(result).values()) <= 3
        for pose in result:
            if pose.held_ns:
                np.testing.assert_array_equal(pose.landmarks_px, seen[pose.person_id])
                assert pose.detection is None
            seen[pose.person_id] = pose.landmarks_px


def test_turns_are_on_different_images() -> None:
    scene = Scene(landmark_interval_s=3 / 30)
    for _ in range(20):
        scene.show(APART)
    looked_at = [sum(age == 0 for age in ages(scene.show(APART)).values()) for _ in range(30)]
    assert np.mean(looked_at) == pytest.approx(2, abs=0.1)
    assert max(looked_at) <= 3


def test_with_one_person_nothing_changes() -> None:
    plain, other = (Scene(max_persons=1, landmark_interval_s=interval) for interval in (0.0, 0.5))
    for index in range(30):
        people = [Somebody(40 + index, 90, 70, 0), APART[2]]
        (expected,), (pose,) = plain.show(people), other.show(people)
        np.testing.assert_array_equal(expected.landmarks_px, pose.landmarks_px)
        assert pose.held_ns == 0


def test_who_walks_keeps_the_id_with_the_longest_interval() -> None:
    scene = Scene(landmark_interval_s=0.5)
    standing, places = Somebody(40, 90, 70, 0), {}
    for index in range(90):
        walking = Somebody(110 + 1.8 * index, 90, 70, 1)
        result = scene.show([standing, walking])
        if len(result) == 2:
            places[index] = result[1]
    assert {pose.person_id for pose in places.values()} == {2}
    assert sorted(places) == list(range(min(places), 90))
    assert max(max(ages([pose]).values()) for pose in places.values()) > 3


def test_who_leaves_while_not_looked_at_is_held_after_the_interval() -> None:
    scene = Scene(landmark_interval_s=0.5)
    for _ in range(20):
        scene.show(APART[:2])
    results = [scene.show(APART[:1]) for _ in range(20)]
    assert [len(result) for result in results][-1] == 1
    (held,) = results[-1].held
    assert held.is_held
    assert held.held_ns >= 19 * STEP_NS
    assert [pose.person_id for pose in scene.show(APART[:2])] in ([1], [1, 2])

"""States and ids of people who are rectangles, so that all that happens to them is known."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from blazepose.rectangles import WIDTH_PX, Rectangles, Somebody, draw
from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import ImageArray, NormalizedRect, Poses
from pose_ros.blazepose.observer import Frame
from pose_ros.blazepose.people import People
from pose_ros.blazepose.regions import Region
from pose_ros.blazepose.step import Step
from pose_ros.blazepose.track import Pipeline

STEP_NS = 10**9 // 30
OPTIONS = PoseTrackerOptions(model="lite", max_persons=4)
ROW = [Somebody(50 + 70 * index, 90, 80, index) for index in range(4)]


class Scene:
    """A tracker, and the time that passes with each image."""

    def __init__(self, **options: Any) -> None:
        self.tracker = PoseTracker(replace(OPTIONS, **options), backend=Rectangles)
        self._time_ns = 0

    def show(self, people: Sequence[Somebody], images: int = 1) -> Poses:
        """Return the result for the last of some equal images."""
        image = draw(people)
        for _ in range(images):
            self._time_ns += STEP_NS
            result = self.tracker.track(image, self._time_ns)
        return result


def ids(poses: Sequence[Pose]) -> list[int]:
    return [pose.person_id for pose in poses]


def color_by_id(result: Poses, people: Sequence[Somebody]) -> dict[int, int]:
    """Return whose color is where the middle of each pose is."""
    found = {}
    for pose in result:
        x_px = pose.landmarks_px[23:25, 0].mean()
        nearest = min(people, key=lambda one: abs(one.x_px - x_px))
        assert abs(nearest.x_px - x_px) < 0.1 * nearest.height_px
        found[pose.person_id] = nearest.color
    return found


def test_the_first_is_tracked_at_once_the_others_after_three_images() -> None:
    scene = Scene()
    results = [scene.show(ROW) for _ in range(4)]
    assert [ids(result) for result in results] == [[1], [1], [1, 2, 3, 4], [1, 2, 3, 4]]
    assert [result.tentative for result in results] == [3, 3, 0, 0]


def test_who_is_seen_for_two_images_only_gets_no_id() -> None:
    scene = Scene()
    scene.show(ROW[:1], images=3)
    scene.show(ROW[:2], images=2)
    result = scene.show(ROW[:1])
    assert (ids(result), result.tentative, result.held) == ([1], 0, ())
    assert scene.tracker.next_person_id == 2


def test_no_more_people_are_tracked_than_may_be_and_a_free_place_is_taken() -> None:
    scene = Scene(max_persons=2, hold_time_s=0.0)
    assert ids(scene.show(ROW, images=30)) == [1, 2]
    assert ids(scene.show(ROW[1:], images=100)) == [2, 3]


def test_who_is_out_of_sight_is_held_and_comes_back_with_the_id() -> None:
    scene = Scene()
    before = scene.show(ROW[:2], images=6)
    gone = scene.show(ROW[:1], images=15)
    assert [ids(before), ids(gone), ids(gone.held)] == [[1, 2], [1], [2]]
    assert gone.held[0].held_ns == 15 * STEP_NS
    assert np.array_equal(gone.held[0].landmarks_px, before[1].landmarks_px)
    back = scene.show(ROW[:2], images=15)
    assert [ids(back), back.held] == [[1, 2], ()]
    assert back[1].held_ns == 0


@pytest.mark.parametrize(("hold_time_s", "expected"), [(0.5, [1, 3]), (5.0, [1, 2])])
def test_who_is_out_of_sight_for_longer_is_lost_and_the_id_never_used_again(
    hold_time_s: float, expected: list[int]
) -> None:
    scene = Scene(hold_time_s=hold_time_s)
    scene.show(ROW[:2], images=6)
    scene.show(ROW[:1], images=20)
    assert ids(scene.show(ROW[:2], images=100)) == expected


def test_everybody_may_vanish_and_comes_back_with_the_ids() -> None:
    scene = Scene()
    before = scene.show(ROW, images=6)
    gone = scene.show([], images=20)
    assert (ids(gone), ids(gone.held)) == ([], [1, 2, 3, 4])
    back = scene.show(ROW, images=20)
    assert color_by_id(back, ROW) == color_by_id(before, ROW)


def test_two_who_pass_each_other_keep_their_ids() -> None:
    scene = Scene()
    colors: dict[int, dict[int, int]] = {}
    for x_px in np.arange(40.0, WIDTH_PX - 40, 3):
        farther = Somebody(WIDTH_PX - float(x_px), 80, 80, 0)
        nearer = Somebody(float(x_px), 90, 90, 1)
        result = scene.show([farther, nearer])
        if abs(farther.x_px - nearer.x_px) > 60:
            colors[len(colors)] = color_by_id(result, [farther, nearer])
    assert colors[10] == list(colors.values())[-1]
    assert set(colors[10]) == {1, 2}


def test_a_reset_retires_the_ids() -> None:
    scene = Scene()
    scene.show(ROW, images=6)
    scene.tracker.reset()
    assert ids(scene.show(ROW, images=6)) == [5, 6, 7, 8]


@pytest.mark.parametrize(
    "change",
    [
        lambda people: [one._replace(x_px=WIDTH_PX - one.x_px) for one in people],
        lambda people: [one._replace(color=(one.color + 2) % 6) for one in people],
        lambda people: people[::-1],
    ],
    ids=["mirrored", "in other colors", "drawn in another order"],
)
def test_a_changed_scene_has_as_many_people_held_and_ids(
    change: Callable[[list[Somebody]], list[Somebody]],
) -> None:
    people, scene = change(ROW), Scene()
    first = scene.show(people[1:3], images=40)
    second = scene.show(people[1:], images=40)
    third = scene.show(people[2:], images=10)
    assert [len(result) for result in (first, second, third)] == [2, 3, 2]
    assert [len(result.held) for result in (first, second, third)] == [0, 0, 1]
    colors = color_by_id(second, people)
    assert colors.items() >= color_by_id(first, people).items()
    assert colors.items() >= color_by_id(third, people).items()


def test_the_detector_runs_on_every_image_until_somebody_is_there_and_then_seldom() -> None:
    scene = Scene(detect_regions="off")
    assert {scene.show([]).detector_runs for _ in range(10)} == {1}
    scene.show(ROW[:1])
    runs = sum(scene.show(ROW[:1]).detector_runs for _ in range(60))
    assert 10 <= runs <= 25
    scene.show(ROW, images=6)
    assert sum(scene.show(ROW).detector_runs for _ in range(30)) == 0, "with nobody else wanted"


@pytest.mark.parametrize(
    ("distances_m", "expected"), [({1: 4.0, 0: 2.0}, 2), ({1: 2.0, 0: 4.0}, 1), ({}, 1)]
)
def test_the_nearest_is_tracked_by_the_distances_of_the_last_result(
    distances_m: dict[int, float], expected: int
) -> None:
    """The candidate for the place of somebody is part of the result, to be located too."""
    tracker = PoseTracker(replace(OPTIONS, max_persons=1, select="nearest"), backend=Rectangles)
    image, candidates = draw(ROW[1:3]), []
    for number in range(1, 31):
        result = tracker.track(image, number * 100_000_000, distances_m=distances_m)
        assert len(result) == 1
        if result.candidate is not None:
            candidates.append(result.candidate)
            assert result.everybody == (*result, result.candidate)
    assert {candidate.person_id for candidate in candidates} == {0}
    assert ids(result) == [expected]
    if expected == 2:
        assert color_by_id(result, ROW[1:3]) == {2: ROW[2].color}


def test_nobody_is_a_candidate_while_there_is_room() -> None:
    scene = Scene()
    result = scene.show(ROW)
    assert (result.tentative, result.candidate) == (3, None)


class Shown:
    """The networks of `lite`, which compute each place of an image once."""

    def __init__(self) -> None:
        self._pipeline = Pipeline(OPTIONS, backend=Rectangles)
        self.model, self.movenet = self._pipeline.model, self._pipeline.movenet
        self._known: dict[Any, Any] = {}

    def detect(self, image: ImageArray, min_score: float, region: Region) -> Any:
        key = (id(image), region)
        if key not in self._known:
            self._known[key] = tuple(self._pipeline.detect(image, min_score, region))
        return self._known[key]

    def observe_all(self, image: ImageArray, rects: list[NormalizedRect], *rest: Any) -> Any:
        key = (id(image), *rects)
        if key not in self._known:
            self._known[key] = self._pipeline.observe_all(image, rects, *rest)
        return self._known[key]


def test_ids_grow_and_memory_does_not_over_ten_thousand_acquisitions() -> None:
    options = replace(OPTIONS, hold_time_s=0.0, detect_regions="off")
    step, people, time_ns = Step(Shown(), options, nullcontext), People(1), 0  # type: ignore[arg-type]
    images, blocks = [draw(ROW), draw(ROW), draw(ROW), draw([])], {}
    while people.next_person_id < 10_000:
        for image in images:
            time_ns += STEP_NS
            people = step(people, Frame(image, time_ns))
        assert people.known == ()
        if people.next_person_id in (2001, 10_001):
            blocks[people.next_person_id] = sys.getallocatedblocks()
    assert blocks[10_001] - blocks[2001] < 500

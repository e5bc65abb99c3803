from __future__ import annotations

import pytest

from people.rooms import ROOMS
from people.scenes import HALVES, SCENES, WIDTH_PX, Actor, Pillar, Scene
from people.sources import SOURCES

LONG = [scene for scene in SCENES.values() if scene.half != "small"]


def is_inside(actor: Actor, time_s: float) -> bool:
    return 0 < actor.x_px(time_s) < WIDTH_PX


def test_there_are_enough_scenes_people_and_crossings() -> None:
    assert len(LONG) >= 12
    assert sum(len(scene.actors) for scene in LONG) >= 40
    assert sum(scene.crossings() for scene in LONG) >= 20


@pytest.mark.parametrize("half", ["tune", "judge"])
def test_a_half_has_pillars_people_who_enter_and_people_who_leave(half: str) -> None:
    scenes = [scene for scene in LONG if scene.half == half]
    ends = [
        (is_inside(actor, scene.times_s[0]), is_inside(actor, scene.times_s[-1]))
        for scene in scenes
        for actor in scene.actors
    ]
    assert len(scenes) >= 6
    assert any(scene.pillar is not None for scene in scenes)
    assert sum(not inside for inside, _ in ends) >= 3
    assert sum(not inside for _, inside in ends) >= 3


@pytest.mark.parametrize("scene", LONG, ids=lambda scene: scene.name)
def test_two_to_seven_people_are_there_at_once(scene: Scene) -> None:
    at_once = [sum(is_inside(actor, time_s) for actor in scene.actors) for time_s in scene.times_s]
    assert 2 <= max(at_once) <= 7


@pytest.mark.parametrize("scene", SCENES.values(), ids=lambda scene: scene.name)
def test_people_are_150_to_350_px_tall_and_can_be_made(scene: Scene) -> None:
    assert all(150 <= actor.height_px <= 350 for actor in scene.actors)
    assert {actor.source for actor in scene.actors} <= SOURCES.keys()
    assert scene.room in ROOMS
    assert scene.half in HALVES


def test_no_images_of_people_are_in_both_halves() -> None:
    used = {
        half: {actor.source for scene in LONG if scene.half == half for actor in scene.actors}
        for half in ("tune", "judge")
    }
    assert used["tune"].isdisjoint(used["judge"])


def test_the_seeds_draw_the_same_scenes_everywhere() -> None:
    scene = SCENES["judge_3_pillar"]
    assert scene.pillar == Pillar(left_px=636, width_px=87, ground_px=572)
    assert [actor.source for actor in scene.actors] == ["man_1", "woman_3", "man_4"]
    assert [round(actor.x_px(2.0)) for actor in scene.actors] == [1085, 609, 1162]

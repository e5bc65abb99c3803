"""Several people in front of the running node: a person, and the mirror image of the same person.

The second one is hidden for a moment, by blackening that half of the image.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import running
from running import Client
from visualization_msgs.msg import Marker, MarkerArray

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.client import Landmarks

CLIP = running.person(20)
WIDTH = CLIP[0].shape[1]
TRACKED, HELD = 2, 3


@pytest.fixture(scope="module")
def crowded() -> Iterator[Client]:
    arguments = running.parameters(model="lite", max_persons=3, no_image_timeout_s=0.0)
    with running.node_and_client(*arguments) as client:
        yield client


@pytest.fixture
def pair(crowded: Client) -> Iterator[Client]:
    """A client whose node tracks both people."""
    crowded.listen("landmarks", "markers", "roi_markers", "segmentation_mask")
    crowded.reset()
    until(crowded, lambda found: len(found.points) == 2)
    yield crowded
    assert crowded.set(publish_held=False, mask_labels=False).successful


def both(number: int, is_hidden: bool = False) -> ImageArray:
    """An image (H, 2 W, 3) of the two, one of them hidden."""
    one, other = CLIP[number % len(CLIP)], CLIP[-1 - number % len(CLIP)][:, ::-1]
    return np.hstack((one, 0 * other if is_hidden else other))


def until(client: Client, condition: Any, is_hidden: bool = False) -> Landmarks:
    """Send at most two seconds of images until their landmarks meet a condition."""
    for number in range(60):
        found = client.landmarks(running.image(both(number, is_hidden)))
        if condition(found):
            return found
    pytest.fail(f"not met by ids {found.person_id} in states {found.state}")


def on_the_left(found: Landmarks) -> list[bool]:
    return [bool(u < WIDTH) for u in np.median(found.pixels[..., 0], axis=1)]


def ids(message: MarkerArray, namespace: str, action: int = Marker.ADD) -> list[int]:
    return [m.id for m in message.markers if (m.ns, m.action) == (namespace, action)]


def test_rows_are_sorted_by_ids_that_last(pair: Client) -> None:
    first = pair.landmarks(running.image(both(0)))
    assert sorted(on_the_left(first)) == [False, True]
    assert (np.diff(first.person_id.astype(int)) > 0).all()
    for number in range(1, 10):
        found = pair.landmarks(running.image(both(number)))
        np.testing.assert_array_equal(found.person_id, first.person_id)
        assert on_the_left(found) == on_the_left(first)
        assert (found.state == TRACKED).all()
        assert (found.held_ms == 0).all()


def test_each_person_has_markers_and_a_label_which_go_when_the_person_goes(pair: Client) -> None:
    everybody = pair.landmarks(running.image(both(0))).person_id.tolist()
    skeletons = pair.ask(running.image(both(1)), "markers")
    for namespace in ("landmarks", "connections", "label"):
        assert ids(skeletons, namespace) == everybody
    texts = {m.id: m.text for m in skeletons.markers if m.ns == "label" and m.action == Marker.ADD}
    assert texts == {person_id: str(person_id) for person_id in everybody}
    assert ids(pair.ask(running.image(both(2)), "roi_markers"), "roi") == everybody
    stays = until(pair, lambda found: len(found.points) == 1, is_hidden=True).person_id.tolist()
    assert ids(pair.ask(running.image(both(3, is_hidden=True)), "roi_markers"), "roi") == stays


def test_who_is_hidden_is_held_and_comes_back_with_the_same_id(pair: Client) -> None:
    before = pair.landmarks(running.image(both(0)))
    hidden = on_the_left(before).index(False)
    seen = until(pair, lambda found: len(found.points) == 1, is_hidden=True)
    assert seen.person_id.tolist() == np.delete(before.person_id, hidden).tolist()
    assert pair.set(publish_held=True).successful
    held = [pair.landmarks(running.image(both(n, is_hidden=True))) for n in range(2)]
    for found in held:
        np.testing.assert_array_equal(found.person_id, before.person_id)
        assert found.state[hidden] == HELD
        assert np.delete(found.state, hidden) == [TRACKED]
    assert 0 < held[0].held_ms[hidden] < held[1].held_ms[hidden] < 2000
    np.testing.assert_array_equal(held[0].pixels[hidden], held[1].pixels[hidden])
    again = until(pair, lambda found: (found.state == TRACKED).sum() == 2)
    np.testing.assert_array_equal(again.person_id, before.person_id)


def ages_ms(client: Client, images: int) -> Any:
    """Return how old the rows (images, people) are; rows that wait have the pixels of before."""
    rows = [client.landmarks(running.image(both(number))) for number in range(images)]
    assert {(tuple(found.state), *found.person_id) for found in rows} == {
        ((TRACKED, TRACKED), *rows[0].person_id)
    }
    for before, after in itertools.pairwise(rows):
        is_old = after.held_ms > 0
        np.testing.assert_array_equal(after.pixels[is_old], before.pixels[is_old])
        assert (after.pixels[~is_old] != before.pixels[~is_old]).any(axis=(1, 2)).all()
    return np.stack([found.held_ms for found in rows])


def test_rows_say_how_old_they_are_where_landmarks_are_not_run_on_each_image() -> None:
    arguments = running.parameters(model="lite", max_persons=2, no_image_timeout_s=0.0)
    with running.node_and_client(*arguments) as client:
        client.listen("landmarks")
        until(client, lambda found: len(found.points) == 2)
        assert (ages_ms(client, images=12) == 0).all()
        assert client.set(landmark_interval_s=0.4).successful
        until(client, lambda found: found.held_ms.any())
        ages = ages_ms(client, images=16)
        assert (ages[:, 0] == 0).all(), "who was tracked first"
        assert 0 == ages[:, 1].min() < ages[:, 1].max() < 500
        client.listen("segmentation_mask")
        until(client, lambda found: len(found.points) == 2)
        assert (ages_ms(client, images=16) == 0).all(), "masks fit their own image only"


def test_mask_has_a_value_for_each_person(pair: Client) -> None:
    assert pair.set(mask_labels=True).successful
    everybody = pair.landmarks(running.image(both(0)))
    mask = pair.ask(running.image(both(1)), "segmentation_mask")
    pixels = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.width)
    assert np.unique(pixels).tolist() == [0, *everybody.person_id]
    for person_id, is_left in zip(everybody.person_id, on_the_left(everybody), strict=True):
        columns = np.nonzero(pixels == person_id)[1]
        assert (np.median(columns) < WIDTH) == is_left


def test_fewer_people_are_tracked_when_max_persons_falls(pair: Client) -> None:
    both_ids = pair.landmarks(running.image(both(0))).person_id.tolist()
    assert pair.set(max_persons=1).successful
    assert pair.landmarks(running.image(both(1))).person_id.tolist() == both_ids[:1]
    assert pair.set(max_persons=3).successful
    until(pair, lambda found: len(found.points) == 2)


def test_health_names_the_people(pair: Client) -> None:
    everybody = pair.landmarks(running.image(both(0))).person_id.tolist()

    def names_both(status: Any) -> bool:
        """Tell if a period names both people; one in which no image was processed has no times."""
        pair.landmarks(running.image(both(0)))
        took_ms = {item.key: item.value for item in status.values}.get("ms per person", "0")
        named = status.message == f"persons: 2 (ids {everybody[0]}, {everybody[1]})"
        return named and float(took_ms) > 0

    values = {item.key: item.value for item in pair.status(names_both, "both people").values}
    assert (values["persons"], values["persons held"]) == ("2", "0")
    assert values["ids given"] == str(everybody[1])

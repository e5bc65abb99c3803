"""Where the detector looks next."""

from __future__ import annotations

import numpy as np
import pytest

from pose_ros.blazepose.datatypes import ImageArray, ImageSize
from pose_ros.blazepose.regions import Region, region_within, search_regions
from pose_ros.blazepose.search import Search

SIZE = ImageSize(640, 360)
REGIONS = search_regions(region_within((0, 0, 1, 1), SIZE))
STEP_NS = 100_000_000
MOVING = Region(500, 100, 560, 260)


def image(with_person: bool = False) -> ImageArray:
    pixels = np.full((SIZE.height_px, SIZE.width_px, 3), 90, np.uint8)
    if with_person:
        x_min, y_min, x_max, y_max = MOVING
        pixels[y_min:y_max, x_min:x_max] = 200
    return pixels


def run(images: list[ImageArray], boxes_px: list[Region] | None = None) -> list[Region]:
    """Return the regions that are chosen for images, one after the other."""
    search, chosen = Search(), []
    for index, pixels in enumerate(images):
        boxes = [np.array(box, np.float64) for box in boxes_px or []]
        region, search = search.choose(pixels, REGIONS, boxes, index * STEP_NS)
        search = search.after(region, index * STEP_NS)
        chosen.append(region)
    return chosen


def covers_motion(region: Region) -> bool:
    return (
        region.x_max > MOVING.x_min and region.y_min < MOVING.y_max and region.x_min < MOVING.x_max
    )


def test_every_region_has_its_turn_the_whole_area_first() -> None:
    chosen = run([image()] * 2 * len(REGIONS))
    assert chosen[0] == REGIONS[0]
    assert set(chosen[: len(REGIONS)]) == set(REGIONS)
    assert chosen[len(REGIONS) :] == chosen[: len(REGIONS)]


def test_where_something_moves_is_looked_at_more_often() -> None:
    blinking = [image(index % 2 == 0) for index in range(200)]
    share = np.mean([covers_motion(region) for region in run(blinking)])
    quiet = np.mean([covers_motion(region) for region in run([image()] * 200)])
    assert share > 1.5 * quiet
    assert set(run(blinking)) == set(REGIONS)


def test_a_known_person_may_move() -> None:
    blinking = [image(index % 2 == 0) for index in range(60)]
    assert run(blinking, [MOVING]) == run([image()] * 60)


def test_a_moving_camera_is_no_motion() -> None:
    panning = [image() + np.uint8(60 * (index % 2)) for index in range(60)]
    assert run(panning) == run([image()] * 60)


@pytest.mark.parametrize(("later_ns", "expected"), [(STEP_NS - 1, False), (STEP_NS, True)])
def test_a_run_is_due_after_the_interval(later_ns: int, expected: bool) -> None:
    search = Search().after(REGIONS[0], 5)
    assert Search().is_due(STEP_NS, 0)
    assert search.is_due(STEP_NS, 5 + later_ns) == expected


@pytest.mark.parametrize(("boxes_px", "expected"), [([], True), ([MOVING], False)])
def test_motion_is_what_changed_since_the_last_look_where_nobody_is_known(
    boxes_px: list[Region], expected: bool
) -> None:
    boxes = [np.array(box, np.float64) for box in boxes_px]
    _, search = Search().choose(image(), REGIONS, boxes, 0)
    assert not search.is_moving(image(), boxes)
    assert search.is_moving(image(with_person=True), boxes) == expected
    assert not Search().is_moving(image(with_person=True), boxes), "nothing to compare with"

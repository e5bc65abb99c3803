"""Distances of real people by each source. Skipped where their images can't be had."""

from __future__ import annotations

from collections.abc import Iterator

import media
import numpy as np
import pytest

from geometry.real_people import NAMES, Row, rows

MIN_CASES = 30
DEPTH_M, OF_DISTANCE, MEDIAN, MAX_STD = 0.02, 0.045, 0.02, 0.15


@pytest.fixture(scope="module")
def found() -> Iterator[list[Row]]:
    try:
        yield list(rows())
    except media.MediaUnavailable as error:
        pytest.skip(f"no images of people with measured points: {error}")


def errors(found: list[Row], source: str, model: str) -> list[float]:
    return [r.errors[source] for r in found if r.case.model == model and source in r.errors]


def test_most_people_are_found(found: list[Row]) -> None:
    assert len(found) >= MIN_CASES


def test_depth_shows_where_the_surface_is(found: list[Row]) -> None:
    assert max(abs(row.errors["depth"]) * row.case.person.z_m for row in found) <= DEPTH_M


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize("source", ["height", "floor", "taught"])
def test_what_is_known_of_the_person_gives_the_distance(
    found: list[Row], source: str, model: str
) -> None:
    assert abs(np.median(errors(found, source, model))) <= MEDIAN
    assert max(abs(error) for error in errors(found, source, model)) <= OF_DISTANCE


@pytest.mark.parametrize("source", ["unknown", "height", "floor", "taught"])
def test_the_stated_deviation_is_true(found: list[Row], source: str) -> None:
    pairs = [(row.errors[source], row.stds[source]) for row in found if source in row.errors]
    assert np.mean([abs(error) <= 2 * std for error, std in pairs]) >= 0.9
    assert max(std for _, std in pairs) <= MAX_STD

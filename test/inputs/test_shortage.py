"""What most of the latest images lack: ten images and two seconds decide."""

from __future__ import annotations

import pytest

from pose_ros.inputs.shortage import Shortage


def shortage(lacks: list[bool], period_s: float) -> Shortage:
    found = Shortage()
    for number, is_lacking in enumerate(lacks):
        found.add(number * period_s, is_lacking)
    return found


@pytest.mark.parametrize(
    ("count", "period_s", "is_common"),
    [(10, 0.25, True), (9, 0.25, False), (20, 0.1, False), (21, 0.1, True), (10, 0.2, False)],
)
def test_ten_images_and_two_seconds_decide(count: int, period_s: float, is_common: bool) -> None:
    found = shortage([True] * count, period_s)
    assert (found.is_common, found.is_total) == (is_common, is_common)


def test_half_of_the_images_are_common_and_not_total() -> None:
    found = shortage([True, False] * 20, 0.1)
    assert (found.is_common, found.is_total) == (True, False)
    assert not shortage([True, False, False] * 20, 0.1).is_common


def test_it_ends_when_fewer_than_a_quarter_lack_it() -> None:
    found = shortage([True] * 30, 0.1)
    lasting = []
    for number in range(30, 60):
        found.add(number * 0.1, lacks=False)
        lasting.append(found.is_common)
    assert lasting == [True] * 15 + [False] * 15


def test_what_came_late_is_not_lacking() -> None:
    found = shortage([True] * 30, 0.1)
    found.supply()
    assert (found.is_common, found.is_total) == (True, False)
    found.end()
    found.supply()
    assert (found.is_common, found.share) == (False, 0.0)

"""How long people have had their ids."""

from __future__ import annotations

from pose_ros.body.ages import Ages

SECOND_NS = 10**9


def test_an_age_counts_from_the_first_time_through_gaps() -> None:
    ages = Ages()
    ages.update([1], 5 * SECOND_NS)
    assert ages.age_ns(1) == 0
    ages.update([2], 6 * SECOND_NS)
    ages.update([1, 2], 8 * SECOND_NS)
    assert (ages.age_ns(1), ages.age_ns(2)) == (3 * SECOND_NS, 2 * SECOND_NS)


def test_nothing_is_kept_for_ever() -> None:
    ages = Ages()
    for number in range(200):
        ages.update([number], number * SECOND_NS)
    assert len(ages._times_ns) == 61


def test_ages_start_anew_where_time_goes_backwards() -> None:
    ages = Ages()
    ages.update([1], 5 * SECOND_NS)
    ages.update([1], SECOND_NS)
    assert ages.age_ns(1) == 0

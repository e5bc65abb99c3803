"""Boxes from the fields of a Detection2DArray, whatever the type of the message."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.inputs.boxes import PersonBoxes, boxes_from_detections

SIZE = ImageSize(640, 480)


def result(class_id: str, score: float) -> SimpleNamespace:
    return SimpleNamespace(hypothesis=SimpleNamespace(class_id=class_id, score=score))


def detection(
    x: float = 100,
    y: float = 80,
    width: float = 40,
    height: float = 60,
    theta: float = 0.0,
    results: Any = (("person", 0.9),),
) -> SimpleNamespace:
    center = SimpleNamespace(position=SimpleNamespace(x=x, y=y), theta=theta)
    bbox = SimpleNamespace(center=center, size_x=width, size_y=height)
    return SimpleNamespace(bbox=bbox, results=[result(*each) for each in results])


def read(*detections: SimpleNamespace, detection_class: str = "person") -> PersonBoxes:
    return boxes_from_detections(SimpleNamespace(detections=detections), detection_class)


def test_a_box_is_given_by_its_corners() -> None:
    assert read(detection()).boxes_px.tolist() == [[80, 50, 120, 110]]


def test_no_detections_are_no_boxes() -> None:
    assert read().boxes_px.shape == (0, 4)
    assert read().problem(SIZE) is None


@pytest.mark.parametrize(
    ("theta", "half"), [(math.pi / 2, (30, 20)), (-math.pi / 2, (30, 20)), (math.pi, (20, 30))]
)
def test_a_rotated_box_becomes_the_upright_one_around_it(
    theta: float, half: tuple[float, float]
) -> None:
    (box,) = read(detection(theta=theta)).boxes_px
    assert box == pytest.approx([100 - half[0], 80 - half[1], 100 + half[0], 80 + half[1]])


def test_the_surest_come_first() -> None:
    found = read(
        *(
            detection(x=x, results=[("person", score)])
            for x, score in ((1, 0.3), (2, float("nan")), (3, 0.8), (4, 0.8), (5, 1.0))
        )
    )
    assert found.boxes_px[:, [0, 2]].mean(axis=1).tolist() == [5, 3, 4, 1, 2]


@pytest.mark.parametrize(
    ("detection_class", "xs"),
    [("person", [1, 4]), ("0", [2]), ("", [1, 4, 2, 3, 5]), ("Person", [])],
)
def test_only_the_class_asked_for_counts(detection_class: str, xs: list[float]) -> None:
    found = read(
        detection(x=1, results=[("person", 0.9)]),
        detection(x=2, results=[("0", 0.7)]),
        detection(x=3, results=[("dog", 0.6)]),
        detection(x=4, results=[("dog", 0.5), ("person", 0.8)]),
        detection(x=5, results=[]),
        detection_class=detection_class,
    )
    assert found.boxes_px[:, [0, 2]].mean(axis=1).tolist() == xs
    assert found.classes == ("person", "0", "dog")


@pytest.mark.parametrize(
    "bad",
    [
        {"x": math.nan},
        {"y": math.inf},
        {"theta": math.nan},
        {"theta": math.inf},
        {"width": 0.0},
        {"height": -5.0},
        {"width": -40.0, "height": -60.0},
        {"width": math.inf},
        {"x": -500.0},
        {"y": 9000.0},
        {"x": 1e308, "width": 1e308},
    ],
    ids=str,
)
def test_a_box_that_shows_nothing_of_the_image_is_reported_and_left_out(
    bad: dict[str, float],
) -> None:
    found = read(detection(), detection(**bad))
    assert found.in_image(SIZE).tolist() == [[80, 50, 120, 110]]
    problem = found.problem(SIZE)
    assert problem is not None
    assert "1 of 2" in problem
    assert "640 x 480" in problem
    assert read(detection()).problem(SIZE) is None


def test_a_thousand_boxes_are_read() -> None:
    many = [detection(x=x, results=[("person", x / 1000)]) for x in range(1, 601)]
    found = read(*many, *(detection(x=-1000) for _ in range(400)))
    assert len(found.boxes_px) == 1000
    assert len(found.in_image(SIZE)) == 600
    assert np.argmax(found.in_image(SIZE)[:, 0]) == 0


any_number = st.floats()
odd = st.builds(
    detection,
    *[any_number] * 5,
    st.lists(st.tuples(st.sampled_from(("person", "0", "")), any_number), max_size=3),
)


@given(st.lists(odd, max_size=5), st.sampled_from(("person", "")))
def test_whatever_comes_the_boxes_used_show_a_part_of_the_image(
    detections: list[SimpleNamespace], detection_class: str
) -> None:
    found = read(*detections, detection_class=detection_class)
    used = found.in_image(SIZE)
    assert len(used) <= len(found.boxes_px) <= len(detections)
    assert np.isfinite(used).all()
    assert (used[:, :2] < SIZE).all()
    assert (used[:, 2:] > 0).all()
    assert (found.problem(SIZE) is None) == (len(used) == len(found.boxes_px))


def test_of_many_classes_a_few_are_named() -> None:
    found = read(*(detection(results=[(str(number), 0.5)]) for number in range(1000)))
    assert found.classes == ("0", "1", "2", "3", "4")

"""Parameters of the running node: what they do, what is refused and with which words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import running
from rclpy.parameter import Parameter
from running import Client

from pose_ros.blazepose.errors import OptionError
from pose_ros.client import names_from_msg
from pose_ros.parameters import (
    NodeOptions,
    changed_parameters,
    check_change,
    parameter_specs,
    with_parameters,
)
from pose_ros.share import share_path

(PERSON,) = running.person()
SPECS = parameter_specs()
DEFAULTS = NodeOptions()
FIXED = [name for name, spec in SPECS.items() if spec.fixed]


@pytest.fixture
def tuned(pose: Client) -> Iterator[Client]:
    """A client whose node gets its defaults back after the test."""
    yield pose
    live = {name: as_ros(name) for name in SPECS if name not in FIXED}
    assert pose.set_atomically(**live).successful


def as_ros(name: str) -> Any:
    value = getattr(DEFAULTS, name)
    return list(value) if isinstance(value, tuple) else value


def people(client: Client) -> int:
    return len(client.landmarks(running.image(PERSON)).points)


# What they do


def test_parameters_begin_with_the_defaults_of_the_options(pose: Client) -> None:
    assert {name: pose.get(name) for name in SPECS} == {name: as_ros(name) for name in SPECS}


def test_min_detection_confidence_of_one_finds_nobody(tuned: Client) -> None:
    assert people(tuned) == 1
    assert tuned.set(min_detection_confidence=1.0).successful
    assert people(tuned) == 1  # tracked: the detector is not asked
    tuned.reset()
    assert people(tuned) == 0
    assert tuned.set(min_detection_confidence=0.5).successful
    assert people(tuned) == 1


def test_min_tracking_confidence_of_one_loses_the_person(tuned: Client) -> None:
    assert people(tuned) == 1
    assert tuned.set(min_tracking_confidence=1.0).successful
    assert people(tuned) == 0


def test_static_image_mode_takes_every_image_as_a_new_one(tuned: Client) -> None:
    assert tuned.set(static_image_mode=True).successful
    answers = [tuned.landmarks(running.image(PERSON)) for _ in range(3)]
    ids = [int(answer.person_id[0]) for answer in answers]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]
    np.testing.assert_array_equal(answers[0].pixels, answers[2].pixels)


def test_smooth_landmarks_off_gives_other_landmarks_from_the_second_frame(tuned: Client) -> None:
    clip = running.person(2)
    smooth = [tuned.landmarks(running.image(rgb)).pixels for rgb in clip]
    assert tuned.set(smooth_landmarks=False).successful
    tuned.reset()
    rough = [tuned.landmarks(running.image(rgb)).pixels for rgb in clip]
    np.testing.assert_array_equal(smooth[0], rough[0])
    assert np.abs(smooth[1] - rough[1]).max() > 0


def test_a_whole_number_is_fine_for_a_number(tuned: Client) -> None:
    assert tuned.set(min_detection_confidence=1).successful
    tuned.reset()
    assert people(tuned) == 0


def test_several_parameters_change_together(tuned: Client) -> None:
    values = {"min_detection_confidence": 0.25, "min_tracking_confidence": 0.75}
    assert tuned.set_atomically(**values).successful
    assert {name: tuned.get(name) for name in values} == values


def test_another_model_takes_over_between_two_images(tuned: Client) -> None:
    first = tuned.landmarks(running.image(PERSON))
    assert first.points.shape == (1, 25)
    assert np.isnan(first.world).all()
    names = tuned.subscribe("landmark_names")
    names.clear()
    assert tuned.set(model="lite").successful
    second = tuned.landmarks(running.image(PERSON))
    assert second.points.shape == (1, 33)
    assert np.isfinite(second.world).all()
    assert second.person_id[0] == first.person_id[0] + 1
    text = tuned.until(lambda: names and names[-1], "the names of the new model")
    assert names_from_msg(text).model == "lite"
    assert len(names_from_msg(text).names) == 33


# What is refused

REFUSED = [
    ("min_detection_confidence", 1.5, ["1.5", "0.0", "1.0"]),
    ("min_detection_confidence", -1, ["-1", "0.0", "1.0"]),
    ("min_tracking_confidence", math.nan, ["nan", "0.0", "1.0"]),
    ("min_tracking_confidence", "high", ["'high'", "a number from 0.0 to 1.0"]),
    ("min_tracking_confidence", True, ["True", "a number from 0.0 to 1.0"]),
    ("min_visibility", None, ["None", "a number from 0.0 to 1.0"]),  # deletes it
    ("static_image_mode", 1, ["1", "a boolean"]),
    ("static_image_mode", "false", ["'false'", "a boolean"]),
    ("model", "enormous", ["'enormous'", "upper_body"]),
    ("model", 3, ["3", "upper_body"]),
    ("providers", "CPUExecutionProvider", ["'CPUExecutionProvider'", "a list of texts"]),
    ("providers", [1, 2], ["[1, 2]", "a list of texts"]),
    ("intra_op_threads", 1000, ["1000", "0", "64"]),
    ("intra_op_threads", 2.0, ["2.0", "a whole number from 0 to 64"]),
    ("no_image_timeout_s", -1.0, ["-1.0", "0.0", "3600.0"]),
    ("qos_depth", 0, ["0", "1", "100"]),
    ("image_transport", "theora", ["'theora'", "raw, compressed"]),
    ("qos_reliability", "perfect", ["'perfect'", "best_effort, reliable, system_default"]),
]


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_bad_values_are_refused_in_words_and_images_go_on(
    pose: Client, name: str, value: Any, words: list[str]
) -> None:
    before = pose.get(name)
    result = pose.set(**{name: value})
    assert not result.successful
    assert all(word in result.reason for word in [name, *words]), result.reason
    assert "\n" not in result.reason
    assert pose.get(name) == before
    assert people(pose) == 1


CHANGED = {
    "image_transport": "compressed",
    "qos_reliability": "reliable",
    "qos_depth": 5,
    "depth_queue_size": 5,
    "models_dir": "/tmp",
    "autostart": False,
}


@pytest.mark.parametrize("name", FIXED)
def test_connections_cannot_change_while_the_node_is_configured(pose: Client, name: str) -> None:
    result = pose.set(**{name: CHANGED[name]})
    assert not result.successful
    assert name in result.reason
    assert repr(CHANGED[name]) in result.reason
    assert "only while the node is unconfigured" in result.reason
    assert pose.get(name) == as_ros(name)
    assert pose.set(**{name: as_ros(name)}).successful  # what it is already
    assert people(pose) == 1


def test_an_unknown_parameter_is_refused(pose: Client) -> None:
    assert not pose.set(min_detction_confidence=0.5).successful


def test_one_bad_value_refuses_all(pose: Client) -> None:
    good = {"min_visibility": 0.25, "static_image_mode": True}
    for name, value, _ in REFUSED:
        result = pose.set_atomically(**{**good, name: value})
        assert not result.successful
        assert name in result.reason
        assert [pose.get(item) for item in good] == [as_ros(item) for item in good]


def test_providers_that_do_not_exist_are_refused(pose: Client) -> None:
    result = pose.set(providers=["NoSuchExecutionProvider"])
    assert not result.successful
    assert "NoSuchExecutionProvider" in result.reason
    assert "CPUExecutionProvider" in result.reason
    assert pose.get("providers") == ["CPUExecutionProvider"]
    assert people(pose) == 1


# Descriptions


def test_every_parameter_describes_itself(pose: Client) -> None:
    descriptors = pose.describe(*SPECS)
    for name, spec, found in zip(SPECS, SPECS.values(), descriptors, strict=True):
        assert found.name == name
        assert found.description == spec.description
        assert bool(spec.choices) == bool(found.additional_constraints)
        ranges = [*found.integer_range, *found.floating_point_range]
        if spec.minimum is None:
            assert not ranges
        else:
            assert [(item.from_value, item.to_value) for item in ranges] == [
                (spec.minimum, spec.maximum)
            ]


# The functions


def test_parameters_of_others_are_passed_over() -> None:
    assert with_parameters(DEFAULTS, [Parameter("use_sim_time", value=True)]) == DEFAULTS


def test_options_take_lists_as_tuples() -> None:
    options = with_parameters(DEFAULTS, [Parameter("providers", value=["A", "B"])])
    assert options.providers == ("A", "B")


def test_changed_parameters_are_the_old_values() -> None:
    new = dataclasses.replace(DEFAULTS, qos_depth=7, providers=("A",))
    changed = {item.name: item.value for item in changed_parameters(DEFAULTS, new)}
    assert changed == {"qos_depth": 1, "providers": ["CPUExecutionProvider"]}
    assert with_parameters(new, changed_parameters(DEFAULTS, new)) == DEFAULTS


def test_fixed_option_changes_only_while_unconfigured() -> None:
    models_dir = share_path("models")
    new = dataclasses.replace(DEFAULTS, qos_depth=7)
    check_change(DEFAULTS, new, is_configured=False, models_dir=models_dir)
    with pytest.raises(OptionError, match="qos_depth cannot become 7 now"):
        check_change(DEFAULTS, new, is_configured=True, models_dir=models_dir)
    live = dataclasses.replace(DEFAULTS, min_visibility=0.1)
    check_change(DEFAULTS, live, is_configured=True, models_dir=models_dir)


@pytest.mark.parametrize("providers", [(), ("NoSuchExecutionProvider",)])
def test_providers_must_exist(providers: tuple[str, ...]) -> None:
    new = dataclasses.replace(DEFAULTS, providers=providers)
    with pytest.raises(OptionError, match=r"one or more of .*CPUExecutionProvider"):
        check_change(DEFAULTS, new, is_configured=True, models_dir=share_path("models"))


def test_bad_values_raise_a_sentence() -> None:
    with pytest.raises(OptionError, match=r"qos_depth is 0; allowed is a whole number from 1 to"):
        with_parameters(DEFAULTS, [Parameter("qos_depth", value=0)])

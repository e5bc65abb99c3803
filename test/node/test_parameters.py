"""Parameters of the running node: what they do, what is rejected, and the message."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import running
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from running import Client

from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.model_files import MANIFEST
from pose_ros.blazepose.models import MODELS
from pose_ros.client import names_from_msg
from pose_ros.parameters import (
    NodeOptions,
    check_change,
    parameter_specs,
    tracker_options,
    with_parameters,
)
from pose_ros.runtime.package_paths import share_path

(PERSON,) = running.person()
SPECS = parameter_specs()
DEFAULTS = NodeOptions(model="upper_body")  # which is what the shared node is started with
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


@pytest.mark.parametrize(
    ("cores", "given", "expected"),
    [
        (1, {}, 1),
        (2, {}, 2),
        (2, {"intra_op_threads": 2}, 1),
        (2, {"people_threads": 1}, 1),
        (1, {"people_threads": 3}, 3),
    ],
)
def test_people_share_two_threads_if_the_node_may_use_two_cores(
    cores: int, given: dict[str, int], expected: int
) -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < cores:
        pytest.skip("this process may use one core only")
    os.sched_setaffinity(0, set(list(allowed)[:cores]))
    try:
        options = tracker_options(NodeOptions(**given))  # type: ignore[arg-type]
    finally:
        os.sched_setaffinity(0, allowed)
    assert options.people_threads == expected


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
    outputs = [tuned.landmarks(running.image(PERSON)) for _ in range(3)]
    ids = [int(output.person_id[0]) for output in outputs]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]
    np.testing.assert_array_equal(outputs[0].pixels, outputs[2].pixels)


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


@pytest.mark.parametrize("limits", [[0, 0, 1, 1], [0.0, 0.0, 0.05, 0.05]], ids=["all", "corner"])
def test_people_are_detected_within_the_limits(tuned: Client, limits: list[float]) -> None:
    assert tuned.set(roi_limits=limits).successful
    assert tuned.get("roi_limits") == limits
    tuned.reset()
    assert people(tuned) == (limits[2] == 1)


def test_constants_of_the_smoothing_change_between_two_images(tuned: Client) -> None:
    clip = running.person(3)
    assert tuned.set(model="lite").successful
    own = [tuned.landmarks(running.image(rgb)).pixels for rgb in clip]
    tuned.reset()
    same = [tuned.landmarks(running.image(rgb)).pixels for rgb in clip[:2]]
    np.testing.assert_array_equal(own[:2], same)
    assert tuned.set(smoothing_beta=1.0).successful
    changed = tuned.landmarks(running.image(clip[2])).pixels
    assert np.abs(changed - own[2]).max() > 0


def test_several_parameters_change_together(tuned: Client) -> None:
    values = {"min_detection_confidence": 0.25, "min_tracking_confidence": 0.75}
    assert tuned.set_atomically(**values).successful
    assert {name: tuned.get(name) for name in values} == values


def test_another_model_takes_over_between_two_images(tuned: Client) -> None:
    first = tuned.landmarks(running.image(PERSON))
    assert first.points.shape == (1, 25)
    assert np.isnan(first.world).all()
    tuned.latched("landmark_names")  # from then on each change of them comes
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


# What is rejected

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
    ("providers", None, ["[]", "one or more of", "CPUExecutionProvider"]),
    ("inference", "engine", ["'engine'", "auto, onnxruntime"]),
    ("intra_op_threads", 1000, ["1000", "0", "64"]),
    ("intra_op_threads", 2.0, ["2.0", "a whole number from 0 to 64"]),
    ("max_persons", 0, ["0", "1", "16"]),
    ("max_persons", 17, ["17", "1", "16"]),
    ("hold_time_s", -0.5, ["-0.5", "0.0", "60.0"]),
    ("select", "closest", ["'closest'", "sticky, largest, nearest, center"]),
    ("detect_regions", "on", ["'on'", "auto, off"]),
    ("roi_limits", [0.0, 0.0, 1.0], ["[0.0, 0.0, 1.0]", "a list of 4 numbers"]),
    ("roi_limits", [0.0, 0.0, 1.0, 1.5], ["1.5", "from 0.0 to 1.0"]),
    ("roi_limits", [0.5, 0.0, 0.5, 1.0], ["[0.5, 0.0, 0.5, 1.0]", "x_min below x_max"]),
    ("roi_limits", ["all"], ["['all']", "a list of 4 numbers"]),
    ("roi_limits", None, ["[]", "a list of 4 numbers"]),
    ("smoothing_min_cutoff", 0.5, ["0.5", "0", "upper_body"]),
    ("smoothing_beta", -1.0, ["-1.0", "0.0", "10000.0"]),
    ("no_image_timeout_s", -1.0, ["-1.0", "0.0", "3600.0"]),
    ("qos_depth", 0, ["0", "1", "100"]),
    ("image_transport", "theora", ["'theora'", "raw, compressed"]),
    ("qos_reliability", "perfect", ["'perfect'", "auto, best_effort, reliable, system_default"]),
]


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_bad_values_are_rejected_with_a_reason_and_images_go_on(
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
    "allow_unverified_models": True,
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


def test_an_unknown_parameter_is_rejected(pose: Client) -> None:
    assert not pose.set(min_detction_confidence=0.5).successful


def test_one_bad_value_rejects_all(pose: Client) -> None:
    good = {"min_visibility": 0.25, "static_image_mode": True}
    for name, value, _ in REFUSED:
        result = pose.set_atomically(**{**good, name: value})
        assert not result.successful
        assert name in result.reason
        assert [pose.get(item) for item in good] == [as_ros(item) for item in good]


def test_providers_that_do_not_exist_are_rejected(pose: Client) -> None:
    result = pose.set(providers=["NoSuchExecutionProvider"])
    assert not result.successful
    assert "NoSuchExecutionProvider" in result.reason
    assert "CPUExecutionProvider" in result.reason
    assert pose.get("providers") == ["CPUExecutionProvider"]
    assert people(pose) == 1


MANAGED = running.parameters(autostart=False)


def folder_of(model: str, folder: Path) -> Path:
    """A models folder with the files of one model only, and their weights."""
    folder.mkdir()
    for name in (MANIFEST, *MODELS[model].files):
        for file in share_path("models").glob(f"{Path(name).stem}.*"):
            shutil.copy(file, folder)
    return folder


def test_models_dir_and_model_set_together_are_checked_together(tmp_path: Path) -> None:
    lite = folder_of("lite", tmp_path / "lite")
    upper_body = folder_of("upper_body", tmp_path / "upper_body")
    with running.node_and_client(*MANAGED) as client:
        result = client.set_atomically(model="full", models_dir=str(lite))
        assert not result.successful
        assert str(lite / MODELS["full"].file) in result.reason
        result = client.set_atomically(model="upper_body", models_dir=str(lite))  # what it is
        assert not result.successful
        assert (client.get("model"), client.get("models_dir")) == ("upper_body", "")
        for model, folder in (("lite", lite), ("upper_body", upper_body)):
            assert client.set_atomically(models_dir=str(folder), model=model).successful
            assert client.change_state(Transition.TRANSITION_CONFIGURE)
            assert client.change_state(Transition.TRANSITION_CLEANUP)


def test_an_exception_in_the_parameter_callback_is_a_rejection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tf2_ros that is installed, but broken, as one built for another NumPy."""
    (tmp_path / "tf2_ros.py").write_text("raise RuntimeError('numpy.core failed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with running.node_and_client() as client:
        for change in (client.set, client.set_atomically):
            result = change(publish_tf=True)
            assert not result.successful
            assert "RuntimeError" in result.reason
            assert "numpy.core failed" in result.reason
        assert client.get("publish_tf") is False
        assert people(client) == 1


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


def check(is_configured: bool = True, **values: Any) -> None:
    parameters = [Parameter(name, value=value) for name, value in values.items()]
    check_change(DEFAULTS, parameters, is_configured)


def test_fixed_option_changes_only_while_unconfigured() -> None:
    check(is_configured=False, qos_depth=7)
    with pytest.raises(OptionError, match="qos_depth cannot become 7 now"):
        check(qos_depth=7)
    check(min_visibility=0.1)


@pytest.mark.parametrize("providers", [[], ["NoSuchExecutionProvider"]])
def test_providers_must_exist(providers: list[str]) -> None:
    with pytest.raises(OptionError, match=r"one or more of .*CPUExecutionProvider"):
        check(providers=Parameter("providers", Parameter.Type.STRING_ARRAY, providers).value)


@pytest.mark.parametrize("text", ["a\nb", "a\0b", "\x1b[31m"])
def test_a_text_of_more_than_a_line_is_rejected(text: str) -> None:
    with pytest.raises(OptionError, match="allowed is a line of text") as rejected:
        with_parameters(DEFAULTS, [Parameter("models_dir", value=text)])
    assert str(rejected.value).isprintable()


def test_bad_values_raise_one_line() -> None:
    with pytest.raises(OptionError, match=r"qos_depth is 0; allowed is a whole number from 1 to"):
        with_parameters(DEFAULTS, [Parameter("qos_depth", value=0)])

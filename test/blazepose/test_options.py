"""Options: defaults, what is rejected, and the message."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose import PoseTrackerOptions
from pose_ros.blazepose.errors import OptionError, PoseError
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.option_fields import option_specs
from pose_ros.blazepose.options import ModelOptions, PeopleOptions

NAN = float("nan")
FRACTION = "a number from 0.0 to 1.0"
THRESHOLDS = ("min_detection_confidence", "min_tracking_confidence")
SWITCHES = (
    "static_image_mode",
    "smooth_landmarks",
    "mirrored_input",
    "smooth_segmentation",
)


def test_defaults_are_mediapipes() -> None:
    people = dataclasses.asdict(PeopleOptions())
    assert people["max_persons"] == 1
    assert dataclasses.asdict(PoseTrackerOptions()) == people | {
        "model": "full",
        "person_detector": "blazepose",
        "static_image_mode": False,
        "min_detection_confidence": 0.5,
        "min_tracking_confidence": 0.5,
        "smooth_landmarks": True,
        "mirrored_input": False,
        "inference": "auto",
        "intra_op_threads": 0,
        "providers": ("CPUExecutionProvider",),
        "allow_unverified_models": False,
        "smooth_segmentation": True,
        "smoothing_min_cutoff": 0.0,
        "smoothing_beta": 0.0,
        "heatmap_kernel": 7,
    }


@pytest.mark.parametrize(
    ("name", "value", "shown", "allowed"),
    [
        *[
            (name, value, shown, FRACTION)
            for name in THRESHOLDS
            for value, shown in [
                (-0.1, "-0.1"), (1.5, "1.5"), (NAN, "nan"), ("0.5", "'0.5'"), (True, "True"),
                (None, "None"), ((0.5,), "[0.5]"),
            ]
        ],
        *[
            (name, value, shown, "a boolean")
            for name in SWITCHES
            for value, shown in [(1, "1"), ("yes", "'yes'"), (None, "None")]
        ],
        ("intra_op_threads", -1, "-1", "a whole number from 0 to 64"),
        ("intra_op_threads", 65, "65", "a whole number from 0 to 64"),
        ("intra_op_threads", 1.0, "1.0", "a whole number from 0 to 64"),
        ("intra_op_threads", True, "True", "a whole number from 0 to 64"),
        ("heatmap_kernel", 8, "8", "one of 7, 9"),
        ("heatmap_kernel", 7.0, "7.0", "one of 7, 9"),
        ("heatmap_kernel", "7", "'7'", "one of 7, 9"),
        ("model", "lower_body", "'lower_body'", f"one of {', '.join(MODELS)}"),
        ("model", 3, "3", f"one of {', '.join(MODELS)}"),
        ("model", "", "''", f"one of {', '.join(MODELS)}"),
        ("providers", "CPUExecutionProvider", "'CPUExecutionProvider'", "a list of texts"),
        ("providers", (1,), "[1]", "a list of texts"),
        ("providers", ["a", 1], "['a', 1]", "a list of texts"),
        ("providers", None, "None", "a list of texts"),
    ],
)  # fmt: skip
def test_a_bad_value_is_rejected_with_name_value_and_what_is_allowed(
    name: str, value: Any, shown: str, allowed: str
) -> None:
    with pytest.raises(OptionError) as rejected:
        PoseTrackerOptions(**{name: value})
    assert str(rejected.value) == f"{name} is {shown}; allowed is {allowed}"


@given(st.sampled_from(THRESHOLDS), st.floats(0, 1) | st.sampled_from([0, 1]))
def test_every_fraction_is_a_threshold(name: str, value: float) -> None:
    changes: dict[str, Any] = {name: value}
    assert getattr(PoseTrackerOptions(**changes), name) == value


@given(st.sampled_from(THRESHOLDS), st.floats().filter(lambda value: not 0 <= value <= 1))
def test_no_other_number_is(name: str, value: float) -> None:
    changes: dict[str, Any] = {name: value}
    with pytest.raises(OptionError, match=name):
        PoseTrackerOptions(**changes)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(OptionError) as rejected:
        PoseTrackerOptions(model="x" * 10_000)
    assert len(str(rejected.value)) < 200


def test_every_option_has_a_description_with_a_reason() -> None:
    for name, spec in option_specs(PoseTrackerOptions).items():
        assert spec.description.endswith("."), name
        assert "\n" not in spec.description, name


def test_options_are_checked_again_when_replaced_and_cannot_be_changed() -> None:
    options = PoseTrackerOptions()
    with pytest.raises(OptionError, match="min_detection_confidence is 2"):
        dataclasses.replace(options, min_detection_confidence=2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.model = "other"  # type: ignore[misc]


def test_a_list_is_taken_as_a_tuple() -> None:
    names: Any = ["CPUExecutionProvider"]
    options = PoseTrackerOptions(providers=names)
    assert options.providers == ("CPUExecutionProvider",)
    names.append("other")
    assert options == PoseTrackerOptions()


def test_what_a_user_cannot_set_is_marked() -> None:
    hidden = {
        name for name, spec in option_specs(PoseTrackerOptions).items() if not spec.parameter
    }
    assert hidden == {"heatmap_kernel"}


@pytest.mark.parametrize("name", ["smoothing_min_cutoff", "smoothing_beta"])
def test_constants_of_a_filter_that_the_model_does_not_have_are_rejected(name: str) -> None:
    values: dict[str, Any] = {name: 0.25}
    assert PoseTrackerOptions(**values).smoother.is_tunable
    with pytest.raises(OptionError, match=rf"{name} is 0\.25; allowed is 0.*upper_body"):
        PoseTrackerOptions(model="upper_body", **values)


def test_an_option_error_is_a_pose_error() -> None:
    assert issubclass(OptionError, PoseError)


def test_a_part_of_the_options_has_their_values_and_no_others() -> None:
    options = PoseTrackerOptions(model="lite", intra_op_threads=3, smooth_landmarks=False)
    assert options.part(ModelOptions) == ModelOptions(model="lite", intra_op_threads=3)

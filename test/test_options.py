"""Options: defaults, what is refused, and the sentence that says so."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose import PoseTrackerOptions
from pose_ros.blazepose.errors import OptionError, PoseError
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import Options, PositionOptions, option_specs

NAN = float("nan")
FRACTION = "a number from 0.0 to 1.0"
THRESHOLDS = ("min_detection_confidence", "min_tracking_confidence")
SWITCHES = (
    "static_image_mode",
    "smooth_landmarks",
    "mirrored_input",
    "enable_segmentation",
    "smooth_segmentation",
)


def test_defaults_are_mediapipes() -> None:
    assert dataclasses.asdict(PoseTrackerOptions()) == {
        "model": "upper_body",
        "static_image_mode": False,
        "min_detection_confidence": 0.5,
        "min_tracking_confidence": 0.5,
        "smooth_landmarks": True,
        "mirrored_input": False,
        "intra_op_threads": 0,
        "providers": ("CPUExecutionProvider",),
        "enable_segmentation": False,
        "smooth_segmentation": True,
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
def test_a_bad_value_is_refused_with_name_value_and_what_is_allowed(
    name: str, value: Any, shown: str, allowed: str
) -> None:
    with pytest.raises(OptionError) as refused:
        PoseTrackerOptions(**{name: value})
    assert str(refused.value) == f"{name} is {shown}; allowed is {allowed}"


@given(st.sampled_from(THRESHOLDS), st.floats(0, 1) | st.sampled_from([0, 1]))
def test_every_fraction_is_a_threshold(name: str, value: float) -> None:
    changes: dict[str, Any] = {name: value}
    assert getattr(PoseTrackerOptions(**changes), name) == value


@given(st.sampled_from(THRESHOLDS), st.floats().filter(lambda value: not 0 <= value <= 1))
def test_no_other_number_is(name: str, value: float) -> None:
    changes: dict[str, Any] = {name: value}
    with pytest.raises(OptionError, match=name):
        PoseTrackerOptions(**changes)


@pytest.mark.parametrize("options", [PoseTrackerOptions, PositionOptions])
def test_every_option_has_a_description_in_one_sentence(options: type[Options]) -> None:
    for name, spec in option_specs(options).items():
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
    assert hidden == {"enable_segmentation", "heatmap_kernel"}


def test_an_option_error_is_a_pose_error() -> None:
    assert issubclass(OptionError, PoseError)


def test_positions_come_from_the_best_source_by_default() -> None:
    assert dataclasses.asdict(PositionOptions()) == {
        "position_source": "auto",
        "depth_min_m": 0.1,
        "depth_max_m": 10.0,
    }


def test_other_sources_are_refused() -> None:
    with pytest.raises(OptionError) as refused:
        PositionOptions(position_source="stereo")
    assert str(refused.value) == (
        "position_source is 'stereo'; allowed is one of auto, depth, world, none"
    )


@pytest.mark.parametrize(("low_m", "high_m"), [(2.0, 1.0), (1.0, 1.0)])
def test_depth_limits_leave_something_between(low_m: float, high_m: float) -> None:
    with pytest.raises(OptionError) as refused:
        PositionOptions(depth_min_m=low_m, depth_max_m=high_m)
    assert str(refused.value) == (
        f"depth_min_m is {low_m}; allowed is a number below depth_max_m, which is {high_m}"
    )

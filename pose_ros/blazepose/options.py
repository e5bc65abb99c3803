"""Options of the pose pipeline: one field declares default, range, description and check."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Union

from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.models import MODELS

Value = Union[bool, int, float, str, "tuple[str, ...]"]


@dataclass(frozen=True)
class OptionSpec:
    """What is allowed for one option, and what it means.

    A `fixed` option shapes the node's connections: it can change only while they are not made.
    `parameter` is False for what a user of the node cannot set: the node decides it by itself, or
    it exists for tests of parity.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Value, ...] | None = None
    fixed: bool = False
    parameter: bool = True

    def allowed(self, kind: str) -> str:
        """Return the allowed values in words."""
        if self.choices is not None:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        if self.minimum is not None and self.maximum is not None:
            return f"a {kind} from {self.minimum} to {self.maximum}"
        return f"a {kind}"


def option(default: Value, description: str, **limits: Any) -> Any:  # noqa: ANN401
    """Declare an option field with its default, description and limits (see OptionSpec)."""
    return field(default=default, metadata={"option": OptionSpec(description, **limits)})


def option_specs(options: type[Options] | Options) -> dict[str, OptionSpec]:
    """Return the OptionSpec of each field of an options class, by name."""
    return {item.name: item.metadata["option"] for item in dataclasses.fields(options)}


_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "whole number",
    float: "number",
    str: "text",
    tuple: "list of texts",
}


def _has_kind(value: object, kind: type) -> bool:
    if kind is tuple:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _is_within(value: Any, spec: OptionSpec) -> bool:  # noqa: ANN401
    if spec.choices is not None:
        return value in spec.choices
    above = spec.minimum is None or value >= spec.minimum
    return above and (spec.maximum is None or value <= spec.maximum)


def check_option(name: str, value: object, default: object, spec: OptionSpec) -> None:
    """Raise OptionError if `value` has another type than `default` or is not allowed."""
    kind = type(default)
    if not (_has_kind(value, kind) and _is_within(value, spec)):
        shown = repr(list(value)) if isinstance(value, tuple) else repr(value)
        raise OptionError(f"{name} is {shown}; allowed is {spec.allowed(_KINDS[kind])}")


@dataclass(frozen=True)
class Options:
    """Base of option records: every field is checked when the record is made; lists pass too."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, item.name, value)
            check_option(item.name, value, item.default, item.metadata["option"])


@dataclass(frozen=True)
class PoseTrackerOptions(Options):
    """Options of PoseTracker, with MediaPipe Pose's names and defaults where it has them.

    Raises OptionError for a value of the wrong type or outside its range.
    """

    model: str = option(
        "upper_body",
        "Landmark model.",
        choices=tuple(MODELS),
    )
    static_image_mode: bool = option(
        False,
        "Treat every image as unrelated to the one before: detect each time, no smoothing.",
    )
    min_detection_confidence: float = option(
        0.5,
        "Smallest score of the person detector that counts as a detection.",
        minimum=0.0,
        maximum=1.0,
    )
    min_tracking_confidence: float = option(
        0.5,
        "The landmark model's pose score must be above this, else the pose counts as lost.",
        minimum=0.0,
        maximum=1.0,
    )
    smooth_landmarks: bool = option(
        True,
        "Filter landmarks over time to reduce jitter; never in static image mode.",
    )
    mirrored_input: bool = option(
        False,
        "The image is a mirror image (selfie view): left and right landmarks are given as the "
        "person's own.",
    )
    intra_op_threads: int = option(
        0,
        "Threads of one inference; 0 chooses (one thread).",
        minimum=0,
        maximum=64,
    )
    providers: tuple[str, ...] = option(
        ("CPUExecutionProvider",),
        "onnxruntime execution providers, the preferred one first.",
    )
    enable_segmentation: bool = option(
        False,
        "Also predict the mask of the person's pixels; the upper-body model has none.",
        parameter=False,
    )
    smooth_segmentation: bool = option(
        True,
        "Blend the mask with the one before where it is uncertain; never in static image mode.",
    )
    heatmap_kernel: int = option(
        7,
        "Side of the heatmap window that refines a landmark: 7 as designed, 9 as MediaPipe's "
        "plain Python package runs it.",
        choices=(7, 9),
        parameter=False,
    )


@dataclass(frozen=True)
class PositionOptions(Options):
    """Options of PositionFinder. Raises OptionError for a value that is not allowed."""

    position_source: str = option(
        "auto",
        "Where positions in front of the camera come from: depth images, the model's world "
        "landmarks, depth and else world (auto), or nowhere (none).",
        choices=("auto", "depth", "world", "none"),
    )
    depth_min_m: float = option(
        0.1,
        "Nearer depth values are not used.",
        minimum=0.0,
        maximum=100.0,
    )
    depth_max_m: float = option(
        10.0,
        "Farther depth values are not used.",
        minimum=0.0,
        maximum=100.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth_min_m >= self.depth_max_m:
            raise OptionError(
                f"depth_min_m is {self.depth_min_m}; allowed is a number below depth_max_m, "
                f"which is {self.depth_max_m}"
            )

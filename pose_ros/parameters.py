"""The node's options, and their form as ROS parameters.

A parameter is one field here, or one field of PoseTrackerOptions: its declaration, range, check,
message and documentation follow from that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.inference import check_providers
from pose_ros.blazepose.models import check_model
from pose_ros.blazepose.options import (
    OptionSpec,
    PoseTrackerOptions,
    PositionOptions,
    option,
    option_specs,
)
from pose_ros.tf import check_tf


@dataclass(frozen=True)
class NodeOptions(PoseTrackerOptions, PositionOptions):
    """All options of the node: those of the core's parts, and its own. Raises OptionError."""

    min_visibility: float = option(
        0.5,
        "Landmarks with less visibility are not drawn. The published data has them all.",
        minimum=0.0,
        maximum=1.0,
    )
    image_transport: str = option(
        "raw",
        "Form of the input: image (raw), or image/compressed (JPEG or PNG).",
        choices=("raw", "compressed"),
        fixed=True,
    )
    qos_reliability: str = option(
        "best_effort",
        "Reliability asked of the input publishers; best_effort fits every publisher.",
        choices=("best_effort", "reliable", "system_default"),
        fixed=True,
    )
    qos_depth: int = option(
        1,
        "Input messages that the middleware may queue; the newest one is always used.",
        minimum=1,
        maximum=100,
        fixed=True,
    )
    depth_slop_s: float = option(
        0.05,
        "Largest difference of the stamps of image and depth image, and longest wait for it.",
        minimum=0.0,
        maximum=1.0,
    )
    depth_queue_size: int = option(
        10,
        "Depth images that are kept to find the one that belongs to an image.",
        minimum=1,
        maximum=100,
        fixed=True,
    )
    models_dir: str = option(
        "",
        "Folder with model files and their manifest.json; empty means the package's own.",
        fixed=True,
    )
    no_image_timeout_s: float = option(
        5.0,
        "Warn once when subscribed and no image came for this long; 0 never warns.",
        minimum=0.0,
        maximum=3600.0,
    )
    image_is_rectified: bool = option(
        False,
        "The image has no lens distortion: the matrix P of camera_info holds, not K and D.",
    )
    marker_distance_m: float = option(
        1.0,
        "Distance from the camera at which image markers are placed.",
        minimum=0.01,
        maximum=100.0,
    )
    assumed_hfov_deg: float = option(
        60.0,
        "Horizontal field of view assumed for markers while there is no calibration.",
        minimum=1.0,
        maximum=179.0,
    )
    publish_tf: bool = option(
        False,
        "Send a frame person_<id> to TF for each person whose place is known.",
    )
    tf_landmarks: bool = option(
        False,
        "With publish_tf: a frame for each landmark that is known and visible as well.",
    )
    target_frame: str = option(
        "",
        "Frame that ~/landmarks and the markers are moved to by TF; empty means the image's own.",
    )
    autostart: bool = option(
        True,
        "Configure and activate at start; if false, a lifecycle manager does it.",
        fixed=True,
    )


def parameter_specs() -> dict[str, OptionSpec]:
    """Return the options that are parameters of the node, by name."""
    return {name: spec for name, spec in option_specs(NodeOptions).items() if spec.parameter}


def declare_options(node: Node) -> NodeOptions:
    """Declare every option as a parameter of the node; return the values it was started with.

    Raises OptionError for a value (from the command line or a file) that is not allowed.
    """
    specs = parameter_specs()
    defaults = NodeOptions()
    for name, spec in specs.items():
        # without range and type at first, so that our own sentence tells what is wrong
        node.declare_parameter(
            name, _to_ros(getattr(defaults, name)), _descriptor(spec, is_checked=False)
        )
    options = with_parameters(defaults, (node.get_parameter(name) for name in specs))
    for name, spec in specs.items():
        node.set_descriptor(name, _descriptor(spec, is_checked=True))
    return options


def with_parameters(options: NodeOptions, parameters: Iterable[Parameter]) -> NodeOptions:
    """Return the options with the values of some parameters; OptionError if one is not allowed.

    Parameters of rclpy's own, such as use_sim_time, are passed over.
    """
    specs = parameter_specs()
    values = {item.name: item.value for item in parameters if item.name in specs}
    return dataclasses.replace(options, **values)


def changed_parameters(old: NodeOptions, new: NodeOptions) -> list[Parameter]:
    """Return the parameters that differ, with their old values."""
    names = _changed_names(old, new)
    return [Parameter(name, value=_to_ros(getattr(old, name))) for name in names]


def _changed_names(old: NodeOptions, new: NodeOptions) -> list[str]:
    return [name for name in parameter_specs() if getattr(old, name) != getattr(new, name)]


def check_change(
    old: NodeOptions, new: NodeOptions, is_configured: bool, models_dir: Path
) -> None:
    """Raise PoseError if a node cannot go from its old options to the new ones now."""
    names, specs = _changed_names(old, new), parameter_specs()
    fixed = [name for name in names if specs[name].fixed]
    if fixed and is_configured:
        raise OptionError(
            f"{fixed[0]} cannot become {getattr(new, fixed[0])!r} now: "
            "it can change only while the node is unconfigured"
        )
    if "model" in names:
        check_model(new.model, models_dir)
    if "providers" in names:
        check_providers(new.providers)
    check_tf(new.publish_tf, new.target_frame)


def _to_ros(value: Any) -> Any:  # noqa: ANN401
    return list(value) if isinstance(value, tuple) else value


def _descriptor(spec: OptionSpec, is_checked: bool) -> ParameterDescriptor:
    """Return the descriptor; types stay dynamic so that 1 is a fine value for 1.0."""
    descriptor = ParameterDescriptor(description=spec.description, dynamic_typing=True)
    if spec.choices is not None:
        descriptor.additional_constraints = f"Allowed: {spec.allowed('value')}."
    if is_checked and spec.minimum is not None and spec.maximum is not None:
        if isinstance(spec.minimum, int):
            limits = IntegerRange(from_value=spec.minimum, to_value=int(spec.maximum), step=1)
            descriptor.integer_range = [limits]
        else:
            limits = FloatingPointRange(from_value=spec.minimum, to_value=spec.maximum, step=0.0)
            descriptor.floating_point_range = [limits]
    return descriptor

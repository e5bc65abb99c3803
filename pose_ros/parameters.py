"""The node's options, and their form as ROS parameters.

A parameter is one field of an options class, of the node or of one of its parts: its declaration,
range, check, message and documentation follow from that.
"""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from pose_ros.blazepose.errors import OptionError, PoseError, quote
from pose_ros.blazepose.inference import check_providers
from pose_ros.blazepose.model_files import find_models
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.option_fields import OptionSpec, option, option_specs
from pose_ros.blazepose.options import ModelOptions, PoseTrackerOptions
from pose_ros.geometry.options import PositionOptions
from pose_ros.inputs.detections import check_detections
from pose_ros.inputs.options import InputOptions
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.packages import check_packages
from pose_ros.runtime.package_paths import share_path


@dataclass(frozen=True)
class NodeOptions(PoseTrackerOptions, PositionOptions, InputOptions, OutputOptions):
    """All options of the node: those of its parts, and its own. Raises OptionError."""

    models_dir: str = option(
        "",
        "Folder with model files and their manifest.json; empty means the package's own.",
        fixed=True,
    )
    autostart: bool = option(
        True,
        "Configure and activate at start; if false, a lifecycle manager does it.",
        fixed=True,
    )

    def needs_calibration(self, has_depth: bool) -> bool:
        """Return whether positions could be known if the calibration were, with depth or not."""
        has_world = MODELS[self.model].world_values > 0
        by_world = has_world and self.position_source in ("auto", "world")
        by_depth = has_depth and self.position_source == "auto"
        return by_world or by_depth or self.position_source == "depth"


class NodeParameters:
    """The options of a node, kept as its ROS parameters.

    `options` are the newest that were accepted; while the node `is_configured`, those that shape
    its connections are fixed. They change in the executor's thread only. Raises OptionError for a
    start value that is not allowed.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.options = declare_options(node)
        check_detections(self.options)
        self.is_configured = False
        self._failed: _FailedChange | None = None
        self._is_reverting = False
        self._revert_soon = node.create_guard_condition(self._revert)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._accept)

    def _check(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        """Accept all or none; rclpy would end the node at an exception."""
        try:
            if not self._is_reverting:
                check_change(self.options, parameters, self.is_configured)
        except Exception as error:
            return SetParametersResult(successful=False, reason=_reason(error))
        return SetParametersResult(successful=True)

    def _accept(self, parameters: Sequence[Parameter]) -> None:
        self.options = with_parameters(self.options, parameters)

    def apply(self, current: NodeOptions, configure: Callable[[NodeOptions], None]) -> None:
        """Configure by the newest options what works by the current ones.

        A model that turns out not to load is reverted, and logged; other changes stay. Another
        thread than the executor's may call this.
        """
        newest, failed = self.options, self._failed
        models = newest.part(ModelOptions)
        if failed is None or failed.models != models:
            try:
                configure(newest)
            except Exception as error:
                kept = current.part(ModelOptions)
                self._failed = _FailedChange(models, kept, _reason(error))
                self._revert_soon.trigger()
            else:
                return
        configure(with_models(newest, current.part(ModelOptions)))  # loads nothing

    def _revert(self) -> None:
        """Set the parameters of the model that failed to those of the one that goes on."""
        failed = self._failed
        if failed is None:
            return
        if self.options.part(ModelOptions) == failed.models:
            self._set_unchecked(with_models(self.options, failed.kept))
        self._failed = None
        self._node.get_logger().error(
            f"model change failed, keeping the model {failed.kept.model}: {failed.reason}"
        )

    def _set_unchecked(self, options: NodeOptions) -> None:
        """Set the parameters that differ: the files of a model that runs may be gone by now."""
        self._is_reverting = True
        try:
            self._node.set_parameters_atomically(
                [
                    Parameter(name, value=to_ros(getattr(options, name)))
                    for name in changed_names(self.options, options)
                ]
            )
        finally:
            self._is_reverting = False


@dataclass(frozen=True)
class _FailedChange:
    """Options of a model that could not be loaded, and those that are kept instead."""

    models: ModelOptions
    kept: ModelOptions
    reason: str


def with_models(options: NodeOptions, models: ModelOptions) -> NodeOptions:
    """Return the options with another part of the models."""
    return dataclasses.replace(options, **dataclasses.asdict(models))


def _reason(error: Exception) -> str:
    is_known, text = isinstance(error, PoseError), str(error)
    return text if is_known else f"internal error: {type(error).__name__}: {quote(text)}"


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
        # without range and type at first, so that our own message says what is wrong
        node.declare_parameter(
            name, to_ros(getattr(defaults, name)), _descriptor(spec, is_checked=False)
        )
    options = with_parameters(defaults, (node.get_parameter(name) for name in specs))
    for name, spec in specs.items():
        node.set_descriptor(name, _descriptor(spec, is_checked=True))
    return options


def with_parameters(options: NodeOptions, parameters: Iterable[Parameter]) -> NodeOptions:
    """Return the options with the values of some parameters; OptionError if one is not allowed.

    Parameters of rclpy's own, such as use_sim_time, are ignored.
    """
    specs = parameter_specs()
    values = {item.name: _from_ros(item) for item in parameters if item.name in specs}
    return dataclasses.replace(options, **values)


def check_change(old: NodeOptions, parameters: Sequence[Parameter], is_configured: bool) -> None:
    """Raise PoseError if some parameters of a node cannot be set now, all together."""
    new, specs = with_parameters(old, parameters), parameter_specs()
    names = changed_names(old, new)
    fixed = [name for name in names if specs[name].fixed]
    if fixed and is_configured:
        raise OptionError(
            f"{fixed[0]} cannot become {quote(getattr(new, fixed[0]))} now: "
            "it can change only while the node is unconfigured"
        )
    is_model_set = {"model", "person_detector"} & {item.name for item in parameters}
    if is_model_set and {"model", "person_detector", "models_dir"} & set(names):
        find_models(new, models_path(new))
    if "providers" in names:
        check_providers(new.providers)
    check_packages(new)
    check_detections(new)


def changed_names(old: NodeOptions, new: NodeOptions) -> list[str]:
    """Return the names of the parameters that differ."""
    return [name for name in parameter_specs() if getattr(old, name) != getattr(new, name)]


def models_path(options: NodeOptions) -> Path:
    """Return the folder of the model files; PoseError if it is not installed."""
    return Path(options.models_dir) if options.models_dir else share_path("models")


def tracker_options(options: NodeOptions) -> PoseTrackerOptions:
    """Return the options of the tracker, which itself does not know how many cores there are."""
    threads = options.people_threads
    if threads == 0:
        needed = 2 * max(options.intra_op_threads, 1)
        threads = 2 if len(os.sched_getaffinity(0)) >= needed else 1
    return dataclasses.replace(options.part(PoseTrackerOptions), people_threads=threads)


def differing_values(options: NodeOptions) -> str:
    """Return the parameters that differ from their defaults, as text; "none" if none does."""
    names = changed_names(NodeOptions(), options)
    values = [f"{name}={quote(to_ros(getattr(options, name)))}" for name in names]
    return ", ".join(values) or "none"


def to_ros(value: Any) -> Any:  # noqa: ANN401
    """Return an option's value as that of a ROS parameter."""
    return list(value) if isinstance(value, tuple) else value


def _from_ros(item: Parameter) -> Any:  # noqa: ANN401
    if item.value is None and isinstance(getattr(NodeOptions, item.name), tuple):
        return ()  # an empty list of the command line or a file has no type, so no value
    return item.value.tolist() if isinstance(item.value, array) else item.value


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

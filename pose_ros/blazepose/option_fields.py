"""Options: one field declares default, range, description and check."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, TypeVar, Union

from pose_ros.blazepose.errors import OptionError, quote

Part = TypeVar("Part", bound="Options")
Value = Union[bool, int, float, str, "tuple[str, ...]", "tuple[float, ...]"]


@dataclass(frozen=True)
class OptionSpec:
    """What is allowed for one option, and what it means.

    A `fixed` option shapes the node's connections: it can change only while they are not made.
    `parameter` is False for what a user of the node cannot set.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Value, ...] | None = None
    fixed: bool = False
    parameter: bool = True

    @property
    def has_limits(self) -> bool:
        """Whether not every value of the type is allowed."""
        return self.choices is not None or self.minimum is not None

    def allowed(self, kind: str) -> str:
        """Return the allowed values as text."""
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
    str: "line of text",
}


def _kind(default: Value) -> str:
    if not isinstance(default, tuple):
        return _KINDS[type(default)]
    is_text = isinstance(default[0], str)
    return "list of texts" if is_text else f"list of {len(default)} numbers, each"


def _has_kind(value: object, default: Value) -> bool:
    if isinstance(default, tuple):
        if not isinstance(value, tuple) or not all(_has_kind(item, default[0]) for item in value):
            return False
        return isinstance(default[0], str) or len(value) == len(default)
    if isinstance(default, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, str):
        return isinstance(value, str) and value.isprintable()
    kind = type(default)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _is_within(value: Any, spec: OptionSpec) -> bool:  # noqa: ANN401
    if spec.choices is not None:
        return value in spec.choices
    if isinstance(value, tuple):
        return all(_is_within(item, spec) for item in value)
    above = spec.minimum is None or value >= spec.minimum
    return above and (spec.maximum is None or value <= spec.maximum)


def check_option(name: str, value: object, default: Any, spec: OptionSpec) -> None:  # noqa: ANN401
    """Raise OptionError if `value` has another type than `default` or is not allowed."""
    if not (_has_kind(value, default) and _is_within(value, spec)):
        shown = list(value) if isinstance(value, tuple) else value
        raise OptionError(f"{name} is {quote(shown)}; allowed is {spec.allowed(_kind(default))}")


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

    def part(self, kind: type[Part]) -> Part:
        """Return the options of one of the classes that this one is made of."""
        return kind(**{item.name: getattr(self, item.name) for item in dataclasses.fields(kind)})

"""Write docs/parameters.md from the options: `make docs`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pose_ros.blazepose.option_fields import Options, OptionSpec, option_specs
from pose_ros.outputs.gesture_options import GestureOptions
from pose_ros.parameters import NodeOptions, parameter_specs

FILE = Path(__file__).resolve().parents[2] / "docs" / "parameters.md"
HEAD = """\
# Parameters

`make docs` writes this page from the options in the code.

Each parameter can be set in a file (`config/pose.yaml` has them all with their defaults), on the
command line, or while the node runs: `ros2 param set /pose NAME VALUE`. Those marked *fixed*
change only while the node is unconfigured. A change applies between two images, all of it or none
of it. A rejected one gives the reason. Names and defaults are MediaPipe's where it has them.

All are parameters of the pose node, but those of the last table: they are the
[gesture node](gestures.md)'s.
"""


def page() -> str:
    """Return the text of the page: a table for each class of options, the core's first."""
    lines = [*(reversed(base.__mro__) for base in NodeOptions.__bases__), [NodeOptions]]
    classes = dict.fromkeys(item for line in lines for item in line if issubclass(item, Options))
    specs = parameter_specs()
    tables = [_table(item, specs) for item in classes]
    tables.append(_table(GestureOptions, option_specs(GestureOptions)))
    return "\n".join([HEAD, *(table for table in tables if table)])


def _table(options: type[Options], specs: Mapping[str, OptionSpec]) -> str:
    """Return the parameters that a class itself declares; empty if there are none."""
    own = [name for name in options.__annotations__ if name in specs]
    if not own:
        return ""
    words = re.findall("[A-Z][a-z]+", options.__name__.removesuffix("Options"))
    rows = [_row(options, name, specs[name]) for name in own]
    head = ["| parameter | default | allowed | |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {' '.join(words).capitalize()}", "", *head, *rows, ""])


def _row(options: type[Options], name: str, spec: OptionSpec) -> str:
    (field,) = (item for item in dataclasses.fields(options) if item.name == name)
    fixed = " *fixed*" if spec.fixed else ""
    text = re.sub(r"[|<]", r"\\\g<0>", spec.description)
    return f"| `{name}` | `{_as_yaml(field.default)}` | {_allowed(spec)} | {text}{fixed} |"


def _as_yaml(value: Any) -> str:
    """Return a value as one writes it in a parameter file."""
    if isinstance(value, str):
        return value or '""'
    value = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.split("\n")[0]


def _allowed(spec: OptionSpec) -> str:
    if spec.choices is not None:
        return ", ".join(str(choice) for choice in spec.choices)
    if spec.minimum is None or spec.maximum is None:
        return ""
    return f"{spec.minimum:g} to {spec.maximum:g}"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")

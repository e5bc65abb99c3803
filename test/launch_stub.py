"""Just enough of `launch` and `launch_ros` to see what a launch file builds.

The modules record what they are called with. `load` resolves it as `ros2 launch FILE NAME:=VALUE`
would, and returns processes with the command lines that launch_ros would make of them.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import pytest


class Recorded:
    """Any action: what it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs


class LaunchContext(dict[str, str]): ...


class LaunchDescription(Recorded): ...


class DeclareLaunchArgument(Recorded): ...


class GroupAction(Recorded): ...


class IncludeLaunchDescription(Recorded): ...


class OpaqueFunction(Recorded): ...


class PythonLaunchDescriptionSource(Recorded): ...


class SetEnvironmentVariable(Recorded): ...


class Shutdown(Recorded): ...


class Node(Recorded):
    set_parameters: Mapping[str, object] = MappingProxyType({})

    @property
    def command(self) -> list[str]:
        """The arguments of its process, in launch_ros's order."""
        words = [*self.kwargs.get("arguments", ()), "--ros-args"]
        words += self.kwargs.get("ros_arguments", ())
        if "name" in self.kwargs:
            words += ["-r", f"__node:={self.kwargs['name']}"]
        if self.kwargs.get("namespace"):
            words += ["-r", f"__ns:=/{self.kwargs['namespace'].lstrip('/')}"]
        for source in (self.set_parameters, *self.kwargs.get("parameters", ())):
            words += _parameters(source)
        for old, new in self.kwargs.get("remappings", ()):
            words += ["-r", f"{old}:={new}"]
        return words


class LaunchConfiguration(Recorded):
    def perform(self, context: dict[str, str]) -> str:
        """Return the argument's value."""
        return context[self.args[0]]


def _parameters(source: str | Mapping[str, object]) -> list[str]:
    if isinstance(source, str):
        return ["--params-file", source]
    values = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in source.items()
    }
    return [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]


MODULES: dict[str, list[type]] = {
    "launch": [],
    "launch.actions": [
        DeclareLaunchArgument,
        GroupAction,
        IncludeLaunchDescription,
        OpaqueFunction,
        SetEnvironmentVariable,
        Shutdown,
    ],
    "launch.launch_context": [LaunchContext],
    "launch.launch_description": [LaunchDescription],
    "launch.launch_description_sources": [PythonLaunchDescriptionSource],
    "launch.substitutions": [LaunchConfiguration],
    "launch_ros": [],
    "launch_ros.actions": [Node],
}


@dataclass
class Launched:
    """What a launch file comes to: processes, environment, declared arguments."""

    processes: list[Node] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    set_parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def nodes(self) -> dict[str, Node]:
        """The processes by executable; for files that start one of each."""
        nodes = {process.kwargs["executable"]: process for process in self.processes}
        assert len(nodes) == len(self.processes)
        return nodes


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stub in for `launch` and `launch_ros`."""
    for name, classes in MODULES.items():
        module = ModuleType(name)
        for item in classes:
            setattr(module, item.__name__, item)
        monkeypatch.setitem(sys.modules, name, module)


def load(path: Path | str, **arguments: str) -> Launched:
    """Load a launch file with arguments; AssertionError if it does not know one of them."""
    return load_within({}, path, arguments)


def load_within(
    set_parameters: Mapping[str, object], path: Path | str, arguments: Mapping[str, str]
) -> Launched:
    """Load a launch file as `load` does, with SetParameter actions around it."""
    launched = Launched(values=dict(arguments), set_parameters=set_parameters)
    description = runpy.run_path(str(path))["generate_launch_description"]()
    _visit(description.args[0], launched)
    assert launched.values.keys() <= launched.descriptions.keys()
    return launched


def _visit(entities: Iterable[Recorded], launched: Launched) -> None:
    for entity in entities:
        if isinstance(entity, DeclareLaunchArgument):
            name = entity.args[0]
            launched.values.setdefault(name, entity.kwargs["default_value"])
            launched.descriptions[name] = entity.kwargs["description"]
        elif isinstance(entity, OpaqueFunction):
            _visit(entity.kwargs["function"](launched.values), launched)
        elif isinstance(entity, GroupAction):
            _visit(entity.args[0], launched)
        elif isinstance(entity, IncludeLaunchDescription):
            _include(entity, launched)
        elif isinstance(entity, SetEnvironmentVariable):
            launched.environment[entity.args[0]] = entity.args[1]
        else:
            assert isinstance(entity, Node), entity
            entity.set_parameters = launched.set_parameters
            launched.processes.append(entity)


def _include(entity: IncludeLaunchDescription, launched: Launched) -> None:
    given = {
        name: value if isinstance(value, str) else value.perform(launched.values)
        for name, value in entity.kwargs["launch_arguments"]
    }
    path = entity.args[0].args[0]
    launched.processes += load_within(launched.set_parameters, path, given).processes

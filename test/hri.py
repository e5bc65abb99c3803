"""Messages of hri_msgs: of the real package where it is installed, else of the stand-in."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from types import ModuleType
from typing import Any

import pytest
import running
from diagnostic_msgs.msg import DiagnosticArray

STAND_IN = running.ROOT / "test" / "stand_in"
HAS_HRI_MSGS = importlib.util.find_spec("hri_msgs") is not None
WITHOUT_HRI_MSGS = pytest.mark.skipif(
    HAS_HRI_MSGS, reason="hri_msgs is installed here: nothing to reject"
)


def types() -> ModuleType:
    """Return hri_msgs.msg, or the stand-in's."""
    if HAS_HRI_MSGS:
        return importlib.import_module("hri_msgs.msg")
    sys.path.insert(0, str(STAND_IN))
    try:
        return importlib.import_module("hri_msgs.msg")
    finally:
        sys.path.remove(str(STAND_IN))


def python_path() -> str:
    """Return PYTHONPATH with the stand-ins last, so that a real package goes before its own."""
    return os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(STAND_IN)])


def message_type(name: str) -> type[Any]:
    """Return the type to subscribe with."""
    found: type[Any] = getattr(types(), name) if HAS_HRI_MSGS else DiagnosticArray
    return found


def fields(message: Any) -> dict[str, Any]:
    """Return what a message has besides its header; points as x, y and c."""
    if isinstance(message, DiagnosticArray):
        content: dict[str, Any] = json.loads(message.status[0].message)
        return content
    names = [name for name in message.get_fields_and_field_types() if name != "header"]
    return {name: _plain(getattr(message, name)) for name in names}


def _plain(value: Any) -> Any:
    """Return a list of points as dictionaries, as the stand-in sends them."""
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        return [_plain(item) for item in value]
    return {name: getattr(value, name) for name in "xyc"} if hasattr(value, "c") else value

"""Parameters of the command line or a file that the node does not have."""

from __future__ import annotations

import difflib

from rcl_interfaces.srv import ListParameters
from rclpy.node import Node

from pose_ros.blazepose.errors import quote


def unknown_parameters_warning(node: Node, command: str) -> str | None:
    """Return the names that were given to the node at its start, but not declared; or None.

    `command` is the one whose --help lists the parameters. rclpy keeps them in a
    private attribute. The public way to see them is to have them all declared, and then their
    types could not be checked with a message of our own.
    """
    known = node.list_parameters([], ListParameters.Request.DEPTH_RECURSIVE).names
    unknown = sorted(node._parameter_overrides.keys() - set(known))
    if not unknown:
        return None
    names = ", ".join(quote(name) + _nearest(name, known) for name in unknown)
    return f"unknown parameters are ignored: {names}; {command} --help lists all parameters"


def _nearest(name: str, known: list[str]) -> str:
    """Return which known name may be meant; the last part of a nested name counts."""
    found = difflib.get_close_matches(name.rpartition(".")[2], known, n=1)
    return f" (did you mean {found[0]}?)" if found else ""

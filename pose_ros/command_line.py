"""The node's own command line: only `--help`, which lists the parameters."""

from __future__ import annotations

import argparse
import textwrap

from pose_ros.parameters import NodeOptions, parameter_specs, to_ros


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the arguments that are not for ROS."""
    defaults = NodeOptions()
    lines = [
        textwrap.fill(
            f"{name} = {to_ros(getattr(defaults, name))!r}: {spec.description}"
            + (f" Allowed: {spec.allowed('value')}." if spec.has_limits else ""),
            initial_indent="  ",
            subsequent_indent="      ",
        )
        for name, spec in parameter_specs().items()
    ]
    return argparse.ArgumentParser(
        prog="pose_node",
        usage="%(prog)s [-h] [--ros-args -p PARAMETER:=VALUE -r image:=TOPIC ...]",
        description="Find people in images, and publish their landmarks.",
        epilog="\n".join(["parameters and their defaults:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

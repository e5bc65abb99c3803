"""The nodes' own command line: only `--help`, which lists the parameters."""

from __future__ import annotations

import argparse
import textwrap

from pose_ros.blazepose.option_fields import Options, option_specs
from pose_ros.parameters import NodeOptions, to_ros


def command_line(
    executable: str = "pose_node",
    description: str = "Find people in images, and publish their landmarks.",
    defaults: Options | None = None,
    topic: str = "image",
) -> argparse.ArgumentParser:
    """Return the parser of a node's arguments that are not for ROS; the pose node's by default.

    `topic` is one that the node subscribes to.
    """
    options = NodeOptions() if defaults is None else defaults
    lines = [
        textwrap.fill(
            f"{name} = {to_ros(getattr(options, name))!r}: {spec.description}"
            + (f" Allowed: {spec.allowed('value')}." if spec.has_limits else ""),
            initial_indent="  ",
            subsequent_indent="      ",
        )
        for name, spec in option_specs(options).items()
        if spec.parameter
    ]
    return argparse.ArgumentParser(
        prog=executable,
        usage=f"%(prog)s [-h] [--ros-args -p PARAMETER:=VALUE -r {topic}:=TOPIC ...]",
        description=description,
        epilog="\n".join(["parameters and their defaults:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

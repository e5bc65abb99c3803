"""A node in this process, in a ROS domain of its own or in that of another process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import rclpy
from rclpy.context import Context
from rclpy.node import Node

from running.processes import domain


@contextmanager
def local_node(domain_id: int | None = None) -> Iterator[Node]:
    """Make a node, in the domain of a process or in one of its own."""
    with domain() if domain_id is None else nullcontext(domain_id) as number:
        context = Context()
        rclpy.init(context=context, domain_id=number)
        made = rclpy.create_node("test", context=context)
        yield made
        made.destroy_node()
        rclpy.shutdown(context=context)

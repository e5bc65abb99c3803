"""A node in this process, in a ROS domain of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.node import Node

from running.processes import domain


@contextmanager
def local_node() -> Iterator[Node]:
    with domain() as domain_id:
        context = Context()
        rclpy.init(context=context, domain_id=domain_id)
        made = rclpy.create_node("test", context=context)
        yield made
        made.destroy_node()
        rclpy.shutdown(context=context)

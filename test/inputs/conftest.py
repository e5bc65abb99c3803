"""A node in this process, in a ROS domain of its own, for tests of what it subscribes to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
import running
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


@pytest.fixture
def node() -> Iterator[Node]:
    with running.domain() as domain_id:
        context = Context()
        rclpy.init(context=context, domain_id=domain_id)
        made = rclpy.create_node("inputs_test", context=context)
        yield made
        made.destroy_node()
        rclpy.shutdown(context=context)


@pytest.fixture
def executor(node: Node) -> Iterator[SingleThreadedExecutor]:
    made = SingleThreadedExecutor(context=node.context)
    made.add_node(node)
    yield made
    made.shutdown()

"""A node in this process, in a ROS domain of its own, for tests of what it subscribes to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import running
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


@pytest.fixture
def node() -> Iterator[Node]:
    with running.local_node() as made:
        yield made


@pytest.fixture
def executor(node: Node) -> Iterator[SingleThreadedExecutor]:
    made = SingleThreadedExecutor(context=node.context)
    made.add_node(node)
    yield made
    made.shutdown()

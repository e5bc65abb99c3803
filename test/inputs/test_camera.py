"""The node holds the camera while somebody wants results, and wakes when somebody does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import running
from running import Client

from pose_ros.inputs import camera

(PERSON,) = running.person()


@pytest.fixture
def alone() -> Iterator[Client]:
    with running.node_and_client() as client:
        yield client


def test_the_node_unsubscribes_after_the_grace_and_wakes_at_once(alone: Client) -> None:
    alone.landmarks(running.image(PERSON))
    alone.unsubscribe()
    start_s = time.monotonic()
    alone.stream(PERSON, lambda: not alone.images_matched(), "the end of the subscription", 0.1)
    assert time.monotonic() - start_s > 0.8 * camera.GRACE_S
    received = alone.subscribe("landmarks")
    received.clear()
    start_s = time.monotonic()
    alone.stream(PERSON, lambda: received, "landmarks")
    print(f"first landmarks {time.monotonic() - start_s:.2f} s after subscribing")

"""ROS settings of all tests, and the running node that the tests of a module share."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator

import pytest

from pose_ros.share import fast_dds_environment

_LOGS = tempfile.TemporaryDirectory(prefix="pose_ros_test_log_")
# Before ROS is loaded: it reads them once. Child processes inherit them.
os.environ |= {
    **fast_dds_environment(),
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    "ROS_LOG_DIR": _LOGS.name,
    "RCUTILS_COLORIZED_OUTPUT": "0",
}

import running  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    fuzz = parser.getgroup("fuzz", "fuzzing")
    fuzz.addoption("--fuzz-messages", type=int, default=500, help="how many (default: 500)")
    fuzz.addoption("--fuzz-seed", default="0", help="a number, or random (default: 0)")


@pytest.fixture(scope="module")
def _shared_client() -> Iterator[running.Client]:
    with running.node_and_client() as client:
        yield client


@pytest.fixture
def fuzz_messages(request: pytest.FixtureRequest) -> int:
    """How many messages to send."""
    return int(request.config.getoption("--fuzz-messages"))


@pytest.fixture
def fuzz_seed(request: pytest.FixtureRequest) -> int:
    """Where the drawing of messages starts; printed, so that it can be given again."""
    chosen = request.config.getoption("--fuzz-seed")
    number = random.randrange(2**32) if chosen == "random" else int(chosen)
    print(f"\n--fuzz-seed {number}")
    return number


@pytest.fixture
def pose(_shared_client: running.Client) -> running.Client:
    """A client of the module's running node, listening to `~/landmarks`, the tracker reset."""
    _shared_client.listen("landmarks")
    _shared_client.reset()
    return _shared_client

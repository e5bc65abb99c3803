"""Settings of all tests, and the running node that the tests of a module share.

Nothing of ROS is imported here: the tests of the pure folders run where it is not installed.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING

import hypothesis
import pytest
import shared_memory

from pose_ros.runtime.package_paths import fast_dds_environment

if TYPE_CHECKING:
    from running import Client

_LOGS = tempfile.TemporaryDirectory(prefix="pose_ros_test_log_")


def _ros_environment() -> dict[str, str]:
    settings = {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": _LOGS.name,
        "RCUTILS_COLORIZED_OUTPUT": "0",
    }
    try:
        return settings | fast_dds_environment()
    except PackageNotFoundError:
        return settings  # no rclpy


# Before ROS is loaded: it reads them once. Child processes inherit them.
os.environ |= _ros_environment()

# The same examples in every run, however slow the machine is; `make fuzz` looks for new ones.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")
# For emulated processors: pytest --hypothesis-profile=few
hypothesis.settings.register_profile(
    "few", hypothesis.settings.get_profile("repeatable"), max_examples=10
)


def pytest_addoption(parser: pytest.Parser) -> None:
    fuzz = parser.getgroup("fuzz", "fuzzing")
    fuzz.addoption("--fuzz-messages", type=int, default=500, help="how many (default: 500)")
    fuzz.addoption("--fuzz-seed", default="0", help="a number, or random (default: 0)")


def pytest_sessionfinish() -> None:
    """Free what killed nodes left in shared memory: 70 MB each."""
    shared_memory.remove_orphans()


@pytest.fixture(scope="module")
def _shared_client() -> Iterator[Client]:
    import running

    with running.node_and_client() as client:
        yield client


@pytest.fixture
def fuzz_messages(request: pytest.FixtureRequest) -> int:
    """How many messages to send."""
    return int(request.config.getoption("--fuzz-messages"))


@pytest.fixture
def fuzz_seed(request: pytest.FixtureRequest) -> int:
    """Where the generated messages start; printed, so that it can be given again."""
    chosen = request.config.getoption("--fuzz-seed")
    number = random.randrange(2**32) if chosen == "random" else int(chosen)
    print(f"\n--fuzz-seed {number}")
    return number


@pytest.fixture
def pose(_shared_client: Client) -> Client:
    """A client of the module's running node, subscribed to `~/landmarks`, the tracker reset."""
    _shared_client.listen("landmarks")
    _shared_client.reset()
    return _shared_client

"""ROS domains that nobody on this machine uses."""

from __future__ import annotations

import os

import pytest
import running

from pose_ros.tools import domains
from pose_ros.tools.children import isolate
from pose_ros.tools.domains import is_unused, unused_domain


def test_a_domain_is_unused_unless_a_process_of_this_machine_is_in_it() -> None:
    with running.domain() as number:
        assert is_unused(number)
    with running.local_node() as node:
        assert not is_unused(node.context.get_domain_id())
    with running.node() as process:
        process.wait_for_line("waiting for images")
        assert not is_unused(process.domain_id)


def test_a_domain_in_use_is_taken_only_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running.local_node() as node, running.domain() as unused:
        used = node.context.get_domain_id()
        monkeypatch.setattr(domains, "_DOMAINS", [used, unused])
        assert {unused_domain() for _ in range(10)} == {unused}
        monkeypatch.setattr(domains, "_DOMAINS", [used])
        assert unused_domain() == used


def test_tools_that_start_nodes_keep_to_a_domain_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {"ROS_DOMAIN_ID": "0"})
    isolate()
    assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 70
    assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"

"""What killed nodes left is deleted, what belongs to living ones is not."""

from __future__ import annotations

import os

import running
import shared_memory

from pose_ros.runtime.shared_memory import FOLDER

(PERSON,) = running.person()


def own_segments(process: running.Process) -> set[str]:
    """The segments that a process made: it maps them and holds their locks open.

    At its start it opens the locks of others too, for a moment.
    """
    names = set()
    for number in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{process.pid}/fd/{number}")
        except FileNotFoundError:
            continue  # closed by now
        names.add(os.path.basename(target).removesuffix("_el"))
    return names & shared_memory.mapped(str(process.pid)) & exist()


def exist() -> set[str]:
    return {file.name for file in shared_memory.segments()}


def make_old(names: set[str]) -> None:
    for name in names:
        os.utime(FOLDER / name, (0, 0))


def make_new(names: set[str]) -> None:
    """Keep other tests that end now from deleting them."""
    for name in names:
        os.utime(FOLDER / name)


def test_the_segment_of_a_killed_node_is_deleted_and_that_of_a_living_one_is_not() -> None:
    with running.node_and_client() as client, running.node_process() as other:
        for process in (client.process, other):
            process.wait_for_line("waiting for images")
        kept, left = own_segments(client.process), own_segments(other)
        assert kept
        assert left
        make_new(left)
        other.kill()
        assert left <= exist()
        make_old(kept | left)
        shared_memory.remove_orphans()
        assert not left & exist()
        assert kept <= exist()
        assert len(client.landmarks(running.image(PERSON)).points) == 1


def test_a_segment_that_is_just_being_made_is_kept() -> None:
    with running.node_process() as node:
        node.wait_for_line("waiting for images")
        left = own_segments(node)
        make_new(left)
        node.kill()
        shared_memory.remove_orphans(min_age_s=3600.0)
        assert left
        assert left <= exist()
        make_old(left)
        shared_memory.remove_orphans()
        assert not left & exist()

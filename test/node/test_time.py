"""Stamps and clocks as robots have them: output goes on, with the header as it came."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest
import running
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock
from running import Client

from pose_ros.client import landmarks_from_msg

(PERSON,) = running.person()
HOUR_NS = 3600 * 10**9
JUMP = "image stamps jumped"
NO_CLOCK = "nothing received on /clock"
LOG_PERIOD_S = 1.0
"""The time in which at most one jump is logged."""
CALM_S = LOG_PERIOD_S + 0.1


def person_id(client: Client, stamp_ns: int) -> int:
    """The number of the person in an image with a stamp; the header has to come back as it is."""
    message = running.image(PERSON, stamp_ns)
    output = client.ask(message)
    assert output.header == message.header
    (number,) = landmarks_from_msg(output).person_id
    return int(number)


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def age_ms(client: Client, stamp_ns: int) -> float | None:
    """The image age in the report on images with this stamp; None if the report has none."""
    client.wait_until_idle()
    status = client.status(
        lambda status: float(values(status)["processed rate Hz"]) > 0,
        "a processed image",
        do=lambda: client.ask(running.image(PERSON, stamp_ns)),
    )
    age = values(status).get("image age ms mean")
    return None if age is None else float(age)


# Stamps


def test_a_looping_bag_resets_with_one_log_line_a_loop(pose: Client) -> None:
    start_ns = running.FIRST_NS - 10**12
    before, ids = len(pose.process.lines(JUMP)), []
    for _ in range(3):
        ids += [person_id(pose, start_ns + number * running.FRAME_NS) for number in range(3)]
        pose.spin(CALM_S)
    assert ids == [ids[0] + loop for loop in range(3) for _ in range(3)]
    assert len(pose.process.lines(JUMP)) == before + 2


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS], ids=["forward", "back"])
def test_a_jump_of_an_hour_resets_with_one_log_line(pose: Client, jump_ns: int) -> None:
    pose.spin(CALM_S)
    before, start_ns = len(pose.process.lines(JUMP)), running.FIRST_NS + 2 * HOUR_NS
    first, second = (person_id(pose, start_ns + n * running.FRAME_NS) for n in range(2))
    start_ns += jump_ns
    third, fourth = (person_id(pose, start_ns + n * running.FRAME_NS) for n in range(2))
    assert (second, third, fourth) == (first, first + 1, first + 1)
    assert len(pose.process.lines(JUMP)) == before + 1


def test_stamps_that_are_zero_now_and_then_keep_the_person(pose: Client) -> None:
    before, start_ns = len(pose.process.lines(JUMP)), running.FIRST_NS
    stamps_ns = [0, start_ns, 0, 0, start_ns + running.FRAME_NS, start_ns + running.FRAME_NS]
    assert len({person_id(pose, stamp_ns) for stamp_ns in stamps_ns}) == 1
    assert len(pose.process.lines(JUMP)) == before


def test_stamps_of_two_clocks_in_turn_are_processed_and_do_not_flood_the_log(pose: Client) -> None:
    pose.spin(CALM_S)
    before, start_s = len(pose.process.lines(JUMP)), time.monotonic()
    stamps_ns = [running.FIRST_NS + number * running.FRAME_NS for number in range(10)]
    for stamp_ns in stamps_ns:
        person_id(pose, stamp_ns)
        person_id(pose, stamp_ns - HOUR_NS)
    logged = len(pose.process.lines(JUMP)) - before
    assert 1 <= logged <= 1 + (time.monotonic() - start_s) / LOG_PERIOD_S
    pose.spin(CALM_S)
    person_id(pose, stamps_ns[0])
    assert "jumps so far: " in pose.process.lines(JUMP)[-1]


# Clocks


def test_age_is_that_of_the_stamp_and_unknown_without_one(pose: Client) -> None:
    assert age_ms(pose, 0) is None
    stamp_ns = now_ns(pose) - 10**9
    age = age_ms(pose, stamp_ns)
    assert age is not None
    assert 1000 < age < (now_ns(pose) - stamp_ns) / 1e6


def now_ns(client: Client) -> int:
    nanoseconds: int = client.node.get_clock().now().nanoseconds
    return nanoseconds


def set_clock(client: Client, publisher: Publisher, stamp_ns: int) -> None:
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    publisher.publish(Clock(clock=Time(sec=seconds, nanosec=nanoseconds)))
    client.spin(0.2)


def test_simulated_time_that_never_comes_starts_late_and_is_set_back() -> None:
    with running.node_and_client(*running.parameters(use_sim_time=True)) as client:
        client.process.wait_for_line(NO_CLOCK)
        assert age_ms(client, running.FIRST_NS) is None
        assert len(client.process.lines(NO_CLOCK)) == 1

        publisher = client.node.create_publisher(Clock, "/clock", 10)
        client.until(publisher.get_subscription_count, "the node's subscription to /clock")
        ids = []
        for _ in range(2):  # a bag of one frame, with its clock, in a loop
            for stamp_ns in (running.FIRST_NS + HOUR_NS, running.FIRST_NS):
                set_clock(client, publisher, stamp_ns + 40_000_000)
                ids.append(person_id(client, stamp_ns))
                client.spin(CALM_S)
        assert age_ms(client, running.FIRST_NS) == pytest.approx(40)
        assert ids == [ids[0] + jump for jump in range(4)]
        assert len(client.process.lines(JUMP)) == 4
        assert len(client.process.lines(NO_CLOCK)) == 1


def test_simulated_time_can_be_taken_up_and_left_while_images_flow() -> None:
    with running.node_and_client() as client:
        first = person_id(client, running.FIRST_NS)
        for number, is_simulated in enumerate((True, False, True)):
            assert client.set(use_sim_time=is_simulated).successful
            if is_simulated:
                client.process.wait_for_line(NO_CLOCK)
            assert person_id(client, running.FIRST_NS + (number + 1) * running.FRAME_NS) == first
        assert 1 <= len(client.process.lines(NO_CLOCK)) <= 2


# The source

WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"}
PACKAGE = running.ROOT / "pose_ros"
FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if file.parent.name != "tools"]


def attributes(file: Path) -> set[str]:
    """Everything of the form `name.name` in a file, and what it imports by name."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_nothing_but_ros_is_asked_for_the_time_of_day() -> None:
    assert any("time.monotonic" in attributes(file) for file in FILES)
    found = {file.name: attributes(file) & WALL_CLOCKS for file in FILES}
    # files have their ages by that clock
    assert {name: clocks for name, clocks in found.items() if clocks} == {
        "shared_memory.py": {"time.time"}
    }

"""How a ROS process ends: by a signal or two, by itself, by an error."""

from __future__ import annotations

import itertools
import signal
import time

import pytest
import running

SPIN = """
import rclpy
from pose_ros.runtime import run
def make():
    node = rclpy.create_node("spinner")
    node.create_timer(0.2, {callback})
    print("ready", flush=True)
    return node
run.run(make)
print("over", flush=True)
"""
SLOW_START = """
import time
import rclpy
from pose_ros.runtime import run
def make():
    print("ready", flush=True)
    while rclpy.ok():
        time.sleep(0.01)
    return rclpy.create_node("late")
assert run.run(make) is None
print("over", flush=True)
"""
SIGNAL_AT_THE_END = """
import os
import signal
import time
import rclpy
from pose_ros.runtime import run
def make():
    node = rclpy.create_node("made")
    os.kill(os.getpid(), signal.SIGTERM)
    while rclpy.ok():
        time.sleep(0.01)
    return node
run.run(make)
print("over", flush=True)
"""
# As Fast DDS does where several processes end at once.
SPINNING_EXIT = """
import atexit
from pose_ros.runtime import run
@atexit.register
def spin():
    while True:
        pass
run.init([])
run.shutdown()
print("over", flush=True)
"""
# What rclpy's handler does on a signal, where the executor has looked before the context is ended.
UNSEEN_END = """
import threading
import time
import rclpy
from rclpy.utilities import get_default_context
from pose_ros.runtime import run
def end():
    time.sleep(1.0)
    context = get_default_context()
    with context.handle:
        context.handle.shutdown()
def make():
    node = rclpy.create_node("sleeper")
    threading.Thread(target=end, daemon=True).start()
    return node
run.run(make)
print("over", flush=True)
"""
# What a signal does that comes before the executor looks.
END_BETWEEN_CALLS = """
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.utilities import get_default_context
from pose_ros.runtime import run
run.init([])
executor = SingleThreadedExecutor()
executor.add_node(rclpy.create_node("sleeper"))
try:
    with run.until_shutdown():
        executor.spin_once(timeout_sec=0.01)
        {end}
        executor.spin_once(timeout_sec=0.01)
        print("not reached", flush=True)
    print("over", flush=True)
finally:
    run.shutdown()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pause_s", [None, 0.0, 0.01, 0.1])
def test_one_or_two_signals_end_it_cleanly(number: int, pause_s: float | None) -> None:
    with running.process("-c", SPIN.format(callback="lambda: None")) as process:
        process.wait_for_line("ready")
        process.signal(number)
        if pause_s is not None:
            time.sleep(pause_s)
            process.signal(number)
        assert process.wait() == 0
        assert process.output.splitlines() == ["ready", "over"]


def test_signals_without_a_pause_end_it_cleanly() -> None:
    with running.process("-c", SPIN.format(callback="lambda: None")) as process:
        process.wait_for_line("ready")
        numbers = itertools.cycle((signal.SIGINT, signal.SIGTERM))
        while process.is_running:
            process.signal(next(numbers))
            time.sleep(0.0002)
        assert process.wait() == 0
        assert process.output.splitlines() == ["ready", "over"]


def test_an_executor_without_work_sees_the_end_of_ros() -> None:
    with running.process("-c", UNSEEN_END) as process:
        assert process.wait() == 0, process.output
        assert process.output.splitlines() == ["over"]


def test_an_exit_that_never_ends_is_cut_short() -> None:
    with running.process("-c", SPINNING_EXIT) as process:
        assert process.wait(120) == 0, process.output
        assert process.output.splitlines() == ["over"]


def test_node_may_end_itself() -> None:
    with running.process("-c", SPIN.format(callback="rclpy.try_shutdown")) as process:
        assert process.wait() == 0
        assert process.output.splitlines() == ["ready", "over"]


def test_a_shutdown_between_two_calls_ends_a_block() -> None:
    end = "get_default_context().handle.shutdown()"
    with running.process("-c", END_BETWEEN_CALLS.format(end=end)) as process:
        assert process.wait() == 0, process.output
        assert process.output.splitlines() == ["over"]


def test_an_error_of_a_block_is_not_hidden() -> None:
    with running.process("-c", END_BETWEEN_CALLS.format(end="1 / 0")) as process:
        assert process.wait() == 1
        assert process.lines("ZeroDivisionError")


def test_error_in_a_callback_is_not_hidden() -> None:
    with running.process("-c", SPIN.format(callback="lambda: 1 / 0")) as process:
        assert process.wait() == 1
        assert process.lines("ZeroDivisionError")


def test_signal_while_the_node_is_made_ends_it_cleanly() -> None:
    with running.process("-c", SLOW_START) as process:
        process.wait_for_line("ready")
        process.signal(signal.SIGINT)
        assert process.wait() == 0, process.output
        assert process.output.splitlines() == ["ready", "over"]


def test_signal_before_the_node_spins_ends_it_cleanly() -> None:
    with running.process("-c", SIGNAL_AT_THE_END) as process:
        assert process.wait() == 0, process.output
        assert process.output.splitlines() == ["over"]

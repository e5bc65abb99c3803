"""Start, run and end a ROS process so that Ctrl-C, twice even, ends it in peace with code 0."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions, install_signal_handlers
from rclpy.utilities import ok, try_shutdown

from pose_ros.stamps import STEADY

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.executors import Executor

NodeT = TypeVar("NodeT", bound=Node)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WAKE_S = 1.0


def init(args: list[str] | None = None) -> None:
    """Start ROS; from now on SIGINT and SIGTERM shut ROS down and raise nothing.

    `args` are all command line arguments; None takes `sys.argv`. Exits with code 1 and a sentence
    if ROS does not take them.
    """
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        sys.exit(f"ROS cannot start: {error}")
    for number in _SIGNALS:
        signal.signal(number, _leave_to_rclpy)
    install_signal_handlers(SignalHandlerOptions.ALL)  # they call the ones above


def run(make_node: Callable[[], NodeT], args: list[str] | None = None) -> NodeT | None:
    """Start ROS, make a node, spin it to its end and return it.

    A signal while the node is being made ends everything as well; the result is None then.
    """
    init(args)
    try:
        node = make_node()
    except Exception:
        if ok():
            raise
        shutdown()
        return None
    spin(node)
    return node


def spin(node: Node, executor: Executor | None = None) -> None:
    """Run a node until ROS is shut down by a signal or the node, then destroy both.

    Further signals are ignored during the clean-up: `ros2 launch` sends one of its own when
    Ctrl-C reaches the whole process group.
    """
    executor = executor or SingleThreadedExecutor()
    executor.add_node(node)
    try:
        _wake_now_and_then(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if ok():  # else a callback met the shutdown half-way
            raise
    finally:
        _ignore_signals()
        executor.shutdown()
        node.destroy_node()
        shutdown()


def _wake_now_and_then(node: Node) -> None:
    """Let no executor sleep for ever.

    On a signal rclpy wakes it a moment before ROS is shut down: it can see nothing and sleep on.
    """
    node.create_timer(_WAKE_S, lambda: None, clock=STEADY)


def shutdown() -> None:
    """Shut ROS down for the end of the process; signals are ignored from here on."""
    _ignore_signals()
    try_shutdown()
    _ignore_signals()  # rclpy has put the handlers back that it found


def _leave_to_rclpy(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: rclpy's own handler, which ran before, has shut ROS down."""


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)

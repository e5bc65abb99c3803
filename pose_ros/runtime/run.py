"""Start, run and end a ROS process so that Ctrl-C, twice even, ends it cleanly with code 0."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import rclpy
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions, install_signal_handlers
from rclpy.utilities import get_default_context, ok, remove_ros_args, try_shutdown

from pose_ros.blazepose.errors import PoseError
from pose_ros.runtime.clock import STEADY_CLOCK
from pose_ros.runtime.exit_limit import limit_exit
from pose_ros.runtime.memory import keep_freed_memory
from pose_ros.runtime.shared_memory import remove_half_made_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rclpy.executors import Executor

NodeT = TypeVar("NodeT", bound=Node)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WAKE_S = 1.0
_EXIT_LIMIT_S = 3  # CPU time; ros2 launch kills what has not ended after 10 s


def own_arguments(args: list[str]) -> list[str]:
    """Return the command line arguments that are not for ROS.

    Exits with code 1 and a message if ROS rejects its own.
    """
    try:
        return list(remove_ros_args(args))
    except RuntimeError as error:
        sys.exit(f"ROS cannot start: {error}")


def init(args: list[str] | None = None) -> None:
    """Start ROS; from now on SIGINT and SIGTERM shut ROS down and raise nothing.

    `args` are all command line arguments; None takes `sys.argv`. Exits with code 1 and a message
    if ROS rejects them, or cannot write its log.
    """
    keep_freed_memory()
    limit_exit(_EXIT_LIMIT_S)
    _check_home()
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        sys.exit(f"ROS cannot start: {error}")
    # rclpy's handlers call those that they find. A signal that comes to one of Python's late would
    # be reported as an error.
    _ignore_signals()
    install_signal_handlers(SignalHandlerOptions.ALL)
    domain_id = get_default_context().get_domain_id()
    for line in remove_half_made_ports(domain_id):  # before the first node, which would hang
        get_logger("pose_ros").warning(line)


def _check_home() -> None:
    """Exit with code 1 and a message if the log folder depends on HOME, which is not set."""
    folder = os.environ.get("ROS_LOG_DIR") or os.environ.get("ROS_HOME") or "~"
    if folder.startswith("~") and not os.environ.get("HOME"):
        sys.exit("ROS cannot start: HOME is not set; set it, or ROS_LOG_DIR to a folder for logs")


def run(make_node: Callable[[], NodeT], args: list[str] | None = None) -> NodeT | None:
    """Start ROS, make a node, spin it to its end and return it.

    A signal while the node is being made ends everything as well; the result is None then. Exits
    with code 1 and a message if a parameter of rclpy's own, such as use_sim_time, is invalid.
    """
    init(args)
    try:
        executor = SingleThreadedExecutor()  # first: it cannot be made once a signal has come
        node = make_node()
    except InvalidParameterTypeException as error:
        shutdown()
        sys.exit(f"ROS cannot start: {error}")
    except Exception:
        if ok():
            raise
        shutdown()
        return None
    _spin(node, executor)
    return node


def run_or_exit(name: str, make_node: Callable[[], Node]) -> None:
    """Run a node; if it cannot be made for a known reason, log that and exit with code 1."""
    try:
        run(make_node)
    except PoseError as error:
        get_logger(name).fatal(str(error))
        shutdown()
        sys.exit(1)


def _spin(node: Node, executor: Executor) -> None:
    """Run a node until ROS is shut down by a signal or the node, then destroy both.

    Further signals are ignored during the clean-up: `ros2 launch` sends one of its own when
    Ctrl-C reaches the whole process group.
    """
    try:
        with until_shutdown():
            executor.add_node(node)
            _wake_now_and_then(node)
            executor.spin()
    finally:
        _ignore_signals()
        executor.shutdown()
        node.destroy_node()
        shutdown()


@contextmanager
def until_shutdown() -> Iterator[None]:
    """End the block, without an error, where ROS is shut down.

    rclpy raises errors of several kinds then, such as RCLError, where the shutdown comes between
    two of its calls. An error while ROS is up leaves the block.
    """
    try:
        yield
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if ok():
            raise


def _wake_now_and_then(node: Node) -> None:
    """Let no executor sleep forever.

    On a signal rclpy wakes it a moment before ROS is shut down: it can see nothing and sleep on.
    """
    node.create_timer(_WAKE_S, lambda: None, clock=STEADY_CLOCK)


def shutdown() -> None:
    """Shut ROS down for the end of the process; signals are ignored from here on."""
    _ignore_signals()
    try_shutdown()


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)

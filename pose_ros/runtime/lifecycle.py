"""A lifecycle node that reports why a transition failed, and releases all that it acquired."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol, TypeVar

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from pose_ros.blazepose.errors import PoseError

NodeT = TypeVar("NodeT", bound="ManagedNode")
Transition = Callable[[NodeT, LifecycleState], TransitionCallbackReturn]


class Releasable(Protocol):
    """Something that a node holds in one of its states."""

    def release(self) -> None:
        """Give it back."""


Held = TypeVar("Held", bound=Releasable)


def held(stack: ExitStack, resource: Held) -> Held:
    """Return a resource that is released when the stack is closed."""
    stack.callback(resource.release)
    return resource


def transition(callback: Callable[[NodeT], None]) -> Transition[NodeT]:
    """Make a lifecycle callback of a method that raises when the transition fails.

    PoseError is a failure with a reason; anything else an error. rclpy itself would drop both.
    """

    @functools.wraps(callback)
    def reporting(node: NodeT, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            callback(node)
        except PoseError as error:
            node.report_failure(callback.__name__, str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            node.report_failure(callback.__name__, traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    return reporting


class ManagedNode(LifecycleNode):
    """Undoes what was put on its stacks when the state that needed it ends.

    Raises PoseError if ROS cannot make the node, for example without its security keys.
    """

    def __init__(self, name: str) -> None:
        try:
            super().__init__(name)
        except RuntimeError as error:  # rcl's errors are no class of their own below this
            reason = " ".join(str(error).split())
            raise PoseError(f"ROS cannot make the node: {reason}") from error
        self.while_configured = ExitStack()
        self.while_active = ExitStack()
        self._is_bringing_up = False
        self._failure = ""

    @property
    def state_label(self) -> str:
        """The lifecycle state, such as `inactive`."""
        label: str = self._state_machine.current_state[1]
        return label

    def bring_up(self) -> None:
        """Configure and activate; PoseError with the reason if that fails."""
        self._is_bringing_up = True
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise PoseError(self._failure)
        self._is_bringing_up = False

    def _LifecycleNodeMixin__change_state(  # noqa: N802, rclpy's own name
        self, transition_id: int
    ) -> TransitionCallbackReturn:
        """Log the new state; reject a transition that the state does not have.

        rclpy itself would end the process then.
        """
        before = self.state_label
        try:
            result = super()._LifecycleNodeMixin__change_state(transition_id)  # type: ignore[misc]
        except RuntimeError:  # rcl has logged which transition and state
            return TransitionCallbackReturn.FAILURE
        if self.state_label != before:
            self.get_logger().info(f"lifecycle state changed from {before} to {self.state_label}")
        return result

    def report_failure(self, name: str, reason: str) -> None:
        """Undo a failed transition, and log it unless `bring_up` raises it."""
        self.while_active.close()
        if name == "on_configure":
            self.while_configured.close()
        self._failure = reason
        if not self._is_bringing_up:
            self.get_logger().error(f"{name}: {reason}")

    def release(self) -> None:
        """Release everything."""
        self.while_active.close()
        self.while_configured.close()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable the publishers; whatever ends the active state disables them."""
        self.while_active.callback(super().on_deactivate, state)
        return super().on_activate(state)

    @transition
    def on_deactivate(self) -> None:
        """Release what the active state needed; the publishers are disabled last."""
        self.while_active.close()

    @transition
    def on_cleanup(self) -> None:
        """Release everything."""
        self.release()

    @transition
    def on_shutdown(self) -> None:
        """Release everything, from any state."""
        self.release()

    @transition
    def on_error(self) -> None:
        """Release everything, so that the node can be configured again."""
        self.release()

    def destroy_node(self) -> None:
        """Release everything, and destroy the node."""
        self.release()
        super().destroy_node()

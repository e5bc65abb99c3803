"""A lifecycle node that tells why a transition failed, and lets go of all that it took."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from pose_ros.blazepose.errors import PoseError

Owner = TypeVar("Owner", bound="OwningLifecycleNode")
Transition = Callable[[Owner, LifecycleState], TransitionCallbackReturn]


def transition(callback: Callable[[Owner], None]) -> Transition[Owner]:
    """Make a lifecycle callback of a method that raises when the transition fails.

    PoseError is a failure with a reason; anything else an error. rclpy itself would drop both.
    """

    @functools.wraps(callback)
    def told(node: Owner, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            callback(node)
        except PoseError as error:
            node.tell_failure(callback.__name__, str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            node.tell_failure(callback.__name__, traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    return told


class OwningLifecycleNode(LifecycleNode):
    """Undoes what was put on its stacks when the state that needed it ends.

    Raises PoseError if ROS refuses to make a node, for example without its keys for security.
    """

    def __init__(self, name: str) -> None:
        try:
            super().__init__(name)
        except RuntimeError as error:  # rcl's errors are no class of their own below this
            reason = " ".join(str(error).split())
            raise PoseError(f"ROS cannot make the node: {reason}") from error
        self.while_configured = ExitStack()
        self.while_active = ExitStack()
        self._bringing_up = False
        self._failure = ""

    def bring_up(self) -> None:
        """Configure and activate; PoseError with the reason if that fails."""
        self._bringing_up = True
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise PoseError(self._failure)
        self._bringing_up = False

    def _LifecycleNodeMixin__change_state(  # noqa: N802, rclpy's own name
        self, transition_id: int
    ) -> TransitionCallbackReturn:
        """Refuse a transition that the state does not have: rclpy would end the process."""
        try:
            return super()._LifecycleNodeMixin__change_state(transition_id)  # type: ignore[misc]
        except RuntimeError:  # rcl has logged which transition and state
            return TransitionCallbackReturn.FAILURE

    def tell_failure(self, name: str, reason: str) -> None:
        """Undo a failed transition and log it, unless whoever brings the node up tells it."""
        self.while_active.close()
        self._failure = reason
        if not self._bringing_up:
            self.get_logger().error(f"{name}: {reason}")

    def release(self) -> None:
        """Let go of everything."""
        self.while_active.close()
        self.while_configured.close()

    @transition
    def on_cleanup(self) -> None:
        """Let go of everything."""
        self.release()

    @transition
    def on_shutdown(self) -> None:
        """Let go of everything, from any state."""
        self.release()

    @transition
    def on_error(self) -> None:
        """Let go of everything, so that the node can be configured again."""
        self.release()

    def destroy_node(self) -> None:
        """Let go of everything, and of the node."""
        self.release()
        super().destroy_node()

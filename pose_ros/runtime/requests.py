"""The services that a user of the node calls."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger


class Requests:
    """Offers `~/enable` and `~/reset`, and keeps what was asked for.

    `on_disable` is called when the node is disabled.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._needs_reset = False
        self.is_enabled = True
        self.on_disable: Callable[[], None] | None = None
        self._services = (
            node.create_service(SetBool, "~/enable", self._on_enable),
            node.create_service(Trigger, "~/reset", self._on_reset),
        )

    def request_reset(self) -> None:
        """Have the tracker reset before the next image."""
        self._needs_reset = True

    def take_reset(self) -> bool:
        """Return whether a reset was requested since the last call."""
        needs_reset, self._needs_reset = self._needs_reset, False
        return needs_reset

    def release(self) -> None:
        """Withdraw the services."""
        for service in self._services:
            self._node.destroy_service(service)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.is_enabled = request.data
        self.request_reset()
        if self.on_disable is not None and not self.is_enabled:
            self.on_disable()
        response.success = True
        response.message = "enabled" if self.is_enabled else "disabled: images are dropped"
        return response

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.request_reset()
        response.success, response.message = True, "the tracker resets with the next image"
        return response

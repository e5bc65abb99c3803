"""The services that a user of the target calls."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from std_srvs.srv import Trigger

from pose_ros.outputs.following import Following


class TargetServices:
    """Offers `~/next_target` and `~/release_target` while `follow` is not none."""

    def __init__(self, node: Node, following: Following) -> None:
        self._node, self._following = node, following
        self.follow = "none"
        self._services = (
            node.create_service(Trigger, "~/next_target", self._on_next),
            node.create_service(Trigger, "~/release_target", self._on_release),
        )

    def release(self) -> None:
        """Withdraw the services."""
        for service in self._services:
            self._node.destroy_service(service)

    def _on_next(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        text = "the next person by id is the target from the next image on"
        return self._request(self._following.request_next, text, response)

    def _on_release(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        text = "nobody is the target until ~/next_target is called"
        return self._request(self._following.request_release, text, response)

    def _request(
        self, request: Callable[[], None], text: str, response: Trigger.Response
    ) -> Trigger.Response:
        response.success = self.follow != "none"
        if response.success:
            request()
            response.message = text
        else:
            response.message = "follow is none, so there is no target; set it, such as to nearest"
        return response

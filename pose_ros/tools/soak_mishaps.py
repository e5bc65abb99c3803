"""What is done to a node while it works: parameters, services, and the death of its camera."""

from __future__ import annotations

import functools
import heapq
import itertools
import math
import random
import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from pose_ros.tools.soak_camera import Deck
from pose_ros.tools.soak_record import Request, Span
from pose_ros.tools.soak_rig import Rig

_PERIOD_S = (0.4, 1.2)
_STATIC_S = 1.0
_OTHER_MODEL_S = 3.0
_DISABLED_S = 1.0
_CAMERA_AWAY_S = (0.3, 2.5)
_LOADING_S = 1.0
"""How long another model may take until the node is as fast as before."""
_AFTER_ENABLE_S = 0.3
_DECK = (
    *("thresholds", "refused", "smoothing") * 5,
    *("reset", "visibility") * 3,
    *("static_images", "other_model", "disable", "kill_camera"),
)
_NOT_ALLOWED: tuple[dict[str, Any], ...] = (
    {"min_detection_confidence": 1.5},
    {"min_tracking_confidence": math.nan},
    {"min_visibility": 0.3, "min_tracking_confidence": -0.1},
    {"smooth_landmarks": "perhaps"},
    {"model": "huge"},
    {"providers": ["NoSuchProvider"]},
    {"qos_depth": 7},
    {"no_such_parameter": 1},
)


class Mishaps:
    """Draws one after the other; what lasts is undone when its time is over."""

    def __init__(self, rig: Rig, models: tuple[str, str], seed: int, watcher: Node) -> None:
        self._rig, self._models = rig, models
        self._dice = random.Random(seed)
        self._deck = Deck(_DECK, self._dice)
        self._not_allowed = itertools.cycle(_NOT_ALLOWED)
        name = f"{rig.name}/pose"
        self._parameters = AsyncParameterClient(watcher, name)
        self._enable = watcher.create_client(SetBool, f"{name}/enable")
        self._reset = watcher.create_client(Trigger, f"{name}/reset")
        self._plan: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._next_s = 0.0

    def is_ready(self) -> bool:
        """Whether the node's services are there."""
        clients = (self._parameters, self._enable, self._reset)
        return self._parameters.services_are_ready() and all(
            client.service_is_ready() for client in clients[1:]
        )

    def step(self) -> None:
        """Do what is due."""
        now_s = time.monotonic()
        self._undo(now_s)
        if now_s > self._next_s:
            self._next_s = now_s + self._dice.uniform(*_PERIOD_S)
            getattr(self, f"_do_{self._deck.draw()}")()

    def finish(self) -> None:
        """Undo what still lasts."""
        self._undo(math.inf)

    def _undo(self, now_s: float) -> None:
        while self._plan and self._plan[0][0] <= now_s:
            heapq.heappop(self._plan)[-1]()

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._plan, (time.monotonic() + delay_s, next(self._numbers), action))

    def _spare(self, name: str, duration_s: float) -> None:
        """Note that the node owes no answers for a while."""
        now_ns = time.monotonic_ns()
        self._rig.record.spans.append(Span(name, now_ns, now_ns + round(duration_s * 1e9)))

    # The cards

    def _do_thresholds(self) -> None:
        self._set(
            min_detection_confidence=self._dice.uniform(0.2, 0.7),
            min_tracking_confidence=self._dice.uniform(0.2, 0.7),
        )

    def _do_refused(self) -> None:
        self._set(is_allowed=False, **next(self._not_allowed))

    def _do_smoothing(self) -> None:
        self._set(smooth_landmarks=self._dice.random() < 0.5)

    def _do_visibility(self) -> None:
        self._set(min_visibility=self._dice.random())

    def _do_static_images(self) -> None:
        self._set(static_image_mode=True)
        self._later(_STATIC_S, lambda: self._set(static_image_mode=False))

    def _do_other_model(self) -> None:
        usual, other = self._models
        self._take_model(other)
        self._later(_OTHER_MODEL_S, functools.partial(self._take_model, usual))

    def _take_model(self, model: str) -> None:
        self._spare("model loading", _LOADING_S)
        self._set(model=model)

    def _do_disable(self) -> None:
        self._spare("disabled", _DISABLED_S + _AFTER_ENABLE_S)
        self._call(self._enable, SetBool.Request(data=False), "disable")
        enable = SetBool.Request(data=True)
        self._later(_DISABLED_S, lambda: self._call(self._enable, enable, "enable"))

    def _do_reset(self) -> None:
        self._call(self._reset, Trigger.Request(), "reset")

    def _do_kill_camera(self) -> None:
        self._rig.kill_camera()
        self._later(self._dice.uniform(*_CAMERA_AWAY_S), self._bring_camera_back)

    def _bring_camera_back(self) -> None:
        if self._rig.camera is None:
            self._rig.start_camera()

    # Requests

    def _set(self, *, is_allowed: bool = True, **values: Any) -> None:  # noqa: ANN401
        what = ", ".join(f"{name}={value}" for name, value in values.items())
        request = self._note(f"set {what}", is_allowed)
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        future = self._parameters.set_parameters_atomically(parameters)
        future.add_done_callback(
            lambda done: setattr(request, "is_granted", done.result().result.successful)
        )

    def _call(self, client: Any, message: Any, name: str) -> None:  # noqa: ANN401
        request = self._note(name, is_allowed=True)
        future: Future = client.call_async(message)
        future.add_done_callback(
            lambda done: setattr(request, "is_granted", done.result().success)
        )

    def _note(self, name: str, is_allowed: bool) -> Request:
        request = Request(name, is_allowed)
        self._rig.record.requests.append(request)
        return request

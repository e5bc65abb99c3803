"""Faults and requests during a run: parameters, services, and a camera that is killed."""

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

from soak.camera import ShuffledCycle
from soak.record import Request, Span
from soak.rig import Rig

_PERIOD_S = (0.4, 1.2)
_STATIC_S = 1.0
_OTHER_MODEL_S = 3.0
_DISABLED_S = 1.0
_CAMERA_AWAY_S = (0.3, 2.5)
_LOADING_S = 1.0
"""How long another model may take until the node is as fast as before."""
_AFTER_ENABLE_S = 0.3
_ACTIONS = (
    *("thresholds", "rejected", "smoothing") * 5,
    *("reset", "visibility") * 3,
    *("static_images", "other_model", "disable", "kill_camera"),
)
_ACTIONS_OF_SEVERAL = ("people",) * 5
_NOT_ALLOWED: tuple[dict[str, Any], ...] = (
    {"min_detection_confidence": 1.5},
    {"min_tracking_confidence": math.nan},
    {"min_visibility": 0.3, "min_tracking_confidence": -0.1},
    {"smooth_landmarks": "perhaps"},
    {"model": "huge"},
    {"landmark_interval_s": 2.0},
    {"providers": ["NoSuchProvider"]},
    {"qos_depth": 7},
    {"no_such_parameter": 1},
)


class Faults:
    """Runs one action after the other; what has a duration is undone at its end."""

    def __init__(
        self,
        rig: Rig,
        models: tuple[str, str],
        seed: int,
        watcher: Node,
        are_several: bool = False,
    ) -> None:
        self._rig, self._models = rig, models
        self._rng = random.Random(seed)
        actions = (*_ACTIONS, *_ACTIONS_OF_SEVERAL) if are_several else _ACTIONS
        self._actions = ShuffledCycle(actions, self._rng)
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
            self._next_s = now_s + self._rng.uniform(*_PERIOD_S)
            getattr(self, f"_do_{self._actions.next()}")()

    def finish(self) -> None:
        """Undo what is still in effect."""
        self._undo(math.inf)

    def _undo(self, now_s: float) -> None:
        while self._plan and self._plan[0][0] <= now_s:
            heapq.heappop(self._plan)[-1]()

    def _schedule(self, delay_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._plan, (time.monotonic() + delay_s, next(self._numbers), action))

    def _exempt(self, name: str, duration_s: float) -> None:
        """Record that the node need not process images for a while."""
        now_ns = time.monotonic_ns()
        self._rig.record.spans.append(Span(name, now_ns, now_ns + round(duration_s * 1e9)))

    # Actions

    def _do_thresholds(self) -> None:
        self._set(
            min_detection_confidence=self._rng.uniform(0.2, 0.7),
            min_tracking_confidence=self._rng.uniform(0.2, 0.7),
        )

    def _do_rejected(self) -> None:
        self._set(is_allowed=False, **next(self._not_allowed))

    def _do_smoothing(self) -> None:
        self._set(smooth_landmarks=self._rng.random() < 0.5)

    def _do_visibility(self) -> None:
        self._set(min_visibility=self._rng.random())

    def _do_people(self) -> None:
        self._set(
            landmark_interval_s=self._rng.choice((0.0, 0.066, 0.5)),
            select=self._rng.choice(("sticky", "largest", "center", "nearest")),
            hold_time_s=self._rng.uniform(0.0, 3.0),
            publish_held=self._rng.random() < 0.5,
        )

    def _do_static_images(self) -> None:
        self._set(static_image_mode=True)
        self._schedule(_STATIC_S, lambda: self._set(static_image_mode=False))

    def _do_other_model(self) -> None:
        usual, other = self._models
        self._set_model(other)
        self._schedule(_OTHER_MODEL_S, functools.partial(self._set_model, usual))

    def _set_model(self, model: str) -> None:
        self._exempt("model loading", _LOADING_S)
        self._set(model=model)

    def _do_disable(self) -> None:
        self._exempt("disabled", _DISABLED_S + _AFTER_ENABLE_S)
        self._call(self._enable, SetBool.Request(data=False), "disable")
        enable = SetBool.Request(data=True)
        self._schedule(_DISABLED_S, lambda: self._call(self._enable, enable, "enable"))

    def _do_reset(self) -> None:
        self._call(self._reset, Trigger.Request(), "reset")

    def _do_kill_camera(self) -> None:
        self._rig.kill_camera()
        self._schedule(self._rng.uniform(*_CAMERA_AWAY_S), self._bring_camera_back)

    def _bring_camera_back(self) -> None:
        if self._rig.camera is None:
            self._rig.start_camera()

    # Requests

    def _set(self, *, is_allowed: bool = True, **values: Any) -> None:
        what = ", ".join(f"{name}={value}" for name, value in values.items())
        request = self._record_request(f"set {what}", is_allowed)
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        future = self._parameters.set_parameters_atomically(parameters)
        future.add_done_callback(
            lambda done: setattr(request, "is_accepted", done.result().result.successful)
        )

    def _call(self, client: Any, message: Any, name: str) -> None:
        request = self._record_request(name, is_allowed=True)
        future: Future = client.call_async(message)
        future.add_done_callback(
            lambda done: setattr(request, "is_accepted", done.result().success)
        )

    def _record_request(self, name: str, is_allowed: bool) -> Request:
        request = Request(name, is_allowed)
        self._rig.record.requests.append(request)
        return request

"""Scenes with known people: who walks where, and when; drawn from a seed, the same everywhere.

Who stands lower in the image is nearer, larger, and in front. `SCENES` has a half to tune a
tracker on, a half to judge it on, which has other images of people and other seeds, two short
scenes for every test run, and more scenes to tune on, of the images of that half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

import numpy as np

RATE_HZ = 30
WIDTH_PX, HEIGHT_PX = 1280, 720
# Feet at the first are those of a person of 150 px, at the last those of one of 350 px.
_FAR_GROUND_PX, _NEAR_GROUND_PX = 420.0, 700.0
_FAR_PX, _NEAR_PX = 150.0, 350.0


@dataclass(frozen=True)
class Actor:
    """One person of a scene.

    `source` is in `sources.SOURCES`, its images begin with `first_image`; `gain` multiplies red,
    green and blue; `ground_px` is y of the feet; `path` has (time in s, x of the feet in px),
    joined by straight lines.
    """

    source: str
    first_image: int
    is_mirrored: bool
    gain: tuple[float, float, float]
    ground_px: float
    path: tuple[tuple[float, float], ...]

    @property
    def height_px(self) -> float:
        """How tall the person is when upright."""
        return _height_px(self.ground_px)

    def x_px(self, time_s: float) -> float:
        """Return where the person is."""
        times_s, xs_px = zip(*self.path, strict=True)
        return float(np.interp(time_s, times_s, xs_px))


@dataclass(frozen=True)
class Pillar:
    """A pillar that hides whoever is behind it: from the top of the image down to `ground_px`."""

    left_px: int
    width_px: int
    ground_px: int


@dataclass(frozen=True)
class Scene:
    """People in a room of `rooms.ROOMS`; a person's identity is the index in `actors`."""

    name: str
    half: str
    room: str
    duration_s: float
    actors: tuple[Actor, ...]
    pillar: Pillar | None = None

    @property
    def times_s(self) -> tuple[float, ...]:
        """The times of the images."""
        return tuple(index / RATE_HZ for index in range(round(self.duration_s * RATE_HZ)))

    def crossings(self) -> int:
        """Count how often two people pass each other in the image, one beside or before the other.

        Half of the smaller one's height, or more, is beside the other.
        """
        pairs = [pair for pair in combinations(self.actors, 2) if _are_level(*pair)]
        return sum(self._crossings(*pair) for pair in pairs)

    def _crossings(self, one: Actor, other: Actor) -> int:
        xs_px = np.array([(one.x_px(t), other.x_px(t)) for t in self.times_s])
        is_left = np.less(xs_px[:, 0], xs_px[:, 1])
        is_inside = np.all((xs_px > 0) & (xs_px < WIDTH_PX), axis=1)
        return int(np.count_nonzero((is_left[1:] != is_left[:-1]) & is_inside[1:]))


def _height_px(ground_px: float) -> float:
    share = (ground_px - _FAR_GROUND_PX) / (_NEAR_GROUND_PX - _FAR_GROUND_PX)
    return _FAR_PX + share * (_NEAR_PX - _FAR_PX)


def _are_level(one: Actor, other: Actor) -> bool:
    top_px = max(actor.ground_px - actor.height_px for actor in (one, other))
    common_px = min(one.ground_px, other.ground_px) - top_px
    return common_px >= min(one.height_px, other.height_px) / 2


@dataclass(frozen=True)
class _Script:
    """What a scene is drawn from."""

    name: str
    half: str
    seed: int
    people: int
    room: str
    has_pillar: bool = False
    duration_s: float = 7.0


_CASTS = {
    "tune": ("walker", "man_2", "man_3", "woman_1", "woman_4"),
    "judge": ("jumper", "man_1", "man_4", "woman_2", "woman_3"),
    "small": ("walker", "woman_2"),
}
_CASTS["more"] = _CASTS["tune"]


def _scene(script: _Script) -> Scene:
    rng = Random(script.seed)
    grounds_px = [rng.uniform(_FAR_GROUND_PX, _NEAR_GROUND_PX) for _ in range(script.people)]
    cast = _cast(rng, _CASTS[script.half], script.people)
    actors = tuple(
        _actor(rng, source, ground_px, number, script.duration_s)
        for number, (source, ground_px) in enumerate(zip(cast, grounds_px, strict=True))
    )
    pillar = None
    if script.has_pillar:
        nearest_px = round(max(grounds_px))
        pillar = Pillar(rng.randint(450, 750), rng.randint(60, 110), nearest_px - 40)
    return Scene(script.name, script.half, script.room, script.duration_s, actors, pillar)


def _cast(rng: Random, sources: Sequence[str], people: int) -> list[str]:
    """Choose who plays: everybody before anybody plays twice."""
    rounds = -(-people // len(sources))
    return [source for _ in range(rounds) for source in rng.sample(sources, len(sources))][:people]


def _actor(rng: Random, source: str, ground_px: float, number: int, duration_s: float) -> Actor:
    """Draw one person; those with even and odd numbers go in opposite directions."""
    return Actor(
        source=source,
        first_image=rng.randrange(1000),
        is_mirrored=number % 2 == 1,
        gain=_gain(rng),
        ground_px=ground_px,
        path=tuple(_path(rng, ground_px, -1 if number % 2 == 0 else 1, duration_s)),
    )


def _gain(rng: Random) -> tuple[float, float, float]:
    """Draw another light, and clothes of a slightly other color."""
    light = rng.uniform(0.7, 1.15)
    red, green, blue = (light * rng.uniform(0.9, 1.1) for _ in range(3))
    return red, green, blue


def _path(
    rng: Random, ground_px: float, direction: int, duration_s: float
) -> Iterator[tuple[float, float]]:
    """Walk through, turn back, or stand: the middle of the image is passed in mid-scene."""
    kind = rng.choices(("through", "back", "stand"), (6, 2, 2))[0]
    middle_s = rng.uniform(0.3, 0.7) * duration_s
    middle_px = rng.uniform(0.25, 0.75) * WIDTH_PX
    heights_s = 0.0 if kind == "stand" else rng.uniform(0.5, 1.1)
    speed_px_s = direction * heights_s * _height_px(ground_px)
    yield 0.0, middle_px - speed_px_s * middle_s
    yield middle_s, middle_px
    way_back = -1 if kind == "back" else 1
    yield duration_s, middle_px + way_back * speed_px_s * (duration_s - middle_s)


# fmt: off
_SCRIPTS = (
    _Script("tune_2_hall", "tune", 1, 2, "hall"),
    _Script("tune_3_park", "tune", 2, 3, "park"),
    _Script("tune_3_pillar", "tune", 3, 3, "hall", has_pillar=True),
    _Script("tune_4_hall", "tune", 4, 4, "hall"),
    _Script("tune_5_pillar", "tune", 5, 5, "office", has_pillar=True),
    _Script("tune_7_park", "tune", 6, 7, "park"),
    _Script("judge_2_office", "judge", 11, 2, "office"),
    _Script("judge_3_park", "judge", 12, 3, "park"),
    _Script("judge_3_pillar", "judge", 13, 3, "office", has_pillar=True),
    _Script("judge_4_office", "judge", 14, 4, "office"),
    _Script("judge_5_pillar", "judge", 15, 5, "hall", has_pillar=True),
    _Script("judge_7_park", "judge", 19, 7, "park"),
    _Script("small_1", "small", 24, 1, "hall", duration_s=3.0),
    _Script("small_2", "small", 34, 2, "hall", duration_s=3.0),
)
# fmt: on
_MORE_PEOPLE, _ROOMS = (5, 6, 7, 7, 4, 6), ("hall", "office", "park")
_MORE_SCRIPTS = tuple(
    _Script(
        name=f"more_{index}",
        half="more",
        seed=100 + index,
        people=_MORE_PEOPLE[index % len(_MORE_PEOPLE)],
        room=_ROOMS[index % len(_ROOMS)],
        has_pillar=index % 4 == 1,
    )
    for index in range(18)
)
HALVES = tuple(_CASTS)
SCENES = {script.name: _scene(script) for script in (*_SCRIPTS, *_MORE_SCRIPTS)}

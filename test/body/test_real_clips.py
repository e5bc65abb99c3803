"""In real clips hands that are held up, swing once, or turn over with the body do not wave."""

from __future__ import annotations

from pathlib import Path

import media
import pytest
from people import arrays

from body.waving_evaluate import Clip, gestures_in, tracked


@pytest.mark.parametrize(
    ("clip", "raising"),
    [
        (Clip("greets", 30.0, 48), "raising_left_arm"),
        (Clip("cartwheel", 30.0, 83), "raising_right_arm"),
        (Clip("segway_man", 30.0, 101, step=3), "raising_left_arm"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_hand_is_raised_and_does_not_wave(
    clip: Clip, raising: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "FOLDER", tmp_path)  # not what was tracked by another version
    try:
        found = {name for gestures in gestures_in(tracked(clip)) for name in gestures}
    except media.MediaUnavailable as error:
        pytest.skip(f"no clip: {error}")
    assert raising in found
    assert not found & {"waving_left", "waving_right"}

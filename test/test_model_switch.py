"""Changing the model of the running node while images flow: never a mixed message."""

from __future__ import annotations

import functools
import shutil
import time
from pathlib import Path

import pytest
import running
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import String

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.models import MODELS
from pose_ros.client import landmarks_from_msg, names_from_msg
from pose_ros.share import share_path

ORDER = ("lite", "upper_body", "full", "lite", "heavy", "upper_body")
PERIOD_S = 0.02


def stream(client: running.Client, picture: ImageArray, seconds: float) -> None:
    """Publish images at a high rate for a while."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        client.publish(running.image(picture))
        client.spin(PERIOD_S)


def width_of(cloud: PointCloud2) -> int:
    """Return the number of landmarks of a message whose every part agrees on it."""
    people = landmarks_from_msg(cloud)
    assert people.points.shape == (cloud.height, cloud.width)
    for row in people.points:
        assert row["index"].tolist() == list(range(cloud.width))
        has_world = cloud.width == 33
        assert all((row["wx"] == row["wx"]) == has_world)
    width: int = cloud.width
    return width


def is_named(names: list[String], model: str) -> bool:
    """Whether the last names that came are those of a model."""
    return bool(names) and names_from_msg(names[-1]).model == model


def test_models_change_back_and_forth_under_load() -> None:
    (picture,) = running.person()
    with running.node_and_client() as client:
        client.landmarks(running.image(picture))
        clouds = client.subscribe("landmarks")
        names = client.subscribe("landmark_names")
        names.clear()
        for model in ORDER:
            clouds.clear()
            assert client.set(model=model).successful
            stream(client, picture, 1.0)
            count = len(MODELS[model].topology)
            client.until(functools.partial(is_named, names, model), f"the names of {model}")
            assert len(names_from_msg(names[-1]).names) == count
            widths = [width_of(cloud) for cloud in clouds]
            # the old model may still answer what it had begun; then only the new one does
            assert count in widths
            assert widths[widths.index(count) :] == [count] * (len(widths) - widths.index(count))
        assert [names_from_msg(item).model for item in names] == list(ORDER)
        ids = landmarks_from_msg(clouds[-1]).person_id
        assert ids[0] > len(ORDER)


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_model_that_cannot_be_loaded_keeps_the_old_one(damage: str, tmp_path: Path) -> None:
    (picture,) = running.person()
    models = tmp_path / "models"
    shutil.copytree(
        share_path("models"), models, ignore=shutil.ignore_patterns(".cache", "heavy*")
    )
    lite = models / "lite.onnx"
    if damage == "missing":
        lite.unlink()
    else:
        lite.write_bytes(lite.read_bytes()[:1000])
    with running.node_and_client(*running.parameters(models_dir=models)) as client:
        first = client.landmarks(running.image(picture))
        result = client.set(model="lite")
        assert not result.successful
        assert "lite.onnx" in result.reason
        second = client.landmarks(running.image(picture))
        assert second.points.shape == (1, 25)
        assert second.person_id[0] == first.person_id[0]
        assert client.get("model") == "upper_body"

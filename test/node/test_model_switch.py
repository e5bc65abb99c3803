"""Changing the model of the running node while images flow: never a mixed message."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest
import running
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import String

from pose_ros.blazepose.models import MODELS
from pose_ros.client import landmarks_from_msg, names_from_msg
from pose_ros.runtime.package_paths import share_path

ORDER = ("lite", "upper_body", "full", "lite", "heavy", "upper_body")
PERIOD_S = 0.02
IMAGES = 10


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


def have_width(clouds: list[PointCloud2], count: int) -> bool:
    """Whether some images have been processed by a model with this number of landmarks."""
    return [cloud.width for cloud in clouds].count(count) >= IMAGES


def is_named(names: list[String], model: str) -> bool:
    """Whether the last names that came are those of a model."""
    return bool(names) and names_from_msg(names[-1]).model == model


def test_models_change_back_and_forth_under_load() -> None:
    (picture,) = running.person()
    with running.node_and_client() as client:
        client.landmarks(running.image(picture))
        clouds = client.subscribe("landmarks")
        client.latched("landmark_names")  # from then on each change of them comes
        names = client.subscribe("landmark_names")
        names.clear()
        for model in ORDER:
            clouds.clear()
            assert client.set(model=model).successful
            count = len(MODELS[model].topology)
            have_come = functools.partial(have_width, clouds, count)
            client.stream(picture, have_come, f"landmarks of {model}", PERIOD_S)
            client.until(functools.partial(is_named, names, model), f"the names of {model}")
            assert len(names_from_msg(names[-1]).names) == count
            widths = [width_of(cloud) for cloud in clouds]
            # the old model may finish what it had begun; then there is only the new one
            assert widths[widths.index(count) :] == [count] * (len(widths) - widths.index(count))
        assert [names_from_msg(item).model for item in names] == list(ORDER)
        ids = landmarks_from_msg(clouds[-1]).person_id
        assert ids[0] > len(ORDER)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the package's models, to be damaged."""
    ignored = shutil.ignore_patterns(".cache", "heavy*", "full*")
    return Path(shutil.copytree(share_path("models"), tmp_path / "models", ignore=ignored))


@pytest.mark.parametrize(
    ("name", "value", "before"),
    [("model", "lite", "upper_body"), ("person_detector", "movenet", "blazepose")],
)
def test_a_model_whose_file_is_missing_is_rejected(
    models: Path, name: str, value: str, before: str
) -> None:
    (models / f"{value}.onnx").unlink()
    with running.node_and_client(*running.parameters(models_dir=models)) as client:
        result = client.set(**{name: value})
        assert not result.successful
        assert str(models / f"{value}.onnx") in result.reason
        assert client.get(name) == before


def test_the_person_detector_changes_while_images_come() -> None:
    (picture,) = running.person()
    with running.node_and_client() as client:
        ids = []
        for detector in ("blazepose", "movenet", "blazepose"):
            assert client.set(person_detector=detector).successful
            ids.append(int(client.landmarks(running.image(picture)).person_id[0]))
        assert ids == [1, 2, 3]


def damage(models: Path, model: str) -> Path:
    """Cut off most of a model's file: that shows only when the worker loads it."""
    file = models / MODELS[model].file
    file.write_bytes(file.read_bytes()[:1000])
    return file


def test_a_model_that_cannot_be_loaded_keeps_the_old_one(models: Path) -> None:
    (picture,) = running.person()
    lite = damage(models, "lite")
    with running.node_and_client(*running.parameters(models_dir=models)) as client:
        first = client.landmarks(running.image(picture))
        assert client.set(model="lite").successful
        second = client.landmarks(running.image(picture))
        assert second.points.shape == (1, 25)
        assert second.person_id[0] == first.person_id[0]
        assert str(lite) in client.process.wait_for_line("[ERROR]")
        assert client.get("model") == "upper_body"
        client.landmarks(running.image(picture))
        assert len(client.process.lines("[ERROR]")) == 1


def test_a_failed_model_change_goes_on_with_the_session_although_its_files_are_gone(
    models: Path,
) -> None:
    (picture,) = running.person()
    damage(models, "lite")
    with running.node_and_client(*running.parameters(models_dir=models)) as client:
        first = client.landmarks(running.image(picture))
        (models / MODELS["upper_body"].file).unlink()
        for failures in (1, 2):
            assert client.set(model="lite").successful
            client.landmarks(running.image(picture))
            client.until(lambda: client.get("model") == "upper_body", "the model to be reverted")
            again = client.landmarks(running.image(picture))
            assert again.person_id[0] == first.person_id[0]
            assert len(client.process.lines("[ERROR]")) == failures


def test_a_failed_model_change_reverts_only_the_model(models: Path) -> None:
    (picture,) = running.person()
    damage(models, "lite")
    with running.node_and_client(*running.parameters(models_dir=models)) as client:
        client.landmarks(running.image(picture))
        # the session that goes on has one thread
        together = {"model": "lite", "intra_op_threads": 2, "min_tracking_confidence": 1.0}
        assert client.set_atomically(**together).successful
        assert client.set(min_visibility=0.25).successful
        assert len(client.landmarks(running.image(picture)).points) == 0
        client.until(lambda: client.get("model") == "upper_body", "the model to be reverted")
        assert client.get("intra_op_threads") == 0
        assert client.get("min_tracking_confidence") == 1.0
        assert client.get("min_visibility") == 0.25
        assert client.set(min_tracking_confidence=0.5).successful
        assert client.landmarks(running.image(picture)).points.shape == (1, 25)


def test_a_good_model_set_after_a_failed_one_takes_over(models: Path) -> None:
    (picture,) = running.person()
    lite = damage(models, "lite")
    whole = lite.with_name("whole")
    shutil.copy(share_path("models") / lite.name, whole)
    with running.node_and_client(*running.parameters(models_dir=models)) as client:
        client.landmarks(running.image(picture))
        assert client.set(model="lite").successful
        client.landmarks(running.image(picture))
        client.until(lambda: client.get("model") == "upper_body", "the model to be reverted")
        whole.replace(lite)
        assert client.set(model="lite").successful
        assert client.landmarks(running.image(picture)).points.shape == (1, 33)
        assert client.get("model") == "lite"

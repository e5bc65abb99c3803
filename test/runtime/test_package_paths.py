"""Where the package's own files are found."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest
from running import ROOT

from pose_ros.blazepose.errors import PoseError
from pose_ros.runtime import package_paths
from pose_ros.runtime.package_paths import fast_dds_environment, share_path


@pytest.fixture
def no_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)


def install(prefix: Path) -> Path:
    """Lay out what colcon installs."""
    marker = prefix / "share" / "ament_index" / "resource_index" / "packages" / "pose_ros"
    marker.parent.mkdir(parents=True)
    marker.touch()
    folder = prefix / "share" / "pose_ros" / "models"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.usefixtures("no_ros")
@pytest.mark.parametrize(
    ("folder", "path"), [("models", "models"), ("config", "config"), ("demo", "docs/demo")]
)
def test_a_source_tree_is_found_without_ros(folder: str, path: str) -> None:
    assert share_path(folder) == ROOT / path


def test_a_sourced_workspace_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = install(tmp_path)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    assert share_path("models") == folder
    # what this workspace does not have is looked for elsewhere
    assert share_path("config") == ROOT / "config"


def test_a_workspace_without_the_package_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    assert share_path("models") == ROOT / "models"


@pytest.mark.usefixtures("no_ros")
def test_an_environment_that_pip_installed_into_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(package_paths, "_SOURCE_TREE", tmp_path / "site-packages")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    folder = install(tmp_path)
    assert share_path("models") == folder


def test_a_missing_folder_is_reported() -> None:
    with pytest.raises(PoseError, match="'nonsense' of pose_ros is not installed"):
        share_path("nonsense")


@pytest.mark.parametrize(
    ("rclpy", "name"),
    [
        ("3.3.13", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("7.1.6", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("9.1.2", "FASTDDS_DEFAULT_PROFILES_FILE"),
        ("10.0.0", "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_fast_dds_gets_the_profile_under_the_name_of_its_release(
    rclpy: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", {"rclpy": rclpy}.__getitem__)
    environment = fast_dds_environment()
    assert environment == {name: str(share_path("config") / "fastdds_shm.xml")}
    assert Path(environment[name]).is_file()

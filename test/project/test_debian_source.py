"""Files of Debian source packages come from the servers that apt knows, without root."""

import dataclasses
import shutil
from pathlib import Path

import media
import pytest
from body.real_clips import ROWS
from debian_source import of_source_packages

ROW = next(iter(ROWS.values()))
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get")


@pytest.fixture
def without_media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let media be stored in an empty folder, and no download have failed yet."""
    monkeypatch.setattr(media, "FOLDER", tmp_path)
    monkeypatch.setattr(media, "_unavailable", {})
    return tmp_path


@pytest.mark.parametrize(
    ("binary", "source"),
    [
        ("deb http://a.example/d s main\n", "deb-src http://a.example/d s main\n"),
        ("deb [arch=amd64] http://a s m", "deb-src [arch=amd64] http://a s m"),
        ("# deb http://a s m\ndeb-src http://a\n", "# deb http://a s m\ndeb-src http://a\n"),
        ("Types: deb\nURIs: http://a/deb\n", "Types: deb-src\nURIs: http://a/deb\n"),
        ("Types: deb deb-src\nSuites: s\n", "Types: deb-src\nSuites: s\n"),
    ],
)
def test_sources_of_binary_packages_become_those_of_source_packages(
    binary: str, source: str
) -> None:
    assert of_source_packages(binary) == source


@needs_apt
def test_a_file_of_a_source_package_is_fetched_with_all_others_of_it(without_media: Path) -> None:
    try:
        file = media.stored(ROW, ROWS.values())
    except media.MediaUnavailable as error:
        pytest.skip(str(error))
    assert file == without_media / ROW.file
    assert {file.name for file in without_media.iterdir()} == {row.file for row in ROWS.values()}


@needs_apt
def test_a_version_that_does_not_exist_is_unavailable_with_the_reason_of_apt(
    without_media: Path,
) -> None:
    row = dataclasses.replace(ROW, version="0.0.0")
    with pytest.raises(media.MediaUnavailable, match=r"pytorch-vision 0\.0\.0 \(deb-src\): E: "):
        media.stored(row, [row])
    assert not list(without_media.iterdir())


def test_without_apt_a_source_package_is_unavailable_with_the_reason(
    without_media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(without_media))
    with pytest.raises(media.MediaUnavailable, match="apt-get is not installed"):
        media.stored(ROW, [ROW])

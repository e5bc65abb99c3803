"""Download the upstream archive of a Debian source package into the current folder; needs no root.

`python test/debian_source.py PACKAGE VERSION` lets apt ask the servers that it already knows, and
check what it gets. The lists of their source packages are kept in a temporary folder.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = (".list", ".sources")
_TIMEOUT_S = 20


def of_source_packages(text: str) -> str:
    """Return a file of apt's sources, in either format, with `deb` replaced by `deb-src`."""
    return re.sub(r"(?m)^(Types:[ \t]*)?deb(?:[ \t]+deb-src)?(?=\s)", r"\1deb-src", text)


def sources() -> Iterator[Path]:
    """Give the files in which apt finds its sources."""
    asked = ("LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d")
    shell = subprocess.run(["apt-config", "shell", *asked], capture_output=True, check=True)
    paths = dict(word.split("=", 1) for word in shlex.split(shell.stdout.decode()))
    files = (Path(paths["LIST"]), *sorted(Path(paths["PARTS"]).glob("*")))
    return (file for file in files if file.suffix in _SUFFIXES and file.is_file())


def download(package: str, version: str, state: Path) -> int:
    """Let apt keep its lists in an empty folder, and return the code that it ends with."""
    parts = state / "parts"
    for folder in (parts, state / "lists" / "partial", state / "archives" / "partial"):
        folder.mkdir(parents=True)
    for file in sources():
        (parts / file.name).write_text(of_source_packages(file.read_text("utf-8")), "utf-8")
    settings = {
        "APT::Sandbox::User": "root",  # another user could not write here
        "Acquire::http::Timeout": _TIMEOUT_S,
        "Dir::Cache": state,
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": parts,
        "Dir::State::lists": state / "lists",
    }
    apt = ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in settings.items())]
    done = subprocess.run([*apt, "--error-on=any", "update"], check=False)
    if done.returncode == 0:
        archive = ["source", "--download-only", "--tar-only", f"{package}={version}"]
        done = subprocess.run([*apt, *archive], check=False)
    return done.returncode


def main() -> int:
    """Download; apt's code, or 1 without apt."""
    if shutil.which("apt-get") is None:
        print("E: apt-get is not installed", file=sys.stderr)
        return 1
    package, version = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        return download(package, version, Path(folder))


if __name__ == "__main__":
    sys.exit(main())

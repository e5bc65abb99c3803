"""Run a command as on a processor without AVX-512: `python test/benchmark/hide_avx512.py COMMAND`.

It needs Linux on x86-64, a C compiler, and a processor and kernel that let CPUID fail on demand
(`cpuid_fault` in /proc/cpuinfo). pytest needs `-p no:faulthandler` below it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
_MARK = "POSE_ROS_HIDES_AVX512"


class CannotHideError(Exception):
    """AVX-512 cannot be hidden here; the text says why."""


def is_hidden() -> bool:
    """Return whether this process runs below the command."""
    return _MARK in os.environ


def hiding_environment(folder: Path) -> Mapping[str, str]:
    """Build the library in a folder, and return the environment that has it preloaded."""
    library = folder / "hide_avx512.so"
    build = ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    try:
        subprocess.run(build, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise CannotHideError("there is no C compiler, cc") from None
    except subprocess.CalledProcessError as error:
        raise CannotHideError(f"{SOURCE.name} cannot be compiled: {error.stderr}") from None
    environment = os.environ | {
        "LD_PRELOAD": str(library),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL",  # libc looks before it is loaded
        _MARK: "1",
    }
    if subprocess.run(["true"], env=environment, check=False).returncode:
        raise CannotHideError("this processor or kernel does not let CPUID fail on demand")
    return environment


def main() -> int:
    """Run the command, and return its exit code."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="hide_avx512_") as folder:
        try:
            environment = hiding_environment(Path(folder))
        except CannotHideError as error:
            print(f"AVX-512 cannot be hidden: {error}", file=sys.stderr)
            return 1
        code = subprocess.run(sys.argv[1:], env=environment, check=False).returncode
    return code if code >= 0 else 128 - code  # ended by a signal: as shells have it


if __name__ == "__main__":
    sys.exit(main())

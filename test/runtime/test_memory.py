"""Memory that was freed is used again for the next image."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

IMAGES = """
import resource
from pose_ros.runtime.memory import keep_freed_memory

def images():
    return [bytearray(1920 * 1080 * 3) for _ in range(3)]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

keep_freed_memory()
images()
before = faults()
for _ in range(20):
    images()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_further_images_cost_no_page_faults() -> None:
    done = subprocess.run([sys.executable, "-c", IMAGES], capture_output=True, check=True)
    assert int(done.stdout) < 1500  # the pages of one image, of 60


RELEASED = """
from pathlib import Path
from pose_ros.runtime.memory import keep_freed_memory, release_freed_memory

def resident_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024

keep_freed_memory()
kept = [bytearray(20 * 2**20) for _ in range(5)]
last = bytearray(1000)
full_mb = resident_mb()
del kept
release_freed_memory()
print(full_mb - resident_mb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has malloc_trim")
def test_what_is_free_is_given_back_when_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", RELEASED], capture_output=True, check=True)
    assert float(done.stdout) > 90  # of 100

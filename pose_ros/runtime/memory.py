"""How much freed memory the process keeps: images' for the next one, but no old model's."""

from __future__ import annotations

import ctypes

# Parameters of mallopt. ref: malloc.h of glibc
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 128 * 2**20
_LARGEST_BYTES = 32 * 2**20  # the most that glibc takes on 64 bits: an image of 3840x2160


def keep_freed_memory() -> None:
    """Let glibc reuse the memory of images; up to 128 MiB of freed memory stay with the process.

    An image of 1920x1080 is allocated three times on its way out. By default each goes back to
    the system when freed, and the next one costs thousands of page faults. Does nothing where the
    C library has no mallopt.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def release_freed_memory() -> None:
    """Give the system all memory that is free, as after a model has been loaded.

    Does nothing where the C library has no malloc_trim.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

"""A limit for the end of the process: it exits even if the middleware hangs.

Fast DDS 2.14 can block forever where several processes end at once: deleting a participant waits,
with a lock held, for a callback that waits for the lock. Python can do nothing then, since the
thread that waits holds the interpreter's lock too. So a timer of the C library ends the process.
"""

from __future__ import annotations

import atexit
import ctypes
import time

_SIGEV_THREAD = 2  # ref: sigevent(3type); its size on Linux is 64 bytes


class _SigEvent(ctypes.Structure):
    """What a timer does: a thread of its own calls `function(value)`."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notification", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("padding", ctypes.c_char * 32),
    )


class _TimerSpec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("first_s", ctypes.c_long),
        ("first_ns", ctypes.c_long),
    )


def limit_exit(limit_s: int) -> None:
    """Let the interpreter's exit take so much CPU time at most; the code is 0 if it takes more.

    Does nothing where the C library has no such timers.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "timer_create"):
        atexit.register(_exit_after, libc, limit_s)


def _exit_after(libc: ctypes.CDLL, limit_s: int) -> None:
    end = ctypes.cast(libc._exit, ctypes.c_void_p).value
    event = _SigEvent(notification=_SIGEV_THREAD, function=end)
    timer = ctypes.c_void_p()
    if (
        libc.timer_create(time.CLOCK_PROCESS_CPUTIME_ID, ctypes.byref(event), ctypes.byref(timer))
        == 0
    ):
        libc.timer_settime(timer, 0, ctypes.byref(_TimerSpec(first_s=limit_s)), None)

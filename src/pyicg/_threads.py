"""How many threads a call may use: how many processors there are for it, and one check for all numbers of them."""

from __future__ import annotations

import os
from numbers import Integral
from typing import Any

from pyicg.errors import InputError

__all__ = ["check_threads", "processors"]


def check_threads(threads: Any) -> None:
    """Raise InputError unless this is a number of threads."""
    if not isinstance(threads, Integral) or isinstance(threads, bool) or threads < 1:
        raise InputError(f"threads must be a whole number of at least 1, found {threads!r}; pass threads=1 or more")
    if int(threads) >= 2**31:
        raise InputError(f"threads is {threads}, expected at most {2**31 - 1}; pass how many processors there are")


def processors() -> int:
    """Return how many processors this process may run on: a batch system or a container may allow it but a few."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""How many threads a call may use: one check for all of them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from pyicg.errors import InputError

__all__ = ["check_threads"]


def check_threads(threads: Any) -> None:
    """Raise InputError unless this is a number of threads."""
    if not isinstance(threads, Integral) or isinstance(threads, bool) or threads < 1:
        raise InputError(f"threads must be a whole number of at least 1, found {threads!r}; pass threads=1 or more")
    if int(threads) >= 2**31:
        raise InputError(f"threads is {threads}, expected at most {2**31 - 1}; pass how many processors there are")

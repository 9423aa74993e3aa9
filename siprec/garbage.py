"""
The garbage collector of a program that runs for months.
"""

from __future__ import annotations

import gc

__all__ = ["YOUNG", "settle"]

#: How many more objects must have been made than dropped before the young ones are
#: looked through.  With Python's own 700 that was done several times for each call, and
#: found nearly nothing: what a call leaves behind is freed by its reference counts.
YOUNG = 20_000


def settle() -> None:
    """
    Take what is there now for good, and collect more seldom.

    A tenth of what a call cost was collection, most of it looking through the modules
    and classes of the program again and again, for up to a tenth of a second at a time,
    in which nothing was answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)

"""
What receiving costs while it goes on steadily.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["WARMUP", "clockOf", "measure"]

#: Seconds that do not count.
WARMUP = 2.0


def measure(
    name: str,
    seconds: float,
    count: Callable[[], int],
    wait: Callable[[float], None],
    clock: Callable[[], float] = time.process_time,
    **others: Callable[[], float],
) -> dict[str, object]:
    """
    @param count: packets so far.
    @param wait: lets that much time pass, receiving.
    @param clock: processor time used so far.
    @param others: more such clocks, and what to call what they say.
    """
    clocks = {"microsecondsPerPacket": clock, **others}
    wait(WARMUP)
    before = {key: each() for key, each in clocks.items()}
    packets, began = count(), time.monotonic()
    wait(seconds)
    cpu = {key: each() - before[key] for key, each in clocks.items()}
    packets, took = count() - packets, time.monotonic() - began
    return {
        "stage": name,
        "packetsPerSecond": round(packets / took),
        **{key: round(each / max(packets, 1) * 1e6, 3) for key, each in cpu.items()},
    }


def clockOf(thread: threading.Thread) -> Callable[[], float]:
    """
    @return: gives the processor time that a thread has used.
    """
    number = time.pthread_getcpuclockid(thread.ident or 0)
    return lambda: time.clock_gettime(number)

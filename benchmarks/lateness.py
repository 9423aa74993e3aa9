"""
How late a reactor gets to what is due, and, as a process of its own, how late one is that
has nothing else to do: so much is the machine's doing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import Any

__all__ = ["PERIOD", "Lateness", "startIdle"]

#: Seconds from one look to the next.
PERIOD = 0.01


class Lateness:
    """
    Asks a reactor to call it again and again.

    @ivar longest: seconds from when a call was due until it came.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.longest = 0.0
        self._ask()

    def _ask(self) -> None:
        self._due = time.monotonic() + PERIOD
        self._reactor.callLater(PERIOD, self._called)

    def _called(self) -> None:
        self.longest = max(self.longest, time.monotonic() - self._due)
        self._ask()


def startIdle(warmup: float, seconds: float) -> subprocess.Popen[str]:
    """
    Start a process that does nothing else, and then prints the longest delay, in seconds.

    @param warmup: seconds that do not count, for the start of the process as well.
    """
    command = [sys.executable, os.path.abspath(__file__), str(warmup), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def main() -> None:
    """
    Be that process.
    """
    from twisted.internet import reactor

    parser = argparse.ArgumentParser(description="Say how late an idle reactor gets.")
    parser.add_argument("warmup", type=float)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    lateness = Lateness(reactor)

    def begin() -> None:
        lateness.longest = 0.0

    reactor.callLater(options.warmup, begin)
    reactor.callLater(options.warmup + options.seconds, reactor.stop)
    reactor.run()
    print(lateness.longest)


if __name__ == "__main__":
    main()

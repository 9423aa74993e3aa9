"""
What must be as it was when many calls have come and gone.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter

from attrs import define, field, frozen

from benchmarks.nodes import Node, Redis
from siprec.session.manifest import BadManifest, readManifest

__all__ = ["Finished", "State", "errorsIn", "problems"]

#: Memory that a node may have more at the end: what it keeps of the last messages and calls,
#: and what the allocator does not give back.
GROWTH, SLACK = 1.15, 16 << 20

#: Seconds that a recording must be finished before it is removed: the node may still read it.
AGE = 5.0

#: Threads that may be more: some pools have their last ones when they need them.
THREADS = 4

_EXCERPT = 25  # lines of the log, from one that tells of an error
_FINAL = ("complete", "incomplete")
_UNFORESEEN = re.compile(r"Unhandled|Traceback|\bcritical\b", re.IGNORECASE)


@frozen
class State:
    """
    What a node and its store take while there is no call.

    @ivar memory: bytes.
    """

    memory: int
    descriptors: int
    threads: int
    keys: int

    @classmethod
    def of(cls, node: Node, redis: Redis) -> State:
        """
        Look at them.
        """
        return cls(node.memory, node.descriptors, node.threads, redis.keys)


@define(eq=False)
class Finished:
    """
    The recordings that are finished; each is looked at once, and removed, as thousands of
    calls with media fill a disk.

    @ivar states: how many ended in each state, by state and by reason.
    @ivar silent: streams without a packet, of recordings with media.
    """

    root: str
    hasMedia: bool
    states: Counter[tuple[str, str]] = field(factory=Counter)
    silent: int = 0

    def collect(self) -> None:
        """
        Look at what was finished since the last time.
        """
        for folder, _, files in os.walk(self.root):
            if "recording.json" not in files:
                continue
            try:
                age = time.time() - os.stat(os.path.join(folder, "recording.json")).st_mtime
                manifest = readManifest(folder)
            except (OSError, BadManifest):
                continue  # being replaced, or as broken later
            if manifest["state"] in _FINAL and age > AGE:
                self.states[manifest["state"], manifest["endReason"]] += 1
                if self.hasMedia:
                    self.silent += sum(1 for each in manifest["streams"] if not each["packets"])
                shutil.rmtree(folder)

    @property
    def count(self) -> int:
        """
        How many there were.
        """
        return sum(self.states.values())


def errorsIn(log: str) -> list[str]:
    """
    @return: what a node's log says of what nobody had foreseen, each with what follows it.
    """
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    found, end = [], 0
    for number, line in enumerate(lines):
        if number >= end and _UNFORESEEN.search(line):
            end = number + _EXCERPT
            found.append("\n".join(lines[number:end]))
    return found


def problems(
    before: State, after: State, calls: int, finished: Finished, errors: list[str]
) -> list[str]:
    """
    @param before: after the first calls, which fill what is kept of the last ones.
    @param calls: that were made.
    @return: what is not as it should be.
    """
    found = []
    if after.memory > before.memory * GROWTH + SLACK:
        found.append(f"memory grew from {before.memory >> 20} to {after.memory >> 20} MiB")
    for name, more in (("descriptors", 0), ("threads", THREADS), ("keys", 0)):
        first, last = getattr(before, name), getattr(after, name)
        if last > first + more:
            found.append(f"there were {first} {name}, and are {last}")
    for (state, reason), count in sorted(finished.states.items()):
        if (state, reason) != ("complete", "bye"):
            found.append(f"{count} recordings ended as {state}, {reason}")
    if finished.count != calls:
        found.append(f"{finished.count} recordings of {calls} calls were finished")
    if finished.silent:
        found.append(f"{finished.silent} streams have no packet")
    if errors:
        found.append(f"{len(errors)} errors in the log, the first: {errors[0]}")
    return found

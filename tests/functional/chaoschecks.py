"""
What must be so of calls when the disasters are over.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter

import numpy as np
from attrs import define, field

from siprec.media.journal import readJournal
from siprec.media.rtp import parseTable
from siprec.session.archive import locate
from siprec.session.manifest import Manifest
from siprec.testing.call import RecordingCall
from tests.functional.chaosplan import Hit
from tests.functional.clustercase import DEADLY
from tests.functional.node import Program

__all__ = ["Checks", "Past", "Sample"]

# Packets of one stream that may be missing without an excuse: a machine that is
# busy with other things drops some.
_TOLERANCE = 3


@define(eq=False)
class Past:
    """
    A call that has ended, as its client saw it.

    @ivar ended: when that had come.
    @ivar sent: by SSRC, sequence numbers and times of what was sent.
    """

    callID: str
    bye: int
    ended: float
    statuses: set[int]
    numbers: list[int]
    sent: dict[int, tuple[array[int], array[float]]]

    @classmethod
    def of(cls, call: RecordingCall, bye: int, ended: float) -> Past:
        """
        @param bye: the answer to its BYE; 0: none.
        @param ended: when that had come.
        """
        sent = {}
        for leg in call.legs:
            sequence = array("H", (int.from_bytes(each.data[2:4]) for each in leg.sent))
            sent[leg.ssrc] = (sequence, array("d", (each.time for each in leg.sent)))
        numbers = [each.cseq.number for each in call.requests if each.method != "ACK"]
        statuses = {each.status for each in call.responses}
        return cls(call.callID, bye, ended, statuses, numbers, sent)


@define(eq=False)
class Sample:
    """
    What a process takes, at one time.
    """

    memory: float
    descriptors: int

    @classmethod
    def of(cls, program: Program) -> Sample:
        """
        Look at a process.
        """
        with open(f"/proc/{program.pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        count = len(os.listdir(f"/proc/{program.pid}/fd"))
        return cls(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, count)


@define(eq=False)
class Checks:
    """
    @ivar root: the recordings directory of all nodes.
    @ivar hits: what happened to them.
    @ivar problems: what is not as it should be, and how often.
    @ivar gone: counts of packets.
    """

    root: str
    hits: list[Hit]
    problems: Counter[str] = field(factory=Counter)
    gone: Counter[str] = field(factory=Counter)

    def call(self, past: Past, manifests: list[Manifest]) -> None:
        """
        Look at what became of a call.
        """
        if past.bye != 200:
            self.problems[f"BYE answered {past.bye}"] += 1
        for status in past.statuses & DEADLY:
            self.problems[f"a request answered {status}"] += 1
        if past.numbers != sorted(set(past.numbers)):
            self.problems["CSeq does not rise"] += 1
        if len(manifests) != 1:
            self.problems[f"{len(manifests)} recordings of a call"] += 1
            return
        [manifest] = manifests
        state, reason = manifest["state"], manifest["endReason"]
        if reason != "bye" or (state != "complete" and not self._isCut(past, manifest)):
            self.problems[f"recording {state}, {reason}"] += 1
        kept = journalled(locate(self.root, manifest["id"]) or "")
        for ssrc, (sequences, times) in past.sent.items():
            missing = [
                time
                for sequence, time in zip(sequences, times, strict=True)
                if sequence not in kept.get(ssrc, ())
            ]
            self.gone["missing"] += len(missing)
            self.gone["sent"] += len(times)
            bare = [time for time in missing if not self._isExcused(time, manifest)]
            self.gone["without an excuse"] += len(bare)
            if missing:
                self.gone["longest, ms"] = max(self.gone["longest, ms"], 20 * len(missing))
            if len(bare) > _TOLERANCE:
                when = ", ".join(self._near(time) for time in (bare[0], bare[-1]))
                self.problems[f"{len(bare)} packets of {manifest['id']} missing: {when}"] += 1

    def _isCut(self, past: Past, manifest: Manifest) -> bool:
        """
        @return: whether a node died with its last packets.
        """
        nodes = manifest["nodes"]
        return any(each.node in nodes and each.interrupts(past.ended) for each in self.hits)

    def _isExcused(self, time: float, manifest: Manifest) -> bool:
        nodes = manifest["nodes"]
        return any(each.node in nodes and each.excuses(time) for each in self.hits)

    def _near(self, time: float) -> str:
        """
        @return: what happened before that.
        """
        before = [each for each in self.hits if each.begin <= time + 0.5]
        if not before:
            return "before all hits"
        last = before[-1]
        return f"{time - last.begin:+.2f} s from {last.kind} {last.node}"


def journalled(folder: str) -> dict[int, set[int]]:
    """
    @return: the sequence numbers in all journals of a recording, by SSRC.
    """
    found: dict[int, set[int]] = {}
    for name in os.listdir(folder) if folder else ():
        if not name.endswith(".rtpdump"):
            continue
        for packets in readJournal(os.path.join(folder, name)):
            table, _ = parseTable(packets)
            for ssrc in np.unique(table.ssrc):
                numbers = table.sequence[table.ssrc == ssrc]
                found.setdefault(int(ssrc), set()).update(numbers.tolist())
    return found

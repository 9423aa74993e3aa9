"""
Tells the senders of streams how well their packets come in: RTCP (RFC 3550 section 6), or
SRTCP where the stream is protected.

Where nothing comes in, an empty report is sent all the same.  It tells that somebody is
there, and keeps what is open on the way from closing (RFC 6263 section 4.6).
"""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from siprec.media.interfaces import ICapturedStream
from siprec.media.intervals import Intervals
from siprec.media.libsrtp import CryptoSession, UnknownSuite
from siprec.media.rtcp import (
    Destination,
    ReportBlock,
    goodbye,
    newSource,
    receiverReport,
    sourceDescription,
)

__all__ = ["Measure", "Reports"]

log = Logger()

#: Gives what is to be said of each of some streams.
Measure = Callable[[Sequence[ICapturedStream]], "Deferred[Sequence[tuple[ReportBlock, ...]]]"]

# Seconds between two looks at who is next: the capture thread is woken for each.
_TOGETHER = 0.05


@define(eq=False, repr=False)
class _Voice:
    """
    What we are to the sender of one stream.

    @ivar source: our SSRC.  SRTCP numbers the packets of each source under a key, and no
        number may come twice (RFC 3711 section 9.1).  Who begins to count begins with
        another source, then.
    @ivar heard: whether anything was sent.
    """

    to: Destination
    intervals: Intervals
    source: int
    session: CryptoSession | None
    heard: bool = False

    def packet(self, blocks: Sequence[ReportBlock], last: bool = False) -> bytes:
        """
        @param last: whether it is the last one.
        @return: a compound packet (RFC 3550 section 6.1).
        """
        data = receiverReport(self.source, blocks) + sourceDescription(self.source, self.to.name)
        if last:
            data += goodbye(self.source)
        return data if self.session is None else self.session.protect(data, control=True)


@define(eq=False, repr=False)
class Reports:
    """
    All that is reported; for the reactor thread.

    @ivar interval: seconds between two reports on a stream, on average; 0: there are none.
    @ivar counters: packets by what they were: C{reports}, C{goodbyes}; or C{failed}, if the
        kernel did not take them.
    """

    _clock: IReactorTime
    interval: float
    _measure: Measure
    _random: Callable[[], float] = random.random
    _newSource: Callable[[], int] = newSource
    counters: Counter[str] = field(factory=Counter, init=False)
    _voices: dict[ICapturedStream, _Voice] = field(factory=dict, init=False)
    _due: list[tuple[float, int, ICapturedStream, _Voice]] = field(factory=list, init=False)
    _numbers: Iterator[int] = field(factory=itertools.count, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def aim(self, stream: ICapturedStream, to: Destination | None) -> None:
        """
        See L{siprec.media.interfaces.ICapture.report}.
        """
        if to is None or not self.interval or not to.usable:
            self.forget(stream)
            return
        voice = self._voices.get(stream)
        if voice is not None and voice.to.key == to.key:
            voice.to, voice.intervals.bandwidth = to, to.bandwidth
            return
        try:
            session = None
            if to.key is not None:
                session = CryptoSession(to.key.suite, to.key.key, inbound=False)
        except UnknownSuite as error:
            log.error("{path}: no reports, {why} is missing", path=stream.path, why=str(error))
            self.forget(stream)
            return
        intervals = Intervals(self.interval, to.bandwidth, self._random)
        intervals.begin(self._clock.seconds())
        voice = _Voice(to, intervals, self._newSource(), session)
        self._voices[stream] = voice
        self._put(stream, voice)
        self._arm(0.0)

    def leave(self, stream: ICapturedStream) -> None:
        """
        See L{siprec.media.interfaces.ICapture.leave}.
        """
        voice = self._voices.get(stream)
        # Who has not been heard does not leave either (RFC 3550 section 6.3.7).
        if voice is not None and voice.heard:
            self._send(stream, voice, (), "goodbyes")
        self.forget(stream)

    def forget(self, stream: ICapturedStream) -> None:
        """
        Say nothing more about a stream.
        """
        if self._voices.pop(stream, None) is not None and not self._voices:
            self.stop()

    def stop(self) -> None:
        """
        Say nothing more at all.
        """
        self._voices.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _put(self, stream: ICapturedStream, voice: _Voice) -> None:
        heapq.heappush(self._due, (voice.intervals.next, next(self._numbers), stream, voice))

    def _arm(self, least: float) -> None:
        """
        @param least: seconds until the next look.
        """
        if not self._due:
            return
        delay = max(self._due[0][0] - self._clock.seconds(), least, 0.0)
        if self._timer is None:
            self._timer = self._clock.callLater(delay, self._look)
        elif self._timer.getTime() > self._clock.seconds() + delay:
            # A timer that is set to an earlier time is looked for among all there are.
            self._timer.cancel()
            self._timer = self._clock.callLater(delay, self._look)

    def _look(self) -> None:
        self._timer, now = None, self._clock.seconds()
        ready: list[tuple[ICapturedStream, _Voice]] = []
        while self._due and self._due[0][0] <= now:
            _, _, stream, voice = heapq.heappop(self._due)
            if self._voices.get(stream) is not voice:
                continue
            if voice.intervals.expired(now):
                ready.append((stream, voice))
            self._put(stream, voice)
        self._arm(_TOGETHER)
        if ready:
            measured = self._measure([stream for stream, _ in ready])
            measured.addCallback(self._report, ready)
            measured.addErrback(lambda failure: log.failure("no reports were sent", failure))

    def _report(
        self,
        found: Sequence[tuple[ReportBlock, ...]],
        ready: Sequence[tuple[ICapturedStream, _Voice]],
    ) -> None:
        for (stream, voice), blocks in zip(ready, found, strict=True):
            if self._voices.get(stream) is not voice:
                continue
            if any(each.ssrc == voice.source for each in blocks):
                # Somebody else has the same (RFC 3550 section 8.2).
                if voice.heard:
                    self._send(stream, voice, (), "goodbyes")
                voice.source = self._newSource()
            self._send(stream, voice, blocks, "reports")

    def _send(
        self, stream: ICapturedStream, voice: _Voice, blocks: Sequence[ReportBlock], kind: str
    ) -> None:
        to, pair = voice.to, stream.pair
        try:
            data = voice.packet(blocks, last=kind == "goodbyes")
            (pair.rtp if to.shared else pair.rtcp).sendto(data, (to.host, to.port))
        except (OSError, ValueError):
            # Whatever it is, what comes in must not suffer from it.
            self.counters["failed"] += 1
            return
        voice.heard = True
        self.counters[kind] += 1
        voice.intervals.sent(len(data))

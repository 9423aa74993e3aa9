"""
How well the packets of each source come in, by the algorithms of RFC 3550 appendix A.

This looks at one packet after the other.  L{siprec.media.hearing} does the same with whole
batches, as long as all goes well.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from attrs import define, field

from siprec.media.rtcp import ReportBlock, senderReports

__all__ = ["MAX_DROPOUT", "Source", "Sources"]

#: Appendix A.1: packets in a row before a source counts as one; how far a sequence number
#: may jump ahead; how far it may be behind.
MIN_SEQUENTIAL, MAX_DROPOUT, MAX_MISORDER = 2, 3000, 100

_NO_BAD = 0x10001  # no sequence number is this

# Of one stream.  More come and go only where somebody makes them up.
_MOST_SOURCES = 8

# Where the description says nothing of a payload type.
_RATE = 8000


@define(eq=False, repr=False)
class Source:
    """
    One source as it was heard.

    @ivar rate: of its RTP clock, in hertz.
    @ivar highest: sequence number, with its wraps above the 16 bits.
    @ivar received: valid packets since C{base}, late ones and copies too.
    @ivar jitter: in units of the timestamp.
    @ivar timestamp: of the last packet; below 0: there is none to compare with.
    @ivar arrival: of the last packet, in nanoseconds since the epoch.
    """

    ssrc: int
    rate: int = 0
    probation: int = MIN_SEQUENTIAL
    base: int = 0
    highest: int = -1
    received: int = 0
    jitter: float = 0.0
    timestamp: int = -1
    arrival: int = 0
    _bad: int = _NO_BAD
    _expectedPrior: int = 0
    _receivedPrior: int = 0
    _lastReport: int = 0
    _reportArrival: int = 0

    def take(self, sequence: int, timestamp: int, rate: int, arrival: int) -> None:
        """
        A packet of it has come.

        @param rate: of the clock behind C{timestamp}; 0: that says nothing about when the
            packet was sent.
        """
        if not self._counted(sequence) or not rate:
            return
        if rate == self.rate and self.timestamp >= 0:
            # Appendix A.8, without rounding.
            step = ((timestamp - self.timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            apart = abs((arrival - self.arrival) * rate / 1e9 - step)
            self.jitter += (apart - self.jitter) / 16
        self.rate, self.timestamp, self.arrival = rate, timestamp, arrival

    def _counted(self, sequence: int) -> bool:
        """
        Appendix A.1.

        @return: whether the packet is valid.
        """
        last = self.highest & 0xFFFF
        ahead = (sequence - last) & 0xFFFF
        if self.probation:
            if ahead == 1 and self.highest >= 0:
                self.probation -= 1
            else:
                self.probation = MIN_SEQUENTIAL - 1
            self.highest = sequence
            if self.probation:
                return False
            self._begin(sequence)
        elif ahead < MAX_DROPOUT:
            self.highest += ahead
        elif ahead <= 0x10000 - MAX_MISORDER:
            if sequence != self._bad:
                self._bad = (sequence + 1) & 0xFFFF
                return False
            # Two in a row: the other side has begun anew without a word.
            self._begin(sequence)
        self.received += 1
        return True

    def _begin(self, sequence: int) -> None:
        self.base = self.highest = sequence
        self._bad, self.received, self.timestamp = _NO_BAD, 0, -1
        self._expectedPrior = self._receivedPrior = 0

    def reported(self, ntp: int, arrival: int) -> None:
        """
        A sender report of it has come.
        """
        self._lastReport, self._reportArrival = ntp >> 16 & 0xFFFFFFFF, arrival

    def block(self, now: int) -> ReportBlock | None:
        """
        What is to be said of it (appendix A.3); the next one counts from here.

        @param now: nanoseconds since the epoch.
        @return: C{None} where nothing has come since the last one.
        """
        if self.probation or self.received == self._receivedPrior:
            return None
        expected = self.highest - self.base + 1
        expectedNow = expected - self._expectedPrior
        lostNow = expectedNow - (self.received - self._receivedPrior)
        self._expectedPrior, self._receivedPrior = expected, self.received
        fraction = (lostNow << 8) // expectedNow if expectedNow and lostNow > 0 else 0
        since = max(now - self._reportArrival, 0) * 65536 // 1_000_000_000
        return ReportBlock(
            ssrc=self.ssrc,
            fraction=fraction,
            lost=expected - self.received,
            highest=self.highest,
            jitter=int(self.jitter),
            lastReport=self._lastReport,
            delay=since if self._lastReport else 0,
        )


@define(eq=False, repr=False)
class Sources:
    """
    All sources that were heard on one stream.

    @ivar rates: the RTP clock of each payload type, in hertz; 0: the timestamps do not
        say when a packet was sent (RFC 4733 section 2.1).
    @ivar current: the one that was heard last.
    @ivar payloadType: of the last packet.
    """

    rates: Mapping[int, int] = MappingProxyType({})
    current: Source | None = None
    payloadType: int = 0
    _known: dict[int, Source] = field(factory=dict, init=False)

    def take(
        self, ssrc: int, payloadType: int, sequence: int, timestamp: int, arrival: int
    ) -> None:
        """
        A packet has come.
        """
        source = self._known.pop(ssrc, None) or Source(ssrc)
        while len(self._known) >= _MOST_SOURCES:
            del self._known[next(iter(self._known))]  # the one heard longest ago
        self._known[ssrc] = self.current = source
        self.payloadType = payloadType
        source.take(sequence, timestamp, self.rates.get(payloadType, _RATE), arrival)

    def takeControl(self, packet: bytes, arrival: int) -> None:
        """
        RTCP has come; it tells something of the sources that are known.
        """
        for report in senderReports(packet):
            source = self._known.get(report.ssrc)
            if source is not None:
                source.reported(report.ntp, arrival)

    @property
    def steady(self) -> bool:
        """
        Whether the next packet, being the next one in order, would only be counted.
        """
        source = self.current
        if source is None or source.probation or source.timestamp < 0:
            return False
        return self.rates.get(self.payloadType, _RATE) == source.rate

    def blocks(self, now: int) -> tuple[ReportBlock, ...]:
        """
        @param now: nanoseconds since the epoch.
        @return: see L{Source.block}, of those of which there is something to say.
        """
        return tuple(self._blocks(now))

    def _blocks(self, now: int) -> Iterator[ReportBlock]:
        for source in self._known.values():
            block = source.block(now)
            if block is not None:
                yield block

"""
A session recording client that makes many calls without media, lean enough to leave
most of a small machine to the recorder; L{signalling} measures with it.
"""

import heapq
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Callable

from siprec.testing.offer import OfferedStream, describe, makeBody, makeMetadata
from siprec.testing.wire import Law

__all__ = ["HOST", "TO", "Caller", "Messages"]

HOST = "127.0.0.1"
HOLD = 0.2  # seconds from the ACK to the BYE
T1, T2, LAST = 0.5, 4.0, 32.0

#: The value of To in a response.
TO = re.compile(rb"\r\nTo: ([^\r]*)")
_STATUS = re.compile(rb"SIP/2\.0 (\d{3})")
_CALL = re.compile(rb"\r\nCall-ID: (\d+)@")
_PORT = re.compile(rb"\r\nm=audio (\d+) ")
_METHOD = re.compile(rb"\r\nCSeq: \d+ (\w+)")


class Messages:
    """
    The messages of a client at an address, for a recorder at another one.
    """

    def __init__(self, ours: int, theirs: int) -> None:
        streams = [OfferedStream("1", 6000), OfferedStream("2", 6002, Law.A)]
        offer = describe(HOST, streams, 1, 1).serialize()
        metadata = makeMetadata(("Ann", "Bob"), ("1", "2"))
        # Two calls with one id would be taken for parts of one call.
        session = re.search(rb'session_id="([^"]*)"', metadata)
        assert session is not None
        self._session = session[1]
        kind, self._body, _ = makeBody(offer, metadata)
        self._more = (
            f"Contact: <sip:src@{HOST}:{ours}>;+sip.src\r\nRequire: siprec\r\n"
            f"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\r\nContent-Type: {kind}\r\n"
        )
        self._ours, self._uri = ours, f"sip:srs@{HOST}:{theirs}"

    def make(self, method: str, number: int, to: str = "") -> bytes:
        """
        @param number: of the call.
        @param to: the recorder's To.
        """
        cseq = 2 if method == "BYE" else 1
        more, body = "", b""
        if method == "INVITE":
            own = b"%0*d" % (len(self._session), number)
            more, body = self._more, self._body.replace(self._session, own)
        return (
            f"{method} {self._uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{self._ours};branch=z9hG4bK{method}{number};rport\r\n"
            f"From: <sip:src@{HOST}:{self._ours}>;tag=from{number}\r\n"
            f"To: {to or f'<{self._uri}>'}\r\nCall-ID: {number}@{HOST}\r\n"
            f"CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body


class Caller:
    """
    Makes calls, each from a slot of a timetable; a timer is a heap's entry.

    @ivar counts: of the last run: messages C{sent}, C{repeated} by one of the two, and
        C{unexpected}; calls C{refused}, C{ended}, and C{lost}, without an end.
    @ivar waits: of the last run, seconds until each 200 to an INVITE.
    @ivar standing: by number, the calls that were left standing: their BYE.
    @ivar onPorts: is told the recorder's RTP ports of each call when it stands, and, with
        C{False}, before its BYE.
    """

    def __init__(
        self, recorder: int, onPorts: Callable[[list[int], bool], None] | None = None
    ) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((HOST, 0))
        self._socket.connect((HOST, recorder))
        self._socket.setblocking(False)
        self._messages = Messages(self._socket.getsockname()[1], recorder)
        self._due: list[tuple[float, int, str, int, float, bytes]] = []
        # What each call waits for, and since when its INVITE has been sent.
        self._awaits: dict[int, str] = {}
        self._since: dict[int, float] = {}
        self._acks: dict[int, bytes] = {}
        self._first, self._next = 0, 0
        self.counts: Counter[str] = Counter()
        self.waits: list[float] = []
        self.standing: dict[int, bytes] = {}
        self.onPorts = onPorts
        self._ports: dict[int, list[int]] = {}
        self._hold: float | None = HOLD

    def run(self, rate: float, count: int, hold: float | None = HOLD) -> None:
        """
        @param rate: calls a second.
        @param hold: seconds from the ACK to the BYE; C{None}: the calls are left standing.
        """
        self.counts.clear()
        self.waits.clear()
        self._hold = hold
        begin = time.monotonic()
        end = begin + count / rate + (hold or 0) + LAST
        first, made = self._next, 0
        while made < count or self._awaits:
            now = time.monotonic()
            while made < count and begin + made / rate <= now:
                self._awaits[first + made] = "INVITE"
                # Since when it was due: a caller that is late hides no waiting.
                self._since[first + made] = begin + made / rate
                self._send(now, "INVITE", first + made, self._messages.make("INVITE", first + made))
                made += 1
            while self._due and self._due[0][0] <= now:
                self._timer(now)
            if now > end:
                break
            wake = begin + made / rate if made < count else now + 0.05
            if self._due:
                wake = min(wake, self._due[0][0])
            select.select([self._socket], (), (), max(0.0, min(wake - now, 0.05)))
            self._receive()
        self._next = first + made
        self.counts["lost"] = len(self._awaits)
        self._awaits.clear()
        self._due.clear()

    def _send(self, now: float, method: str, number: int, data: bytes, wait: float = T1) -> None:
        self._socket.send(data)
        self.counts["sent" if wait == T1 else "repeated"] += 1
        heapq.heappush(self._due, (now + wait, number, method, 0, wait, data))

    def _timer(self, now: float) -> None:
        _, number, method, _, wait, data = heapq.heappop(self._due)
        awaited = self._awaits.get(number)
        if method == "hold":
            self._awaits[number] = "BYE"
            self._tell(number, False)
            self._send(now, "BYE", number, data)
        elif awaited == method and wait < LAST:
            longest = LAST if method == "INVITE" else T2
            self._send(now, method, number, data, min(2 * wait, longest))

    def _receive(self) -> None:
        for _ in range(64):
            try:
                data = self._socket.recv(65535)
            except BlockingIOError:
                return
            self._received(data)

    def _received(self, data: bytes) -> None:
        status, call, method = _STATUS.match(data), _CALL.search(data), _METHOD.search(data)
        if status is None or call is None or method is None:
            self.counts["unexpected"] += 1
            return
        number, code = int(call[1]), int(status[1])
        if code < 200:
            return
        if code != 200:
            self.counts["refused"] += 1
            self._awaits.pop(number, None)
        elif method[1] == b"BYE":
            if self._awaits.pop(number, None) is None:
                self.counts["repeated"] += 1
            else:
                self.counts["ended"] += 1
        elif self._awaits.get(number) == "INVITE":
            now = time.monotonic()
            self.waits.append(now - self._since.pop(number))
            to = TO.search(data)
            assert to is not None
            theirs = to[1].decode()
            self._acks[number] = ack = self._messages.make("ACK", number, theirs)
            self._socket.send(ack)
            self.counts["sent"] += 1
            if self.onPorts is not None:
                self._ports[number] = [int(each) for each in _PORT.findall(data)]
                self._tell(number, True)
            bye = self._messages.make("BYE", number, theirs)
            if self._hold is None:
                self.standing[number] = bye
                del self._awaits[number]
                return
            self._awaits[number] = "hold"
            heapq.heappush(self._due, (now + self._hold, number, "hold", 0, 0.0, bye))
        else:
            self.counts["repeated"] += 1
            self._socket.send(self._acks[number])

    def _tell(self, number: int, stands: bool) -> None:
        if self.onPorts is not None and number in self._ports:
            ports = self._ports[number] if stands else self._ports.pop(number)
            self.onPorts(ports, stands)

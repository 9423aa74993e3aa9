"""
What the torture tests of RFC 4475 have in common: our own messages, one for each
rule, go through to what the recorder answers; where the public test material is
at hand the originals must fare the same.
"""

from __future__ import annotations

from siprec.sip.errors import BadMessage
from siprec.sip.framing import Framed, Invalid, StreamFramer, parseDatagram
from tests.sip.traffic import UDP
from tests.sip.vectors import SDP, original
from tests.uas.kit import RecorderTestCase

#: A description that can be read.
LINE = SDP + b"m=audio 49172 RTP/AVP 0\r\n"


class TortureTestCase(RecorderTestCase):
    """
    What becomes of single messages.
    """

    folder = original("rfc4475")

    def feed(self, data: bytes) -> list[int]:
        """
        A datagram comes.

        @return: the statuses of the answers, which repeat what is wrong in the
            request, so they are not parsed.
        """
        try:
            found = parseDatagram(data)
        except BadMessage as error:
            self.house.layer.badMessage(error, UDP)
        else:
            assert found is not None
            self.house.layer.messageReceived(found, UDP)
        sent = [int(answer.split(b" ")[1]) for _, answer in self.house.wire.sent]
        self.house.wire.sent.clear()
        return sent

    def treated(self, name: str, status: int | None, own: bytes) -> None:
        """
        Assert what becomes of our own message and of the original.

        @param status: of the answer; C{None}: there is none.
        """
        tried = [own]
        if self.folder is not None:
            tried.append((self.folder / f"{name}.dat").read_bytes())
        for data in tried:
            self.assertEqual(self.feed(data), [] if status is None else [status])
        self.assertEqual((self.house.recorder.calls, self.house.files()), ({}, []))
        self.cut(own)

    def cut(self, data: bytes) -> None:
        """
        Assert that a stream gives the same wherever it is cut in two.
        """
        whole = outcomes(StreamFramer().feed(data))
        for position in range(1, len(data)):
            framer = StreamFramer()
            items = framer.feed(data[:position]) + framer.feed(data[position:])
            self.assertEqual(outcomes(items), whole, position)


def outcomes(items: list[Framed]) -> list[object]:
    """
    @return: what can be compared of what a stream gave, up to its end.
    """
    found: list[object] = []
    for item in items:
        if isinstance(item, Invalid):
            found.append((item.fatal, str(item.error), item.error.status))
            if item.fatal:
                break
        else:
            found.append(item)
    return found

"""
The session descriptions that a recording client sends and takes.
"""

from attrs import define, field

from siprec.ids import newSessionNumber
from siprec.sdp.model import SessionDescription
from siprec.sdp.parse import parseSDP
from siprec.sip.message import Request, Response
from siprec.sip.multipart import leaves, parseBody
from siprec.testing.leg import Leg
from siprec.testing.offer import OfferedStream, describe


def sdpOf(message: Request | Response) -> bytes | None:
    """
    @return: the description in a message, or C{None}.
    """
    for part in leaves(parseBody(message.headers, message.body)):
        if part.contentType is not None and part.contentType[0] == "application/sdp":
            return part.body
    return None


@define(eq=False, repr=False)
class Descriptions:
    """
    Our side of the offers and answers of one call (RFC 3264).

    @ivar host: the IP address that our media comes from.
    """

    host: str
    legs: list[Leg]
    _sessionID: int = field(factory=newSessionNumber, init=False)
    _last: SessionDescription | None = field(default=None, init=False)

    def offer(self) -> bytes:
        """
        Our streams as we want them.
        """
        return self._describe([leg.offered() for leg in self.legs])

    def answer(self) -> bytes:
        """
        Our streams as the recorder's last offer allows them.
        """
        return self._describe([leg.answered() for leg in self.legs])

    def take(self, message: Request | Response) -> bool:
        """
        Send media to where a message of the recorder says.

        @return: whether there was a description in it.
        """
        sdp = sdpOf(message)
        if sdp is None:
            return False
        description = parseSDP(sdp)
        for index, leg in enumerate(self.legs):
            leg.take(description, index)
        return True

    def _describe(self, streams: list[OfferedStream]) -> bytes:
        last = self._last
        version = 1 if last is None else int(last.origin.version)
        made = describe(self.host, streams, self._sessionID, version)
        if last is not None and made != last:
            # RFC 3264 section 8: one more for each change, and only then.
            made = describe(self.host, streams, self._sessionID, version + 1)
        self._last = made
        return made.serialize()


__all__ = ["Descriptions", "sdpOf"]

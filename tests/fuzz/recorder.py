"""
A whole recorder under random messages, of calls that run and of others.
"""

from __future__ import annotations

import random

from attrs import define, field

from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.framing import parseDatagram
from siprec.sip.headers import Headers
from siprec.sip.message import Request, makeResponse
from siprec.testing.offer import OfferedStream, describe, makeBody, makeMetadata
from tests.fuzz.mutation import Mutator
from tests.uas.house import House

_FLOWS = (
    Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 5060)),
    Flow("TCP", ("192.0.2.1", 5060), ("192.0.2.7", 33000), 900),
)

_METHODS = (
    "INVITE",
    "INVITE",
    "UPDATE",
    "INFO",
    "BYE",
    "PRACK",
    "OPTIONS",
    "CANCEL",
    "ACK",
    "ACK",
    "X",
)

_MORE = (
    ("Supported", "timer, 100rel, replaces"),
    ("Session-Expires", "90;refresher=uas"),
    ("Session-Expires", "60"),
    ("Allow", "INVITE, UPDATE"),
    ("Record-Route", "<sip:192.0.2.99;lr>"),
    ("Record-Route", "<sip:strict.example.com>"),
    ("Reason", 'SIP;cause=200;text="x"'),
    ("Info-Package", "x"),
    ("Contact", "<<sip:a@b>;x>"),
)


@define(eq=False)
class Storm:
    """
    Sends messages to a recorder; each is whole, or has been changed at random.

    @ivar sent: how many.
    """

    house: House
    _random: random.Random
    sent: int = field(default=0, init=False)
    _tags: dict[str, str] = field(factory=dict, init=False)
    _number: int = field(default=0, init=False)

    def step(self) -> None:
        """
        Send one message, answer what comes, and let some time go by.
        """
        chance = self._random
        data = self._request().serialize()
        if chance.random() < 0.2:
            data = Mutator(chance, [data]).next()
        self._feed(data)
        if chance.random() < 0.1:
            self.house.clock.advance(chance.choice((0.1, 0.1, 0.5, 0.5, 5, 40)))
            self._answer()

    def _feed(self, data: bytes) -> None:
        self.sent += 1
        flow = self._random.choice(_FLOWS)
        try:
            message = parseDatagram(data)
        except BadMessage as error:
            self.house.layer.badMessage(error, flow)
        else:
            if message is not None:
                self.house.layer.messageReceived(message, flow)
        self._answer()

    def _answer(self) -> None:
        sent, self.house.wire.sent[:] = list(self.house.wire.sent), []
        for flow, data in sent:
            try:
                message = parseDatagram(data)
            except BadMessage:
                continue  # the answer to a bad request repeats what is bad
            if isinstance(message, Request):
                if message.method != "ACK" and self._random.random() < 0.8:
                    status = self._random.choice((200, 200, 404, 405, 422, 481, 488, 491, 500))
                    response = makeResponse(message, status, headers=[("Min-SE", "1800")])
                    self.house.layer.messageReceived(response, flow)
            elif message is not None and message.toTag:
                self._tags[message.callID] = message.toTag

    def _request(self) -> Request:
        chance = self._random
        self._number += 1
        callID = f"call{chance.randrange(3) + self._number // 50}"
        method = chance.choice(_METHODS)
        tag = self._tags.get(callID) if chance.random() < 0.8 else None
        number = self._number if chance.random() < 0.9 else chance.randrange(self._number + 1)
        streams = [
            OfferedStream(str(index), chance.choice((0, 40000, 40002)))
            for index in range(chance.randrange(4))
        ]
        sdp = describe("192.0.2.7", streams, 7, self._number).serialize()
        metadata = makeMetadata(["Ann", "Bob"], ["0", "1"])
        contentType, body, more = makeBody(
            chance.choice((sdp, sdp, None)), chance.choice((metadata, None, None))
        )
        fields = Headers(
            [
                ("Via", f"SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK{chance.randrange(1000)}"),
                ("Max-Forwards", "70"),
                ("From", "<sip:src@192.0.2.7>;tag=theirs"),
                ("To", "<sip:srs@192.0.2.1>" + (f";tag={tag}" if tag else "")),
                ("Call-ID", callID),
                ("CSeq", f"{number} {method}"),
                ("Contact", "<sip:src@192.0.2.7:5060>;+sip.src"),
                *more,
                *(chance.choice(_MORE) for _ in range(chance.randrange(3))),
            ]
        )
        if tag and chance.random() < 0.1:
            fields = fields.replacing(
                "Replaces", f"{callID};to-tag={tag};from-tag=theirs"
            ).replacing("To", "<sip:srs@192.0.2.1>")
        if contentType is not None:
            fields = fields.adding("Content-Type", contentType)
        return Request(method, "sip:srs@192.0.2.1", fields, body)

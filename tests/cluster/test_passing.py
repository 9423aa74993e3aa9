"""
Tests of L{siprec.cluster.passing}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.passing import (
    BadPassing,
    packed,
    packedFlow,
    unpackedRequest,
    unpackedResponse,
)
from siprec.cluster.wire import pack, unpack
from tests.sip.traffic import TCP, UDP, answer, request


class PassingTests(SynchronousTestCase):
    """
    What one node packs, the other one unpacks.
    """

    def test_request(self) -> None:
        """
        A request comes as it was, with what it came by and the key of its record.
        """
        for flow in (UDP, TCP):
            body = unpack(pack(packed(request(), flow, "key")))
            message, found, key = unpackedRequest(body)
            self.assertEqual(message.serialize(), request().serialize())
            self.assertEqual((found, key), (flow, "key"))

    def test_response(self) -> None:
        """
        Of a response the bytes are kept.
        """
        data = answer(request(), 200).serialize()
        body = unpack(pack({"data": data, "flow": packedFlow(TCP)}))
        response, flow, kept = unpackedResponse(body)
        self.assertEqual((response.status, flow, kept), (200, TCP, data))

    def test_badFlows(self) -> None:
        """
        A flow has its six values, and each is what it should be.
        """
        good = packedFlow(UDP)
        bad: list[Any] = [None, {}, good[:5], [*good, 1]]
        for index, value in (
            *((0, "SCTP"), (0, 7), (1, 7), (2, "5060"), (2, -1), (2, 65536)),
            *((3, b"192.0.2.7"), (4, None), (4, 1.0), (4, True), (5, "1")),
        ):
            bad.append([*good[:index], value, *good[index + 1 :]])
        for flow in bad:
            body = {**packed(request(), UDP, "key"), "flow": flow}
            self.assertRaises(BadPassing, unpackedRequest, body)

    def test_badBodies(self) -> None:
        """
        Everything is there, and is a message of the right kind.
        """
        good = packed(request(), UDP, "key")
        data = answer(request(), 200).serialize()
        changes: list[dict[str, Any]] = [
            *({"message": None}, {"message": "text"}, {"message": b""}, {"message": data}),
            *({"message": b"x"}, {"key": None}, {"key": b"key"}),
        ]
        for change in changes:
            self.assertRaises(BadPassing, unpackedRequest, {**good, **change})
        bodies: list[Any] = [None, [], {}, {"data": good["message"], "flow": good["flow"]}]
        for body in bodies:
            self.assertRaises(BadPassing, unpackedResponse, body)

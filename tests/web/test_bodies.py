"""
Tests of L{siprec.web.bodies}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from twisted.web.iweb import IRequest

from siprec.web.bodies import MOST_OCTETS, readReason
from siprec.web.resource import Answer, Endpoint
from tests.web.requests import SiteTestCase


class _Probe(Endpoint):
    """
    Answers with the reason.
    """

    methods: ClassVar[Mapping[str, str]] = {"POST": "post"}

    def post(self, request: IRequest) -> Answer:
        return Answer(readReason(request))


class ReasonTests(SiteTestCase):
    """
    Why something is asked for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.site.resource.putChild(b"probe", _Probe())

    def test_reason(self) -> None:
        """
        It is in a JSON object; there need not be any.
        """
        for body, reason in (
            (b"", None),
            (b" \n", None),
            (b"{}", None),
            (b'{"reason": null}', None),
            (b'{"reason": "card number"}', "card number"),
            (json.dumps({"reason": "x" * 256}).encode(), "x" * 256),
        ):
            self.assertEqual(self.post("/probe", 200, body), reason)

    def test_bad(self) -> None:
        """
        Whatever else comes is refused: 400.
        """
        for body in (
            *(b"reason", b"[]", b'"x"', b'{"reason": 7}', b'{"reason": ""}', b"\xff"),
            *(b'{"reason": "a\\nb"}', b'{"reason": "x", "who": "me"}', b"[" * 4000),
            json.dumps({"reason": "x" * 257}).encode(),
        ):
            self.assertEqual(self.post("/probe", 400, body)["error"], "bad-body")

    def test_long(self) -> None:
        """
        More than 4 KiB are not read: 413.
        """
        body = b'{"reason": "x"' + b" " * MOST_OCTETS + b"}"
        self.assertEqual(self.post("/probe", 413, body)["error"], "bad-body")

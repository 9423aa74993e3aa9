"""
Metadata in every dialect that is known, as it comes in requests.
"""

from __future__ import annotations

from attrs import evolve

from siprec.ids import newCallID
from siprec.sip.headers import Headers
from siprec.sip.message import Request
from tests.metadata import fixtures
from tests.metadata.fixtures import CISCO
from tests.uas.kit import RecorderTestCase, Src

BODIES = {
    name: getattr(fixtures, name)
    for name in (
        *("AUDIOCODES", "AVAYA", "AVAYA_UPDATE", "BARE_AMPERSAND", "BROADWORKS", "CISCO"),
        *("JAMBONZ", "METASWITCH", "OPENSIPS", "ORACLE", "ORACLE_UNQUOTED", "RIBBON"),
        *("RIBBON_BYE", "SEMS", "WEBEX"),
    )
}


class DialectTests(RecorderTestCase):
    """
    No dialect costs a call.
    """

    def setUp(self) -> None:
        super().setUp()
        self.house.ports.free = 1000

    def short(self, request: Request) -> Request:
        """
        @return: the request with the media type from before RFC 9806.
        """
        headers = Headers(
            [
                (name, value.replace("rs-metadata+xml", "rs-metadata"))
                for name, value in request.headers
            ]
        )
        body = request.body.replace(b"rs-metadata+xml", b"rs-metadata")
        return evolve(request, headers=headers, body=body)

    def test_B4_everyRequest(self) -> None:
        """
        INVITE, re-INVITE, UPDATE, INFO and BYE with any of them, and with nonsense, are
        answered 200; the call is recorded, and the document kept as it came.
        """
        for name, body in {**BODIES, "nonsense": b"\xff<x", "empty": b" "}.items():
            src = Src(self.house, callID=newCallID())
            self.assertEqual(src.call(metadata=body).status, 200, name)
            recording = max(self.house.manifests(), key=lambda each: each["id"])
            self.assertEqual(recording["state"], "recording", name)
            for method in ("UPDATE", "INFO"):
                request = src.make(method, body=(None, body))
                self.assertEqual(src.ask(request).status, 200, (name, method))
            self.assertEqual(src.reinvite(sdp=None, metadata=body).status, 200, name)
            self.assertEqual(src.bye(metadata=body).status, 200, name)
            [found] = [each for each in self.house.manifests() if each["id"] == recording["id"]]
            self.assertEqual(len(found["metadata"]), 5, name)
            path = next(each for each in self.house.files() if recording["id"] in each)
            folder = path.rpartition("/")[0]
            for number in range(1, 6):
                with open(f"{self.house.root}/{folder}/metadata-{number}.xml", "rb") as file:
                    self.assertEqual(file.read(), body, name)

    def test_A43_twice(self) -> None:
        """
        Two recording sessions of one call are two recordings, which have the call's
        identifiers in common.
        """
        for _ in range(2):
            self.assertEqual(Src(self.house, callID=newCallID()).call(metadata=CISCO).status, 200)
        first, second = self.house.manifests()
        self.assertNotEqual(first["id"], second["id"])
        self.assertEqual(first["sessions"], second["sessions"])
        self.assertEqual(len(first["sessions"]), 1)

    def test_A30_bothMediaTypes(self) -> None:
        """
        So they are with the shorter media type.
        """
        for name, body in BODIES.items():
            src = Src(self.house, callID=newCallID())
            src.call()
            request = self.short(src.make("UPDATE", body=(None, body)))
            self.assertEqual(src.ask(request).status, 200, name)
            src.bye()

"""
Tests for L{siprec.recorder}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from siprec.ids import newBranch
from siprec.sip.message import Response
from tests.uas.kit import METADATA, ONE, PEER, RecorderTestCase, Src, offer

PLAIN = f"<sip:src@{PEER}:5060>"


class AdmissionTests(RecorderTestCase):
    """
    Which INVITEs are taken (CONFORMANCE A1 to A3).
    """

    def _status(
        self, profile: str, contact: str, require: str = "", metadata: bytes | None = None
    ) -> int:
        self.house.recorder.profile = profile  # type: ignore[assignment]
        src = Src(self.house, callID=newBranch(), contact=contact)
        headers = [("Require", require)] if require else []
        without = [] if require else ["Require"]
        request = src.make("INVITE", *headers, body=(offer(), metadata), without=without)
        response = src.ask(request)
        if response.status == 200:
            src.toTag = response.toTag
            src.bye()
        else:
            self.warned(response, "no recording session")
        return response.status

    def test_A1_strict(self) -> None:
        """
        C{strict} wants both C{+sip.src} and the option tag.
        """
        tagged = f"{PLAIN};+sip.src"
        self.assertEqual(self._status("strict", tagged, "siprec"), 200)
        self.assertEqual(self._status("strict", tagged, metadata=METADATA), 403)
        self.assertEqual(self._status("strict", PLAIN, "siprec"), 403)

    def test_A3_lenient(self) -> None:
        """
        C{lenient} takes any one sign, but not none.
        """
        self.assertEqual(self._status("lenient", f"{PLAIN};+sip.src"), 200)
        self.assertEqual(self._status("lenient", f"{PLAIN};src"), 200)
        self.assertEqual(self._status("lenient", PLAIN, "siprec"), 200)
        self.assertEqual(self._status("lenient", PLAIN, metadata=METADATA), 200)
        self.assertEqual(self._status("lenient", PLAIN), 403)

    def test_A3_legacy(self) -> None:
        """
        C{legacy} also takes who only sends.
        """
        self.assertEqual(self._status("legacy", PLAIN), 200)

    def test_A2_inURI(self) -> None:
        """
        The tag within the URI counts, too.
        """
        self.assertEqual(self._status("strict", f"<sip:{PEER};+sip.src>", "siprec"), 200)

    def test_logged(self) -> None:
        """
        The log tells which rule admitted a call.
        """
        with capturedLogs() as events:
            self._status("lenient", PLAIN, "siprec")
        rules = [each["rule"] for each in events if "rule" in each]
        self.assertEqual(rules, ["Require: siprec"])

    def test_counted(self) -> None:
        """
        Each refusal is counted.
        """
        self._status("lenient", PLAIN)
        self.assertTrue(self.house.count('siprec_invites_total{result="rejected"} 1.0'))


class RefusalTests(RecorderTestCase):
    """
    Requests that cannot be taken up (RFC 3261 section 8.2).
    """

    def _ask(self, method: str, *headers: tuple[str, str]) -> Response:
        body = (offer(), METADATA) if method == "INVITE" else (None, None)
        response = self.src.ask(self.src.make(method, *headers, body=body))
        self.assertTrue(response.toTag)
        self.assertEqual(self.house.files(), [])
        return response

    def test_A6_unknownOptions(self) -> None:
        """
        420 names the unknown options, and only those.
        """
        response = self._ask("INVITE", ("Require", "siprec, foo, timer, BAR"))
        self.assertEqual((response.status, response.headers.get("Unsupported")), (420, "foo, BAR"))

    def test_D3_416_scheme(self) -> None:
        """
        416: only sip and sips URIs.
        """
        request = self.src.make("INVITE", body=(offer(), None))
        self.assertEqual(self.src.ask(evolve(request, uri="tel:+4930123")).status, 416)

    def test_D3_405_methods(self) -> None:
        """
        405 for a method that others have, 501 for one that nobody knows; both
        with Allow, which has UPDATE (A16b).
        """
        for method, status in (("REGISTER", 405), ("SUBSCRIBE", 405), ("REFER", 405), ("X", 501)):
            response = self._ask(method)
            self.assertEqual(response.status, status)
            self.assertIn("UPDATE", response.headers.get("Allow") or "")

    def test_D3_406_accept(self) -> None:
        """
        406 for a peer that would not understand the answer.
        """
        self.assertEqual(self._ask("INVITE", ("Accept", "text/plain")).status, 406)

    def test_D3_415_body(self) -> None:
        """
        415 says what would be understood; 400 for what cannot be read.
        """
        request = self.src.make("INVITE", ("Content-Type", "text/plain"), body=(b"x", None))
        response = self.src.ask(request)
        self.assertEqual(response.status, 415)
        self.assertIn("application/rs-metadata+xml", response.headers.get("Accept") or "")
        self.assertEqual(self.src.invite(sdp=b"v=0\r\n", metadata=None).status, 400)

    def test_D3_482_merged(self) -> None:
        """
        482 for an INVITE that came by another way already.
        """
        self.src.invite()
        assert self.src.last is not None
        via = ("Via", f"SIP/2.0/UDP {PEER}:5060;branch={newBranch()}")
        headers = self.src.last.headers.replacing(*via)
        self.assertEqual(self.src.ask(evolve(self.src.last, headers=headers)).status, 482)
        self.assertEqual(len(self.house.recorder.calls), 1)

    def test_D3_481_noDialog(self) -> None:
        """
        481 for what belongs to no dialog, with or without a To tag.
        """
        for tag in ("", "unknown"):
            self.src.toTag = tag
            for method in ("BYE", "UPDATE", "INFO"):
                self.assertEqual(self._ask(method).status, 481)
        self.assertEqual(self._ask("INVITE").status, 481)

    def test_D3_481_otherDialog(self) -> None:
        """
        All three parts of a dialog's identification count.
        """
        self.src.call()
        bye = self.src.make("BYE")
        for name, value in (("Call-ID", "x"), ("From", "<sip:a>;tag=x"), ("To", "<sip:a>;tag=x")):
            other = evolve(bye, headers=bye.headers.replacing(name, value))
            self.assertEqual(self.src.ask(other).status, 481)
        self.assertEqual(self.src.bye().status, 200)

    def test_strays(self) -> None:
        """
        An ACK or CANCEL of nothing does nothing.
        """
        self.src.last = self.src.make("INVITE", body=(offer(), None))
        self.src.ack()
        [response] = self.src.cancel()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 481)


class ReadinessTests(RecorderTestCase):
    """
    Whether a new call can be taken: the same for INVITE and OPTIONS.
    """

    def _options(self) -> Response:
        return Src(self.house, callID="options").ask(self.src.make("OPTIONS"))

    def _refused(self, why: str) -> None:
        for response in (
            self._options(),
            self.src.ask(self.src.make("INVITE", body=(offer(), None))),
        ):
            self.assertEqual(response.status, 503)
            self.assertIn(int(response.headers.get("Retry-After") or 0), range(5, 16))
            self.warned(response, why)

    def test_D3_503_draining(self) -> None:
        """
        A node that is to stop takes no call, and keeps those that it has.
        """
        running = Src(self.house, callID="running")
        running.call()
        self.house.service.draining = True
        self._refused("draining")
        self.assertEqual(running.update().status, 200)

    def test_noPorts(self) -> None:
        """
        No port is left at all.
        """
        self.house.ports.free = 0
        self._refused("port")

    def test_D3_503_diskFull(self) -> None:
        """
        Too little space is left.
        """
        self.house.service.minFree = 1 << 62
        self._refused("free")

    def test_D3_503_maxSessions(self) -> None:
        """
        As many calls run as may.
        """
        running = Src(self.house, callID="running")
        running.call()
        self.house.recorder.maxSessions = 1
        self._refused("1 calls are running")
        # It is not even read.
        invite = self.src.make("INVITE", body=(offer(), None))
        broken = evolve(invite, body=b"v=1", headers=invite.headers.replacing("CSeq", "9 INVITE"))
        self.assertEqual(self.src.ask(broken).status, 503)
        self.assertEqual(self.house.recorder.refused["unavailable"], 2)
        running.bye()
        self.assertEqual(self._options().status, 200)


class FieldTests(RecorderTestCase):
    """
    What clients were seen to do.
    """

    def test_D4_strict_noTag(self) -> None:
        """
        A From without a tag is a peer of RFC 2543, whose dialog is found by
        the rest.
        """
        self.src.tag = ""
        self.src.call()
        self.assertEqual(self.src.bye().status, 200)
        self.assertEqual(self.house.manifest["state"], "complete")

    def test_D4_strict_noContact(self) -> None:
        """
        Without a Contact our requests go to From's URI.
        """
        request = self.src.make("INVITE", body=(offer(ONE), None), without=["Contact"])
        self.assertEqual(self.src.ask(request).status, 200)
        self.house.recorder.stopCalls(503, "drained")
        self.assertEqual(self.only(self.house.wire.take(), "BYE").uri, f"sip:src@{PEER}")

    def test_D4_target_brokenContact(self) -> None:
        """
        B.4: a Contact that lost its C{>} costs neither the call nor its end.
        """
        self.src.contact = f"<sip:src@{PEER}:5060;+sip.src"
        self.src.call()
        self.house.recorder.stopCalls(503, "drained")
        bye = self.only(self.house.wire.take(), "BYE")
        self.assertTrue(bye.uri.startswith(f"sip:src@{PEER}"))


class KeepingTests(RecorderTestCase):
    """
    What the state in the store asks of the calls.
    """

    def setUp(self) -> None:
        super().setUp()
        self.src.call(("Supported", "timer"), ("Session-Expires", "1800"))
        [self.key] = self.house.service.recordings

    def test_E14_signs(self) -> None:
        """
        The signs of life of a call are its last media, its last SIP message
        and its session timer.
        """
        began = self.house.now()
        [signs] = self.house.recorder.signs()
        self.assertEqual((signs.key, signs.lastMedia), (self.key, None))
        self.assertEqual((signs.lastSignalling, signs.sessionTimerUntil), (began, began + 1800))
        self.house.wait(600)
        self.assertEqual(self.house.recorder.signs()[0], signs)
        self.src.update()
        [later] = self.house.recorder.signs()
        self.assertEqual(later.lastSignalling, began + 600)

    def test_E14_dead(self) -> None:
        """
        A call without a sign of life is ended with a BYE, and its recording
        says why.
        """
        self.house.recorder.endDead("nobody")
        self.house.recorder.endDead(self.key)
        messages = self.house.wait(0.4)
        self.assertIn("cause=408", self.only(messages, "BYE").headers.get("Reason") or "")
        self.assertEqual(self.house.manifest["endReason"], "timeout")
        self.assertIn("noSignOfLife", self.house.events())

    def test_letGo(self) -> None:
        """
        Of a call that another node has, nothing more is captured, written or
        said; requests in it are not ours any more.
        """
        before = self.house.manifest
        with capturedLogs():
            self.house.recorder.letGo(self.key)
            self.house.recorder.letGo(self.key)
        self.assertEqual(self.house.wait(60), [])
        self.assertEqual(self.house.manifest, before)
        self.assertEqual((self.house.recorder.calls, self.house.service.recordings), ({}, {}))
        self.assertEqual(self.src.update().status, 481)

    def test_saveAll(self) -> None:
        """
        Every call can be saved anew.
        """
        self.successResultOf(self.house.store.delete(self.key))
        self.successResultOf(Deferred.fromCoroutine(self.house.recorder.saveAll()))
        self.assertEqual(self.successResultOf(self.house.store.list()), [self.key])

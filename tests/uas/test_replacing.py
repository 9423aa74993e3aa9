"""
Tests for L{siprec.uas.replacing}.
"""

from __future__ import annotations

from siprec.sip.flow import Flow
from siprec.sip.message import Request, Response
from siprec.uas.replacing import Ended
from tests.uas.kit import METADATA, ONE, PEER, THREE, RecorderTestCase, Src, lines, offer


class _ReplacingTestCase(RecorderTestCase):
    """
    A call runs, and a second client takes it over.
    """

    def setUp(self) -> None:
        super().setUp()
        self.first = self.src.call()
        self.other = Src(self.house, callID=f"two@{PEER}", tag=";tag=new")

    def replaces(self, more: str = "") -> tuple[str, str]:
        """
        @return: the header that names the call.
        """
        return ("Replaces", f"{self.src.callID};to-tag={self.src.toTag};from-tag=theirs{more}")

    def take(self, *headers: tuple[str, str], sdp: bytes | None = None) -> tuple[Response, Request]:
        """
        @return: the 200, and the BYE in the old dialog.
        """
        invite = self.other.make("INVITE", *headers, body=(sdp or offer(), METADATA))
        response, bye = self.other.send(invite)
        assert isinstance(response, Response)
        assert isinstance(bye, Request)
        self.other.toTag = response.toTag
        self.assertEqual((response.status, bye.method, bye.callID), (200, "BYE", self.src.callID))
        self.src.answer(bye)
        return response, bye


class ReplacingTests(_ReplacingTestCase):
    """
    The recording goes on in another dialog (RFC 3891).
    """

    def test_D4_replaces_taken(self) -> None:
        """
        The new INVITE gets its 200, the old dialog a BYE with its reason, and
        the same recording goes on, at the same ports.
        """
        response, bye = self.take(self.replaces())
        self.assertEqual(bye.headers.get("Reason"), 'SIP;cause=200;text="replaced"')
        self.assertEqual(lines(response), lines(self.first))
        self.other.ack()
        manifest = self.house.manifest
        self.assertEqual((manifest["state"], manifest["callID"]), ("recording", "two@192.0.2.7"))
        self.assertEqual([each["type"] for each in manifest["events"]], ["replaced"])
        self.assertEqual(len(manifest["streams"]), 2)
        self.assertEqual(len(self.house.recorder.calls), 1)
        self.assertEqual(self.src.bye().status, 481)
        self.assertEqual(self.other.bye().status, 200)
        self.assertEqual(self.house.manifest["state"], "complete")
        self.assertEqual(self.house.manifest["endReason"], "bye")

    def test_D4_replaces_byLabel(self) -> None:
        """
        Streams go on at the lines of their labels; one that is not offered any
        more ends, and a new one begins.
        """
        before = {label: port for port, _, label in lines(self.first)}
        response, _ = self.take(self.replaces(), sdp=offer(THREE, ONE))
        self.other.ack()
        (new, _, _), (kept, _, label) = lines(response)
        self.assertEqual((kept, label), (before["1"], "1"))
        self.assertNotIn(new, before.values())
        self.assertEqual(self.house.events(), ["streamRemoved", "replaced", "streamAdded"])
        self.other.bye()

    def test_D4_replaces_withoutLabels(self) -> None:
        """
        Without labels the places count; that they are gone is noted.
        """
        unlabelled = offer().replace(b"a=label:1\r\n", b"").replace(b"a=label:2\r\n", b"")
        response, _ = self.take(self.replaces(), sdp=unlabelled)
        self.other.ack()
        ports = [port for port, _, _ in lines(self.first)]
        self.assertEqual([port for port, _, _ in lines(response)], ports)
        self.assertEqual(self.house.events(), ["replaced", "labelChanged", "labelChanged"])

    def test_D4_replaces_full(self) -> None:
        """
        A nearly full disk is no hindrance: nothing new is begun.
        """
        self.house.service.minFree = 1 << 62
        response, _ = self.take(self.replaces())
        self.other.ack()
        self.assertEqual(lines(response), lines(self.first))
        self.assertFalse(self.house.recorder.calls[self._new()].asking)

    def _new(self) -> tuple[str, str, str]:
        [key] = self.house.recorder.calls
        return key

    def test_D4_replaces_resumable(self) -> None:
        """
        What is in the store from then on is the new dialog.
        """
        self.take(self.replaces())
        self.other.ack()
        [key] = self.successResultOf(self.house.store.list())
        snapshot = self.successResultOf(self.house.store.load(key))
        assert snapshot is not None
        self.assertEqual(snapshot.dialog.callID, self.other.callID)
        self.assertEqual(snapshot.recording.callID, self.other.callID)

    def test_D4_replaces_drained(self) -> None:
        """
        A node that takes no new calls goes on with its own.
        """
        self.house.service.draining = True
        self.take(self.replaces())

    def test_D4_replaces_cancelTooLate(self) -> None:
        """
        Once the old dialog has given the recording away, a CANCEL is too late.
        """
        self.house.store.waiting = []
        self.other.send(self.other.make("INVITE", self.replaces(), body=(offer(), METADATA)))
        [response] = self.other.cancel()
        assert isinstance(response, Response)
        self.assertEqual((response.status, response.cseq.method), (200, "CANCEL"))
        waiting, self.house.store.waiting = self.house.store.waiting, None
        waiting[-1].callback(None)
        sent = [each for each in self.house.wire.take() if isinstance(each, Response)]
        self.assertEqual([each.status for each in sent], [200])

    def test_D4_replaces_stopped(self) -> None:
        """
        A node that stops meanwhile refuses the INVITE, ends the old dialog, and
        keeps what was recorded.
        """
        self.house.store.waiting = []
        self.other.send(self.other.make("INVITE", self.replaces(), body=(offer(), METADATA)))
        self.house.recorder.stopCalls(503, "drained")
        waiting, self.house.store.waiting = self.house.store.waiting, None
        for each in waiting:
            each.callback(None)
        sent = self.house.wire.take()
        self.assertEqual([each.method for each in sent if isinstance(each, Request)], ["BYE"])
        self.assertEqual([each.status for each in sent if isinstance(each, Response)], [503])
        self.assertEqual(self.house.manifest["state"], "complete")


class RefusedTests(_ReplacingTestCase):
    """
    What cannot be replaced (RFC 3891 section 3).
    """

    def refused(self, *headers: tuple[str, str], method: str = "INVITE") -> int:
        """
        @return: the status; the running call has not changed.
        """
        body = (offer(), METADATA) if method == "INVITE" else (None, None)
        response = self.other.ask(self.other.make(method, *headers, body=body))
        self.assertEqual(self.house.manifest["state"], "recording")
        self.assertEqual(len(self.house.manifests()), 1)
        return response.status

    def test_D4_replaces_malformed(self) -> None:
        """
        More than one, one without tags, one beside Join, and one in another
        request: 400.
        """
        for method in ("OPTIONS", "BYE"):
            self.assertEqual(self.refused(self.replaces(), method=method), 400)
        self.assertEqual(self.refused(("Replaces", "a@b;to-tag=1")), 400)
        self.assertEqual(self.refused(self.replaces(), ("Join", "x;to-tag=1;from-tag=2")), 400)
        invite = self.other.make("INVITE", self.replaces(), body=(offer(), METADATA))
        doubled = Request(
            "INVITE", invite.uri, invite.headers.adding(*self.replaces()), invite.body
        )
        self.assertEqual(self.other.ask(doubled).status, 400)

    def test_D4_replaces_unknown(self) -> None:
        """
        No such dialog: 481.
        """
        self.assertEqual(self.refused(("Replaces", "a@b;to-tag=1;from-tag=2")), 481)

    def test_D4_replaces_notAnswered(self) -> None:
        """
        A dialog that the recorder has not answered yet is none: 481.
        """
        self.house.workers.held = []
        opening = Src(self.house, callID="opening", tag=";tag=o")
        opening.send(opening.make("INVITE", body=(offer(), None)))
        [[_, tag, _]] = [key for key in self.house.recorder.calls if key[0] == "opening"]
        response = self.other.ask(
            self.other.make(
                "INVITE",
                ("Replaces", f"opening;to-tag={tag};from-tag=o"),
                body=(offer(), METADATA),
            )
        )
        self.assertEqual(response.status, 481)

    def test_D4_replaces_earlyOnly(self) -> None:
        """
        An established dialog, where only an early one may be replaced: 486.
        """
        self.assertEqual(self.refused(self.replaces(";early-only")), 486)

    def test_D4_replaces_otherPeer(self) -> None:
        """
        Who is neither where the requests come from nor where ours go to may
        not take the call: 403.
        """
        self.other.flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.66", 5060))
        self.assertEqual(self.refused(self.replaces()), 403)

    def test_D4_replaces_contact(self) -> None:
        """
        The host of the Contact may.
        """
        self.src.update(("Contact", "<sip:src@192.0.2.66>;+sip.src"))
        self.other.flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.66", 5060))
        self.take(self.replaces())

    def test_D3_603_over(self) -> None:
        """
        A dialog that is over: 603, so that nobody tries elsewhere.
        """
        self.src.bye()
        invite = self.other.make("INVITE", self.replaces(), body=(offer(), METADATA))
        self.assertEqual(self.other.ask(invite).status, 603)

    def test_D4_replaces_nothingToRecord(self) -> None:
        """
        A description that cannot be recorded leaves the old call as it was.
        """
        video = offer().replace(b"m=audio", b"m=video")
        invite = self.other.make("INVITE", self.replaces(), body=(video, METADATA))
        self.assertEqual(self.other.ask(invite).status, 488)
        self.assertEqual(self.src.update().status, 200)

    def test_bounded(self) -> None:
        """
        Only the last dialogs that ended are remembered.
        """
        ended = Ended()
        for number in range(1500):
            ended.add((str(number), "a", "b"))
        self.assertEqual(len(ended._dialogs), 1000)

"""
What may happen to single messages, played by sipp to a real node.
"""

from __future__ import annotations

import os
import signal

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.testing.offer import OfferedStream, describe
from tests.functional.node import (
    HOST,
    NodeProcess,
    Program,
    eventually,
    freeSipPort,
    reactor,
)
from tests.functional.node import (
    pause as wait,
)
from tests.functional.scenario import (
    answer,
    invite,
    offer,
    pause,
    recv,
    recvRequest,
    scenario,
    send,
)
from tests.programs import require

#: Runs the load for 20 s, not for three.
COMPLETE = 'siprec_recordings_total{state="complete"}'
LONG = "SIPREC_LONG_LOAD"

OK = recv(100, optional=True) + recv(200)
END = send("BYE", 9) + recv(200)
TIMER = "Supported: timer\nSession-Expires: 90;refresher={}\n"


class ScenarioTests(TestCase):
    """
    One call each.
    """

    def setUp(self) -> None:
        require("sipp")
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root)
        self.node = NodeProcess(f"{self.root}/recordings", rtp="20000-59999")
        self.addCleanup(self.node.kill)

    async def play(self, text: str, *options: str, start: bool = True) -> Program:
        """
        Let sipp play a scenario.
        """
        if start:
            await self.node.start()
        path = f"{self.root}/scenario.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        sipp = Program.start(
            *("/usr/bin/env", "sipp", f"{HOST}:{self.node.sip}", "-sf", path),
            *("-i", HOST, "-p", str(freeSipPort()), "-nostdin", "-trace_err"),
            *(options or ("-m", "1", "-timeout", "90")),
            cwd=self.root,
        )
        self.addCleanup(sipp.kill)
        return sipp

    async def played(self, text: str, *options: str) -> Manifest:
        """
        @return: the manifest of the only recording, after sipp has had all that
            it awaited, and nothing else.
        """
        sipp = await self.play(text, *options)
        return await self.ended(sipp)

    async def ended(self, sipp: Program) -> Manifest:
        """
        @return: the manifest of the only recording.
        """
        self.assertEqual(await sipp.ended(120), 0, sipp.output + self.errors())
        [manifest] = await self.node.finished()
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
        return manifest

    def errors(self) -> str:
        """
        @return: what sipp found to be wrong.
        """
        found = ""
        for name in os.listdir(self.root):
            if name.endswith(".log"):
                with open(f"{self.root}/{name}", encoding="utf-8", errors="replace") as file:
                    found += file.read()[:4000]
        return found

    async def test_D1_lostACK(self) -> None:
        """
        The ACK does not come for a while: the 200 is repeated, and the call
        lives.
        """
        manifest = await self.played(
            scenario(invite(), OK, pause(2500), send("ACK", 1), pause(5000), END)
        )
        self.assertEqual(manifest["endReason"], "bye")

    async def test_D1_lost200(self) -> None:
        """
        The 200 is lost: the INVITE comes again, the same 200 answers both, and
        there is one recording.
        """
        manifest = await self.played(
            scenario(
                invite(branch="z9hG4bK-[call_number]-[pid]"),
                OK,
                invite(branch="z9hG4bK-[call_number]-[pid]", repeats=False),
                pause(1200),
                send("ACK", 1),
                END,
            )
        )
        self.assertEqual(manifest["endReason"], "bye")

    async def test_D4_reinvite_holdAndResume(self) -> None:
        """
        Hold and resume as re-INVITEs.
        """
        manifest = await self.played(
            scenario(
                invite(),
                OK,
                send("ACK", 1),
                send("INVITE", 2, body=offer(2, "inactive")),
                recv(100, optional=True),
                recv(200, check="a=inactive"),
                send("ACK", 2),
                send("INVITE", 3, body=offer(3)),
                recv(100, optional=True),
                recv(200, check="a=recvonly"),
                send("ACK", 3),
                END,
            )
        )
        kinds = [each["type"] for each in manifest["events"]]
        self.assertEqual(kinds.count("streamPaused"), 2)
        self.assertEqual(kinds.count("streamResumed"), 2)

    async def test_J1_overlapping(self) -> None:
        """
        Two re-INVITEs at once, of which only the second is acknowledged: both
        are answered in their order, and the call goes on.
        """
        manifest = await self.played(
            scenario(
                invite(),
                OK,
                send("ACK", 1),
                send("INVITE", 2, body=offer(2, "inactive"), repeats=False),
                send("INVITE", 3, body=offer(3), repeats=False),
                recv(100, optional=True),
                recv(200, check="a=inactive"),
                recv(100, optional=True),
                recv(200, check="a=recvonly"),
                send("ACK", 3),
                pause(35000),
                END,
            )
        )
        self.assertEqual(manifest["endReason"], "bye")

    async def test_D4_offer_update(self) -> None:
        """
        An UPDATE before the ACK, and one with an offer after it.
        """
        await self.played(
            scenario(
                invite(),
                OK,
                send("UPDATE", 2),
                recv(200),
                send("ACK", 1),
                send("UPDATE", 3, body=offer(2, "inactive")),
                recv(200, check="a=inactive"),
                END,
            )
        )

    async def test_D4_offerless_answerInAck(self) -> None:
        """
        An INVITE without an offer gets one of two lines; the ACK answers it.
        """
        manifest = await self.played(
            scenario(
                send("INVITE", 1, inDialog=False),
                recv(100, optional=True),
                recv(200, check="m=audio .*a=recvonly.*m=audio .*a=recvonly"),
                send("ACK", 1, body=offer()),
                send("INVITE", 2, body=offer(2, "inactive")),
                recv(100, optional=True),
                recv(200, check="a=inactive"),
                send("ACK", 2),
                END,
            )
        )
        self.assertEqual([each["label"] for each in manifest["streams"]], ["1", "2"])

    async def test_D4_100rel_prack(self) -> None:
        """
        100rel may be required; a PRACK fits nothing.
        """
        await self.played(
            scenario(
                invite(headers="Require: 100rel\n"),
                OK,
                send("ACK", 1),
                send("PRACK", 2, headers="RAck: 1 1 INVITE\n"),
                recv(481),
                END,
            )
        )

    async def test_D3_cancelBefore200(self) -> None:
        """
        The CANCEL overtakes the answer: 200 to it, 487 to the INVITE, and a
        recording of length 0.
        """
        branch = "z9hG4bK-[call_number]-[pid]"
        sipp = await self.frozen(
            scenario(
                invite(branch=branch, repeats=False),
                send("CANCEL", 1, inDialog=False, branch=branch, repeats=False),
                recv(100, optional=True),
                recv(200),
                recv(487),
                send("ACK", 1, branch=branch),
                pause(700),
            )
        )
        manifest = await self.ended(sipp)
        self.assertEqual(manifest["endReason"], "cancelled")

    async def frozen(self, text: str) -> Program:
        """
        Let a scenario begin while the node does not listen, so that what is
        sent in the first moment reaches it at once.
        """
        await self.node.start()
        assert self.node.program is not None
        self.node.program.signal(signal.SIGSTOP)
        sipp = await self.play(text, start=False)
        await wait(2.0)
        self.node.program.signal(signal.SIGCONT)
        return sipp

    async def test_D3_cancelAfter200(self) -> None:
        """
        The CANCEL is too late: 200 to it, and the call goes on.
        """
        branch = "z9hG4bK-[call_number]-[pid]"
        manifest = await self.played(
            scenario(
                invite(branch=branch),
                OK,
                send("CANCEL", 1, inDialog=False, branch=branch),
                recv(200),
                send("ACK", 1),
                END,
            )
        )
        self.assertEqual(manifest["endReason"], "bye")

    async def test_D4_timer_peerRefreshes(self) -> None:
        """
        The peer refreshes the session, by re-INVITE and by UPDATE.
        """
        await self.played(
            scenario(
                invite(headers=TIMER.format("uac")),
                recv(100, optional=True),
                recv(200, check="Session-Expires: 90;refresher=uac"),
                send("ACK", 1),
                send("INVITE", 2, headers=TIMER.format("uac"), body=offer()),
                recv(100, optional=True),
                recv(200, check="Session-Expires: 90"),
                send("ACK", 2),
                send("UPDATE", 3, headers=TIMER.format("uac")),
                recv(200, check="Require: timer"),
                END,
            )
        )

    async def test_D4_timer_recorderRefreshes(self) -> None:
        """
        Where the peer asks for it, the recorder refreshes the session at half
        of its time.
        """
        await self.played(
            scenario(
                invite(headers=TIMER.format("uas") + "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\n"),
                recv(100, optional=True),
                recv(200, check="Session-Expires: 90;refresher=uas"),
                send("ACK", 1),
                recvRequest("UPDATE", check="Session-Expires: 90;refresher=uac"),
                answer(TIMER.format("uac")),
                END,
            )
        )

    async def test_D2_tcpFragments(self) -> None:
        """
        An INVITE over TCP in pieces of a few bytes.
        """
        await self.node.start()
        client = Pieces()
        endpoint = TCP4ClientEndpoint(reactor, HOST, self.node.sip)
        await endpoint.connect(Factory.forProtocol(lambda: client))
        body = describe(HOST, [OfferedStream("1", 6000)], 1, 1).serialize()
        text = (
            f"INVITE sip:srs@{HOST} SIP/2.0\r\nVia: SIP/2.0/TCP {HOST};branch=z9hG4bKpieces\r\n"
            f"From: <sip:a@{HOST}>;tag=a\r\nTo: <sip:srs@{HOST}>\r\nCall-ID: pieces\r\n"
            f"CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@{HOST}>;+sip.src\r\n"
            "Require: siprec\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        message = text.encode() + body
        for start in range(0, len(message), 5):
            client.write(message[start : start + 5])
            await wait(0.001)
        await eventually("the answer", lambda: b"SIP/2.0 200" in client.received)
        client.close()

    async def test_load(self) -> None:
        """
        Many calls a second, 300 for 20 seconds where that is asked for: every message
        that comes is the one awaited, and each call is a recording.
        """
        rate, seconds = (300, 20) if os.environ.get(LONG) == "1" else (30, 5)
        count = rate * seconds
        sipp = await self.play(
            scenario(invite(), OK, send("ACK", 1), pause(200), END),
            *("-r", str(rate), "-m", str(count), "-l", "3000", "-timeout", "120"),
        )
        self.assertEqual(await sipp.ended(150), 0, sipp.output[-3000:] + self.errors())
        # By the metrics: reading thousands of manifests again and again would take the
        # node's time, and no more than 2,000 are listed.
        while await self.node.metric("siprec_sessions"):
            await wait(0.5)
        self.assertEqual(await self.node.metric(COMPLETE), count)
        reasons = {each["endReason"] for each in self.node.recordings()}
        self.assertEqual(reasons, {"bye"})
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    test_load.timeout = 300  # type: ignore[attr-defined]


class Pieces(Protocol):
    """
    Sends what it is given at once.

    @ivar received: all that came back.
    """

    received = b""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]

    def write(self, data: bytes) -> None:
        """
        Send a piece.
        """
        assert self.transport is not None
        self.transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def close(self) -> None:
        """
        Close the connection.
        """
        assert self.transport is not None
        self.transport.loseConnection()

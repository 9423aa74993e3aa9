"""
RTCP from a node to real senders.
"""

from __future__ import annotations

import json
import os
import struct
from collections import Counter
from itertools import pairwise
from typing import cast

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults

from siprec.media.libsrtp import CryptoSession
from siprec.sdp.crypto import ownLines
from siprec.sdp.parse import parseSDP
from siprec.session.manifest import Manifest
from siprec.testing.call import RecordingCall
from siprec.testing.leg import Leg
from siprec.testing.offer import makeMetadata
from siprec.testing.rtp import MediaSockets, Plan
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from siprec.trace.pcap import PcapWriter
from siprec.trace.wire import TracedMessage
from tests.functional.clustercase import ClusterCase
from tests.functional.node import HOST, Program, configuredNode, pause, reactor
from tests.functional.test_clients import _ClientTestCase
from tests.functional.test_srtp import SecureCase, begin, prepare
from tests.programs import require, requireModule

SUITE = "AES_CM_128_HMAC_SHA1_80"
CONFIG = "[media]\nrtcp_interval = 1\n"

# What tshark tells of a packet: of a report with one block each of these has one value.
_FIELDS = ("senderssrc", "ssrc.identifier", "ssrc.fraction", "ssrc.cum_nr", "ssrc.high_seq")
_MORE = ("ssrc.high_cycles", "ssrc.jitter", "ssrc.lsr", "ssrc.dlsr", "pt", "sdes.text")


@frozen
class Heard:
    """
    A packet that a sender got.
    """

    time: float
    source: tuple[str, int]
    data: bytes


def heard(leg: Leg, shared: bool = False) -> list[Heard]:
    """
    @param shared: at the port of RTP.
    @return: all that has come to its RTCP port.
    """
    sockets = cast(MediaSockets, leg._sockets)
    found: list[Heard] = []
    while True:
        try:
            data, source = (sockets.rtp if shared else sockets.rtcp).recvfrom(2048)
        except BlockingIOError:
            return found
        found.append(Heard(reactor.seconds(), source, data))


async def collected(legs: list[Leg], seconds: float) -> list[list[Heard]]:
    """
    @return: what comes to each within that time.
    """
    found: list[list[Heard]] = [[] for _ in legs]
    end = reactor.seconds() + seconds
    while reactor.seconds() < end:
        for leg, packets in zip(legs, found, strict=True):
            packets += heard(leg)
        await pause(0.02)
    return found


class ReportCase(SecureCase):
    """
    One node, which reports every second.
    """

    def setUp(self) -> None:
        self.node = configuredNode(self, "34000-34999", CONFIG)

    async def dissected(self, packets: list[Heard]) -> list[dict[str, str]]:
        """
        @return: what tshark makes of them.
        """
        require("tshark")
        file, writer = os.path.abspath(self.mktemp()), PcapWriter()
        with open(file, "wb") as pcap:
            pcap.write(writer.head())
            for each in packets:
                ends = (HOST, 40001), each.source
                pcap.write(
                    writer.packets(TracedMessage(each.time, False, "UDP", *ends, 0, each.data))
                )
        names = [f"rtcp.{each}" for each in (*_FIELDS, *_MORE)] + ["_ws.malformed"]
        program = Program.start(
            *("tshark", "-r", file, "-d", f"udp.port=={packets[0].source[1]},rtcp"),
            *("-T", "fields", "-E", "separator=;"),
            *(word for name in names for word in ("-e", name)),
        )
        self.addCleanup(program.kill)
        self.assertEqual(await program.ended(), 0, program.output)
        lines = [each for each in program.output.splitlines() if each.count(";") == len(names) - 1]
        return [dict(zip(names, line.split(";"), strict=True)) for line in lines]


class PlainTests(ReportCase):
    """
    A peer of plain sockets; tshark reads what it gets.
    """

    async def test_E7_reports(self) -> None:
        """
        Loss, highest sequence number, jitter and the last sender report are what the sender
        knows to be so; the packets are well formed, and come from the RTCP port of the
        recorder about once a second; the last one is a BYE.
        """
        client = await self.client()
        call = client.call(1)
        await begin(call)
        leg = call.legs[0]
        playing = call.play([encodeG711(ANN.speak(6.0), Law.MU)], Plan(loss=0.2, seed=3))
        reactor.callLater(1.0, leg.report, reactor.seconds())
        (packets,) = await collected(call.legs, 6.5)
        await playing
        # The next one tells of all that has come.
        (more,) = await collected(call.legs, 2.0)
        packets += more
        await call.bye()
        await pause(0.2)
        last = heard(leg)
        [manifest] = await self.node.finished()
        stream = manifest["streams"][0]
        assert leg.remoteControl is not None
        self.assertEqual({each.source for each in packets}, {leg.remoteControl})
        steps = [after.time - before.time for before, after in pairwise(packets)]
        self.assertTrue(all(0.4 < each < 1.35 for each in steps), steps)
        found = await self.dissected([*packets, *last])
        self.assertEqual(len(found), len(packets) + 1)
        self.assertEqual({each["_ws.malformed"] for each in found}, {""})
        self.assertEqual({each["rtcp.pt"] for each in found[:-1]}, {"201,202"})
        self.assertEqual(found[-1]["rtcp.pt"], "201,202,203")
        self.assertEqual(len({each["rtcp.sdes.text"] for each in found}), 1)
        blocks = [each for each in found if each["rtcp.ssrc.lsr"]]
        final = blocks[-1]
        # Behind it is our own, of the SDES.
        source = final["rtcp.ssrc.identifier"].partition(",")[0]
        self.assertEqual(int(source, 16), leg.ssrc)
        highest = struct.unpack_from(">H", leg.sent[-1].data, 2)[0]
        self.assertEqual(int(final["rtcp.ssrc.high_seq"]), highest)
        first = struct.unpack_from(">H", leg.sent[0].data, 2)[0]
        lost = ((highest - first) & 0xFFFF) + 1 - len(leg.sent)
        # Probation costs the first packet, as the RFC has it.
        self.assertIn(lost - int(final["rtcp.ssrc.cum_nr"]), (0, 1, 2))
        self.assertEqual(stream["packets"], len(leg.sent))
        # Of the packets of each second a fifth is lost, give or take.
        fractions = [int(each["rtcp.ssrc.fraction"]) / 256 for each in blocks]
        self.assertApproximates(sum(fractions) / len(fractions), 0.2, 0.08)
        # In samples: it comes over the loopback interface, from a busy test.
        self.assertLess(int(final["rtcp.ssrc.jitter"]), 80)
        reported = [each for each in blocks if int(each["rtcp.ssrc.lsr"])]
        self.assertGreater(len(reported), 2)
        for each in reported:
            self.assertLess(int(each["rtcp.ssrc.dlsr"]) / 65536, 7)
        self.assertEqual(await self.node.metric('siprec_media_reports_total{kind="goodbyes"}'), 1)
        self.assertEqual(await self.node.metric('siprec_media_reports_total{kind="failed"}'), 0)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_E7_keepalive(self) -> None:
        """
        Where nothing comes in, reports without blocks are sent, on an inactive line too.
        """
        client = await self.client()
        call = client.call(2)
        call.legs[1].direction = "inactive"
        await begin(call)
        for packets in await collected(call.legs, 4.0):
            self.assertGreater(len(packets), 1)
            self.assertEqual({each.data[:4] for each in packets}, {bytes.fromhex("80c90001")})
        await call.bye()

    async def test_E8_protected(self) -> None:
        """
        On a protected stream it is SRTCP by the key of the recorder's answer, and no index
        comes twice.
        """
        client = await self.client()
        call, _ = prepare(client, SUITE)
        await begin(call)
        playing = call.play([encodeG711(ANN.speak(4.0), Law.MU)])
        (packets,) = await collected(call.legs, 4.0)
        await playing
        (ours,) = ownLines(parseSDP(call.responses[0].body).media[0])
        await call.bye()
        await pause(0.2)
        packets += heard(call.legs[0])
        peer = CryptoSession(SUITE, ours.local)
        opened = [peer.open(each.data, control=True) for each in packets]
        self.assertEqual({status for status, _ in opened}, {0})
        self.assertEqual(opened[-1][1][-8:-4].hex(), "81cb0001")
        reported = [data for _, data in opened if data[0] == 0x81]
        self.assertEqual({data[8:12] for data in reported}, {struct.pack(">I", call.legs[0].ssrc)})
        self.assertGreater(len(reported), 1)

    async def test_E7_nobodyThere(self) -> None:
        """
        A peer that has closed its ports does not disturb what comes in.
        """
        client = await self.client()
        call = client.call(1)
        await begin(call)
        cast(MediaSockets, call.legs[0]._sockets).rtcp.close()
        await call.play([encodeG711(ANN.speak(5.0), Law.MU)])
        self.assertGreater(await self.node.metric('siprec_media_reports_total{kind="reports"}'), 2)
        await call.bye()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
        self.assertEqual(manifest["streams"][0]["packets"], 250)


class PjsipTests(_ClientTestCase):
    """
    PJSIP's own statistics of what it has sent.
    """

    def setUp(self) -> None:
        requireModule("pjsua2")
        super().setUp()
        with open(f"{self.root}/metadata.xml", "wb") as file:
            file.write(makeMetadata(["Ann", "Bob"], ["96", "97"]))
        with open(f"{self.root}/siprec.toml", "w", encoding="ascii") as file:
            file.write(CONFIG)
        self.node.options = ("--config", f"{self.root}/siprec.toml")

    async def reported(self, *options: str) -> tuple[Manifest, list[dict[str, float]]]:
        """
        @return: the manifest of a call of 9 s, and what PJSIP knows of each stream from our
            reports.
        """
        await self.node.start()
        uri = f"sip:srs@{HOST}:PORT"
        program = self.program("pjsipclient", uri, "9", "metadata.xml", *options)
        self.assertEqual(await program.ended(60), 0, program.output)
        [manifest] = await self.node.finished()
        lines = [each for each in program.output.splitlines() if each.startswith("statistics ")]
        return manifest, [json.loads(each.partition(" ")[2]) for each in lines]

    async def check(self, *options: str, loss: float = 0.0) -> None:
        """
        Assert that PJSIP has had reports with the loss that there was, a small jitter and a
        small round trip.
        """
        manifest, found = await self.reported(*options)
        self.assertEqual(len(found), 2)
        for stream, facts in zip(manifest["streams"], found, strict=True):
            self.assertGreater(facts["reports"], 3)
            self.assertApproximates(facts["lost"] / facts["sent"], loss, 0.08)
            # The last report is up to 1.3 s older than the last packet.
            self.assertLessEqual(facts["lost"], stream["lost"] + 1)
            self.assertApproximates(facts["lost"], stream["lost"], 2 + 80 * loss)
            self.assertLess(facts["jitter"], 15_000)
            self.assertGreater(facts["roundTrips"], 0)
            self.assertLess(facts["roundTrip"], 300_000)

    async def test_E7_reports(self) -> None:
        """
        Of a call without loss.
        """
        await self.check()

    async def test_E7_loss(self) -> None:
        """
        Of a call that loses a fifth of its packets.
        """
        await self.check("drop=20", loss=0.2)

    async def test_E8_protected(self) -> None:
        """
        It takes SRTCP by our own key.
        """
        await self.check(SUITE)


class TakeoverTests(ClusterCase):
    """
    Two nodes, one of which dies.
    """

    firstPort = 53000

    async def begun(self) -> tuple[RecordingCall, list[Heard], Deferred[object], bytes]:
        """
        @return: a protected call at the first of two nodes, the reports of 3 s, what plays
            for 12 s, and our key.
        """
        await self.begin(2, config=CONFIG)
        call, _ = prepare(self.clients[0], SUITE)
        await begin(call)
        playing = gatherResults([call.play([encodeG711(ANN.speak(12.0), Law.MU)])])
        (packets,) = await collected(call.legs, 3.0)
        (ours,) = ownLines(parseSDP(call.responses[0].body).media[0])
        return call, packets, cast("Deferred[object]", playing), ours.local

    async def test_E7_takeover(self) -> None:
        """
        The node that takes the call over goes on with the reports, under the same name and
        as another source; so no index of SRTCP comes twice for one source.
        """
        call, before, playing, key = await self.begun()
        await self.nodes[0].kill()
        (after,) = await collected(call.legs, 8.0)
        await playing
        self.assertEqual((await call.bye()).status, 200)
        await self.finished(1)
        peer = CryptoSession(SUITE, key)
        opened = [peer.open(each.data, control=True) for each in (*before, *after)]
        self.assertEqual({status for status, _ in opened}, {0})
        names = {data[data.index(b"\x01\x10") :][2:18] for _, data in opened}
        self.assertEqual(len(names), 1)
        sources = [{each.data[4:8] for each in packets} for packets in (before, after)]
        self.assertEqual([len(each) for each in sources], [1, 1])
        self.assertNotEqual(*sources)
        used = Counter(each.data[4:8] + each.data[-14:-10] for each in (*before, *after))
        self.assertEqual(set(used.values()), {1})

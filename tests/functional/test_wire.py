"""
What the network and hostile peers do to a real node.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, eventually, pause, reactor
from tests.functional.wire import METADATA, Wire, multipart

_ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 30))
_BOMB = f'<!DOCTYPE r [<!ENTITY e0 "lol">{_ENTITIES}]><recording>&e29;</recording>'
_FILE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><recording>&x;</recording>'


class WireTests(TestCase):
    """
    Datagrams by hand.
    """

    async def open(self) -> None:
        """
        Start a node and a socket to it.
        """
        self.node = NodeProcess(os.path.abspath(self.mktemp()), rtp="32000-32999")
        self.addCleanup(self.node.kill)
        await self.node.start()
        self.wire = Wire(self.node.sip)
        self.wire.open()
        self.addCleanup(self.wire.close)

    async def test_D1_lostAnswer(self) -> None:
        """
        The 200 is sent again after T1, 2*T1 and so on until the ACK (RFC 3261
        section 13.3.1.4), and an INVITE that is sent again meanwhile is
        answered by its transaction: there is one recording.
        """
        await self.open()
        wire = self.wire
        invite = wire.request("INVITE", "lost", body=multipart())
        wire.send(invite)
        await wire.answer("lost", "INVITE", 200)
        wire.send(invite)
        copies = await eventually(
            "two repetitions of the 200",
            lambda: found if len(found := wire.responses("lost", "INVITE", 200)) == 3 else None,
        )
        times = [time - copies[0][0] for time, _ in copies]
        self.assertApproximates(times[1], 0.5, 0.2)
        self.assertApproximates(times[2], 1.5, 0.3)
        self.assertEqual(len({response.serialize() for _, response in copies}), 1)
        tag = copies[0][1].toTag
        wire.send(wire.request("ACK", "lost", toTag=tag, branch="z9hG4bKack"))
        await pause(2.5)
        self.assertEqual(len(wire.responses("lost", "INVITE", 200)), 3)
        await wire.hangUp("lost", tag)
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")

    async def test_A38_hostileMetadata(self) -> None:
        """
        A document with a DTD, an entity bomb, 10,000 levels, or more than is
        read, does not keep the call from being recorded; it is kept byte for
        byte and said to be wrong.
        """
        await self.open()
        client = RecordingClient(reactor, "TCP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        bystander = await client.invite()
        audio = encodeG711(ANN.speak(4.0), Law.MU)
        playing = bystander.play([audio, audio])
        documents = [
            _FILE.encode(),
            _BOMB.encode(),
            b"<recording>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</recording>",
            METADATA.encode().replace(b"</recording>", b"<x>" + b"y" * 900_000 + b"</x>" * 9),
            b"\x00\xff\xfe not XML at all",
            b"",
        ]
        for document in documents:
            call = await client.invite(metadata=document)
            await call.bye()
        await playing
        await bystander.bye()
        manifests = await self.node.finished(len(documents) + 1)
        kept = {}
        for manifest in manifests:
            self.assertEqual(manifest["state"], "complete")
            for entry in manifest["metadata"]:
                day = manifest["startTime"][:10].replace("-", "/")
                path = f"{self.node.root}/{day}/{manifest['id']}/{entry['file']}"
                with open(path, "rb") as file:
                    kept[file.read()] = entry["status"]
        for document in documents[:3]:
            self.assertEqual(kept[document], "error", document[:60])
        self.assertNotIn("root:", str(manifests))
        [whole] = [each for each in manifests if each["streams"][0]["packets"]]
        self.assertEqual([each["lost"] for each in whole["streams"]], [0, 0])
        self.assertEqual([each["packets"] for each in whole["streams"]], [200, 200])
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_D2_tooLong(self) -> None:
        """
        A body above the limit of 1 MiB is refused over TCP, the connection is
        closed, and the node goes on.
        """
        await self.open()
        client = RecordingClient(reactor, "TCP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = client.call()
        response = await call.invite(b"<recording>" + b"x" * (1 << 20) + b"</recording>")
        self.assertEqual(response.status, 413)
        call.close()
        # Until the end of the connection has reached the client too.
        await pause(0.5)
        again = await client.invite()
        await again.bye()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")

    async def test_F_everyPrefix(self) -> None:
        """
        Every prefix of a good INVITE is answered or ignored; the node lives,
        and a call that runs meanwhile goes on.
        """
        await self.open()
        wire = self.wire
        invite = wire.request("INVITE", "prefix", body=multipart())
        for end in range(len(invite)):
            wire.send(invite[:end])
            if end % 50 == 0:
                await pause(0.01)
        wire.send(wire.request("OPTIONS", "alive"))
        self.assertEqual((await wire.answer("alive", "OPTIONS")).status, 200)
        accepted = wire.responses("prefix", "INVITE", 200)
        self.assertEqual(accepted, [], "a part of an INVITE was taken for the whole")
        wire.send(wire.request("INVITE", "whole", body=multipart()))
        response = await wire.answer("whole", "INVITE", 200)
        wire.send(wire.request("ACK", "whole", toTag=response.toTag, branch="z9hG4bKa"))
        await wire.hangUp("whole", response.toTag)
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_J7_cancelled(self) -> None:
        """
        A session without a packet is a recording of length 0 that says so.
        """
        await self.open()
        wire = self.wire
        wire.send(wire.request("INVITE", "early", body=multipart()))
        response = await wire.answer("early", "INVITE", 200)
        branch = "z9hG4bKearly1"
        wire.send(wire.request("CANCEL", "early", branch=branch))
        self.assertEqual((await wire.answer("early", "CANCEL")).status, 200)
        wire.send(wire.request("ACK", "early", toTag=response.toTag, branch="z9hG4bKa"))
        await wire.hangUp("early", response.toTag)
        [manifest] = await self.node.finished()
        self.assertEqual((manifest["state"], manifest["duration"]), ("complete", 0.0))
        self.assertEqual([each["packets"] for each in manifest["streams"]], [0, 0])

"""
A node that is killed between what it promises and what the peer has of that,
and started again: the peer's copies are answered as if nothing had happened.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from siprec.session.model import CallSnapshot
from siprec.sip.framing import StreamFramer
from siprec.sip.message import Response
from siprec.store.codec import decode
from tests.functional.node import HOST, NodeProcess, eventually, pause, reactor
from tests.functional.redisserver import Server, startServer
from tests.functional.storerelay import StoreRelay
from tests.functional.wire import SDP, Wire, multipart

HELD = SDP.replace("o=src 1 1", "o=src 1 2").replace("a=sendonly", "a=inactive", 1)


class Connection(Protocol):
    """
    A TCP connection to the node, from nowhere that could be called back.
    """

    transport: Any

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.framer = StreamFramer()

    def dataReceived(self, data: bytes) -> None:
        """
        Some bytes came.
        """
        for message in self.framer.feed(data):
            if isinstance(message, Response):
                self.wire.received.append((reactor.seconds(), message))

    def send(self, request: bytes) -> None:
        """
        Send a request.
        """
        self.transport.write(request.replace(b"Via: SIP/2.0/UDP", b"Via: SIP/2.0/TCP"))


class AnswersTests(TestCase):
    """
    A node with its state in Redis, and SIP by hand.
    """

    ports = "33600-33799"
    # It looks for no former session: of an INVITE the first that it asks the store is to
    # be the save.
    config = "[cluster]\nstitch_window = 0\n"

    def options(self) -> tuple[str, ...]:
        """
        @return: of the node that is caught.
        """
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write(self.config)
        return "--config", path, "--store", self.relay.url

    async def begin(self) -> Wire:
        """
        Start everything.
        """
        self.server: Server = startServer(self, "redis")
        self.relay = StoreRelay(self.server.port)
        self.addCleanup(self.relay.close)
        self.node = NodeProcess(
            os.path.abspath(self.mktemp()), rtp=self.ports, options=self.options()
        )
        self.addCleanup(self.node.kill)
        await self.node.start()
        wire = Wire(self.node.sip)
        wire.open()
        self.addCleanup(wire.close)
        return wire

    def snapshot(self) -> CallSnapshot | None:
        """
        @return: the only call that the store knows.
        """
        with self.server.client() as client:
            keys: Any = client.keys("{siprec}:session:*")  # the test's own look
            blobs: list[Any] = [client.hget(each, "blob") for each in keys]
        found = [decode(blob).snapshot for blob in blobs if blob is not None]
        return found[0] if found else None

    async def died(self) -> None:
        """
        Kill the node, and start it again.
        """
        await self.node.kill()
        self.relay.holding = False
        await self.node.start()

    def promised(self, method: str, number: int) -> bytes | None:
        """
        @return: the final response that the store knows of a request.
        """
        snapshot = self.snapshot()
        finals = () if snapshot is None else snapshot.dialog.finals
        found = [each for each in finals if (each.method, each.cseq) == (method, number)]
        return found[0].response if found else None

    async def caught(self, wire: Wire, request: bytes, method: str, number: int) -> bytes:
        """
        Kill the node when it has saved its answer to a request, and not given
        it, and start it again.

        @return: the answer.
        """
        before = len(wire.received)
        self.relay.holding = True
        wire.send(request)
        answer = await eventually(
            "the answer in the store", lambda: self.promised(method, number), interval=0.01
        )
        # Another node may give it as soon as this one is dead.
        finals = [each for _, each in wire.received[before:] if each.status >= 200]
        self.assertEqual(finals, [])
        await self.died()
        return answer

    async def copies(self, wire: Wire, method: str, number: int, count: int) -> list[bytes]:
        """
        @return: all final responses to a request, once there are so many.
        """

        def look() -> list[bytes] | None:
            found = [
                each.serialize()
                for _, each in wire.responses("one", method)
                if each.cseq.number == number
            ]
            return found if len(found) >= count else None

        return await eventually(f"{count} responses to {method}", look)

    async def established(self, wire: Wire) -> tuple[str | None, bytes]:
        """
        @return: the recorder's tag, and the INVITE of an established call.
        """
        invite = wire.request("INVITE", "one", body=multipart())
        wire.send(invite)
        tag = (await wire.answer("one", "INVITE", 200)).toTag
        wire.send(wire.request("ACK", "one", toTag=tag, branch="z9hG4bKack"))

        def acknowledged() -> bool:
            snapshot = self.snapshot()
            return snapshot is not None and snapshot.dialog.confirmed

        await eventually("the ACK in the store", acknowledged)
        return tag, invite

    async def ended(self, wire: Wire, tag: str | None, number: int) -> None:
        """
        End the call, and see that it was one recording.
        """
        await wire.hangUp("one", tag, number)
        [manifest] = await self.node.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual(len(manifest["segments"]), 2)
        await eventually("an empty store", lambda: self.snapshot() is None)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_beforeThe200(self) -> None:
        """
        Killed when the 200 was saved and not sent: it comes all the same, to
        the byte, until the ACK, and the INVITE that comes again is no other
        call.
        """
        wire = await self.begin()
        invite = wire.request("INVITE", "one", body=multipart())
        answer = await self.caught(wire, invite, "INVITE", 1)
        wire.send(invite)
        found = await self.copies(wire, "INVITE", 1, 3)
        self.assertEqual(set(found), {answer})
        tag = wire.responses("one", "INVITE", 200)[0][1].toTag
        wire.send(wire.request("ACK", "one", toTag=tag, branch="z9hG4bKack"))
        await pause(2.5)
        count = len(wire.responses("one", "INVITE"))
        wire.send(invite)
        await pause(2.5)
        self.assertEqual(len(wire.responses("one", "INVITE")), count)
        await self.ended(wire, tag, 2)

    async def test_beforeTheACK(self) -> None:
        """
        Killed when the 200 was sent and not acknowledged: it is repeated, to
        the byte, until the ACK.
        """
        wire = await self.begin()
        invite = wire.request("INVITE", "one", body=multipart())
        wire.send(invite)
        first = await wire.answer("one", "INVITE", 200)
        await self.node.kill()
        before = len(wire.responses("one", "INVITE"))
        await self.node.start()
        wire.send(invite)
        found = await self.copies(wire, "INVITE", 1, before + 2)
        self.assertEqual(set(found), {first.serialize()})
        wire.send(wire.request("ACK", "one", toTag=first.toTag, branch="z9hG4bKack"))
        await self.ended(wire, first.toTag, 2)

    async def test_reinvite(self) -> None:
        """
        Killed when the 200 to a re-INVITE was saved and not sent: the copy of
        the re-INVITE gets it, and holds the stream once.
        """
        wire = await self.begin()
        tag, _ = await self.established(wire)
        reinvite = wire.request("INVITE", "one", 2, toTag=tag, body=multipart(sdp=HELD))
        answer = await self.caught(wire, reinvite, "INVITE", 2)
        wire.send(reinvite)
        self.assertEqual(set(await self.copies(wire, "INVITE", 2, 2)), {answer})
        wire.send(wire.request("ACK", "one", 2, toTag=tag, branch="z9hG4bKack2"))
        await self.ended(wire, tag, 3)
        [manifest] = self.node.recordings()
        kinds = [each["type"] for each in manifest["events"]]
        self.assertEqual(kinds.count("streamPaused"), 1)
        self.assertEqual(len(manifest["metadata"]), 2)

    async def test_told100(self) -> None:
        """
        Killed when a first INVITE was told 100 and its recording was being begun: it gets
        500 with Retry-After, unasked, until its ACK.  What was begun is finished, and the
        client that asks again is recorded.
        """
        # It looks for a former session, and waits for that.
        self.config = "[cluster]\nstitch_window = 1\n"
        wire = await self.begin()
        invite = wire.request("INVITE", "one", body=multipart())
        self.relay.holding = True
        wire.send(invite)
        await pause(0.5)
        while not self.promised("INVITE", 1):
            self.relay.letPass()
            await pause(0.1)
        await wire.answer("one", "INVITE", 100)
        self.assertEqual(wire.responses("one", "INVITE"), [])
        await self.died()
        refused = await wire.answer("one", "INVITE", 500)
        self.assertTrue(0 <= int(refused.headers.get("Retry-After") or -1) <= 10)
        branch = refused.via.branch
        wire.send(wire.request("ACK", "one", toTag=refused.toTag, branch=branch))
        [manifest] = await self.node.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "nodeDied"))
        count = len(wire.responses("one", "INVITE", 500))
        wire.send(wire.request("INVITE", "one", 2, body=multipart()))
        tag = (await wire.answer("one", "INVITE", 200)).toTag
        wire.send(wire.request("ACK", "one", 2, toTag=tag, branch="z9hG4bKack"))
        await wire.hangUp("one", tag, 3)
        manifests = await self.node.finished(2)
        found = sorted(each["endReason"] for each in manifests)
        self.assertEqual(found, ["bye", "nodeDied"])
        self.assertEqual(len(wire.responses("one", "INVITE", 500)), count)
        await eventually("an empty store", lambda: self.snapshot() is None)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_reinviteNotSaved(self) -> None:
        """
        Killed when a re-INVITE waits for its turn, of which the store knows nothing: it
        was not told 100, so its copies come, and are taken.
        """
        wire = await self.begin()
        tag, _ = await self.established(wire)
        update = wire.request("UPDATE", "one", 2, toTag=tag)
        reinvite = wire.request("INVITE", "one", 3, toTag=tag, body=multipart(sdp=HELD))
        self.relay.holding = True
        wire.send(update)
        wire.send(reinvite)
        await eventually("the UPDATE in the store", lambda: self.promised("UPDATE", 2))
        await pause(1.0)
        trying = [each.cseq.number for _, each in wire.responses("one", "INVITE", 100)]
        self.assertNotIn(3, trying)
        await self.died()
        wire.send(reinvite)
        await self.copies(wire, "INVITE", 3, 1)
        wire.send(wire.request("ACK", "one", 3, toTag=tag, branch="z9hG4bKack2"))
        await self.ended(wire, tag, 4)
        [manifest] = self.node.recordings()
        kinds = [each["type"] for each in manifest["events"]]
        self.assertEqual(kinds.count("streamPaused"), 1)

    async def byeAgain(self, wire: Wire, bye: bytes, answer: bytes) -> None:
        """
        Send a BYE again: it gets the same 200, and the recording is finished
        once.
        """
        before = len(wire.responses("one", "BYE"))
        for count in (1, 2):
            wire.send(bye)
            found = await self.copies(wire, "BYE", 2, before + count)
            self.assertEqual(set(found), {answer})
        [manifest] = await self.node.finished()
        # Its last packets may have died with the process.
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "bye"))
        kinds = [each["type"] for each in manifest["events"]]
        self.assertEqual((kinds.count("bye"), kinds.count("recovered")), (1, 1))
        self.assertEqual(len(manifest["segments"]), 1)
        self.assertEqual(await self.node.metric('siprec_renders_total{result="ok"}'), 1)
        await eventually("an empty store", lambda: self.snapshot() is None)

    async def test_bye(self) -> None:
        """
        Killed when a BYE had its 200: the BYE that comes again gets it, too,
        and not 481.
        """
        wire = await self.begin()
        tag, invite = await self.established(wire)
        bye = wire.request("BYE", "one", 2, toTag=tag)
        wire.send(bye)
        answer = await wire.answer("one", "BYE", 200)
        await self.node.kill()
        await self.node.start()
        wire.send(invite)
        await self.byeAgain(wire, bye, answer.serialize())
        self.assertEqual(len(wire.responses("one", "INVITE")), 1)

    async def test_byeNotAnswered(self) -> None:
        """
        Killed when the 200 to a BYE was saved and not sent.
        """
        wire = await self.begin()
        tag, _ = await self.established(wire)
        bye = wire.request("BYE", "one", 2, toTag=tag)
        answer = await self.caught(wire, bye, "BYE", 2)
        await self.byeAgain(wire, bye, answer)

    async def test_D2_newConnection(self) -> None:
        """
        A connection dies with the process.  What was asked on it is answered
        on the one that the copy comes by, to the byte.
        """
        wire = await self.begin()
        first = await self.connected(wire)
        first.send(wire.request("INVITE", "one", body=multipart()))
        tag = (await wire.answer("one", "INVITE", 200)).toTag
        first.send(wire.request("ACK", "one", toTag=tag, branch="z9hG4bKack"))
        update = wire.request("UPDATE", "one", 2, toTag=tag, body=multipart(sdp=HELD))
        first.send(update)
        answer = await wire.answer("one", "UPDATE", 200)
        await self.node.kill()
        await self.node.start()
        second = await self.connected(wire)
        second.send(update)
        found = await self.copies(wire, "UPDATE", 2, 2)
        self.assertEqual(set(found), {answer.serialize()})
        second.send(wire.request("BYE", "one", 3, toTag=tag))
        await wire.answer("one", "BYE", 200)
        [manifest] = await self.node.finished()
        kinds = [each["type"] for each in manifest["events"]]
        self.assertEqual(kinds.count("streamPaused"), 1)

    async def connected(self, wire: Wire) -> Connection:
        """
        @return: a new connection to the node; what comes by it is with the
            rest.
        """
        endpoint = TCP4ClientEndpoint(reactor, HOST, self.node.sip)
        connection: Connection = await connectProtocol(endpoint, Connection(wire))
        self.addCleanup(connection.transport.loseConnection)
        return connection

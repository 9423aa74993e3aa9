"""
C{siprec trace}, run against a real node, and its files read by tshark.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from siprec.sip.tls import SipTLS, TLSFiles
from siprec.testing.client import RecordingClient
from siprec.trace.command import connect
from siprec.trace.place import SocketPlace
from siprec.trace.wire import Query, parseLine
from tests.functional.node import (
    HOST,
    NodeProcess,
    Program,
    eventually,
    freePort,
    reactor,
)
from tests.functional.peers import DatagramPeer, options
from tests.functional.src import longMetadata
from tests.programs import require
from tests.sip.authority import Authority, alternatives

_CREDENTIALS = (
    'Digest username="ann", realm="siprec", nonce="n1", uri="sip:srs@127.0.0.1", '
    'response="5ec2e7", cnonce="c0ffee"'
)
_KEYS = (
    b"v=0\r\nk=base64:a2V5\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19z|2^20\r\n"
    b"a=key-mgmt:mikey AQAFgM\r\n"
)
_SECRETS = ("5ec2e7", "c0ffee", "YW5uOnB3", "a2V5", "WVNfX19z", "AQAFgM")


class TraceCase(TestCase):
    """
    A node, and the command.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root)

    async def start(self, toml: str = "", *more: str) -> None:
        """
        Start the node.
        """
        with open(f"{self.root}/siprec.toml", "w") as file:
            file.write(toml)
        self.node = NodeProcess(
            f"{self.root}/recordings",
            rtp="34000-34999",
            options=("--config", f"{self.root}/siprec.toml", *more),
        )
        self.addCleanup(self.node.kill)
        await self.node.start()

    @property
    def socket(self) -> str:
        """
        The path of the node's socket.
        """
        return f"{self.root}/recordings/.running/functional.trace"

    def trace(self, *arguments: str) -> Program:
        """
        @return: the command, which runs.
        """
        program = Program.start(
            *(sys.executable, "-m", "siprec.cli", "trace", "--node-id", "functional"),
            *("--recordings", f"{self.root}/recordings", *arguments),
        )
        self.addCleanup(program.kill)
        return program

    async def traced(self, *arguments: str, status: int = 0) -> str:
        """
        @return: what it has printed once it has ended.
        """
        program = self.trace(*arguments)
        self.assertEqual(await program.ended(), status, program.output)
        return program.output

    async def client(self, transport: str, port: int, tls: SipTLS | None = None) -> RecordingClient:
        """
        @return: a client of the node.
        """
        client = RecordingClient(reactor, transport, HOST, port, HOST, tls=tls)
        await client.start()
        self.addCleanup(client.stop)
        return client

    async def call(self, client: RecordingClient, metadata: bytes) -> str:
        """
        @return: the Call-ID of a call that is over.
        """
        call = await client.invite(metadata=metadata)
        self.assertEqual((await call.bye()).status, 200)
        return call.callID

    async def tshark(self, file: str, *arguments: str) -> list[str]:
        """
        @return: the lines that tshark prints of a file.
        """
        require("tshark")
        program = Program.start("tshark", "-r", file, *arguments)
        self.addCleanup(program.kill)
        self.assertEqual(await program.ended(), 0, program.output)
        # As root it says first that this is dangerous.
        return [
            each for each in program.output.splitlines() if not each.startswith("Running as user")
        ]


class FileTests(TraceCase):
    """
    What is written down of calls.
    """

    async def test_transports(self) -> None:
        """
        Calls over UDP, TCP and TLS, one of them with a message of more than a packet, are
        all shown as ladders; tshark finds each message in the file, with right checksums.
        """
        authority = Authority(Path(self.root))
        authority.issue("srs.pem", alternatives(addresses=[HOST]))
        secure = freePort()
        await self.start(
            f'[sip]\ntls_certificate = "{self.root}/srs.pem"\n',
            *("--sip", f"ssl:{secure}:interface={HOST}"),
        )
        own = authority.issue("src.pem", alternatives(uris=["sip:src.example.com"]))
        tls = SipTLS(TLSFiles(own, "", authority.path))
        clients = [
            await self.client("UDP", self.node.sip),
            await self.client("TCP", self.node.sip),
            await self.client("TLS", secure, tls),
        ]
        calls = [await self.call(each, longMetadata(2)) for each in clients]
        calls += [await self.call(each, longMetadata(100)) for each in clients[1:]]
        file = f"{self.root}/calls.pcap"
        output = await self.traced("--no-follow", "--write", file)
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        for part, callID in zip(output.split("\n\n"), calls, strict=True):
            title, *arrows = part.strip().splitlines()
            self.assertEqual(title[4:], callID)
            said = [line.partition("|")[2].partition("|")[0].strip("-<> ") for line in arrows]
            expected = ["INVITE (1)", "200 OK (1 INVITE)", "ACK (1)", "BYE (2)", "200 OK (2 BYE)"]
            self.assertEqual([each for each in said if each != "100 Trying (1 INVITE)"], expected)
        sizes = [int(line.split()[-1]) for line in output.splitlines() if "-- INVITE" in line]
        self.assertEqual([size > 65535 for size in sizes], [False, False, False, True, True])
        messages = sum(" |" in line for line in output.splitlines())
        found = await self.tshark(file, "-Y", "sip", "-T", "fields", "-e", "sip.Call-ID")
        self.assertEqual(len(found), messages)
        self.assertEqual(sorted({each.strip() for each in found}), sorted(calls))
        checks = [f"{each}.check_checksum:TRUE" for each in ("ip", "udp", "tcp")]
        wrong = " or ".join(f"{each}.checksum.status == 0" for each in ("ip", "udp", "tcp"))
        flags = [part for each in checks for part in ("-o", each)]
        doubtful = f"{wrong} or tcp.analysis.flags or _ws.malformed"
        self.assertEqual(await self.tshark(file, *flags, "-Y", doubtful), [])

    async def test_masked(self) -> None:
        """
        No secret of a message is in what the node gives out: not in the text, nor in the file,
        nor on the socket.
        """
        await self.start()
        peer = DatagramPeer()
        port = reactor.listenUDP(0, peer, interface=HOST)
        self.addCleanup(port.stopListening)
        mine = f"{HOST}:{port.getHost().port}"
        for number, credentials in enumerate((_CREDENTIALS, "Basic YW5uOnB3")):
            head, _, body = options(f"UDP {mine}", f"z9hG4bKx{number}", _KEYS).partition(
                b"\r\n\r\n"
            )
            head += f"\r\nAuthorization: {credentials}".encode()
            head += b"\r\nContent-Type: application/sdp"
            port.write(head + b"\r\n\r\n" + body, (HOST, self.node.sip))
            await peer.received.get()
        file = f"{self.root}/options.pcap"
        text = await self.traced("--no-follow", "--full", "--peer", mine, "--write", file)
        raw = connect(self.socket, Query(follow=False).line())
        self.addCleanup(raw.close)
        given = [text, Path(file).read_bytes().decode("latin-1"), raw.read().decode()]
        for secret in _SECRETS:
            for each in given:
                self.assertNotIn(secret, each)
        self.assertIn('response="******", cnonce="******"', text)
        self.assertIn("Authorization: Basic ********", text)
        self.assertIn("inline:********|2^20", text)
        found = await self.tshark(
            file, "-Y", "sip.Method == OPTIONS", "-T", "fields", "-e", "sdp.version"
        )
        self.assertEqual([each.strip() for each in found], ["0", "0"])
        self.assertEqual(await self.tshark(file, "-Y", "_ws.malformed"), [])

    async def test_chosen(self) -> None:
        """
        One call can be chosen: by its Call-ID or by its recording, which may be over; and
        by its peer.  A call that is not there is an error.
        """
        await self.start()
        client = await self.client("UDP", self.node.sip)
        first = await self.call(client, longMetadata(2))
        second = await self.call(client, longMetadata(2))
        for manifest in await self.node.finished(2):
            output = await self.traced("--no-follow", "--session", manifest["id"])
            self.assertEqual(output.splitlines()[0], f"[1] {manifest['callID']}")
            self.assertNotIn("[2]", output)
        output = await self.traced("--no-follow", "--call-id", second)
        self.assertNotIn(first, output)
        self.assertEqual(await self.traced("--no-follow", "--peer", "192.0.2.1"), "")
        output = await self.traced("--no-follow", "--call-id", "x", status=1)
        self.assertEqual(output, "siprec: no message of call x is kept here\n")
        output = await self.traced("--session", "x", status=1)
        self.assertIn("siprec: x: neither a recording of this node", output)


class FollowTests(TraceCase):
    """
    What is shown while it happens.
    """

    async def test_follow(self) -> None:
        """
        A call is shown while it runs; Ctrl-C ends that in good order, and so does the node.
        """
        await self.start()
        programs = [self.trace(), self.trace("--write", f"{self.root}/live.pcap")]
        client = await self.client("UDP", self.node.sip)
        call = await client.invite()
        for each in programs:
            await eventually("the ACK", lambda each=each: "ACK (1)" in each.output)  # type: ignore[misc]
            self.assertNotIn("BYE", each.output)
        programs[0].signal(signal.SIGINT)
        self.assertEqual(await programs[0].ended(), 0)
        await call.bye()
        await eventually("the BYE", lambda: "200 OK (2 BYE)" in programs[1].output)
        self.assertEqual(await self.node.stop(), 0)
        self.assertEqual(await programs[1].ended(), 0)
        self.assertIn("siprec: the node stops", programs[1].output)
        self.assertFalse(os.path.exists(self.socket))
        found = await self.tshark(f"{self.root}/live.pcap", "-Y", "sip")
        self.assertEqual(len(found), sum(" |" in each for each in programs[1].output.splitlines()))

    async def test_slow(self) -> None:
        """
        A reader that does not read costs the node no memory: it is told how many messages it has
        missed when it reads again.
        """
        await self.start("[trace]\nmessages = 20\n")
        place = SocketPlace.of(self.socket)
        slow = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(slow.close)
        slow.connect(place.address)
        place.close()
        slow.sendall(Query().line())
        peer = DatagramPeer()
        port = reactor.listenUDP(0, peer, interface=HOST)
        self.addCleanup(port.stopListening)
        for number in range(150):
            via = f"UDP {HOST}:{port.getHost().port}"
            data = options(via, f"z9hG4bK{number}", b"x" * 20000)
            port.write(data, (HOST, self.node.sip))
            await peer.received.get()
        self.assertEqual(await self.node.metric("siprec_trace_messages"), 20)
        slow.settimeout(30)
        with slow.makefile("rb") as lines:
            kinds = {}
            while "missed" not in kinds:
                kind, value = parseLine(lines.readline())
                kinds[kind] = value
        self.assertGreater(kinds["missed"], 0)


class SocketTests(TraceCase):
    """
    The socket of a node.
    """

    async def test_crash(self) -> None:
        """
        What a node that was killed left is no obstacle for the next one; until then it is
        said that nobody is there.
        """
        await self.start()
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o600)
        await self.node.kill()
        output = await self.traced(status=1)
        self.assertEqual(output, f"siprec: {self.socket}: the node that made it runs no more\n")
        await self.node.start()
        self.assertEqual(await self.traced("--no-follow"), "")
        await self.node.stop()
        output = await self.traced(status=1)
        self.assertIn(f"siprec: {self.socket}: no node listens there", output)

    async def test_taken(self) -> None:
        """
        A node does not take the socket of another process.
        """
        path = f"{self.root}/s"
        place = SocketPlace.of(path)
        self.addCleanup(place.close)
        other = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(other.close)
        other.bind(place.address)
        other.listen(1)
        with open(f"{self.root}/siprec.toml", "w") as file:
            file.write(f'[trace]\nsocket = "{path}"\n')
        program = Program.start(
            *(os.path.join(os.path.dirname(sys.executable), "twistd"), "-n", "--pidfile="),
            *("siprec", "--config", f"{self.root}/siprec.toml", "--http", ""),
            *("--recordings", f"{self.root}/recordings", "--sip", f"udp:0:interface={HOST}"),
        )
        self.addCleanup(program.kill)
        self.assertEqual(await program.ended(), 1)
        self.assertIn(f"trace.socket {path}: another process listens there", program.output)

    async def test_off(self) -> None:
        """
        A node that keeps no messages has no socket.
        """
        await self.start("[trace]\nmessages = 0\n")
        output = await self.traced(status=1)
        self.assertIn("is trace.messages above 0?", output)

"""
Tests of L{siprec.export}; tshark reads what it makes in
L{tests.functional.test_export}.
"""

from __future__ import annotations

import io
import os
import struct

from twisted.trial.unittest import SynchronousTestCase

from siprec.export import ExportError, exportPcap
from siprec.media.journal import fileHeader
from siprec.session.manifest import readManifest, writeManifest
from tests.media.reference import rtp
from tests.media.test_journal import START, record
from tests.render.journals import writeRecording

_REPORT = b"\x80\xc9\0\1\0\0\0\7"


class PcapTests(SynchronousTestCase):
    """
    L{exportPcap}.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        writeRecording(self.directory, {}, streams=((), ()), end=1.0)
        self.peer("192.0.2.9:5060")

    def peer(self, address: str) -> None:
        """
        Have the call come from there.
        """
        manifest = readManifest(self.directory)
        manifest["sip"] = {"remoteAddress": address}
        writeManifest(self.directory, manifest, durable=False)

    def write(self, name: str, *records: bytes, host: str = "192.0.2.7", port: int = 4000) -> None:
        """
        Write a journal.
        """
        with open(os.path.join(self.directory, name), "wb") as file:
            file.write(fileHeader(START, host, port) + b"".join(records))

    def export(self) -> list[tuple[int, bytes]]:
        """
        @return: time in milliseconds after the start and IP packet of each record.
        """
        file = io.BytesIO()
        count = exportPcap(self.directory, file)
        data, found = file.getvalue()[24:], []
        while data:
            seconds, micros, size, _ = struct.unpack_from("<IIII", data)
            at = (seconds * 1_000_000 + micros) * 1000 - START
            found.append((at // 1_000_000, data[16 : 16 + size]))
            data = data[16 + size :]
        self.assertEqual(len(found), count)
        return found

    def test_order(self) -> None:
        """
        All packets of all journals, in the order in which they came.
        """
        self.write("1-0.rtpdump", record(rtp(1), 0), record(rtp(2), 40))
        self.write("1-1.rtpdump", record(rtp(3), 20), record(rtp(4), 60), port=4002)
        found = self.export()
        self.assertEqual([at for at, _ in found], [0, 20, 40, 60])
        self.assertEqual([packet[28:] for _, packet in found], [rtp(n) for n in (1, 3, 2, 4)])

    def test_ends(self) -> None:
        """
        From where the call came to our address; RTCP is at the port behind.
        """
        self.write("1-0.rtpdump", record(rtp(1), 0), record(_REPORT, 10, rtcp=True))
        (_, first), (_, second) = self.export()
        self.assertEqual(first[12:20], bytes([192, 0, 2, 9, 192, 0, 2, 7]))
        self.assertEqual(struct.unpack(">HH", first[20:24]), (4000, 4000))
        self.assertEqual(struct.unpack(">HH", second[20:24]), (4001, 4001))

    def test_version6(self) -> None:
        """
        With IPv6 on one side, both are written so; an unknown peer is all zeros.
        """
        self.write("1-0.rtpdump", record(rtp(1), 0), host="2001:db8::7")
        [(_, packet)] = self.export()
        self.assertEqual((packet[0] >> 4, packet[18:24]), (6, b"\xff\xff\xc0\0\2\x09"))
        self.peer("[2001:db8::9]:5060")
        self.write("1-0.rtpdump", record(rtp(1), 0))
        [(_, packet)] = self.export()
        self.assertEqual((packet[0] >> 4, packet[34:40]), (6, b"\xff\xff\xc0\0\2\x07"))
        self.peer("somewhere")
        [(_, packet)] = self.export()
        self.assertEqual(packet[12:16], bytes(4))

    def test_torn(self) -> None:
        """
        A recording that runs, or whose node died: what is whole is there.
        """
        self.write("1-0.rtpdump", record(rtp(1), 0), record(rtp(2), 20)[:-1])
        with open(os.path.join(self.directory, "1-1.rtpdump"), "wb") as file:
            file.write(b"#!rtp")
        self.assertEqual(len(self.export()), 1)

    def test_nothing(self) -> None:
        """
        Without journals, or with something else in their place, it is told.
        """
        self.assertRaises(ExportError, self.export)
        with open(os.path.join(self.directory, "1-1.rtpdump"), "wb") as file:
            file.write(b"something else")
        self.assertRaises(ExportError, self.export)

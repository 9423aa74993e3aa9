"""
Tests of L{siprec.render.stream}.
"""

import os
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from attrs import evolve
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.render import stream
from siprec.render.audio import Track
from siprec.render.stream import Stream
from tests.render.journals import START, Packet, expected, linear, talk, writeJournal

_ZERO = round(START) * 1_000_000_000


class StreamTests(SynchronousTestCase):
    """
    A stream becomes a channel.
    """

    def setUp(self) -> None:
        """
        Make a folder.
        """
        self.directory = self.mktemp()
        os.mkdir(self.directory)

    def _stream(
        self,
        journals: Mapping[str, Sequence[Packet]],
        formats: Sequence[Mapping[str, object]] = (),
    ) -> Stream:
        for name, packets in journals.items():
            writeJournal(os.path.join(self.directory, name), packets)
        entry = {"index": 0, "formats": list(formats)}
        made = Stream(self.directory, entry, dict(enumerate(sorted(journals), 1)))
        made.survey()
        made.place(_ZERO, 8000)
        return made

    def _mixed(self, made: Stream, frames: int) -> NDArray[np.int16]:
        track = Track.create(self.directory, frames)
        self.addCleanup(track.close)
        made.mix(track, 0)
        return track.read(0, frames)

    def _assertHeard(self, made: Stream, wanted: NDArray[np.int16]) -> None:
        np.testing.assert_array_equal(self._mixed(made, len(wanted)), wanted)

    def test_clean(self) -> None:
        """
        A clean stream is heard to the sample, also if it is read in many pieces.
        """
        packets = talk(1000, begin=0.5)
        wanted = expected(170_000, (4000, packets))
        self._assertHeard(self._stream({"1-0.rtpdump": packets}), wanted)
        self.patch(stream, "CHUNK", 0x10000)
        self._assertHeard(self._stream({"1-0.rtpdump": packets}), wanted)

    def test_short(self) -> None:
        """
        What is read in one piece is read once; else it is read again to be heard.
        """
        packets = talk(1000)
        heard = expected(160_000, (0, packets))
        for chunk, wanted in ((stream.CHUNK, heard), (0x10000, np.zeros_like(heard))):
            self.patch(stream, "CHUNK", chunk)
            made = self._stream({"1-0.rtpdump": packets})
            os.unlink(os.path.join(self.directory, "1-0.rtpdump"))
            self._assertHeard(made, wanted)

    def test_reports(self) -> None:
        """
        Sender reports of the RTCP port, and those among the RTP, are those of their source;
        where they say nothing, and where nothing came, that is told.
        """
        self._stream({"1-0.rtpdump": [*talk(10), *talk(10, ssrc=7, begin=0.3)]})
        report = struct.pack(">BBHI5I", 0x80, 200, 6, 7, 3_976_592_401, 0, 50_000, 0, 0)
        with open(os.path.join(self.directory, "1-0.rtpdump"), "ab") as file:
            for length in (0, len(report)):
                file.write(struct.pack(">HHI", len(report) + 8, length, 500) + report)
        made = Stream(self.directory, {"index": 0}, {1: "1-0.rtpdump"})
        self.assertIsNone(made.clock)
        made.survey()
        made.place(_ZERO, 8000)
        self.assertEqual([len(each.reports.arrival) for each in made.surveys], [0, 2])
        self.assertEqual(made.clock, "arrivals")
        made = self._stream({"2-0.rtpdump": []})
        self.assertIsNone(made.clock)

    def test_lengths(self) -> None:
        """
        Packets of different lengths, empty ones among them, follow one another.
        """
        audio = b"".join(packet.payload for packet in talk(10))
        packets, at = [], 0
        for number, length in enumerate([160, 80, 0, 240, 7, 153, 320]):
            payload = audio[at : at + length]
            # A journal knows milliseconds only, which are eight samples.
            packets.append(Packet(0.02 - (-at // 8) / 1000, number, 100 + at, payload))
            at += length
        whole = Packet(0, 0, 0, audio[:at])
        self._assertHeard(self._stream({"1-0.rtpdump": packets}), expected(1500, (160, [whole])))

    def test_E6_takeover(self) -> None:
        """
        Where an old SSRC and a new one overlap the new one is heard, the old one
        before and after, and never a mixture; the border may lie within a packet.
        """
        old = talk(100, seed=1)
        new = talk(30, seed=2, begin=0.805, ssrc=5, timestamp=7, sequence=9)
        wanted = expected(16000, (0, old), (6440, new))
        self._assertHeard(self._stream({"1-0.rtpdump": [*old, *new]}), wanted)

    def test_E6_silentSource(self) -> None:
        """
        A source that pauses leaves the place to an older one that plays in the
        pause.
        """
        old = talk(200, seed=1)
        first = talk(50, seed=2, begin=0.5, ssrc=5, timestamp=0, sequence=0)
        second = talk(25, seed=3, begin=3.0, ssrc=5, timestamp=20_000, sequence=50)
        wanted = expected(32_000, (0, old), (4000, first), (24_000, second))
        self._assertHeard(self._stream({"1-0.rtpdump": [*old, *first, *second]}), wanted)

    def test_E6_collision(self) -> None:
        """
        Of two senders with the same SSRC the first one is heard as long as it
        sends.
        """
        first = talk(100, seed=1, sequence=100)
        second = talk(100, seed=2, sequence=40_000, timestamp=900_000, begin=1.01)
        made = self._stream({"1-0.rtpdump": [*first, *second]})
        wanted = expected(24_080, (8080, second), (0, first))
        self._assertHeard(made, wanted)

    def test_stray(self) -> None:
        """
        A single foreign packet is heard only where there is nothing else.
        """
        packets = talk(50, seed=1)
        inside = Packet(0.4, 9, 9, talk(1, seed=7)[0].payload, ssrc=7)
        after = Packet(2.0, 9, 9, talk(1, seed=8)[0].payload, ssrc=8)
        wanted = expected(17_000, (0, packets), (16_000, [after]))
        self._assertHeard(self._stream({"1-0.rtpdump": [*packets, inside, after]}), wanted)

    def test_payloadTypes(self) -> None:
        """
        A change between PCMU and PCMA within a source is heard as what each packet
        is, without a seam.
        """
        packets = [
            evolve(packet, payloadType=8 if 20 <= number < 40 else 0)
            for number, packet in enumerate(talk(60))
        ]
        made = self._stream({"1-0.rtpdump": packets})
        wanted = linear(packets)
        wanted[3200:6400] = linear(packets[20:40], "PCMA")
        self._assertHeard(made, wanted)
        self.assertEqual(made.mainFormat and made.mainFormat.codec, "PCMU")

    def test_E4_silence(self) -> None:
        """
        Comfort noise and events are silence of the right length.
        """
        packets = talk(20)
        noise = Packet(0.4, 1020, 50_000 + 3200, b"\x40", payloadType=13)
        event = [
            Packet(1.0 + each * 0.02, 1021 + each, 50_000 + 8000, bytes(4), payloadType=101)
            for each in range(10)
        ]
        more = talk(20, sequence=1031, timestamp=50_000 + 9600, begin=1.2, seed=5)
        made = self._stream(
            {"1-0.rtpdump": [*packets, noise, *event, *more]},
            [{"payloadType": 101, "codec": "telephone-event", "clockRate": 8000}],
        )
        self._assertHeard(made, expected(12_800, (0, packets), (9600, more)))
        self.assertEqual([run.lost for run in made.runs], [0])
        self.assertEqual(made.payloadTypes, {0: 40, 13: 1, 101: 10})

    def test_unknown(self) -> None:
        """
        A payload type that nobody knows is silence and is counted with its first
        arrival.
        """
        packets = talk(20)
        strange = [evolve(packet, payloadType=77) for packet in packets[5:10]]
        made = self._stream({"1-0.rtpdump": [*packets[:5], *strange, *packets[10:]]})
        self._assertHeard(made, expected(3200, (0, packets[:5]), (1600, packets[10:])))
        self.assertEqual(made.payloadTypes[77], 5)
        self.assertEqual(made.firstSeen[77], _ZERO + 100_000_000)

    def test_onlyEvents(self) -> None:
        """
        A stream of nothing but events has packets and no place for audio.
        """
        event = [Packet(each * 0.02, each, 800, bytes(4), payloadType=101) for each in range(9)]
        made = self._stream(
            {"1-0.rtpdump": event},
            [{"payloadType": 101, "codec": "telephone-event", "clockRate": 8000}],
        )
        self.assertEqual(made.placements, [None])
        self._assertHeard(made, np.zeros(100, np.int16))
        self.assertEqual(made.lastArrival, _ZERO + 160_000_000)

    def test_noPackets(self) -> None:
        """
        Without packets there is no format and no time.
        """
        made = self._stream({"1-0.rtpdump": []})
        self.assertIsNone(made.mainFormat)
        self.assertEqual((made.firstArrival, made.runs, made.unreadable), (None, [], []))

    def test_segments(self) -> None:
        """
        Journals of two nodes are joined by sequence numbers: what both have is in
        it once, and what lies between is silence.
        """
        packets = talk(600)
        journals = {
            "1-0.rtpdump": [each for each in packets[:300] if each.sequence != 1290],
            "2-0.rtpdump": packets[100:400],
            "3-0.rtpdump": packets[450:],
        }
        made = self._stream(journals)
        (run,) = made.runs
        self.assertEqual((run.lost, run.duplicates, run.reordered), (50, 0, 0))
        self.assertEqual(dict(made.payloadTypes), {0: 550})
        self._assertHeard(made, expected(96_000, (0, packets[:400]), (72_000, packets[450:])))


class UnreadableTests(SynchronousTestCase):
    """
    Journals that are damaged or not there.
    """

    def _surveyed(self, *names: str) -> Stream:
        made = Stream(self.directory, {"index": 0}, dict(enumerate(names, 1)))
        made.survey()
        return made

    def setUp(self) -> None:
        """
        Write a journal.
        """
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.path = os.path.join(self.directory, "1-0.rtpdump")
        writeJournal(self.path, talk(10))

    def test_torn(self) -> None:
        """
        A torn tail costs the last packet; it is told.
        """
        with open(self.path, "r+b") as file:
            file.truncate(os.path.getsize(self.path) - 30)
        made = self._surveyed("1-0.rtpdump")
        self.assertEqual(made.runs[0].packets, 9)
        (found,) = made.unreadable
        self.assertEqual(found.file, "1-0.rtpdump")
        self.assertEqual(found.reason, "its last 150 octets are no whole packet")

    def test_missing(self) -> None:
        """
        A journal that is not there does not keep the next one from being read.
        """
        made = self._surveyed("0-0.rtpdump", "1-0.rtpdump")
        self.assertEqual(made.runs[0].packets, 10)
        self.assertEqual([each.reason for each in made.unreadable], ["it is not there"])

    def test_noJournal(self) -> None:
        """
        Another file, a folder, and one that ends within its header are told as what
        they are.
        """
        with open(os.path.join(self.directory, "2-0.rtpdump"), "wb") as file:
            file.write(b"RIFF....WAVE")
        with open(os.path.join(self.directory, "3-0.rtpdump"), "wb") as file:
            file.write(b"#!rtp")
        os.mkdir(os.path.join(self.directory, "4-0.rtpdump"))
        made = self._surveyed("2-0.rtpdump", "3-0.rtpdump", "4-0.rtpdump")
        self.assertEqual(made.runs, [])
        reasons = [each.reason for each in made.unreadable]
        self.assertIn("not an rtpdump file", reasons[0])
        self.assertEqual(reasons[1], "it ends within its header")
        self.assertIn("Is a directory", reasons[2])

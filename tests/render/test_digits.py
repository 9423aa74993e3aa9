"""
Tests of L{siprec.render.digits}: digits among the packets of a stream.
"""

import struct
from collections.abc import Sequence

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.digits import DIGITS, MAX_DIGITS
from siprec.render.events import digitEvents
from siprec.render.recording import renderDirectory
from siprec.render.stream import Stream
from siprec.session.manifest import readManifest, withRendering, writeManifest
from siprec.session.model import Format
from tests.render.journals import PCMU, Packet, press, talk, writeRecording
from tests.render.recordingcase import RecordingCase

EVENT = Format(101, "telephone-event", 8000, fmtp="0-16")
BOTH = ((PCMU, EVENT),)


class DigitsTests(SynchronousTestCase):
    """
    Which digits are found, and how long each lasts.
    """

    def found(
        self, packets: Sequence[Packet], formats: Sequence[Format] = BOTH[0]
    ) -> list[tuple[str, int, bool]]:
        """
        @return: of each digit what it is, its milliseconds, and whether it ended.
        """
        directory = self.mktemp()
        writeRecording(directory, {"1-0.rtpdump": packets}, streams=[formats])
        stream = Stream(directory, readManifest(directory)["streams"][0], {1: "1-0.rtpdump"})
        stream.survey()
        self.stream = stream
        return [(DIGITS[each.event], each.milliseconds, each.ended) for each in stream.digits.found]

    def test_E3_once(self) -> None:
        """
        The packets of one event are one digit, as long as the last of them says.
        """
        packets = press(5, begin=0.0, sequence=10, timestamp=1000)
        self.assertEqual(self.found(packets), [("5", 80, True)])

    def test_E3_all(self) -> None:
        """
        Every key of RFC 4733 section 3.2, and no other event.
        """
        packets = [
            each
            for event in range(20)
            for each in press(
                event, begin=event * 0.5, sequence=10 + 7 * event, timestamp=4000 * event
            )
        ]
        self.assertEqual(
            [digit for digit, _, _ in self.found(packets)], [*"0123456789*#ABCD", "flash"]
        )

    def test_E3_twice(self) -> None:
        """
        The same key again is another digit, however soon, and though its first packet,
        or the end of the one before, is lost.
        """
        first = press(7, begin=0.0, sequence=10, timestamp=1000)
        second = press(7, begin=0.3, sequence=17, timestamp=3400)
        twice = [("7", 80, True)] * 2
        self.assertEqual(self.found([*first, *second]), twice)
        self.assertEqual(self.found([*first, *second[1:]]), twice)
        soon = press(7, begin=0.14, sequence=17, timestamp=1640)
        self.assertEqual(self.found([*first, *soon]), twice)
        later = press(7, begin=0.6, sequence=17, timestamp=5800)
        self.assertEqual(self.found([*first[:4], *later[1:]]), [("7", 80, False), ("7", 80, True)])

    def test_E3_lostBegin(self) -> None:
        """
        One packet tells enough; the timestamp says when it began.
        """
        packets = press(9, begin=0.0, sequence=10, timestamp=1000)
        speech = talk(4, begin=0.2, sequence=17, timestamp=2600)
        self.assertEqual(self.found([packets[-1], *speech]), [("9", 80, True)])
        self.assertEqual(self.stream.digits.found[0].timestamp, 1000)

    def test_E3_lostEnd(self) -> None:
        """
        Without an end it lasted at least as long as was told.
        """
        packets = press(9, begin=0.0, sequence=10, timestamp=1000, ends=0)
        self.assertEqual(self.found(packets), [("9", 80, False)])

    def test_E3_reordered(self) -> None:
        """
        What comes late, or twice, changes nothing.
        """
        packets = press(3, begin=0.0, sequence=10, timestamp=1000)
        late = [evolve(packets[1], arrival=0.5), evolve(packets[6], arrival=0.6)]
        other = press(4, begin=0.3, sequence=17, timestamp=3400)
        found = self.found([packets[0], *packets[2:], *late, *other])
        self.assertEqual(found, [("3", 80, True), ("4", 80, True)])

    def test_E3_wrap(self) -> None:
        """
        Timestamps and sequence numbers wrap.
        """
        packets = press(3, begin=0.0, sequence=0xFFFE, timestamp=0xFFFFFF00)
        other = press(3, begin=0.5, sequence=0x10005, timestamp=0xFFFFFF00 + 4000)
        self.assertEqual(self.found([*packets, *other]), [("3", 80, True)] * 2)

    def chained(self, *lost: int) -> list[Packet]:
        """
        @return: packets of one digit of 20 s, without some.
        """
        packets = []
        whole, rest = divmod(160_000, 0xFFFF)
        for number in range(160_000 // 160):
            segment, ticks = divmod(160 * (number + 1), 0xFFFF)
            packets.append(
                Packet(
                    number * 0.02,
                    number,
                    1000 + segment * 0xFFFF,
                    struct.pack(">BBH", 1, 10, ticks),
                    payloadType=101,
                    marker=not number,
                )
            )
        end = Packet(
            20.0,
            len(packets),
            1000 + whole * 0xFFFF,
            struct.pack(">BBH", 1, 0x8A, rest),
            payloadType=101,
        )
        return [each for each in [*packets, end] if each.sequence not in lost]

    def test_E3_chained(self) -> None:
        """
        An event longer than its duration field goes on under another timestamp (RFC
        4733 section 2.5.1.3), also where packets around that are lost.
        """
        self.assertEqual(self.found(self.chained()), [("1", 20_000, True)])
        lost = range(400, 430)  # the first segment ends with number 408
        self.assertEqual(self.found(self.chained(*lost)), [("1", 20_000, True)])

    def test_E3_movingTimestamp(self) -> None:
        """
        Some senders have a new timestamp in each packet of one event.
        """
        told = [*((number, 10) for number in range(5)), *((number, 0x8A) for number in (5, 6, 7))]
        packets = [
            Packet(
                number * 0.02,
                number,
                1000 + 160 * number,
                struct.pack(">BBH", 2, flags, 160),
                payloadType=101,
                marker=not number,
            )
            for number, flags in told
        ]
        self.assertEqual(self.found(packets), [("2", 120, True)])

    def test_E3_within(self) -> None:
        """
        A timestamp amid an event that goes on is of that event.
        """
        told = ((1000, 10, 400), (1080, 10, 320), (1000, 0x8A, 480))
        packets = [
            Packet(
                number * 0.02,
                number,
                timestamp,
                struct.pack(">BBH", 2, flags, duration),
                payloadType=101,
                marker=not number,
            )
            for number, (timestamp, flags, duration) in enumerate(told)
        ]
        self.assertEqual(self.found(packets), [("2", 60, True)])

    def test_E3_severalInOnePacket(self) -> None:
        """
        Events that follow one another may share a packet (RFC 4733 section 2.5.1.5).
        """
        payload = struct.pack(">BBHBBHBBH", 1, 10, 800, 200, 10, 400, 2, 10, 160)
        end = struct.pack(">BBH", 2, 0x8A, 320)
        packets = [
            Packet(0.0, 1, 1000, payload, payloadType=101, marker=True),
            Packet(0.02, 2, 2200, end, payloadType=101),
        ]
        self.assertEqual(self.found(packets), [("1", 100, True), ("2", 40, True)])

    def test_short(self) -> None:
        """
        A payload that is no event is none, nor is one of a type without a clock.
        """
        packets = [
            Packet(0.02 * number, number, 1000, b"\1\x8a\0"[:number], payloadType=101)
            for number in range(4)
        ]
        self.assertEqual(self.found(packets), [])
        clockless = [Format(101, "telephone-event", 0)]
        self.assertEqual(self.found(press(1, begin=0, sequence=1, timestamp=1), clockless), [])

    def test_E3_clocks(self) -> None:
        """
        The duration counts in the clock that SDP gives the payload type.
        """
        for rate in (8000, 16_000, 48_000):
            formats = [Format(96, "telephone-event", rate)]
            packets = press(
                1, begin=0, sequence=1, timestamp=1, ticks=(rate // 10,), payloadType=96
            )
            self.assertEqual(self.found(packets, formats), [("1", 100, True)])

    def test_bounded(self) -> None:
        """
        Those too many are counted, each once.
        """
        packets = [
            each
            for number in range(MAX_DIGITS + 3)
            for each in press(
                1, begin=number * 0.2, sequence=4 * number, timestamp=1600 * number, ticks=(160,)
            )
        ]
        self.assertEqual(len(self.found(packets)), MAX_DIGITS)
        self.assertEqual(self.stream.digits.omitted, 3)
        self.stream.place(0, 8000)
        last = list(digitEvents(self.stream, lambda time: 0, str, masked=False))[-1]
        self.assertEqual(last, {"time": "0", "type": "digitsOmitted", "stream": 0, "count": 3})


class DigitEventTests(RecordingCase):
    """
    What a rendering tells of digits.
    """

    def digits(self, *packets: Packet, masked: bool = False) -> list[dict[str, object]]:
        """
        @return: the events of digits in a recording of one stream.
        """
        writeRecording(self.directory, {"1-0.rtpdump": packets}, streams=BOTH)
        rendering = renderDirectory(self.directory, maskDigits=masked)
        manifest = withRendering(readManifest(self.directory), rendering)
        writeManifest(self.directory, manifest, durable=False)
        return [each for each in manifest["timeline"] if each["type"] == "dtmf"]

    def test_E3_timeline(self) -> None:
        """
        A digit amid speech is in the timeline at the moment at which its timestamp says
        that it was pressed, though its first packets are lost; the audio stays.
        """
        before, after = talk(50), talk(50, begin=1.14, sequence=1057, timestamp=50_000 + 9120)
        packets = press(5, begin=1.0, sequence=1050, timestamp=50_000 + 8000)
        [digit] = self.digits(*before, *packets[2:], *after)
        self.assertEqual(
            digit,
            {
                "at": 1.0,
                "time": "2026-01-05T09:00:01.000000Z",
                "type": "dtmf",
                "event": "dtmf",
                "source": "event",
                "stream": 0,
                "channel": 0,
                "digit": "5",
                "durationMs": 80,
            },
        )

    def test_E3_withoutAudio(self) -> None:
        """
        Where nothing else tells a time, or the event's clock is another one, a digit is
        where its first packet came.
        """
        packets = press(5, begin=1.5, sequence=10, timestamp=1000, ends=0)
        [digit] = self.digits(*packets)
        self.assertEqual((digit["at"], digit["endMissing"]), (1.5, True))
        astray = press(5, begin=1.0, sequence=1050, timestamp=0x70000000)
        [digit] = self.digits(*talk(50), *astray)
        self.assertEqual(digit["at"], 1.0)

    def test_stray(self) -> None:
        """
        A single packet of another source presses nothing.
        """
        stray = press(5, begin=0.5, sequence=10, timestamp=1000, ssrc=7)[:1]
        self.assertEqual(self.digits(*talk(50), *stray), [])

    def test_E3_masked(self) -> None:
        """
        Where digits must not be stored, only when they were pressed is told.
        """
        packets = press(5, begin=1.0, sequence=1050, timestamp=50_000 + 8000)
        [digit] = self.digits(*talk(50), *packets, masked=True)
        self.assertEqual((digit["digit"], digit["masked"], digit["at"]), (None, True, 1.0))

    def test_E3_nodes(self) -> None:
        """
        A digit that two nodes have captured in part is one.
        """
        packets = press(5, begin=1.0, sequence=1050, timestamp=50_000 + 8000)
        writeRecording(
            self.directory,
            {"1-0.rtpdump": [*talk(50), *packets[:4]], "2-0.rtpdump": packets[2:]},
            streams=BOTH,
        )
        found = renderDirectory(self.directory)["events"]
        self.assertEqual([each["digit"] for each in found if each["type"] == "dtmf"], ["5"])

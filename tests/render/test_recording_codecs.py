"""
Tests of L{siprec.render.recording}: whole recordings in other codecs than G.711.
"""

import os
from collections.abc import Sequence

import numpy as np
import soundfile
from attrs import evolve
from numpy.typing import NDArray

from siprec.session.model import Format
from tests.render.journals import PCMU, Packet, audioOf, expected, linear, talk
from tests.render.recordingcase import RecordingCase
from tests.render.tones import (
    adaptive,
    aligned,
    encode,
    pitch,
    sample,
    tone,
)

G722 = Format(9, "G722", 8000)
G729 = Format(18, "G729", 8000)
GSM = Format(3, "GSM", 8000)
OPUS = Format(96, "opus", 48_000, 2, "useinbandfec=1")
AMR = Format(97, "AMR", 8000, 1, "octet-align=1")
L16 = Format(98, "L16", 16_000)
L16_8 = Format(99, "L16", 8000)
EVENT = Format(101, "telephone-event", 8000)


def _packets(
    payloads: Sequence[bytes],
    kind: Format,
    *,
    begin: float = 0.0,
    ticks: int = 160,
    ssrc: int = 0x1A2B3C4D,
) -> list[Packet]:
    """
    @param ticks: from one packet to the next, in units of the timestamp.
    """
    step = ticks / kind.clockRate
    return [
        Packet(
            begin + each * step,
            1000 + each,
            50_000 + ticks * each,
            payload,
            ssrc,
            kind.payloadType,
        )
        for each, payload in enumerate(payloads)
    ]


def _linear16(samples: NDArray[np.int16], size: int) -> list[bytes]:
    data = samples.astype(">i2").tobytes()
    return [data[at : at + 2 * size] for at in range(0, len(data), 2 * size)]


class CodecTests(RecordingCase):
    """
    What comes in, to the audio file.
    """

    def assertTone(
        self, channel: int, rate: int, begin: float, end: float, least: float = 2500
    ) -> None:
        """
        There is a tone of 1 kHz from C{begin} to C{end}, in seconds, and silence before
        and after it.
        """
        samples = audioOf(self.directory)[channel]
        first, last, slack = int(begin * rate), int(end * rate), rate // 50
        self.assertEqual(int(np.abs(samples[: max(first - 1, 0)]).max(initial=0)), 0)
        self.assertEqual(int(np.abs(samples[last + slack :]).max(initial=0)), 0)
        inside = samples[first + slack : last - slack]
        self.assertApproximates(pitch(inside, rate), 1000, 1)
        loudness = np.sqrt((inside.astype(np.float64).reshape(-1, rate // 100) ** 2).mean(axis=1))
        self.assertGreater(float(loudness.min()), least)

    def rate(self) -> int:
        """
        @return: of the audio file.
        """
        return int(soundfile.info(os.path.join(self.directory, "audio.wav")).samplerate)

    def test_E2_each(self) -> None:
        """
        Each codec alone gives a file of its rate, with the tone at its place.
        """
        for kind, payloads, ticks, rate in (
            (G722, encode("g722", 16_000, tone(16_000)), 160, 16_000),
            (G729, sample("tone.g729", 20), 160, 8000),
            (GSM, sample("tone.gsm", 33), 160, 8000),
            (OPUS, encode("libopus", 48_000, tone(48_000)), 960, 48_000),
            (AMR, [aligned(each) for each in adaptive("tone.amr")], 160, 8000),
        ):
            leg = _packets(payloads, kind, begin=1.0, ticks=ticks)
            found = self.render(leg, streams=((kind,),), end=4.0)
            self.assertEqual((self.rate(), found["duration"]), (rate, 4.0), kind)
            self.assertTone(0, rate, 1.0, 3.0)
            self.assertEqual(found["streams"][0]["codec"], kind.codec)
            self.assertEqual((found["gaps"], found["events"]), ([], []))

    def test_E2_linear(self) -> None:
        """
        L16 is exact to the sample, at 8,000 and at 16,000 a second.
        """
        noise = np.random.default_rng(1).integers(-9000, 9000, 16_000).astype(np.int16)
        for kind, size in ((L16_8, 160), (L16, 320)):
            leg = _packets(_linear16(noise, size), kind, begin=0.5, ticks=size)
            self.render(leg, streams=((kind,),))
            place = kind.clockRate // 2
            [channel] = audioOf(self.directory)
            np.testing.assert_array_equal(channel, np.append(np.zeros(place, np.int16), noise))

    def test_E2_rates(self) -> None:
        """
        Streams of different rates are in one file of the highest of them, each at its
        place.
        """
        wide = _packets(encode("g722", 16_000, tone(16_000)), G722, begin=1.0)
        narrow = _packets(sample("tone.g729", 20), G729, begin=0.5, ssrc=7)
        found = self.render(wide, narrow, streams=((G722,), (G729,)), end=4.0)
        self.assertEqual(found["audio"]["sampleRate"], 16_000)
        self.assertTone(0, 16_000, 1.0, 3.0)
        samples = audioOf(self.directory)[1]
        self.assertEqual(int(np.abs(samples[:7900]).max()), 0)
        self.assertApproximates(pitch(samples[8320:39_680], 16_000), 1000, 1)

    def test_earlyMedia(self) -> None:
        """
        At another rate, too, what came before the recording's begin is in its place.
        """
        silence = [bytes(320)] * 10
        click = [*silence, b"\x40\x00" * 160, *silence]
        early = _packets(click, L16_8, begin=-0.2)
        wide = _packets([bytes(640)] * 50, L16, ticks=320, ssrc=7)
        found = self.render(early, wide, streams=((L16_8,), (L16,)))
        self.assertEqual(found["audio"]["startTime"], "2026-01-05T08:59:59.800000Z")
        loud = np.flatnonzero(np.abs(audioOf(self.directory)[0]) > 8192)
        self.assertApproximates(int(loud[0]), 3200, 2)
        self.assertApproximates(int(loud[-1]), 3200 + 319, 2)

    def test_E2_switched(self) -> None:
        """
        A stream that changes from G.711 to G.722 in the midst of a call has both, one
        after the other.
        """
        before = talk(50)
        after = _packets(encode("g722", 16_000, tone(16_000)), G722, begin=1.0)
        moved = [
            Packet(each.arrival, 1050 + n, 58_000 + 160 * n, each.payload, each.ssrc, 9)
            for n, each in enumerate(after)
        ]
        found = self.render(before + moved, streams=((PCMU, G722),))
        self.assertEqual(self.rate(), 16_000)
        self.assertEqual(found["gaps"], [])
        [channel] = audioOf(self.directory)
        first = np.sqrt((channel[:16_000].astype(np.float64) ** 2).mean())
        wanted = np.sqrt((linear(before).astype(np.float64) ** 2).mean())
        self.assertApproximates(first / wanted, 1.0, 0.1)
        self.assertApproximates(pitch(channel[16_500:47_000], 16_000), 1000, 1)

    def test_E5_concealed(self) -> None:
        """
        A lost packet is told as a gap, and the decoder goes on over it; what is there
        is where it would have been.
        """
        leg = _packets(sample("tone.g729", 20), G729)
        del leg[50]
        found = self.render(leg, streams=((G729,),))
        self.assertTone(0, 8000, 0.0, 2.0, least=1000)
        self.assertEqual([gap["cause"] for gap in found["gaps"]], ["loss"])
        self.assertEqual(found["streams"][0]["lost"], 1)

    def test_pause(self) -> None:
        """
        Where the timestamp goes on without a packet missing, the peer was silent: that
        is silence of its length, and no loss.
        """
        leg = _packets(sample("tone.g729", 20), G729)
        later = [
            evolve(each, arrival=each.arrival + 1, timestamp=each.timestamp + 8000)
            for each in leg[50:]
        ]
        found = self.render(leg[:50] + later, streams=((G729,),))
        [channel] = audioOf(self.directory)
        self.assertEqual(len(channel), 24_000)
        self.assertEqual(int(np.abs(channel[8000:16_000]).max()), 0)
        self.assertEqual(found["gaps"], [])

    def test_E3_eventsBetween(self) -> None:
        """
        Events between the packets of speech are no loss that would have to be concealed.
        """
        leg = _packets(sample("tone.g729", 20)[:50], G729)
        event = Packet(1.0, 1050, 58_000, b"\x05\x0a\x00\xa0", 0x1A2B3C4D, 101)
        rest = [
            Packet(each.arrival + 1.1, 1051 + n, 58_800 + 160 * n, each.payload, each.ssrc, 18)
            for n, each in enumerate(_packets(sample("tone.g729", 20)[50:], G729))
        ]
        self.render([*leg, event, *rest], streams=((G729, EVENT),))
        [channel] = audioOf(self.directory)
        self.assertEqual(int(np.abs(channel[8000:8800]).max()), 0)

    def test_E2_unasked(self) -> None:
        """
        Who sends a static payload type that was never negotiated is recorded, too.
        """
        self.render(_packets(sample("tone.g729", 20), G729), streams=((PCMU,),))
        self.assertTone(0, 8000, 0.0, 2.0)

    def test_otherCodec(self) -> None:
        """
        Who offers G.729 first and sends G.711 is recorded to the sample.
        """
        leg = talk(100)
        self.render(leg, streams=((G729, PCMU),))
        self.assertAudio(expected(16_000, (0, leg)))

"""
Tests of L{siprec.render.recording}: several sources, and several codecs, in one stream
(CONFORMANCE E2, E6).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from siprec.session.model import Format
from tests.render.bench import BenchCase, Spoken, later, speak
from tests.render.journals import PCMA, PCMU, Packet, audioOf, press
from tests.render.recordingcase import TWO
from tests.render.tones import SECONDS, encode

_G722 = Format(9, "G722", 8000)
_EVENT = Format(101, "telephone-event", 8000)


class SourceTests(BenchCase):
    """
    Who is heard, and when.
    """

    def two(self, spoken: Sequence[Spoken], other: Sequence[Spoken]) -> dict[str, Any]:
        """
        @return: the rendering of two streams.
        """
        return self.capture({"1-0.rtpdump": spoken, "1-1.rtpdump": other}, streams=TWO)

    def test_E6_changes(self) -> None:
        """
        Sources that follow one another, at once, after a while or with an overlap, are in
        time with the other leg all along, though their numbers have nothing in common.
        """
        other = speak(1500, seed=9, ssrc=9, jitter=(0.004, 0.0, 0.011))
        first = speak(300, ssrc=1)
        second = speak(300, begin=6.0, seed=2, ssrc=2, sequence=65_400, timestamp=2**32 - 800)
        third = speak(300, begin=13.137, seed=3, ssrc=3, sequence=7, timestamp=9)
        fourth = speak(300, begin=19.011, seed=4, ssrc=4)
        back = speak(100, begin=26.0, seed=5, ssrc=1, sequence=1300, timestamp=50_000 + 26 * 8000)
        found = self.two([*first, *second, *third, *fourth, *back], other)
        # Of two at a time, it is the new one that is heard.
        self.assertInStep([*first, *second, *third[:293], *fourth, *back], other)
        self.assertEqual([each["lost"] for each in found["streams"]], [0, 0])
        self.assertEqual([each["type"] for each in found["events"]], ["sourceChanged"] * 3)

    def test_E6_collision(self) -> None:
        """
        Another sender with the same SSRC is told apart by its numbers; the first is heard,
        whole and in time, and never a mixture.
        """
        first, other = speak(1500), speak(1500, seed=9, ssrc=9)
        second = speak(500, begin=10.003, seed=2, sequence=40_000, timestamp=3_000_000_000)
        found = self.two([*first, *second], other)
        self.assertInStep(first, other)
        self.assertEqual(found["streams"][0]["lost"], 0)
        self.assertEqual([each["type"] for each in found["events"]], ["sequenceRestarted"])

    def test_E6_collisionAlone(self) -> None:
        """
        Where the first has gone the second is heard, in time.
        """
        first, other = speak(600), speak(1500, seed=9, ssrc=9)
        second = speak(500, begin=10.0, seed=2, sequence=40_000, timestamp=3_000_000_000)
        self.two([*first, *second], other)
        self.assertInStep([*first, *second[100:]], other)

    def test_E6_reset(self) -> None:
        """
        A source that begins anew with all its numbers, under the same SSRC, goes on in
        time.
        """
        first, other = speak(500), speak(1500, seed=9, ssrc=9)
        second = speak(500, begin=10.2, seed=2, sequence=1000, timestamp=50_000)
        third = speak(300, begin=20.21, seed=3, sequence=5, timestamp=2**31)
        found = self.two([*first, *second, *third], other)
        self.assertInStep([*first, *second, *third], other)
        self.assertEqual(found["streams"][0]["duplicates"], 0)


class PayloadTests(BenchCase):
    """
    Codecs that follow one another.
    """

    def test_E2_switched(self) -> None:
        """
        PCMU, PCMA and PCMU again within one source: to the sample where they belong.
        """
        parts = [
            speak(
                200,
                begin=4.0 * number,
                sequence=65_300 + 200 * number,
                timestamp=2**32 - 40_000 + 32_000 * number,
                payloadType=kind,
                seed=number + 1,
            )
            for number, kind in enumerate((0, 8, 0, 8))
        ]
        leg = [each for part in parts for each in part]
        other = speak(800, seed=9, ssrc=9)
        found = self.capture(
            {"1-0.rtpdump": leg, "1-1.rtpdump": other}, streams=((PCMU, PCMA), (PCMU,))
        )
        self.assertInStep(leg, other)
        self.assertEqual((found["gaps"], found["events"]), ([], []))

    def test_E2_switchedToWide(self) -> None:
        """
        From PCMU to PCMA to G.722 with its 16,000 samples a second, and back: what comes
        after each switch is where it was spoken, within three milliseconds.
        """
        noise = np.random.default_rng(7).normal(0, 3000, SECONDS * 16_000)
        smooth = np.convolve(noise, np.hanning(9) / 4, "same").clip(-32_000, 32_000)
        wide = smooth.astype(np.int16)
        law = [encode(codec, 8000, wide[::2]) for codec in ("pcm_mulaw", "pcm_alaw")]
        payloads = [*law, encode("g722", 16_000, wide), law[0]]
        spoken = []
        for part, kind in enumerate((0, 8, 9, 0)):
            for n, payload in enumerate(payloads[part]):
                number = 100 * part + n
                at = number * 0.02
                packet = Packet(at, 1000 + number, 160 * number, payload, 1, kind)
                spoken.append(Spoken(at, packet))
        found = self.capture({"1-0.rtpdump": spoken}, streams=((PCMU, PCMA, _G722),))
        self.assertEqual((self.rate, found["gaps"]), (16_000, []))
        [heard] = audioOf(self.directory)
        self.assertEqual(len(heard), 4 * len(wide))
        for part in range(4):
            middle = slice(part * len(wide) + 4000, (part + 1) * len(wide) - 4000)
            self.assertLess(abs(_shift(heard[middle], wide[4000:-4000])), 48, part)

    def test_E3_mixedIn(self) -> None:
        """
        With events between and beside the packets of PCMU no speech is lost or moved,
        whether the sender goes on speaking meanwhile or not.
        """
        speech = speak(1000)
        for still in (True, False):
            leg: list[Spoken] = []
            sequence, number = 1000, 0
            while number < 1000:
                if number % 200 == 100:
                    pressed = press(
                        5,
                        begin=number * 0.02,
                        sequence=sequence,
                        timestamp=50_000 + 160 * number,
                    )
                    for each in pressed:
                        if not still and number < 1000:
                            # Its speech goes on between the packets of the event.
                            leg.append(_numbered(speech[number], sequence))
                            number, sequence = number + 1, sequence + 1
                        leg.append(Spoken(-1.0, evolve(each, sequence=sequence)))
                        sequence += 1
                    number += len(pressed) if still else 0
                if number < 1000:
                    leg.append(_numbered(speech[number], sequence))
                    number, sequence = number + 1, sequence + 1
            other = speak(1000, seed=9, ssrc=9)
            found = self.capture(
                {"1-0.rtpdump": leg, "1-1.rtpdump": other},
                streams=((PCMU, _EVENT), (PCMU,)),
            )
            self.assertInStep([each for each in leg if each.time >= 0], other)
            self.assertEqual(found["streams"][0]["lost"], 0)
            self.assertEqual(found["gaps"], [])
            kinds = [each["type"] for each in found["events"]]
            self.assertEqual(kinds, ["dtmf"] * 5)

    def test_E2_otherThanFirst(self) -> None:
        """
        Of an offer C{18 0 8}, of which all are taken, the sender may choose any: what it
        sends is recorded, to the sample.
        """
        offered = (Format(18, "G729", 8000), PCMU, PCMA)
        for kind in (0, 8):
            leg = speak(500, payloadType=kind)
            found = self.capture({"1-0.rtpdump": leg}, streams=(offered,))
            self.assertInStep(leg)
            self.assertEqual(found["streams"][0]["payloadType"], kind)
            self.assertEqual(found["events"], [])


class BenchTests(BenchCase):
    """
    The bench itself.
    """

    def test_tells(self) -> None:
        """
        It sees a leg that is one sample off, one that is not there, and one of which a
        sample is wrong.
        """
        leg = speak(100)
        self.capture({"1-0.rtpdump": leg})
        self.assertInStep(leg)
        moved = [Spoken(each.time + 2 / 8000, each.packet) for each in leg]
        self.assertRaises(self.failureException, self.assertInStep, moved, within=0.0002)
        self.assertRaises(self.failureException, self.assertInStep, speak(100, seed=2))
        self.assertRaises(self.failureException, self.assertSilent, 0, 0.0, 1.0)
        self.assertEqual(later(leg, 1.0, 7)[0].packet.arrival, leg[0].packet.arrival + 1.0)


def _numbered(spoken: Spoken, sequence: int) -> Spoken:
    return evolve(spoken, packet=evolve(spoken.packet, sequence=sequence))


def _shift(heard: NDArray[np.int16], wanted: NDArray[np.int16]) -> int:
    """
    @return: how many samples later it is heard.
    """
    size = 2 * len(wanted)
    spectrum = np.fft.rfft(heard.astype(float), size) * np.conj(
        np.fft.rfft(wanted.astype(float), size)
    )
    found = int(np.fft.irfft(spectrum, size).argmax())
    return found if found < len(wanted) else found - size

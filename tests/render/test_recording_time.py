"""
Tests of L{siprec.render.recording}: what was spoken when is heard then, whatever the
network and the clocks do (CONFORMANCE E4, E5, E13).
"""

import random
import struct
from typing import Any

import numpy as np
from attrs import evolve

from siprec.session.model import Format
from tests.render.bench import BenchCase, Spoken, later, speak, without
from tests.render.journals import PCMU, Packet, audioOf
from tests.render.recordingcase import TWO, seconds

_CN = Format(13, "CN", 8000)


def _jitter(seed: int, longest: float) -> list[float]:
    delays: list[float] = np.random.default_rng(seed).uniform(0, longest, 997).tolist()
    return delays


def _report(moment: float, timestamp: int, ssrc: int = 0x1A2B3C4D) -> bytes:
    """
    @param moment: what a sender takes the time to be, seconds since 1900.
    @return: a sender report (RFC 3550 section 6.4.1).
    """
    whole, part = divmod(moment, 1)
    words = int(whole), int(part * (1 << 32)), timestamp & 0xFFFFFFFF, 0, 0
    return struct.pack(">BBHI5I", 0x80, 200, 6, ssrc, *words)


class TimeCase(BenchCase):
    def legs(self, *legs: list[Spoken], **options: Any) -> dict[str, Any]:
        """
        @return: the rendering of one stream for each leg.
        """
        journals = {f"1-{index}.rtpdump": leg for index, leg in enumerate(legs)}
        options.setdefault("streams", [(PCMU,)] * len(legs))
        return self.capture(journals, **options)

    def other(self, **options: Any) -> list[Spoken]:
        """
        @return: another leg, which nothing happens to.
        """
        return speak(1500, seed=99, ssrc=99, **options)


class NetworkTests(TimeCase):
    """
    What a network does.
    """

    def test_E5_wrapsInTrouble(self) -> None:
        """
        Sequence numbers and timestamps wrap, both at once and each by itself, amid loss
        and reordering.
        """
        for sequence, timestamp in (
            (0xFFFF - 700, 0x100000000 - 700 * 160),
            (0xFFFF - 400, 0x100000000 - 900 * 160),
            (0xFFFF - 900, 0x100000000 - 400 * 160 - 77),
        ):
            leg = speak(1500, sequence=sequence, timestamp=timestamp, jitter=_jitter(1, 0.1))
            leg = without(leg, [*range(398, 404), 700, 701, *range(899, 903)])
            found = self.legs(leg, self.other())
            self.assertInStep(leg, self.other(), within=0.003)
            self.assertEqual((found["streams"][0]["lost"], len(found["gaps"])), (12, 3))
            self.assertEqual(found["events"], [])

    def test_E5_jitter(self) -> None:
        """
        With up to 200 ms of jitter, and packets in any order for it, both legs are in
        step within 5 ms, and nothing is lost.
        """
        one = speak(3000, jitter=_jitter(1, 0.2))
        two = speak(2950, begin=1.0, seed=2, ssrc=2, jitter=_jitter(2, 0.2))
        found = self.legs(one, two)
        self.assertInStep(one, two, within=0.005)
        self.assertGreater(found["streams"][0]["reordered"], 1000)
        self.assertEqual((found["gaps"], found["events"]), ([], []))

    def test_E5_duplicated(self) -> None:
        """
        What comes two and three times, also much later, is heard once.
        """
        leg = speak(1500)
        again = later(leg[::3], 0.05) + later(leg[::7], 1.9)
        found = self.legs([*leg, *again], self.other())
        self.assertInStep(leg, self.other())
        self.assertEqual(found["streams"][0]["duplicates"], len(again))
        self.assertEqual((found["gaps"], found["streams"][0]["lost"]), ([], 0))

    def test_E5_loss(self) -> None:
        """
        With 2 % and with 20 % of the packets lost, the rest is in time; all that was lost
        is counted, is silence and is in the gaps, which say that it was loss.
        """
        for part in (0.02, 0.2):
            dice = random.Random(5)
            legs, counts = [], []
            for ssrc in (1, 2):
                lost = [number for number in range(1, 2999) if dice.random() < part]
                spoken = speak(3000, seed=ssrc, ssrc=ssrc, jitter=_jitter(ssrc, 0.05))
                legs.append(without(spoken, lost))
                counts.append(len(lost))
            found = self.legs(*legs)
            self.assertInStep(*legs, within=0.005)
            self.assertEqual([each["lost"] for each in found["streams"]], counts)
            self.assertEqual({each["cause"] for each in found["gaps"]}, {"loss"})
            silent = sum(seconds(each["end"]) - seconds(each["start"]) for each in found["gaps"])
            self.assertAlmostEqual(silent, 0.02 * sum(counts), 3)
            for gap in found["gaps"][:200]:
                self.assertSilent(gap["stream"], seconds(gap["start"]), seconds(gap["end"]))

    def test_E13_outage(self) -> None:
        """
        After an outage of a minute, or of ten, the sequence numbers have gone on further
        than any jump that RFC 3550 allows for.  What follows is in time, and the outage is
        one gap, of as many packets as were lost.
        """
        for lost in (2999, 3000, 30_000):
            leg = speak(lost + 1000, jitter=_jitter(1, 0.02))
            leg = without(leg, range(500, 500 + lost))
            found = self.legs(leg, self.other())
            self.assertInStep(leg, within=0.002)
            self.assertEqual((found["streams"][0]["lost"], found["events"]), (lost, []))
            (gap,) = found["gaps"]
            self.assertEqual(gap["cause"], "loss")
            self.assertAlmostEqual(seconds(gap["end"]) - seconds(gap["start"]), lost / 50, 3)

    def test_E13_congestion(self) -> None:
        """
        A network that is 150 ms slower for five minutes, and then is not, moves nothing.
        """
        leg = speak(40_000)
        leg = leg[:15_000] + later(leg[15_000:30_000], 0.15) + leg[30_000:]
        self.legs(leg, self.other())
        self.assertInStep(leg, within=0.001, every=10)


class ClockTests(TimeCase):
    """
    What clocks do.
    """

    def test_E13_startSkew(self) -> None:
        """
        Legs that begin one after the other, each with its worst jitter at the begin, lie
        as far apart as they began.
        """
        one = speak(1000, jitter=[0.15, 0.12, 0.08, 0.03] + [0.0] * 996)
        two = speak(900, begin=1.713, seed=2, ssrc=2, jitter=[0.19, 0.17, 0.11] + [0.0] * 897)
        three = speak(500, begin=9.999, seed=3, ssrc=3)
        self.legs(one, two, three)
        self.assertInStep(one, two, three)

    def test_E13_hour(self) -> None:
        """
        Two clocks that are 100 ppm fast and slow, with jitter up to 50 ms: for an hour
        the legs are in step within 20 ms, at every moment.
        """
        one = speak(180_000, skew=1e-4, jitter=_jitter(1, 0.05))
        two = speak(180_000, skew=-1e-4, seed=2, ssrc=2, jitter=_jitter(2, 0.05))
        self.legs(one, two)
        self.assertInStep(one, two, within=0.02, every=100)

    def test_E13_jumps(self) -> None:
        """
        Timestamps that jump while the speech goes on, by a packet or by hours, forward or
        back: everything is in its time at once, also what was overtaken at the jump.
        """
        for jump in (20, -20, 45, -150, 150, 190, -1000, 600_000, -600_000):
            leg = speak(1000, jitter=_jitter(1, 0.1))
            leg = leg[:500] + later(leg[500:], ticks=8 * jump)
            found = self.legs(leg, self.other())
            # What lies between the ends of two segments is within a few milliseconds.
            self.assertInStep(leg, within=0.006)
            (event,) = found["events"]
            self.assertEqual(event["type"], "timestampRestarted", jump)
            self.assertEqual(found["streams"][0]["lost"], 0)

    def test_E13_oneJump(self) -> None:
        """
        A packet with a wrong timestamp moves none but itself.
        """
        for jump in (30, 150, 190, 300, 1500, -150, -1500, 600_000):
            leg = speak(3000, jitter=_jitter(1, 0.019))
            wrong = later(leg[1500:1501], ticks=8 * jump)
            found = self.legs([*leg[:1500], *wrong, *leg[1501:]])
            rest = [each for each in leg if abs(each.time - 30.0 - jump / 1000) > 0.021]
            self.assertInStep([each for each in rest if each.time != 30.0], within=0.001)
            self.assertNotIn("driftCorrected", [each["type"] for each in found["events"]])

    def test_E13_reports(self) -> None:
        """
        Sender reports of unrelated clocks, of other sources, with no time at all or with
        timestamps of their own change nothing of the audio.
        """
        one, two = speak(1500, skew=5e-5), self.other()
        self.legs(one, two)
        wanted = audioOf(self.directory)
        dice = random.Random(6)
        bogus = []
        for at in range(1, 29):
            stamp = 50_000 + 8000 * at
            bogus += [
                (at + 0.001, _report(3_976_592_400 + at, stamp)),
                (at + 0.002, _report(3_976_599_999 + 2 * at, stamp)),
                (at + 0.003, _report(0, stamp)),
                (at + 0.004, _report(dice.random() * 2**32, dice.getrandbits(32))),
                (at + 0.005, _report(3_976_592_400 + at, dice.getrandbits(32), 0xBAD)),
                (at + 0.006, _report(3_976_592_400 + at, stamp)[:12]),
            ]
        found = self.legs(one, two, other={"1-0.rtpdump": bogus, "1-1.rtpdump": bogus[::-1]})
        np.testing.assert_array_equal(audioOf(self.directory), wanted)
        self.assertEqual([each["packets"] for each in found["streams"]], [1500, 1500])
        self.assertInStep(one, two)


class SilenceTests(TimeCase):
    """
    Silence that is no loss.
    """

    def test_E4_transmission(self) -> None:
        """
        With DTX, whose comfort noise comes now and then, on either of its payload types,
        silence is as long as it was, to the sample, and nothing is lost.
        """
        for kind in (13, 19):
            parts: list[Spoken] = []
            noise: list[Spoken] = []
            sequence = 65_500
            for number, (begin, count) in enumerate(((0.0, 100), (5.0, 7), (5.5, 60), (20.0, 50))):
                stamp = 2**32 - 30_000 + round(begin * 8000)
                parts += speak(
                    count, begin=begin, sequence=sequence, timestamp=stamp, seed=number + 1
                )
                sequence += count
                end, stamp = begin + count * 0.02, stamp + count * 160
                for each in range(2):
                    at = end + 0.16 * each
                    packet = Packet(at, sequence, stamp + 1280 * each, b"\x40", payloadType=kind)
                    noise.append(Spoken(at, packet))
                    sequence += 1
            jittered = [
                evolve(each, packet=evolve(each.packet, arrival=each.packet.arrival + late))
                for each, late in zip([*parts, *noise], _jitter(1, 0.015) * 9, strict=False)
            ]
            found = self.legs(jittered, self.other(), streams=((PCMU, _CN), (PCMU,)))
            self.assertInStep(parts, within=0.002)
            for begin, end in ((2.01, 4.99), (5.15, 5.49), (6.71, 19.99)):
                self.assertSilent(0, begin, end)
            self.assertEqual((found["gaps"], found["streams"][0]["lost"]), ([], 0))
            self.assertEqual(found["events"], [])

    def test_E12_earlyAndLate(self) -> None:
        """
        Media that came before the recording's begin and after its end is there, and in
        step with the other leg.
        """
        early = speak(500, begin=-3.21)
        late = speak(500, begin=4.0, seed=2, ssrc=2)
        found = self.legs(early, late, end=8.0)
        self.assertInStep(early, late)
        self.assertEqual(found["audio"]["startTime"], "2026-01-05T08:59:56.790000Z")
        self.assertAlmostEqual(found["duration"], 17.21, 3)

    def test_E13_holdAndPause(self) -> None:
        """
        A hold after which both numbers have gone on, one after which only the timestamp
        has, and one after which neither has: what follows is in time, and each is a gap
        that says whether it was a hold or a pause.
        """
        for sequence, timestamp in ((200, 32_000), (0, 32_000), (0, 0), (200, 0)):
            first = speak(500)
            second = speak(
                500,
                begin=14.0,
                sequence=1500 + sequence,
                timestamp=50_000 + 80_000 + timestamp,
                seed=2,
            )
            for begun, ended, cause in (
                ("streamHeld", "streamReleased", "hold"),
                ("streamPaused", "streamResumed", "pause"),
            ):
                found = self.legs(
                    first + second, self.other(), events=[(10.0, begun, 0), (14.0, ended, 0)]
                )
                self.assertInStep(first + second, self.other())
                self.assertEqual(
                    [
                        (seconds(each["start"]), seconds(each["end"]), each["cause"])
                        for each in found["gaps"]
                    ],
                    [(10.0, 14.0, cause)],
                )
                self.assertEqual(found["streams"][0]["lost"], 0)


class NodesTests(TimeCase):
    """
    Two nodes, one after the other.
    """

    def test_E13_nodes(self) -> None:
        """
        Two nodes whose clocks differ have captured the same for two seconds, each with
        losses of its own, while the numbers wrap and the legs' clocks drift: the legs stay
        in step by the first node's clock, everything is there once, and there is no gap.
        """
        one = speak(3000, skew=5e-5, sequence=64_000, jitter=_jitter(1, 0.01))
        two = speak(3000, skew=-5e-5, seed=2, ssrc=2, timestamp=2**32 - 240_000)
        journals = {}
        for index, leg in enumerate((one, two)):
            journals[f"1-{index}.rtpdump"] = without(leg[:1600], range(1510, 1520))
            journals[f"2-{index}.rtpdump"] = later(without(leg[1500:], range(40, 60)), 0.7)
        found = self.capture(journals, streams=TWO, times=[(0.0, 32.0), (30.7, 60.7)])
        self.assertInStep(one, two, within=0.005)
        self.assertEqual(found["gaps"], [])
        self.assertEqual([each["lost"] for each in found["streams"]], [0, 0])

"""
Tests of L{siprec.render.recording}: what sender reports are good for, and what they must
not do (CONFORMANCE E13).
"""

import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from tests.render.bench import BenchCase, Spoken, later, speak
from tests.render.journals import START, audioOf
from tests.render.recordingcase import ONE, TWO

#: From 1900 to the begin of the recordings.
_BEGIN = START + 2_208_988_800

_Delay = Callable[[float], float]
_Report = tuple[float, bytes]


def _packed(moment: float, timestamp: float, ssrc: int = 0x1A2B3C4D) -> bytes:
    """
    @param moment: what the sender takes the time to be, seconds since 1900.
    @return: a sender report (RFC 3550 section 6.4.1), and an empty SDES.
    """
    whole, part = divmod(moment, 1)
    words = int(whole) & 0xFFFFFFFF, int(part * (1 << 32)), int(timestamp) & 0xFFFFFFFF, 0, 0
    return struct.pack(">BBHI5I", 0x80, 200, 6, ssrc, *words) + b"\x80\xca\0\0"


def _sent(
    seconds: float,
    skew: float,
    delay: _Delay,
    *,
    ssrc: int = 0x1A2B3C4D,
    fast: float = 0.0,
    ahead: float = 0.0,
) -> list[_Report]:
    """
    @param fast: by how much the clock that tells the time runs fast.
    @param ahead: seconds that it is ahead.
    @return: what a sender of that skew reports every five seconds; the timestamp is that
        of its last packet.
    """
    reports = []
    for number in range(int(seconds / 5)):
        at = 2.51 + 5 * number
        stamp = 50_000 + at * 8000 * (1 + skew) // 160 * 160
        moment = _BEGIN + ahead + at * (1 + fast)
        reports.append((at + delay(at), _packed(moment, stamp, ssrc)))
    return reports


def _queued(spoken: Sequence[Spoken], delay: _Delay) -> list[Spoken]:
    """
    @return: the packets after a way through a network.
    """
    return [
        evolve(each, packet=evolve(each.packet, arrival=each.packet.arrival + delay(each.time)))
        for each in spoken
    ]


def _growing(at: float) -> float:
    """
    A queue of 80 ms that builds up within a minute and stays.
    """
    return float(np.interp(at, [60, 120], [0, 0.08]))


def _better(at: float) -> float:
    """
    A way that becomes 80 ms shorter at once.
    """
    return 0.08 if at < 340 else 0.0


def _jitter(seed: int) -> list[float]:
    delays: list[float] = np.random.default_rng(seed).uniform(0, 0.03, 997).tolist()
    return delays


class ReportsTests(BenchCase):
    """
    Reports that tell the truth.
    """

    def _worst(self, *legs: Sequence[Spoken]) -> float:
        """
        @return: how far off anything is at most, in seconds.
        """
        errors = [self.errors(channel, leg, 50) for channel, leg in enumerate(legs)]
        return max(float(np.abs(error).max()) for error in errors)

    def test_E13_queue(self) -> None:
        """
        A queue that builds up on one leg and stays looks to the arrivals like a slow clock:
        they follow it for 60 ms and more.  With the reports both legs, whose clocks are 100
        ppm off to either side, are in step within 20 ms.
        """
        one = _queued(speak(21_000, skew=1e-4, jitter=_jitter(1)), _growing)
        two = speak(21_000, skew=-1e-4, seed=2, ssrc=2, jitter=_jitter(2))
        journals = {"1-0.rtpdump": one, "1-1.rtpdump": two}
        found = self.capture(journals, streams=TWO)
        self.assertEqual([each["clock"] for each in found["streams"]], ["arrivals"] * 2)
        self.assertGreater(self._worst(one), 0.06)
        reports = {
            "1-0.rtpdump": _sent(420, 1e-4, _growing),
            "1-1.rtpdump": _sent(420, -1e-4, lambda at: 0.0, ssrc=2),
        }
        found = self.capture(journals, streams=TWO, other=reports)
        # What the arrivals tell rightly by themselves they go on telling.
        self.assertEqual([each["clock"] for each in found["streams"]], ["reports", "arrivals"])
        self.assertInStep(one, two, within=0.02, every=50)

    def test_E13_route(self) -> None:
        """
        A call, longer than ten minutes, whose packets find a way that is 80 ms shorter in
        its middle: without the reports one half of it is displaced.
        """
        leg = _queued(speak(34_000, skew=-1e-4, jitter=_jitter(1)), _better)
        self.capture({"1-0.rtpdump": leg}, streams=ONE)
        self.assertGreater(self._worst(leg), 0.04)
        reports = {"1-0.rtpdump": _sent(680, -1e-4, _better)}
        found = self.capture({"1-0.rtpdump": leg}, streams=ONE, other=reports)
        self.assertEqual(found["streams"][0]["clock"], "reports")
        self.assertInStep(leg, within=0.012, every=50)

    def test_E13_reportsOfNodes(self) -> None:
        """
        Of a call that another node has taken over, whose clock is 0.7 s off, the reports in
        the journals of both are used: those of one are too few.
        """
        leg = _queued(speak(18_000, skew=1e-4, jitter=_jitter(1)), _growing)
        reports = _sent(360, 1e-4, _growing)
        journals = {"1-0.rtpdump": leg[:9100], "2-0.rtpdump": later(leg[9000:], 0.7)}
        told = {
            "1-0.rtpdump": [each for each in reports if each[0] < 181],
            "2-0.rtpdump": [(at + 0.7, each) for at, each in reports if at > 179],
        }
        times = [(0.0, 182.0), (180.7, 360.7)]
        for names in ((), ("1-0.rtpdump",), ("2-0.rtpdump",), tuple(told)):
            other = {name: told[name] for name in names}
            found = self.capture(journals, streams=ONE, other=other, times=times)
            clock = "reports" if len(names) == 2 else "arrivals"
            self.assertEqual(found["streams"][0]["clock"], clock, names)
        self.assertInStep(leg, within=0.012, every=50)


class BogusTests(BenchCase):
    """
    Reports that tell something else.
    """

    def setUp(self) -> None:
        """
        Render what any report would make a difference for.
        """
        super().setUp()
        self.leg = _queued(speak(13_000, skew=1e-4, jitter=_jitter(1)), self._delay)
        self.capture({"1-0.rtpdump": self.leg}, streams=ONE)
        self.before: NDArray[np.int16] = audioOf(self.directory)

    @staticmethod
    def _delay(at: float) -> float:
        return float(np.interp(at, [60, 80], [0, 0.08]))

    def _render(self, reports: Sequence[_Report]) -> dict[str, Any]:
        other = {"1-0.rtpdump": sorted(reports)}
        return self.capture({"1-0.rtpdump": self.leg}, streams=ONE, other=other)

    def assertUnheard(self, reports: Sequence[_Report]) -> None:
        """
        The audio is what it is without these reports, to the sample.
        """
        found = self._render(reports)
        self.assertEqual(found["streams"][0]["clock"], "arrivals")
        np.testing.assert_array_equal(audioOf(self.directory), self.before)

    def _told(self, **options: Any) -> list[_Report]:
        return _sent(260, 1e-4, self._delay, **options)

    def test_true(self) -> None:
        """
        True reports do make a difference here.
        """
        self.assertEqual(self._render(self._told())["streams"][0]["clock"], "reports")
        self.assertFalse(np.array_equal(audioOf(self.directory), self.before))
        self.assertInStep(self.leg, within=0.012, every=10)

    def test_E13_otherClock(self) -> None:
        """
        A sender whose clock is not that of the day, or not set, or does not run: by half a
        second, by years, the same as the timestamps, or too fast.
        """
        for options in (
            {"ahead": 0.6},
            {"ahead": -0.6},
            {"ahead": -3e8},
            {"fast": 1e-4},
            {"fast": -1e-4},
            {"fast": 1e-3},
            {"fast": 1.0},
            {"fast": -1.0},
        ):
            self.assertUnheard(self._told(**options))

    def test_E13_nearlyRight(self) -> None:
        """
        A clock that is off by little, 30 ppm for four minutes, leads nobody astray: what is
        followed is the skew that the arrivals show.
        """
        for fast in (3e-5, -3e-5):
            found = self._render(self._told(fast=fast))
            self.assertEqual(found["streams"][0]["clock"], "reports")
            self.assertInStep(self.leg, within=0.012, every=10)

    def test_E13_noTime(self) -> None:
        """
        A sender that knows no time tells 0.
        """
        self.assertUnheard([(at, each[:8] + bytes(8) + each[16:]) for at, each in self._told()])

    def test_E13_steppedClock(self) -> None:
        """
        A clock that was set in the middle of the call.
        """
        for step in (0.06, -0.2, 0.45, 7.0):
            later = self._told(ahead=step)
            self.assertUnheard([*self._told()[:25], *later[25:]])

    def test_E13_forwarded(self) -> None:
        """
        Reports of others: those of two phones, by turns, those of another source, and those
        of a sender whose packets were given other timestamps on the way.
        """
        one, two = self._told(ahead=0.1), self._told(ahead=-0.1, fast=3e-5)
        self.assertUnheard([*one[::2], *two[1::2]])
        self.assertUnheard(self._told(ssrc=0xBAD))
        for stamp in (8000, 90_000, 1 << 31):
            self.assertUnheard(
                [
                    (at, each[:16] + _moved(each[16:20], stamp) + each[20:])
                    for at, each in self._told()
                ]
            )

    def test_E13_fewReports(self) -> None:
        """
        One report, or two, or many within a minute, or only torn ones.
        """
        told = self._told()
        self.assertUnheard(told[20:21])
        self.assertUnheard([told[0], told[-1]])
        self.assertUnheard(told[20:32])
        self.assertUnheard([(at, each[:24]) for at, each in told])

    def test_E13_attack(self) -> None:
        """
        Somebody who tells now this and now that, or more often something else than the
        sender does, changes nothing.
        """
        dice = random.Random(6)
        noise = [
            (at + 0.3, _packed(_BEGIN + at + dice.uniform(-0.4, 0.4), 50_000 + at * 8000))
            for at in range(1, 259)
        ]
        self.assertUnheard(noise)
        self.assertUnheard([*self._told(), *noise])
        self.assertUnheard([*self._told(), *_sent(260, 1.6e-4, self._delay, ahead=0.2)])


def _moved(stamp: bytes, ticks: int) -> bytes:
    return ((int.from_bytes(stamp, "big") + ticks) & 0xFFFFFFFF).to_bytes(4, "big")

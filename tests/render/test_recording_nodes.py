"""
Tests of L{siprec.render.recording}: calls that several nodes have captured.
"""

import json
import os
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from attrs import evolve

from siprec.render.recording import renderDirectory
from siprec.session.manifest import formatTime, readManifest, writeManifest
from tests.render.journals import START, Packet, audioOf, expected, linear, talk, writeRecording
from tests.render.recordingcase import TWO, RecordingCase, seconds


def seen(packets: Sequence[Packet], off: float) -> list[Packet]:
    """
    @return: the packets as a node captures them whose clock is off.
    """
    return [evolve(each, arrival=each.arrival + off) for each in packets]


class NodesCase(RecordingCase):
    """
    A recording with a segment for each node.
    """

    def of(
        self,
        journals: Mapping[str, Sequence[Packet]],
        times: Sequence[tuple[float, float | None]] = (),
        **options: Any,
    ) -> dict[str, Any]:
        """
        @param times: start and end of each segment.
        @return: the rendering.
        """
        writeRecording(self.directory, journals, **options)
        manifest = readManifest(self.directory)
        for segment, (start, end) in zip(manifest["segments"], times, strict=False):
            segment["start"] = formatTime(START + start)
            segment["end"] = None if end is None else formatTime(START + end)
        writeManifest(self.directory, manifest, durable=False)
        return self.again()

    def again(self) -> dict[str, Any]:
        """
        @return: the rendering, after a turn through JSON.
        """
        found: dict[str, Any] = json.loads(json.dumps(renderDirectory(self.directory)))
        return found

    def assertWhole(self, found: Mapping[str, Any], packets: int) -> None:
        """
        Everything is there, once.
        """
        for stream in found["streams"]:
            counts = [stream[each] for each in ("packets", "lost", "duplicates", "reordered")]
            self.assertEqual(counts, [packets, 0, 0, 0])
            self.assertLess(stream["jitter"], 0.001)
        self.assertEqual((found["gaps"], found["events"], found["missing"]), ([], [], []))


class JoinTests(NodesCase):
    """
    One source from one segment to the next.
    """

    def test_G5_overlap(self) -> None:
        """
        However long both nodes capture, and however far their clocks are apart, the
        audio is what was sent, to the sample.
        """
        packets = talk(1200)
        for overlap, off in product((0, 10, 150), (0.0, 0.05, -0.05, 2.0, -2.0)):
            journals = {
                "1-0.rtpdump": packets[:700],
                "2-0.rtpdump": seen(packets[700 - overlap :], off),
            }
            found = self.of(journals)
            self.assertAudio(linear(packets))
            self.assertWhole(found, 1200)

    def test_threeNodes(self) -> None:
        """
        Each further node has a clock of its own, and may be the first one again.
        """
        packets = talk(3000, jitter=(0.004, 0.0, 0.009, 0.002))
        for first, second in ((0.05, -0.05), (2.0, -2.0), (-1.5, 0.0), (0.0, 0.3)):
            journals = {
                "1-0.rtpdump": packets[:1000],
                "2-0.rtpdump": seen(packets[990:2000], first),
                "3-0.rtpdump": seen(packets[2000:], second),
            }
            found = self.of(journals)
            self.assertAudio(linear(packets))
            self.assertEqual((found["gaps"], found["events"]), ([], []))
            self.assertEqual([found["streams"][0][each] for each in ("packets", "lost")], [3000, 0])

    def test_alternating(self) -> None:
        """
        Packets of which each went to one node only are put together, also those that
        a frozen process wrote when it was long past its turn.
        """
        packets = talk(1000)
        late = set(range(520, 650))
        for off in (0.0, -2.0):
            journals = {
                "1-0.rtpdump": [
                    each for at, each in enumerate(packets[:660]) if at < 500 or at in late
                ],
                "2-0.rtpdump": seen(
                    [each for at, each in enumerate(packets) if at >= 500 and at not in late], off
                ),
            }
            found = self.of(journals)
            self.assertAudio(linear(packets))
            self.assertWhole(found, 1000)

    def test_reversed(self) -> None:
        """
        The journal of the earlier segment may have the later packets.
        """
        packets = talk(1000)
        for split, off in product((990, 600, 5), (0.0, 2.0)):
            found = self.of(
                {"1-0.rtpdump": packets[split:], "2-0.rtpdump": seen(packets[:split], off)}
            )
            (audio,) = audioOf(self.directory)
            # The first journal's clock holds, and so the audio's begin.
            np.testing.assert_array_equal(audio, linear(packets))
            self.assertWhole(found, 1000)

    def test_duplicates(self) -> None:
        """
        What the network brought twice is a duplicate; what two nodes have is none.
        """
        packets = talk(400)
        found = self.of(
            {
                "1-0.rtpdump": [*packets[:250], packets[100], packets[249]],
                "2-0.rtpdump": [*packets[200:], packets[399], packets[220]],
            }
        )
        (stream,) = found["streams"]
        self.assertEqual((stream["packets"], stream["duplicates"], stream["lost"]), (403, 3, 0))
        self.assertAudio(linear(packets))

    def test_clockOfTheEnd(self) -> None:
        """
        The end of the call is told by the last node, whose clock may be off.
        """
        packets = talk(500)
        self.of({"1-0.rtpdump": packets[:250], "2-0.rtpdump": seen(packets[250:], 2.0)}, end=13.0)
        self.assertAudio(expected(11 * 8000, (0, packets)))

    def test_E13_newSource(self) -> None:
        """
        Where one leg begins anew at the second node, it keeps in step with the other
        one, which goes on.
        """
        one, two = talk(500, ssrc=1), talk(250, ssrc=2)
        three = talk(240, ssrc=3, begin=5.2, sequence=7, timestamp=9, seed=3)
        for off in (2.0, -0.05):
            found = self.of(
                {
                    "1-0.rtpdump": one[:250],
                    "1-1.rtpdump": two,
                    "2-0.rtpdump": seen(one[250:], off),
                    "2-1.rtpdump": seen(three, off),
                },
                [(0.0, 5.0), (5.1 + off, 10.0 + off)],
                streams=TWO,
            )
            self.assertAudio(linear(one), expected(80_000, (0, two), (41_600, three)))
            self.assertEqual([each["lost"] for each in found["streams"]], [0, 0])
            (gap,) = found["gaps"]
            self.assertEqual((gap["cause"], gap["stream"]), ("nodeChange", 1))
            self.assertEqual((seconds(gap["start"]), seconds(gap["end"])), (5.0, 5.1))


class GapTests(NodesCase):
    """
    What no node has.
    """

    def test_outage(self) -> None:
        """
        What was sent while nobody captured is a gap, however long, and is where it
        belongs; other losses are not the nodes'.
        """
        packets = talk(10_000)
        lossy = [each for at, each in enumerate(packets) if at not in (10, 9800)]
        for until, off in ((150, 0.0), (150, 2.0), (9000, 0.0), (9000, -2.0)):
            found = self.of(
                {"1-0.rtpdump": lossy[:99], "2-0.rtpdump": seen(lossy[until - 1 :], off)},
                [(0.0, 2.0), (until / 50 + off, 200.0 + off)],
            )
            self.assertAudio(
                expected(
                    1_600_000,
                    (0, packets[:10]),
                    (1760, packets[11:100]),
                    (until * 160, packets[until:9800]),
                    (9801 * 160, packets[9801:]),
                )
            )
            self.assertEqual(
                [(seconds(each["start"]), each["cause"]) for each in found["gaps"]],
                [(0.2, "loss"), (2.0, "nodeChange"), (196.0, "loss")],
            )
            self.assertAlmostEqual(seconds(found["gaps"][1]["end"]), until / 50, 3)
            self.assertEqual(found["streams"][0]["lost"], until - 100 + 2)

    def test_lostByBoth(self) -> None:
        """
        A packet that neither has, while both captured, is lost.
        """
        packets = talk(400)
        there = [each for at, each in enumerate(packets) if at != 210]
        found = self.of({"1-0.rtpdump": there[:249], "2-0.rtpdump": there[200:]})
        self.assertEqual([each["cause"] for each in found["gaps"]], ["loss"])

    def test_missing(self) -> None:
        """
        A segment whose journals are with another node is a gap, and they are named;
        when they are there, nothing is missing.
        """
        packets = talk(9000)
        parts = {
            "1-0.rtpdump": packets[:1000],
            "2-0.rtpdump": packets[1000:8000],
            "3-0.rtpdump": packets[8000:],
        }
        times = [(0.0, 20.0), (20.0, 160.0), (160.0, 180.0)]
        self.of(parts, times)
        for name in parts:
            path = os.path.join(self.directory, name)
            os.rename(path, f"{path}.away")
            found = self.again()
            self.assertEqual(found["missing"], [name])
            start, end = times[int(name[0]) - 1]
            (gap,) = found["gaps"]
            self.assertEqual((seconds(gap["start"]), seconds(gap["end"])), (start, end))
            self.assertEqual(gap["cause"], "nodeChange")
            os.rename(f"{path}.away", path)
            self.assertWhole(self.again(), 9000)

    def test_missingWithSilence(self) -> None:
        """
        Where the sequence numbers cannot tell what was sent, it is the segments'
        times that say how long the gap is.
        """
        one = talk(100, begin=0.5)
        two = talk(100, begin=30.0, ssrc=9, sequence=5, timestamp=77)
        found = self.of(
            {"1-0.rtpdump": one, "2-0.rtpdump": [], "3-0.rtpdump": two},
            [(0.0, 4.0), (4.5, 25.0), (29.0, None)],
        )
        # The second one did capture, and nothing came.
        self.assertEqual(
            [(seconds(each["start"]), seconds(each["end"])) for each in found["gaps"]],
            [(4.0, 4.5), (25.0, 29.0)],
        )
        os.unlink(os.path.join(self.directory, "2-0.rtpdump"))
        found = self.again()
        self.assertEqual(found["missing"], ["2-0.rtpdump"])
        self.assertEqual(
            [(seconds(each["start"]), seconds(each["end"])) for each in found["gaps"]],
            [(4.0, 29.0)],
        )
        self.assertAudio(expected(32 * 8000, (4000, one), (240_000, two)))

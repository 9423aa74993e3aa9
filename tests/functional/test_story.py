"""
What happens in a call, as its manifest tells it: on a real node, with real media.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest, parseTime
from siprec.show import show
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, pause, reactor

_HEAD = '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>{}</datamode>'
_WHOLE = """
 <session session_id="S1=="><start-time>2026-01-05T09:00:00Z</start-time></session>
 <participant participant_id="PA=="><nameID aor="sip:ann@a.example"><name>Ann</name></nameID>
 </participant>
 <participant participant_id="PB=="><nameID aor="sip:bob@b.example"><name>Bob</name></nameID>
 </participant>
 <stream stream_id="TA==" session_id="S1=="><label>1</label></stream>
 <stream stream_id="TB==" session_id="S1=="><label>2</label></stream>
 <participantsessionassoc participant_id="PA==" session_id="S1=="/>
 <participantsessionassoc participant_id="PB==" session_id="S1=="/>
 <participantstreamassoc participant_id="PA=="><send>TA==</send><recv>TB==</recv>
 </participantstreamassoc>
 <participantstreamassoc participant_id="PB=="><send>TB==</send><recv>TA==</recv>
 </participantstreamassoc>"""
# Ann goes and Carol comes, on Ann's line (RFC 8068 section 3.2.3).
_TRANSFER = """
 <participant participant_id="PC=="><nameID aor="sip:carol@c.example"><name>Carol</name></nameID>
 </participant>
 <stream stream_id="TC==" session_id="S1=="><label>1</label></stream>
 <participantsessionassoc participant_id="PC==" session_id="S1==">
  <associate-time>2026-01-05T09:01:00Z</associate-time></participantsessionassoc>
 <participantsessionassoc participant_id="PA==" session_id="S1==">
  <disassociate-time>2026-01-05T09:01:00Z</disassociate-time></participantsessionassoc>
 <participantstreamassoc participant_id="PC=="><send>TC==</send><recv>TB==</recv>
 </participantstreamassoc>"""
_HOLD = '<participantstreamassoc participant_id="PA=="><recv>TB==</recv></participantstreamassoc>'
_RESUME = """<participantstreamassoc participant_id="PA=="><send>TA==</send><recv>TB==</recv>
 </participantstreamassoc>"""
_THIRD = """
 <participant participant_id="PC=="><nameID aor="sip:carol@c.example"><name>Carol</name></nameID>
 </participant>
 <stream stream_id="TC==" session_id="S1=="><label>3</label></stream>
 <participantsessionassoc participant_id="PC==" session_id="S1=="/>
 <participantstreamassoc participant_id="PC=="><send>TC==</send></participantstreamassoc>"""
_STOP = """<session session_id="S1==">
 <stop-time>2026-01-05T09:05:00Z</stop-time></session>"""


def document(content: str, mode: str = "partial") -> bytes:
    """
    @return: an rs-metadata document.
    """
    return f"{_HEAD.format(mode)}{content}</recording>".encode()


class StoryTests(TestCase):
    """
    One node, one client, one call.
    """

    async def call(self, *options: str) -> RecordingCall:
        """
        @return: a call of Ann and Bob that has begun.
        """
        root = os.path.abspath(self.mktemp())
        self.node = NodeProcess(root, rtp="30000-30499", options=options)
        self.addCleanup(self.node.kill)
        await self.node.start()
        self.client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(self.client.stop)
        await self.client.start()
        return await self.client.invite(metadata=document(_WHOLE, "complete"))

    def speak(self, call: RecordingCall, seconds: float) -> Deferred[list[None]]:
        """
        Have all streams sent for so long.
        """
        payload = encodeG711(ANN.speak(seconds), Law.MU)
        return call.play([payload] * len(call.legs))

    async def done(self) -> Manifest:
        """
        @return: the manifest, once it is finished.
        """
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
        return manifest

    def told(self, manifest: Manifest, *kinds: str) -> list[dict[str, Any]]:
        """
        @return: the entries of the timeline of these types.
        """
        return [each for each in manifest["timeline"] if each["type"] in kinds]

    def audio(self, manifest: Manifest) -> NDArray[np.int16]:
        """
        @return: samples by channel.
        """
        day = manifest["startTime"][:10].replace("-", "/")
        path = f"{self.node.root}/{day}/{manifest['id']}/{manifest['audio']['file']}"
        samples, _ = soundfile.read(path, dtype="int16", always_2d=True)
        found: NDArray[np.int16] = samples.T
        return found

    async def test_transfer(self) -> None:
        """
        A transfer in mid-call: the channel's history names both speakers, each to the
        time of the update.
        """
        call = await self.call()
        playing = self.speak(call, 3.0)
        await pause(1.5)
        before = reactor.seconds()
        await call.update(document(_TRANSFER))
        after = reactor.seconds()
        await playing
        await call.bye()
        manifest = await self.done()
        names = {each["id"]: each["name"] for each in manifest["participants"]}
        first, second = (stream["speakers"] for stream in manifest["streams"])
        self.assertEqual([names[each["participant"]] for each in first], ["Ann", "Carol"])
        self.assertEqual([names[each["participant"]] for each in second], ["Bob"])
        self.assertEqual(first[0]["end"], first[1]["start"])
        moment = parseTime(first[1]["start"])
        self.assertTrue(before - 0.01 <= moment <= after + 0.01, (before, moment, after))
        self.assertEqual(first[1]["end"], manifest["endTime"])
        [transfer] = self.told(manifest, "transfer")
        self.assertApproximates(transfer["at"], moment - parseTime(manifest["startTime"]), 0.001)
        self.assertIn("Ann -> Carol", show(manifest))

    async def test_holdAndResume(self) -> None:
        """
        A hold by metadata and a pause by C{inactive}: both are told, the media that was
        not sent is silence of the right length, a gap with the cause C{pause} and no loss.
        """
        call = await self.call()
        playing = self.speak(call, 6.0)
        await pause(2.0)
        await call.reinvite(document(_HOLD), direction="inactive")
        await pause(2.0)
        await call.reinvite(document(_RESUME), direction="sendonly")
        await playing
        await call.bye()
        manifest = await self.done()
        self.assertEqual([each["lost"] for each in manifest["streams"]], [0, 0])
        self.assertEqual({each["cause"] for each in manifest["gaps"]}, {"pause"})
        for stream in (0, 1):
            [gap] = [each for each in manifest["gaps"] if each["stream"] == stream]
            length = parseTime(gap["end"]) - parseTime(gap["start"])
            self.assertApproximates(length, 2.0, 0.2)
        samples = self.audio(manifest)
        begin = int((parseTime(gap["start"]) - parseTime(manifest["audio"]["startTime"])) * 8000)
        self.assertEqual(np.abs(samples[:, begin + 400 : begin + 14_000]).max(), 0)
        self.assertGreater(np.abs(samples[:, begin + 18_000 :]).max(), 0)
        self.assertEqual(len(self.told(manifest, "hold")), 1)
        self.assertEqual(len(self.told(manifest, "pause")), 2)
        self.assertEqual(len(self.told(manifest, "resume")), 3)
        self.assertEqual(len(manifest["streams"][0]["speakers"]), 1)

    async def test_thirdStream(self) -> None:
        """
        A third stream after three seconds is a third channel, silent until then, and its
        speaker begins there.
        """
        call = await self.call()
        playing = self.speak(call, 5.0)
        await pause(3.0)
        self.client.addStream(call)
        await call.reinvite(document(_THIRD))
        payload = encodeG711(ANN.speak(2.0), Law.MU)
        await call.legs[2].play(payload)
        await playing
        await call.bye()
        manifest = await self.done()
        self.assertEqual(manifest["audio"]["channels"], 3)
        names = {each["id"]: each["name"] for each in manifest["participants"]}
        [speaker] = manifest["streams"][2]["speakers"]
        self.assertEqual(names[speaker["participant"]], "Carol")
        start = parseTime(manifest["startTime"])
        self.assertApproximates(parseTime(speaker["start"]) - start, 3.0, 0.3)
        samples = self.audio(manifest)[2]
        self.assertEqual(np.abs(samples[: int(2.9 * 8000)]).max(), 0)
        self.assertGreater(np.abs(samples).max(), 0)
        [added] = [each for each in self.told(manifest, "sdp") if each["stream"] == 2]
        self.assertApproximates(added["at"], 3.0, 0.3)

    async def test_byeWithMetadata(self) -> None:
        """
        The metadata in a BYE is in the final record (RFC 8068 section 3.2.4): the session
        is over, and all have left.
        """
        call = await self.call()
        await self.speak(call, 1.0)
        response = await call.bye(document(_STOP))
        self.assertEqual(response.status, 200)
        manifest = await self.done()
        self.assertEqual(len(manifest["metadata"]), 2)
        self.assertEqual(manifest["metadata"][1]["mode"], "partial")
        types = [each["type"] for each in manifest["timeline"]]
        self.assertEqual(types[-4:], ["leave", "leave", "session", "end"])
        for stream in manifest["streams"]:
            self.assertIsNotNone(stream["speakers"][0]["end"])

    async def test_split(self) -> None:
        """
        Two communication sessions in one recording session are two files beside the
        whole one.
        """
        config = os.path.abspath(self.mktemp())
        with open(config, "w") as file:
            file.write('[recordings]\nsplit = "session"\n')
        call = await self.call("--config", config)
        playing = self.speak(call, 4.0)
        await pause(2.0)
        await call.update(document(_STOP))
        second = _WHOLE.replace("S1==", "S2==")
        await call.update(document(second, "complete"))
        await playing
        await call.bye()
        manifest = await self.done()
        parts = manifest["audio"]["parts"]
        self.assertEqual([each["session"] for each in parts], ["S1==", "S2=="])
        self.assertApproximates(parts[0]["duration"], 2.0, 0.3)
        day = manifest["startTime"][:10].replace("-", "/")
        for part in parts:
            path = f"{self.node.root}/{day}/{manifest['id']}/{part['file']}"
            self.assertApproximates(soundfile.info(path).duration, part["duration"], 0.001)

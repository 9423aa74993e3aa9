"""
C{python -m siprec.demo}: record one synthetic call and show what came of it.

A whole node is started on free ports of the loopback interface; a SIPREC
client places one call with two voices in conversation, over UDP as a session
border controller would.
"""

import math
import os
import sys
from collections.abc import Callable
from typing import Any

import soundfile
from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError
from zope.interface import implementer

from siprec.assembly import makeNode
from siprec.config import ConfigError, Settings, loadSettings
from siprec.node import Node
from siprec.session.archive import locate, newest
from siprec.session.manifest import Manifest, isFinished
from siprec.session.running import NodeInUse
from siprec.sip.errors import SipError
from siprec.testing.client import CallFailed, RecordingCall, RecordingClient
from siprec.testing.picture import picture
from siprec.testing.voice import ANN, BOB, conversation
from siprec.testing.wire import Law, encodeG711

_HOST = "127.0.0.1"
_VOICES = (ANN, BOB)
_TURN = 1.5

# Seconds to wait for the audio, and between two looks at it.
_PATIENCE, _LOOK = 60.0, 0.05


class DemoFailed(Exception):
    """
    Something did not come out as it should.
    """


class Options(UsageOptions):
    """
    Record one synthetic call.
    """

    synopsis = "Usage: python -m siprec.demo [options]"
    optParameters = [
        ["recordings", "r", "./recordings", "Folder that the recording goes to."],
        ["seconds", "s", 6.0, "Length of the call in seconds.", float],
    ]

    def postOptions(self) -> None:
        if not 1 <= self["seconds"] <= 600:
            raise UsageError("--seconds is from 1 to 600")
        overrides = {
            "node.id": "demo",
            "sip.listen": [f"udp:0:interface={_HOST}"],
            "media.address": _HOST,
            "recordings.directory": self["recordings"],
            "http.listen": "",
        }
        try:
            self["settings"] = loadSettings(None, overrides)
        except ConfigError as error:
            raise UsageError(str(error)) from error


def describe(manifest: Manifest, directory: str, encoding: str) -> list[str]:
    """
    @return: what to tell about a finished recording.
    @raise DemoFailed: there is no audio in it.
    """
    if not manifest["audio"]:
        raise DemoFailed(f"the recording has no audio: {manifest['state']}")
    path = os.path.join(directory, manifest["audio"]["file"])
    samples, sampleRate = soundfile.read(path, always_2d=True)
    names = {each["id"]: each["name"] or each["aor"] for each in manifest["participants"]}
    channels = [
        (names.get(stream["participant"], stream["label"] or "?"), samples[:, stream["channel"]])
        for stream in manifest["streams"]
    ]
    streams = manifest["streams"]
    packets, lost = (sum(stream[key] for stream in streams) for key in ("packets", "lost"))
    return [
        f"folder    {directory}",
        f"duration  {manifest['duration']:.2f} s",
        f"streams   {len(streams)}, with {packets} packets, {lost} lost",
        "",
        *picture(channels, sampleRate, encoding),
    ]


def verify(manifest: Manifest, sent: int) -> None:
    """
    @param sent: how many RTP packets were sent.
    @raise DemoFailed: the recording is not what was said.
    """
    if manifest["state"] != "complete":
        raise DemoFailed(f"the recording is {manifest['state']}: {manifest['endReason']}")
    if len(manifest["streams"]) != len(_VOICES):
        raise DemoFailed(f"there are {len(manifest['streams'])} streams, not {len(_VOICES)}")
    received = sum(stream["packets"] for stream in manifest["streams"])
    if received != sent:
        raise DemoFailed(f"{sent} packets were sent, but {received} recorded")


@implementer(ILogObserver)
class _Errors:
    """
    Counts what is logged as an error that nothing had foreseen.
    """

    count = 0

    def __call__(self, event: LogEvent) -> None:
        self.count += event.get("log_level") == LogLevel.critical


@define(eq=False, repr=False)
class Demo:
    """
    One run of the demonstration.
    """

    _reactor: Any
    _settings: Settings
    _seconds: float
    _say: Callable[[str], None]
    _encoding: str

    async def run(self) -> None:
        """
        @raise DemoFailed: it failed; the message says where.
        """
        errors = _Errors()
        globalLogPublisher.addObserver(errors)
        node = makeNode(self._reactor, self._settings)
        try:
            node.startService()
        except (NodeInUse, SipError, OSError) as error:
            raise DemoFailed(str(error)) from error
        try:
            await self._call(node)
        except (CallFailed, SipError) as error:
            raise DemoFailed(str(error)) from error
        finally:
            await node.stopService()
            globalLogPublisher.removeObserver(errors)
        if errors.count:
            raise DemoFailed(f"{errors.count} errors were logged")

    async def _call(self, node: Node) -> None:
        transport, host, port = node.sipAddresses[0]
        self._say(f"The recorder listens on {transport.lower()}:{host}:{port}.")
        client = RecordingClient(self._reactor, transport, host, port)
        await client.start()
        try:
            call = await client.invite(participants=[voice.name for voice in _VOICES])
            self._say(f"It has answered the call {call.callID}.")
            sent = await self._speak(call)
            await call.bye()
        finally:
            await client.stop()
        self._say("The call is over; the recording is being finished.")
        manifest = await self._finished(call.callID)
        directory = locate(self._settings.recordings.directory, manifest["id"])
        self._say(f"Recording {manifest['id']} is {manifest['state']}.")
        for line in describe(manifest, directory, self._encoding):
            self._say(f"  {line}".rstrip())
        verify(manifest, sent)

    async def _speak(self, call: RecordingCall) -> int:
        """
        @return: how many RTP packets were sent.
        """
        channels = conversation(_VOICES, self._seconds, _TURN)
        done = call.play([encodeG711(channel, Law.MU) for channel in channels])
        turns = math.ceil(self._seconds / _TURN)
        for turn in range(turns):
            self._say(f"  {turn * _TURN:4.1f} s  {_VOICES[turn % len(_VOICES)].name} speaks")
            await deferLater(self._reactor, min(_TURN, self._seconds - turn * _TURN))
        await done
        return sum(len(leg.sent) for leg in call.legs)

    async def _finished(self, callID: str) -> Manifest:
        root = self._settings.recordings.directory
        for _ in range(round(_PATIENCE / _LOOK)):
            page = newest(root, None, 1, lambda manifest: manifest["callID"] == callID)
            for manifest in page.recordings:
                if isFinished(manifest):
                    return manifest
            await deferLater(self._reactor, _LOOK)
        raise DemoFailed(f"the recording was not finished within {_PATIENCE:g} s")


async def main(reactor: Any, *arguments: str) -> None:
    """
    Run the demonstration.

    @raise SystemExit: with status 1 if anything failed, 2 for wrong options.
    """
    options = Options()
    try:
        options.parseOptions(list(arguments))
    except UsageError as error:
        print(f"siprec.demo: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    demo = Demo(reactor, options["settings"], options["seconds"], print, sys.stdout.encoding)
    try:
        await demo.run()
    except DemoFailed as error:
        print(f"siprec.demo: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def _main(reactor: Any, *arguments: str) -> Deferred[None]:
    return Deferred.fromCoroutine(main(reactor, *arguments))


if __name__ == "__main__":
    react(_main, sys.argv[1:])

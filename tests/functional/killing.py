"""
Calls at one node that is killed over and over, and what must be true of its recordings
whatever moment that was.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

import soundfile
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from siprec.session.manifest import Manifest, readManifest
from siprec.sip.errors import SipError
from siprec.sip.message import Response
from siprec.testing.call import CallFailed, RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.offer import makeMetadata
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import pause, reactor

__all__ = ["Caller", "Folders"]

_FINAL = ("complete", "incomplete")

# Seconds after which a client has given up a call, as every client does that was told 100
# and nothing else (RFC 3261 section 17.1.1.2 has no timer for that).
_PATIENCE = 60.0

_PAYLOAD = encodeG711(ANN.speak(2.0), Law.MU)


@define(eq=False)
class Caller:
    """
    Makes one call after the other, each of which starts, runs, changes and ends.

    @ivar counted: what happened.
    """

    _client: RecordingClient
    _chance: Random
    counted: Counter[str]
    over: bool = field(default=False, init=False)

    async def run(self) -> None:
        """
        Go on until L{over}.
        """
        while not self.over:
            try:
                inviting = self._client.invite(streams=self._chance.choice((1, 2)))
                call = await Deferred.fromCoroutine(inviting).addTimeout(_PATIENCE, reactor)
            except (CallFailed, SipError, CancelledError, TimeoutError) as error:
                self.counted[f"INVITE: {error}"[:40]] += 1
                await pause(0.2)
                continue
            self.counted["calls"] += 1
            try:
                talking = Deferred.fromCoroutine(self._talk(call))
                await talking.addTimeout(_PATIENCE, reactor)
            except (SipError, CancelledError, TimeoutError) as error:
                self.counted[f"lost: {error}"[:40]] += 1
            call.close()
            self._client.calls.remove(call)

    async def _talk(self, call: RecordingCall) -> None:
        for _ in range(self._chance.randrange(4)):
            self._play(call)
            await pause(self._chance.uniform(0.0, 0.5))
            match self._chance.choice(("reinvite", "hold", "metadata", "nothing")):
                case "reinvite":
                    await self._ask(lambda: call.reinvite(direction="sendonly"))
                case "hold":
                    await self._ask(lambda: call.reinvite(direction="inactive"))
                case "metadata":
                    labels = [leg.label for leg in call.legs]
                    metadata = makeMetadata(("Ann", "Zoe"), labels)
                    await self._ask(partial(call.update, metadata))
        await self._ask(call.bye)

    def _play(self, call: RecordingCall) -> None:
        payloads = [None if leg.remote is None else _PAYLOAD for leg in call.legs]
        playing: Deferred[Any] = call.play(payloads)
        playing.addErrback(lambda failure: failure.trap(CancelledError))

    async def _ask(self, send: Callable[[], Coroutine[Any, Any, Response]]) -> None:
        """
        Send a request, and once more if the answer says when.
        """
        for _ in range(3):
            response = await send()
            self.counted[f"{response.cseq.method}: {response.status}"] += 1
            after = response.headers.get("Retry-After")
            if response.status != 500 or after is None:
                return
            await pause(float(after))


@define(eq=False)
class Folders:
    """
    The folders of all recordings, as they are on the disk.

    @ivar problems: what must not be.
    @ivar states: of all that are finished.
    @ivar events: how many of each type there are in those.
    """

    _root: str
    problems: list[str] = field(factory=list, init=False)
    states: Counter[str] = field(factory=Counter, init=False)
    events: Counter[str] = field(factory=Counter, init=False)
    _finished: dict[str, dict[str, str]] = field(factory=dict, init=False)

    def all(self) -> list[str]:
        """
        @return: every folder of a recording.
        """
        return [
            folder
            for folder, folders, _ in os.walk(self._root)
            if not folders and ".running" not in folder and folder.count("/") >= 3
            if len(os.path.relpath(folder, self._root).split("/")) == 4
        ]

    def running(self) -> int:
        """
        @return: how many are not finished.
        """
        return sum(self._state(folder) not in _FINAL for folder in self.all())

    def look(self) -> None:
        """
        See that nothing finished has changed and no manifest is broken; remember what
        has been finished since.
        """
        for folder in self.all():
            manifest = self._read(folder)
            if folder in self._finished:
                if _digests(folder) != self._finished[folder]:
                    self.problems.append(f"{folder}: changed after its end")
            elif manifest is not None and manifest["state"] in _FINAL:
                self._take(folder, manifest)

    def end(self, node: str) -> None:
        """
        See that all are finished, and nothing lies about.
        """
        self.look()
        for folder in self.all():
            if folder not in self._finished:
                self.problems.append(f"{folder}: is {self._state(folder)}")
        left = os.listdir(os.path.join(self._root, ".running", node))
        if left:
            self.problems.append(f"markers left: {left}")

    def _state(self, folder: str) -> str | None:
        manifest = self._read(folder)
        return None if manifest is None else str(manifest["state"])

    def _read(self, folder: str) -> Manifest | None:
        """
        @return: the manifest; a folder that was just made has none yet.
        """
        try:
            return readManifest(folder)
        except FileNotFoundError:
            return None
        except Exception as error:
            self.problems.append(f"{folder}: {error}")
            return None

    def _take(self, folder: str, manifest: Manifest) -> None:
        self._finished[folder] = _digests(folder)
        self.states[manifest["state"]] += 1
        self.events.update(each["type"] for each in manifest["events"])
        known = {"recording.json", *(each["file"] for each in manifest["metadata"])}
        for segment in manifest["segments"]:
            known.update(segment["files"])
        try:
            self._play(folder, manifest)
            known.add(manifest["audio"]["file"])
        except Exception as error:
            self.problems.append(f"{folder}: not playable: {error!r}")
        strange = set(os.listdir(folder)) - known
        if strange:
            self.problems.append(f"{folder}: {sorted(strange)} left over")

    def _play(self, folder: str, manifest: Manifest) -> None:
        audio = manifest["audio"]
        path = os.path.join(folder, audio["file"])
        with open(path, "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == audio["sha256"], "sha256"
        samples, _ = soundfile.read(path, dtype="int16", always_2d=True)
        assert samples.shape[1] == audio["channels"], "channels"
        packets = sum(each["packets"] for each in manifest["streams"])
        assert samples.any() or packets < 10, f"silent, {packets} packets"


def _digests(folder: str) -> dict[str, str]:
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def told(folders: Folders, counted: Counter[str]) -> str:
    """
    @return: what there is to tell of all.
    """
    return json.dumps(
        {"recordings": folders.states, "events": folders.events, "calls": counted}, indent=1
    )

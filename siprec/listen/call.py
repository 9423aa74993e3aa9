"""
A recording that runs, as sound.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from attrs import define, field

from siprec.listen.following import Follower
from siprec.listen.playing import Player, rateFor
from siprec.session.manifest import Manifest, parseTime, readManifest

__all__ = ["DELAY", "LiveCall", "NotRunning", "waveHeader"]

#: Seconds from what is said to when it is heard: longer than the capture's visits to the
#: sockets are apart, and than most packets are late.
DELAY = 0.5

#: How often the folder is looked at, in seconds.
LOOK = 1.0

# So many seconds are put together at most, where there is much to catch up with.
_PIECE = 1.0

_JOURNAL = re.compile(r"[0-9]{1,9}-([0-9]{1,9})\.rtpdump", re.ASCII)
_ENDLESS = 0xFFFFFFFF
_SECOND = 1_000_000_000


class NotRunning(Exception):
    """
    The recording is over; the text says what to do then.
    """


def waveHeader(rate: int, channels: int) -> bytes:
    """
    @return: of a WAV file of 16 bits whose length nobody knows: the largest there is,
        which players take for endless.
    """
    width = 2 * channels
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", _ENDLESS, b"WAVE", b"fmt ", 16, 1),
        *(channels, rate, rate * width, width, 16, b"data", _ENDLESS),
    )


def checkRunning(directory: str, manifest: Manifest) -> None:
    """
    @raise NotRunning: it is over.
    """
    state, audio = manifest["state"], manifest.get("audio")
    if state == "finishing":
        raise NotRunning(f"{directory}: the call is over, its audio is being made")
    if state != "recording":
        file = os.path.join(directory, audio["file"]) if audio else "there is no audio of it"
        raise NotRunning(f"{directory}: the recording is {state}; play its file: {file}")


@define(eq=False, repr=False)
class LiveCall:
    """
    Follows the journals of one recording, whichever nodes write them.

    @ivar directory: of the recording.
    @ivar rate: samples a second.
    @ivar channels: of the sound: one, or two, of which the first has the streams 0, 2
        and so on.
    """

    directory: str
    channels: int
    _start: float
    _delay: float
    _warn: Callable[[str], None]
    _now: Callable[[], float]
    _wait: Callable[[float], None]
    rate: int = field(init=False)
    _fromStart: bool = True
    _players: dict[int, Player] = field(factory=dict, init=False)
    _followers: dict[str, Follower] = field(factory=dict, init=False)
    _broken: set[str] = field(factory=set, init=False)
    _end: float | None = field(default=None, init=False)
    _looked: float = field(default=float("-inf"), init=False)

    @classmethod
    def open(
        cls,
        directory: str,
        warn: Callable[[str], None],
        now: Callable[[], float],
        wait: Callable[[float], None],
        channels: int = 2,
        fromStart: bool = False,
        delay: float = DELAY,
    ) -> LiveCall:
        """
        @param warn: called with what cannot be played.
        @param now: gives seconds since the epoch.
        @param wait: waits for so many seconds.
        @param fromStart: play all that there is, and not only what comes.
        @raise NotRunning: it is over.
        @raise siprec.session.manifest.BadManifest: it is none.
        @raise OSError: it is not there.
        """
        manifest = readManifest(directory)
        checkRunning(directory, manifest)
        start = parseTime(manifest["startTime"]) if fromStart else now()
        call = cls(directory, channels, start, delay, warn, now, wait, fromStart)
        call.rate = rateFor(manifest["streams"])
        call._learn(manifest)
        # What is there by now is left out, what comes in a file of later is not.
        call._fromStart = True
        return call

    def pieces(self) -> Iterator[bytes]:
        """
        @return: linear samples, least octet first, channel by channel, as time goes by,
            until the recording has ended.
        """
        done = 0
        while True:
            now = self._now()
            self._look(now)
            heard = now - self._delay
            if self._end is not None:
                # What came at the end of the call is in the journals at once.
                heard = min(heard, self._end)
            wanted = int((heard - self._start) * self.rate)
            while done < wanted:
                count = min(wanted - done, int(_PIECE * self.rate))
                done += count
                yield self._piece(done, count)
            if self._end is not None and heard >= self._end:
                return
            self._wait(0.1)

    def _piece(self, done: int, count: int) -> bytes:
        """
        @param done: the place after it.
        """
        # Half of the delay is for what is on its way to the journal, half for what
        # overtakes what was sent before it.
        until = round((self._start + done / self.rate + self._delay / 2) * _SECOND)
        for name, follower in self._followers.items():
            self._read(name, follower, until)
        mixed = np.zeros((count, self.channels), np.int32)
        for index, player in self._players.items():
            mixed[:, index % self.channels] += player.play(until, count)
        return mixed.clip(-32768, 32767).astype("<i2").tobytes()

    def _read(self, name: str, follower: Follower, until: int) -> None:
        if name in self._broken:
            return
        match = _JOURNAL.fullmatch(name)
        assert match is not None, "nothing else is followed"
        try:
            for table in follower.read(until):
                self._player(int(match[1])).take(table)
        except (OSError, ValueError) as error:
            self._broken.add(name)
            self._warn(f"{name}: not readable: {error}")

    def _look(self, now: float) -> None:
        if now < self._looked + LOOK:
            return
        self._looked = now
        try:
            manifest = readManifest(self.directory)
        except OSError as error:
            self._warn(f"{self.directory}: {error.strerror}")
            self._end = self._end or now
            return
        self._learn(manifest)
        if manifest["state"] != "recording" and self._end is None:
            self._end = parseTime(manifest["endTime"]) if manifest["endTime"] else now

    def _learn(self, manifest: Manifest) -> None:
        for entry in manifest["streams"]:
            self._player(int(entry["index"]), entry).learn(entry)
        for name in os.listdir(self.directory):
            if _JOURNAL.fullmatch(name) and name not in self._followers:
                follower = self._followers[name] = Follower(os.path.join(self.directory, name))
                if not self._fromStart:
                    self._skip(name, follower)

    def _skip(self, name: str, follower: Follower) -> None:
        try:
            follower.skip()
        except (OSError, ValueError) as error:
            self._broken.add(name)
            self._warn(f"{name}: not readable: {error}")

    def _player(self, index: int, entry: Mapping[str, Any] | None = None) -> Player:
        if index not in self._players:

            def unknown(kind: int, codec: str) -> None:
                self._warn(f"stream {index}: payload type {kind} ({codec}) cannot be played")

            zero = round(self._start * _SECOND)
            self._players[index] = Player(entry or {}, zero, self.rate, unknown)
        return self._players[index]

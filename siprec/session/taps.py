"""
Where the media of one recording comes in: the sockets of its streams and the
captures that empty them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from siprec.media.interfaces import ICapture, ICapturedStream, IPortPair, IPortPool
from siprec.media.keys import MasterKey
from siprec.media.origin import WAITING, Expected
from siprec.media.rtcp import Destination
from siprec.media.srtp import Protection
from siprec.session.manifest import formatTime

__all__ = ["COUNTS", "Taps"]

#: What is counted of the media of all recordings, by name.
COUNTS: Mapping[str, Callable[[ICapturedStream], int]] = {
    "packets": lambda each: each.packets + each.controlPackets - each.unwritten,
    "octets": lambda each: each.octets,
    "kernelDrops": lambda each: each.kernelDrops,
    "unauthenticated": lambda each: each.unauthenticated,
    "strangers": lambda each: each.strangers,
    "discarded": lambda each: each.discarded,
}


@define(eq=False, repr=False)
class _Tap:
    """
    A stream's sockets and, once attached, its capture.

    @ivar earlier: captures at other sockets, into the same journal.
    @ivar protection: what opens its packets; C{None}: they come in the clear.
    @ivar reportsTo: see L{ICapture.report}.
    @ivar expected: see L{ICapture.expect}.
    """

    pair: IPortPair
    handle: ICapturedStream | None = None
    earlier: tuple[ICapturedStream, ...] = ()
    protection: Protection | None = None
    reportsTo: Destination | None = None
    expected: Expected = WAITING


def _described(handles: Sequence[ICapturedStream]) -> dict[str, Any]:
    first = min((each.firstArrival for each in handles if each.firstArrival), default=None)
    last = max((each.lastArrival for each in handles if each.lastArrival), default=None)
    return {
        "packets": sum(each.packets for each in handles),
        "firstPacket": None if first is None else formatTime(first),
        "lastPacket": None if last is None else formatTime(last),
        "kernelDrops": sum(each.kernelDrops for each in handles),
        "unauthenticated": sum(each.unauthenticated for each in handles),
        "strangers": sum(each.strangers for each in handles),
        "replayed": sum(each.replayed for each in handles),
        "unwritten": sum(each.unwritten for each in handles),
        "truncated": sum(each.truncated for each in handles),
    }


def _holds(pair: IPortPair) -> bool:
    """
    @return: whether anything has come at one of two sockets that nobody reads.
    """
    for sock in (pair.rtp, pair.rtcp):
        with suppress(BlockingIOError):
            sock.recv(1, socket.MSG_PEEK)
            return True
    return False


@define(eq=False, repr=False)
class Taps:
    """
    Sockets and captures by the index of their stream.

    @ivar muted: whether nothing is kept of any stream, those to come neither.
    @ivar captured: every capture so far, those that have ended too.
    """

    _ports: IPortPool
    _capture: ICapture
    muted: bool = False
    captured: list[ICapturedStream] = field(factory=list, init=False)
    _taps: dict[int, _Tap] = field(factory=dict, init=False)
    _counts: dict[int, dict[str, Any]] = field(factory=dict, init=False)
    _ended: bool = field(default=False, init=False)
    # Whether there was nothing to be captured.
    _unheard: bool = field(default=False, init=False)

    def allocate(self, index: int, host: str) -> int:
        """
        Bind a free pair of ports for a stream.

        @return: the RTP port.
        @raise siprec.media.ports.NoFreePorts: there is none.
        @raise OSError: there is no such address here.
        """
        pair = self._ports.allocate(host)
        self._taps[index] = _Tap(pair)
        return pair.rtpPort

    def claim(self, index: int, host: str, port: int, shared: bool) -> None:
        """
        Bind given ports for a stream.

        @param shared: see L{IPortPool.claim}.
        @raise OSError: they cannot be had.
        @raise ValueError: they are no pair.
        """
        self._taps[index] = _Tap(self._ports.claim(host, port, shared))

    def waiting(self) -> Iterator[int]:
        """
        The streams that are bound and not captured yet.
        """
        return (index for index, tap in self._taps.items() if tap.handle is None)

    def attach(self, index: int, path: str, protection: Protection | None = None) -> None:
        """
        Begin to capture a stream.

        @param path: of the journal.
        @param protection: see L{ICapture.attach}.
        """
        tap = self._taps[index]
        tap.protection = protection
        tap.handle = self._capture.attach(tap.pair, path, protection, self.muted, tap.expected)
        self.captured.append(tap.handle)
        if tap.reportsTo is not None:
            self._capture.report(tap.handle, tap.reportsTo)

    def report(self, index: int, to: Destination | None) -> None:
        """
        Report on a stream to its sender from now on; see L{ICapture.report}.
        """
        tap = self._taps.get(index)
        if tap is not None and tap.reportsTo != to:
            tap.reportsTo = to
            if tap.handle is not None:
                self._capture.report(tap.handle, to)

    def expect(self, index: int, expected: Expected) -> None:
        """
        Say who sends a stream; see L{ICapture.expect}.
        """
        tap = self._taps.get(index)
        if tap is not None:
            tap.expected = expected
            if tap.handle is not None:
                self._capture.expect(tap.handle, expected)

    def expected(self, index: int) -> Expected:
        """
        @return: who was last said to send a stream.
        """
        tap = self._taps.get(index)
        return WAITING if tap is None else tap.expected

    def indexOf(self, handle: ICapturedStream) -> int | None:
        """
        @return: the stream that is captured there, or was; C{None}: it is none of these.
        """
        taps = self._taps.items()
        return next((each for each, tap in taps if handle in (tap.handle, *tap.earlier)), None)

    def leave(self, index: int | None = None) -> None:
        """
        Say goodbye to the sender of a stream.

        @param index: C{None}: to those of all streams.
        """
        for each, tap in self._taps.items():
            if index in (None, each) and tap.reportsTo is not None:
                tap.reportsTo = None
                if tap.handle is not None:
                    self._capture.leave(tap.handle)

    def mute(self, muted: bool) -> Deferred[None]:
        """
        Keep nothing of any stream, or keep it again.

        @return: fires once that holds.  It does not fail.
        """
        self.muted = muted
        done = DeferredList([self._capture.mute(each, muted) for each in self.handles()])
        return done.addCallback(lambda _: None)

    def rekey(
        self,
        index: int,
        keys: Sequence[MasterKey] | None,
        make: Callable[[], Protection | None],
    ) -> None:
        """
        Other keys hold for a stream, or there are none any more.

        @param make: makes what opens its packets, where there is nothing yet.
        """
        tap = self._taps.get(index)
        if tap is None or tap.handle is None:
            return
        if tap.protection is not None and keys is not None:
            tap.protection.change(keys)
        else:
            tap.protection = make()
            self._capture.protect(tap.handle, tap.protection)

    def indexes(self, index: int) -> Mapping[int, int] | None:
        """
        @return: see L{Protection.indexes}; C{None} where nothing is protected.
        """
        tap = self._taps.get(index)
        return None if tap is None or tap.protection is None else tap.protection.indexes()

    def handles(self) -> list[ICapturedStream]:
        """
        The captures that run.
        """
        return [tap.handle for tap in self._taps.values() if tap.handle is not None]

    def counted(self, index: int) -> dict[str, Any]:
        """
        @return: what is counted of a stream, for the manifest; empty where
            nothing is.
        """
        tap = self._taps.get(index)
        if tap is None or tap.handle is None:
            return self._counts.get(index, {})
        return _described((*tap.earlier, tap.handle))

    def packets(self, index: int) -> int:
        """
        @return: how many packets of a stream, RTP and RTCP, are kept so far.
        """
        tap = self._taps.get(index)
        if tap is None or tap.handle is None:
            return 0
        handles = (*tap.earlier, tap.handle)
        return sum(each.packets + each.controlPackets for each in handles)

    def stop(self, linger: float, quiet: float | None = None) -> Deferred[list[Failure]]:
        """
        End all captures.

        @param linger: seconds to wait for what is on its way.
        @param quiet: seconds of silence after which there is no need to; C{None}:
            wait in any case.
        @return: fires with what went wrong, when all that had come is on the
            disk.
        """
        self._ended = True
        ends = [
            self._capture.detach(each, linger)
            if quiet is None
            else self._capture.detachWhenQuiet(each, quiet, linger)
            for each in self.handles()
        ]

        def ended(results: list[tuple[bool, Any]]) -> list[Failure]:
            self._counts = {index: self.counted(index) for index in self._taps}
            return [each for success, each in results if not success]

        return DeferredList(ends, consumeErrors=True).addCallback(ended)

    @property
    def silent(self) -> bool:
        """
        Whether there were captures, and nothing came at any, not even what is not kept.
        """
        return (bool(self.captured) or self._unheard) and not self.heard

    @property
    def heard(self) -> bool:
        """
        Whether anything came at any capture.
        """
        return any(
            each.firstArrival
            or each.packets
            or each.controlPackets
            or each.unauthenticated
            or each.strangers
            or each.unwritten
            or each.kernelDrops
            or each.error
            for each in self.captured
        )

    def closeSilent(self) -> None:
        """
        The call has ended before its capture began: close the sockets, if nothing has come.
        """
        if self._taps and not any(tap.handle or _holds(tap.pair) for tap in self._taps.values()):
            self._unheard = True
            self.release()

    def used(self) -> set[int]:
        """
        The streams on which something has come; others have no journal.
        """
        return {index for index in self._taps if self.counted(index).get("firstPacket")}

    def release(self, used: bool = True) -> None:
        """
        Give the sockets back.

        @param used: whether the peer was told of them.
        """
        for tap in self._taps.values():
            self._ports.release(tap.pair, used)
        self._taps.clear()

    async def replace(self, index: int, host: str, port: int) -> bool:
        """
        Have a stream come in at other ports than it does, in the same journal.

        @return: whether those can be had; else it stays as it is.
        """
        before = self._taps[index]
        try:
            pair = self._ports.claim(host, port)
        except (OSError, ValueError):
            return False
        # From here on the kernel keeps what comes there.
        tap = self._taps[index] = _Tap(
            pair,
            before.handle,
            before.earlier,
            before.protection,
            before.reportsTo,
            before.expected,
        )
        try:
            if before.handle is not None:
                # A journal is written by one capture at a time.
                await self._capture.detach(before.handle, 0)
                if self._ended or self._taps.get(index) is not tap:
                    return False
                tap.handle, tap.earlier = None, (*before.earlier, before.handle)
                protection = tap.protection
                if protection is not None:
                    protection = protection.continued()
                self.attach(index, before.handle.path, protection)
        finally:
            self._ports.release(before.pair)
        return True

    # From this process to another one.

    def share(self) -> None:
        """
        Allow another process of this host to have the same ports.

        @raise OSError: that cannot be; nothing has changed.
        """
        try:
            for tap in self._taps.values():
                self._ports.share(tap.pair)
        except OSError:
            self.unshare()
            raise

    def unshare(self) -> None:
        """
        Undo L{share}.
        """
        for tap in self._taps.values():
            with suppress(OSError):  # one of them may be why it is undone
                self._ports.unshare(tap.pair)
            if tap.handle is not None and tap.reportsTo is not None:
                self._capture.report(tap.handle, tap.reportsTo)

    def divert(self) -> None:
        """
        From now on all packets go to the other process; what has come before
        is still captured here.

        @raise OSError: that cannot be; all come here.
        """
        try:
            for tap in self._taps.values():
                self._ports.divert(tap.pair)
                if tap.handle is not None:
                    self._capture.report(tap.handle, None)  # it is the other one's now
        except OSError:
            self.unshare()
            raise

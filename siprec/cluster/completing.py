"""
Making a recording anew of which more files have come.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from siprec.cluster.lacks import isFinal, lackOf, settled
from siprec.cluster.waiting import Waiting
from siprec.ids import NodeID
from siprec.session.interfaces import IRenderer, IWorkers, RendererStopped
from siprec.session.manifest import (
    BadManifest,
    Manifest,
    formatTime,
    readManifest,
    withRendering,
    writeManifest,
)

__all__ = ["Completing", "look", "namesIn"]

log = Logger()


def namesIn(directory: str) -> frozenset[str]:
    """
    Blocks.

    @return: the names of a recording's files.
    @raise OSError: they cannot be read.
    """
    return frozenset(os.listdir(directory))


def look(directory: str) -> tuple[Manifest, frozenset[str]] | None:
    """
    Blocks.

    @return: a recording's manifest and the names of its files; C{None}: it is not
        finished, or not this node's.
    @raise OSError: it cannot be read.
    @raise BadManifest: it is damaged.
    """
    manifest = readManifest(directory)
    try:
        lackOf(manifest, (), NodeID(""))
        if not isFinal(manifest):
            return None
    except (KeyError, TypeError) as error:
        raise BadManifest(f"{directory}: {error!r}") from error
    return manifest, namesIn(directory)


def _missingOf(manifest: Manifest) -> set[str]:
    return {name for each in manifest.get("missing") or () for name in each["files"]}


@define(eq=False, repr=False)
class Completing:
    """
    Renders recordings again.

    @ivar counters: C{completed} recordings, C{incomplete} ones, C{notRendered}.
    """

    _node: NodeID
    _renderer: IRenderer
    _workers: IWorkers
    _now: Callable[[], float]
    counters: Counter[str] = field(factory=Counter)

    async def run(self, waiting: Waiting, *, last: bool) -> None:
        """
        Bring manifest and audio up to date with the files that are here.  Where they
        are, nothing is done.

        @param last: nobody is left to be asked for what is missing.
        @raise RendererStopped: the node is stopping.
        @raise OSError: the manifest cannot be read or written.
        @raise BadManifest: it is damaged.
        """
        found = await self._workers.run(look, waiting.directory)
        if found is None:
            return
        before, there = found
        now = self._now() if last else None
        after = settled(before, there, self._node, waiting.told, now)
        named = {name for each in after["segments"] for name in each["files"]}
        missing = _missingOf(before)
        if after["segments"] != before["segments"] or missing & there or missing - named:
            after = await self._rendered(waiting, after, there)
        elif after == before:
            return
        await self._workers.run(writeManifest, waiting.directory, after)
        self.counters["completed" if after["state"] == "complete" else "incomplete"] += 1
        log.info(
            "{recording}: {state}, {missing} journals are missing",
            recording=waiting.id,
            state=after["state"],
            missing=len(_missingOf(after)),
        )

    async def _rendered(
        self, waiting: Waiting, manifest: Manifest, there: Collection[str]
    ) -> Manifest:
        # The renderer goes by what is on the disk.
        await self._workers.run(writeManifest, waiting.directory, manifest)
        try:
            rendering = await self._renderer.render(waiting.directory)
        except RendererStopped:
            raise
        except Exception as error:
            log.failure("{recording}: not rendered", recording=waiting.id)
            self.counters["notRendered"] += 1
            return self._notRendered(manifest, there, str(error))
        return withRendering(manifest, rendering)

    def _notRendered(self, manifest: Manifest, there: Collection[str], reason: str) -> Manifest:
        failed: dict[str, Any] = {
            "time": formatTime(self._now()),
            "type": "renderFailed",
            "reason": reason,
        }
        kept = {key: value for key, value in manifest.items() if key != "missing"}
        missing = []
        for number, each in enumerate(manifest["segments"], 1):
            files = [name for name in each["files"] if name not in there]
            if files:
                missing.append({"segment": number, "node": each["node"], "files": files})
        if missing:
            kept["missing"] = missing
        return {**kept, "state": "incomplete", "events": [*manifest["events"], failed]}

"""
What a recording lacks that other nodes may have, by its manifest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from attrs import frozen

from siprec.cluster.segmentnames import segmentOf
from siprec.ids import NodeID
from siprec.session.manifest import Manifest, formatTime, isFinished

__all__ = ["METADATA_LOST", "TAKEN_OVER", "Lack", "isFinal", "lackOf", "settled", "wantedOf"]

#: C{endReason} of what this node has of a recording that another one goes on with.
TAKEN_OVER = "takenOver"

#: The type of the event that says that a metadata document is nowhere.
METADATA_LOST = "metadataLost"


@frozen
class Lack:
    """
    What is not here.

    @ivar journals: names of those of other nodes' segments.
    @ivar documents: names of metadata documents.
    @ivar nodes: the other nodes that had the recording, with the number of the last
        segment of each.
    """

    journals: tuple[str, ...]
    documents: tuple[str, ...]
    nodes: Mapping[NodeID, int]

    def asks(self, told: Mapping[NodeID, int]) -> set[NodeID]:
        """
        @param told: as in L{siprec.cluster.waiting.Waiting}.
        @return: the nodes that may have some of it.
        """
        if not self.journals and not self.documents:
            return set()
        return {node for node, number in self.nodes.items() if told.get(node, 0) < number}


def isFinal(manifest: Mapping[str, Any]) -> bool:
    """
    @return: whether it is that of a recording that was finished here.
    """
    return isFinished(manifest) and manifest["endReason"] != TAKEN_OVER


def lackOf(manifest: Mapping[str, Any], there: Collection[str], node: NodeID) -> Lack:
    """
    @param there: the names of all files of the recording's folder.
    @param node: this node.
    """
    journals = []
    nodes: dict[NodeID, int] = {}
    for number, each in enumerate(manifest["segments"], 1):
        if each["node"] != node:
            nodes[each["node"]] = number
            journals += [name for name in each["files"] if name not in there]
    documents = [each["file"] for each in manifest["metadata"] if each["file"] not in there]
    return Lack(tuple(journals), tuple(documents), nodes)


def wantedOf(
    manifest: Mapping[str, Any], there: Collection[str], node: NodeID, offered: Iterable[str]
) -> list[str]:
    """
    @param offered: names that another node has.
    @return: those to fetch: what the manifest names and is not here, and journals of
        other nodes' segments that it does not know of.
    """
    segments = manifest["segments"]
    named = {name for each in segments for name in each["files"]}
    named.update(each["file"] for each in manifest["metadata"])
    found = []
    for name in offered:
        number = segmentOf(name)
        foreign = number is not None and segments[number - 1 : number]
        if foreign and foreign[0]["node"] != node:
            named.add(name)
        if name in named and name not in there:
            found.append(name)
    return found


def settled(
    manifest: Manifest,
    there: Collection[str],
    node: NodeID,
    told: Mapping[NodeID, int],
    now: float | None,
) -> Manifest:
    """
    Bring a manifest up to date with what has come.

    @param told: as in L{siprec.cluster.waiting.Waiting}.
    @param now: seconds since the epoch, if nobody is left to be asked: then journals
        that their node does not have are of streams on which nothing came, and
        documents that are not here are lost.  C{None}: somebody is.
    """
    segments = []
    for number, each in enumerate(manifest["segments"], 1):
        over = now is not None and each["node"] != node and told.get(each["node"], 0) >= number
        files = [name for name in each["files"] if name in there or not over]
        files += sorted(name for name in there if segmentOf(name) == number and name not in files)
        segments.append({**each, "files": files})
    events = list(manifest["events"])
    lost = {each.get("file") for each in events if each["type"] == METADATA_LOST}
    for document in manifest["metadata"]:
        name = document["file"]
        if now is not None and name not in there and name not in lost:
            events.append({"time": formatTime(now), "type": METADATA_LOST, "file": name})
    return {**manifest, "segments": segments, "events": events}

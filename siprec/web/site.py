"""
The paths of the HTTP interface.
"""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http import Request
from twisted.web.server import Site

from siprec.metrics import Metrics
from siprec.session.interfaces import IWorkers
from siprec.web.api import Archive, Drain, Nodes, Recordings
from siprec.web.health import Alive, Exposition, Ready
from siprec.web.interfaces import INodeControl
from siprec.web.resource import Missing


class _Site(Site):
    """
    Health checks and scrapes come every few seconds for ever: each is worth a
    debug event, not a line in the log.
    """

    _events = Logger()

    def log(self, request: Request) -> None:
        self._events.debug(
            "HTTP {method} {uri}: {status}",
            method=request.method,
            uri=request.uri,
            status=request.code,
        )


def makeSite(
    control: INodeControl,
    metrics: Metrics,
    recordingsRoot: str,
    workers: IWorkers,
    reactor: IReactorTime,
) -> Site:
    """
    @param recordingsRoot: folder of the archive; need not exist yet.
    @param workers: where the disk is read.
    @return: a factory to listen with.
    """
    archive = Archive(recordingsRoot, workers)
    api = Missing()
    api.putChild(b"recordings", Recordings(control, archive))
    api.putChild(b"nodes", Nodes(control))
    api.putChild(b"drain", Drain(control))
    root = Missing()
    root.putChild(b"healthz", Alive())
    root.putChild(b"readyz", Ready(control))
    root.putChild(b"metrics", Exposition(metrics))
    root.putChild(b"api", api)
    return _Site(root, reactor=reactor)


__all__ = ["makeSite"]

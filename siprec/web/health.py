"""
What load balancers, process supervisors and Prometheus ask.
"""

from collections.abc import Mapping
from typing import ClassVar

from twisted.web.iweb import IRequest

from siprec.metrics import CONTENT_TYPE, Metrics
from siprec.web.interfaces import INodeControl
from siprec.web.resource import Answer, Endpoint


class Alive(Endpoint):
    """
    C{/healthz}: the process runs and its reactor turns.
    """

    methods: ClassVar[Mapping[str, str]] = {"GET": "show"}

    def show(self, request: IRequest) -> Answer:
        return Answer({"status": "alive"})


class Ready(Endpoint):
    """
    C{/readyz}: whether this node can take a call now.
    """

    methods: ClassVar[Mapping[str, str]] = {"GET": "show"}

    def __init__(self, control: INodeControl) -> None:
        super().__init__()
        self._control = control

    def show(self, request: IRequest) -> Answer:
        reasons, notes = self._control.notReady(), self._control.notes()
        if reasons:
            # Not a refusal of the request: the answer itself is "no".
            content = {"error": "not-ready", "detail": "; ".join(reasons), "reasons": reasons}
            content["notes"] = notes
            return Answer({"status": "not-ready", **content}, 503)
        return Answer({"status": "ready", "reasons": [], "notes": notes})


class Exposition(Endpoint):
    """
    C{/metrics}: for Prometheus.
    """

    methods: ClassVar[Mapping[str, str]] = {"GET": "show"}

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def show(self, request: IRequest) -> Answer:
        return Answer(self._metrics.exposition(), contentType=CONTENT_TYPE.encode("ascii"))


__all__ = ["Alive", "Exposition", "Ready"]

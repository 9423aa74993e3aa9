"""
The API: recordings, nodes, and what an operator can do to them.

The archive is on disk, and disks can be slow: it is only read in the threads
that this is given.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, get_args

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource

from siprec.session.archive import BadCursor, NoSuchRecording, Page, locate, newest
from siprec.session.interfaces import IWorkers
from siprec.session.manifest import Manifest, readManifest
from siprec.session.model import State
from siprec.web.bodies import readReason
from siprec.web.interfaces import INodeControl, NotRunning
from siprec.web.resource import Answer, Endpoint, Parameters, Refusal, parameters

#: How many recordings one page has, unless asked otherwise, and at most.
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000

_FILTERS = ("state", "node", "callID")


@frozen
class Archive:
    """
    The recordings on disk, read outside the reactor's thread.
    """

    root: str
    workers: IWorkers

    def list(
        self, cursor: str | None, limit: int, wanted: Callable[[Manifest], bool]
    ) -> Deferred[Page]:
        """
        @return: fires with a page, or fails with L{BadCursor}.
        """
        return self.workers.run(newest, self.root, cursor, limit, wanted)

    def show(self, recording: str) -> Deferred[Manifest]:
        """
        @return: fires with the manifest, or fails with L{NoSuchRecording}.
        """
        return self.workers.run(self._show, recording)

    def _show(self, recording: str) -> Manifest:
        try:
            return readManifest(locate(self.root, recording))
        except FileNotFoundError:  # deleted between the two steps
            raise NoSuchRecording(recording) from None


class Recordings(Endpoint):
    """
    C{/api/recordings}: a page of the archive, newest first.
    """

    methods: ClassVar[Mapping[str, str]] = {"GET": "list"}
    _log = Logger()

    def __init__(self, control: INodeControl, archive: Archive) -> None:
        super().__init__()
        self._control = control
        self._archive = archive

    def getChild(self, path: bytes, request: IRequest) -> Resource:
        """
        The recording of this id; whether there is one is seen later.
        """
        if not path:
            return self
        return Recording(self._control, self._archive, path.decode("utf-8", "backslashreplace"))

    def list(self, request: IRequest) -> Deferred[Answer]:
        query = parameters(request, [*_FILTERS, "limit", "cursor"])
        page = self._archive.list(query.get("cursor"), _limit(query), _predicate(query))
        return page.addCallbacks(self._listed, _badCursor)

    def _listed(self, page: Page) -> Answer:
        for directory, why in page.unreadable:
            self._log.warn(
                "{directory}: its manifest cannot be read: {why}", directory=directory, why=why
            )
        return Answer({"recordings": page.recordings, "cursor": page.cursor})


class Recording(Endpoint):
    """
    C{/api/recordings/<id>}: the manifest of one recording.
    """

    methods: ClassVar[Mapping[str, str]] = {"GET": "show"}

    def __init__(self, control: INodeControl, archive: Archive, recording: str) -> None:
        super().__init__()
        self._control, self._archive, self._recording = control, archive, recording
        for name, action in ((b"stop", Stop), (b"pause", Pause), (b"resume", Resume)):
            self.putChild(name, action(control, archive, recording))

    def show(self, request: IRequest) -> Deferred[Answer]:
        shown = self._archive.show(self._recording)
        return shown.addCallbacks(Answer, _notFound)


class Action(Endpoint):
    """
    What is done to a running recording: a POST, in the name of who asks.
    """

    methods: ClassVar[Mapping[str, str]] = {"POST": "post"}

    def __init__(self, control: INodeControl, archive: Archive, recording: str) -> None:
        super().__init__()
        self._control, self._archive, self._recording = control, archive, recording

    def act(self, who: str, request: IRequest) -> Deferred[Manifest]:
        """
        @return: fires with the recording's manifest, or fails as
            L{INodeControl.stopRecording} does.
        """
        raise NotImplementedError

    async def _answered(self, who: str, request: IRequest) -> Answer:
        try:
            return Answer(await self.act(who, request))
        except NotRunning:
            pass
        except NoSuchRecording:
            # The node only knows what runs; what is over lies in the archive.
            try:
                await self._archive.show(self._recording)
            except NoSuchRecording:
                raise _unknownRecording(self._recording) from None
        detail = f"Recording {self._recording} is not running."
        raise Refusal(409, "not-running", detail)

    def post(self, request: IRequest) -> Deferred[Answer]:
        address = request.getClientAddress()
        who = getattr(address, "host", None) or "local"
        return Deferred.fromCoroutine(self._answered(who, request))


class Stop(Action):
    """
    C{/api/recordings/<id>/stop}: end it now.
    """

    def act(self, who: str, request: IRequest) -> Deferred[Manifest]:
        return self._control.stopRecording(self._recording, who)


class Pause(Action):
    """
    C{/api/recordings/<id>/pause}: keep nothing of it from now on.
    """

    def act(self, who: str, request: IRequest) -> Deferred[Manifest]:
        return self._control.pauseRecording(self._recording, who, readReason(request))


class Resume(Action):
    """
    C{/api/recordings/<id>/resume}: keep what comes again.
    """

    def act(self, who: str, request: IRequest) -> Deferred[Manifest]:
        return self._control.resumeRecording(self._recording, who, readReason(request))


class Nodes(Endpoint):
    """
    C{/api/nodes}: the live nodes of the cluster.
    """

    methods: ClassVar[Mapping[str, str]] = {"GET": "list"}

    def __init__(self, control: INodeControl) -> None:
        super().__init__()
        self._control = control

    def list(self, request: IRequest) -> Deferred[Answer]:
        return self._control.nodes().addCallback(lambda nodes: Answer({"nodes": nodes}))


class Drain(Endpoint):
    """
    C{/api/drain}: take no new session, give the running ones away.
    """

    methods: ClassVar[Mapping[str, str]] = {"POST": "drain"}

    def __init__(self, control: INodeControl) -> None:
        super().__init__()
        self._control = control

    def drain(self, request: IRequest) -> Deferred[Answer]:
        begun = self._control.drain()
        return begun.addCallback(lambda ignored: Answer({"status": "draining"}, 202))


def _limit(query: Parameters) -> int:
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise Refusal(400, "bad-query", f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _predicate(query: Parameters) -> Callable[[Manifest], bool]:
    state, node, callID = (query.get(name) for name in _FILTERS)
    states = get_args(State)
    if state is not None and state not in states:
        raise Refusal(400, "bad-query", f"state is one of {', '.join(states)}.")

    def wanted(manifest: Manifest) -> bool:
        return (
            (state is None or manifest.get("state") == state)
            and (node is None or node in manifest.get("nodes", ()))
            and (callID is None or manifest.get("callID") == callID)
        )

    return wanted


def _badCursor(failure: Failure) -> Answer:
    failure.trap(BadCursor)
    raise Refusal(400, "bad-query", "cursor is not one that an earlier page gave.")


def _notFound(failure: Failure) -> Answer:
    failure.trap(NoSuchRecording)
    raise _unknownRecording(str(failure.value))


def _unknownRecording(recording: str) -> Refusal:
    return Refusal(404, "no-such-recording", f"There is no recording {recording!r}.")


__all__ = ["DEFAULT_LIMIT", "MAX_LIMIT", "Archive", "Drain", "Nodes", "Recordings"]

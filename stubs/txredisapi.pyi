# What siprec uses of txredisapi, and nothing else.

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol

class RedisError(Exception): ...
class ConnectionError(RedisError): ...
class ResponseError(RedisError): ...
class InvalidData(RedisError): ...

class RedisProtocol(Protocol):
    transport: ITransport | None
    def __init__(
        self,
        charset: str | None = ...,
        errors: str = ...,
        replyTimeout: float | None = ...,
        password: str | None = ...,
        dbid: int | None = ...,
        convertNumbers: bool = ...,
        username: str | None = ...,
    ) -> None: ...
    def dataReceived(self, data: bytes, unpause: bool = ...) -> None: ...
    def replyReceived(self, reply: Any) -> None: ...
    def execute_command(self, *args: bytes | str | int) -> Deferred[Any]: ...

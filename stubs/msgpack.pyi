# Just the calls that siprec makes.
from collections.abc import Callable
from typing import Any, NamedTuple

class ExtType(NamedTuple):
    code: int
    data: bytes

def packb(
    o: object,
    *,
    default: Callable[[object], object] | None = ...,
    strict_types: bool = ...,
    unicode_errors: str | None = ...,
) -> bytes: ...
def unpackb(
    packed: bytes,
    *,
    ext_hook: Callable[[int, bytes], object] = ...,
    list_hook: Callable[[list[Any]], object] | None = ...,
    strict_map_key: bool = ...,
    unicode_errors: str | None = ...,
) -> Any: ...

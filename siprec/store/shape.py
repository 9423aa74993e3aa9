"""
The classes of the data model as plain values and back, by their annotations.

A class becomes a dict of its fields by name, so that a record says itself what
it holds: a field that was added to the model later takes its default where an
older record lacks it.  A tuple becomes a list.  Free mappings stay as they are.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

__all__ = ["BadShape", "fromPlain", "toPlain"]

_Conversion = Callable[[Any], Any]

# An annotation: a class, or what typing makes of a union, a tuple, a Literal.
_Type = Any


class BadShape(ValueError):
    """
    A plain value is not what the model wants there.
    """


def toPlain(value: Any) -> dict[str, Any]:
    """
    @param value: an instance of an attrs class.  Its fields that are no part
        of equality are left out.
    """
    wanted: _Type = type(value)
    plain: dict[str, Any] = _classWriter(wanted)(value)
    return plain


def fromPlain(wanted: _Type, plain: object) -> Any:
    """
    @param wanted: an attrs class.
    @return: an instance of it that equals the one that L{toPlain} was given.
    @raise BadShape: a value is of another type, one that has no default is
        missing, or there is one that the class does not know.
    """
    return _reader(wanted)(plain)


def _kept(wanted: type[Any]) -> list[tuple[str, Any, bool]]:
    """
    @return: of each field that is kept: name, type, whether it has a default.
    """
    hints = get_type_hints(wanted)
    return [
        (each.name, hints[each.name], each.default is not attrs.NOTHING)
        for each in attrs.fields(wanted)
        if each.eq
    ]


def _origin(wanted: _Type) -> _Type:
    return get_origin(wanted)


def _alternatives(wanted: _Type) -> tuple[Any, ...]:
    """
    @return: the members of a union, or nothing if it is none.
    """
    return get_args(wanted) if _origin(wanted) in (Union, types.UnionType) else ()


@cache
def _writer(wanted: _Type) -> _Conversion | None:
    """
    @return: what makes a value of this type plain; C{None} if it is already.
    """
    if attrs.has(wanted):
        return _classWriter(wanted)
    if _origin(wanted) is tuple:
        return _tupleWriter(get_args(wanted))
    for each in _alternatives(wanted):
        write = _writer(each)
        if write is not None:
            return _optionalWriter(write)
    return None


def _optionalWriter(write: _Conversion) -> _Conversion:
    return lambda value: None if value is None else write(value)


@cache
def _classWriter(wanted: _Type) -> _Conversion:
    fields = [(name, _writer(hint)) for name, hint, _ in _kept(wanted)]

    def write(value: Any) -> dict[str, Any]:
        return {
            name: getattr(value, name) if part is None else part(getattr(value, name))
            for name, part in fields
        }

    return write


def _tupleWriter(items: tuple[Any, ...]) -> _Conversion:
    # The tuples of fixed length in the model hold numbers and text only.
    part = _writer(items[0])
    return list if part is None else lambda value: [part(each) for each in value]


@cache
def _reader(wanted: _Type) -> _Conversion:
    """
    @return: what makes a value of this type out of a plain one.
    """
    wanted = getattr(wanted, "__supertype__", wanted)
    if attrs.has(wanted):
        return _classReader(wanted)
    if wanted is types.NoneType or wanted in (str, bytes, int, bool, float):
        return _plainReader(wanted)
    if _origin(wanted) is tuple:
        return _tupleReader(get_args(wanted))
    if _origin(wanted) is Literal:
        return _choiceReader(get_args(wanted))
    if _origin(wanted) is Mapping:
        return _plainReader(dict)
    return _optionalReader(_alternatives(wanted))


def _plainReader(wanted: type[Any]) -> _Conversion:
    # A bool is an int to isinstance, but not here; an int does for a float, as
    # it does in Python.
    accepted = (float, int) if wanted is float else (wanted,)

    def read(plain: Any) -> Any:
        if type(plain) not in accepted:
            raise BadShape(f"{type(plain).__name__} in place of {wanted.__name__}")
        return plain

    return read


def _choiceReader(choices: tuple[Any, ...]) -> _Conversion:
    def read(plain: Any) -> Any:
        if plain not in choices:
            raise BadShape(f"none of {', '.join(choices)}")
        return plain

    return read


def _optionalReader(alternatives: tuple[Any, ...]) -> _Conversion:
    (wanted,) = (each for each in alternatives if each is not types.NoneType)
    part = _reader(wanted)
    return lambda plain: None if plain is None else part(plain)


def _tupleReader(items: tuple[Any, ...]) -> _Conversion:
    if items[-1] is Ellipsis:
        part = _reader(items[0])
        return lambda plain: tuple([part(each) for each in _list(plain)])
    parts = [_reader(each) for each in items]

    def read(plain: Any) -> tuple[Any, ...]:
        if len(_list(plain)) != len(parts):
            raise BadShape(f"{len(plain)} items in place of {len(parts)}")
        return tuple([part(each) for part, each in zip(parts, plain, strict=True)])

    return read


def _list(plain: Any) -> list[Any]:
    if type(plain) is not list:
        raise BadShape(f"{type(plain).__name__} in place of list")
    return plain


def _classReader(wanted: type[Any]) -> _Conversion:
    fields = [(name, _reader(hint), optional) for name, hint, optional in _kept(wanted)]
    known = frozenset(name for name, _, _ in fields)

    def read(plain: Any) -> Any:
        if type(plain) is not dict:
            raise BadShape(f"{type(plain).__name__} in place of {wanted.__name__}")
        if not known.issuperset(plain):
            raise BadShape(f"{wanted.__name__} has fields that it does not know")
        values = {}
        for name, part, optional in fields:
            if name in plain:
                values[name] = _field(name, part, plain[name])
            elif not optional:
                raise BadShape(f"{wanted.__name__} lacks {name}")
        return wanted(**values)

    return read


def _field(name: str, part: _Conversion, plain: Any) -> Any:
    """
    @raise BadShape: it says which field is bad, from the outermost inwards.
    """
    try:
        return part(plain)
    except BadShape as bad:
        raise BadShape(f"{name}: {bad}") from None

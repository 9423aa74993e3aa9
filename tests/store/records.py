"""
Random values of the data model, for properties that hold for every record.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs
from hypothesis import strategies as st

#: Every text, lone surrogates included: they stand for bytes of SIP headers
#: that were no UTF-8.
texts = st.text(st.characters(exclude_categories=()), max_size=8)
numbers = st.floats(allow_nan=False)

#: What the free mappings may hold.
plainValues: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(texts | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)

_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    bytes: st.binary(max_size=8),
    int: st.integers(),
    float: numbers,
    bool: st.booleans(),
    NoneType: st.none(),
}


def instances(wanted: Any) -> st.SearchStrategy[Any]:
    """
    @param wanted: a class of the model, or an annotation in it.
    @return: values of it, with every field drawn.
    """
    wanted = getattr(wanted, "__supertype__", wanted)
    arguments = get_args(wanted)
    if attrs.has(wanted):
        hints = get_type_hints(wanted)
        names = [each.name for each in attrs.fields(wanted)]
        return st.builds(wanted, **{name: instances(hints[name]) for name in names})
    if wanted in _SIMPLE:
        return _SIMPLE[wanted]
    if get_origin(wanted) is Literal:
        return st.sampled_from(arguments)
    if get_origin(wanted) is Mapping:
        return st.dictionaries(texts, plainValues, max_size=2)
    if get_origin(wanted) is tuple and arguments[-1] is Ellipsis:
        return st.lists(instances(arguments[0]), max_size=2).map(tuple)
    if get_origin(wanted) is tuple:
        return st.tuples(*map(instances, arguments))
    return st.one_of(*map(instances, arguments))

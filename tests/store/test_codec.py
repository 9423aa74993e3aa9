"""
Tests of L{siprec.store.codec}.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgpack
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import NodeLease, SessionData
from siprec.store import codec
from siprec.store.codec import SCHEMA, decode, decodeLease, encode, encodeLease
from siprec.store.errors import CorruptRecord
from tests.store.contract import makeData, makeLease
from tests.store.records import instances, plainValues
from tests.store.samples import makeSnapshot


class Queue(enum.StrEnum):
    """
    A text that is more than text.
    """

    SALES = "sales"


class Level(enum.IntEnum):
    """
    A number that is more than a number.
    """

    HIGH = 3


class RoundTripTests(SynchronousTestCase):
    """
    What was encoded is decoded to its equal.
    """

    @settings(deadline=None, max_examples=60)
    @given(instances(SessionData))
    def test_sessions(self, data: SessionData) -> None:
        """
        Every record comes back equal, its snapshot and all that is in it.
        """
        self.assertEqual(decode(encode(data)), data)

    @settings(deadline=None)
    @given(instances(NodeLease))
    def test_leases(self, lease: NodeLease) -> None:
        """
        Every lease comes back equal.
        """
        self.assertEqual(decodeLease(encodeLease(lease)), lease)

    @settings(deadline=None)
    @given(st.dictionaries(st.text(), plainValues))
    def test_typesOfFreeValues(self, metadata: dict[str, Any]) -> None:
        """
        A free mapping keeps the types of what it holds: a tuple comes back a
        tuple, a list a list, however deep and however large its numbers.
        """
        back = decode(encode(makeData(metadata=metadata)))
        self.assertEqual(repr(back.metadata), repr(metadata))

    def test_subclassesOfPlainTypes(self) -> None:
        """
        Members of enumerations, read-only mappings and the like are stored as
        the plain values that they equal.
        """

        class Name(bytes):
            pass

        class Number(float):
            pass

        class Items(list[int]):
            pass

        metadata = MappingProxyType(
            {"a": Queue.SALES, "b": Level.HIGH, "c": Number(0.5), "d": Items([1]), "e": {"f": ()}}
        )
        back = decode(encode(makeData(metadata=metadata)))
        self.assertEqual(back.metadata, metadata)
        self.assertIs(type(back.metadata["a"]), str)
        self.assertRaises(TypeError, encode, makeData(metadata={"a": Name(b"")}))

    def test_remainingIsNotKept(self) -> None:
        """
        The time that a record has left passes by itself: it is not encoded.
        """
        data = makeData()
        self.assertEqual(encode(evolve(data, remaining=5.0)), encode(data))


class EncodeErrorTests(SynchronousTestCase):
    """
    What cannot be stored is refused before it is.
    """

    def test_noPlainValue(self) -> None:
        """
        A free mapping with something else in it is a C{TypeError}, which names
        the type.
        """
        data = makeData(metadata={"when": datetime.now(UTC)})
        self.assertRaisesRegex(TypeError, "datetime", encode, data)
        lease = evolve(makeLease(), data={"when": {1, 2}})
        self.assertRaisesRegex(TypeError, "set", encodeLease, lease)

    def test_tooDeep(self) -> None:
        """
        A mapping nested without end is a C{ValueError}, not a crash.
        """
        nested: list[Any] = []
        nested.append(nested)
        self.assertRaises(ValueError, encode, makeData(metadata={"a": nested}))


class GarbageTests(SynchronousTestCase):
    """
    Whatever lies in the store, decoding ends with a record or with
    L{CorruptRecord}.
    """

    def refused(self, blob: bytes) -> str:
        """
        @return: why the bytes are refused.
        """
        error = self.assertRaises(CorruptRecord, decode, blob, "k")
        self.assertEqual(error.key, "k")
        return str(error.why)

    @settings(deadline=None, max_examples=300)
    @given(st.binary())
    def test_bytes(self, blob: bytes) -> None:
        """
        Any bytes at all.
        """
        self.refused(blob)
        self.assertRaises(CorruptRecord, decodeLease, blob)

    @settings(deadline=None)
    @given(plainValues)
    def test_otherPrograms(self, value: Any) -> None:
        """
        The msgpack of another program, with our schema's number or without.
        """
        blob = msgpack.packb(value, default=str, unicode_errors="surrogatepass")
        self.refused(blob)
        self.refused(bytes([0x92, SCHEMA]) + blob)

    @settings(deadline=None, max_examples=300)
    @given(st.data())
    def test_damage(self, data: st.DataObject) -> None:
        """
        A record with one byte changed, or cut short.
        """
        blob = encode(makeData())
        at = data.draw(st.integers(0, len(blob) - 1))
        self.refused(blob[:at])
        changed = blob[:at] + bytes([data.draw(st.integers(0, 255))]) + blob[at + 1 :]
        try:
            read = decode(changed)
        except CorruptRecord:
            return
        self.assertIsInstance(read, SessionData)

    def test_deep(self) -> None:
        """
        Arrays in arrays by the thousand do not exhaust any stack.
        """
        self.refused(b"\x91" * 100_000)
        self.refused(b"\x92\x01" * 100_000)

    def test_extensions(self) -> None:
        """
        An extension type that is not ours, or not as we write it, is garbage.
        """
        for extension in (
            msgpack.ExtType(7, b"x"),
            msgpack.ExtType(1, b"x"),
            msgpack.ExtType(2, b""),
        ):
            self.refused(msgpack.packb([SCHEMA, {"metadata": extension}]))

    def test_tail(self) -> None:
        """
        A record with something behind it is garbage.
        """
        self.refused(encode(makeData()) + b"\x00")

    def test_otherKind(self) -> None:
        """
        A lease is no session, and a session is no lease.
        """
        _, plain = msgpack.unpackb(encode(makeData()))
        self.assertIn("NodeLease", str(self.leaseRefused(msgpack.packb([1, plain]))))
        self.assertIn("SessionData", self.refused(encodeLease(makeLease())))

    def leaseRefused(self, blob: bytes) -> str:
        """
        @return: why the bytes are no lease.
        """
        return str(self.assertRaises(CorruptRecord, decodeLease, blob, "n").why)


class SchemaTests(SynchronousTestCase):
    """
    Nodes of two versions work on one store while a cluster is updated.
    """

    def record(self, schema: object, **changes: object) -> bytes:
        """
        @param changes: fields of the record; C{...}: without that field.
        @return: a record of that schema.
        """
        _, plain = msgpack.unpackb(encode(makeData()))
        plain.update(changes)
        return msgpack.packb([schema, {k: v for k, v in plain.items() if v is not ...}])

    def test_schemaFirst(self) -> None:
        """
        The schema's number is the first thing in a record.
        """
        self.assertEqual(msgpack.unpackb(encode(makeData()))[0], SCHEMA)

    def test_older(self) -> None:
        """
        A record of an older schema is read; a field that it lacks takes its
        default.
        """
        blob = self.record(SCHEMA, vendor=..., sessions=...)
        self.patch(codec, "SCHEMA", SCHEMA + 1)
        self.assertEqual(decode(blob), makeData(vendor={}, sessions=()))

    def test_leases(self) -> None:
        """
        Leases keep a schema of their own, so that a node of the last version
        sees that one with newer records lives.
        """
        self.assertEqual(msgpack.unpackb(encodeLease(makeLease()))[0], 1)

    def test_schema1(self) -> None:
        """
        A record of schema 1 knows no final responses and no correlations.
        """
        data = makeData(snapshot=makeSnapshot(), correlations=())
        _, plain = msgpack.unpackb(encode(data))
        del plain["snapshot"]["dialog"]["finals"]
        del plain["correlations"], plain["snapshot"]["recording"]["correlations"]
        self.assertEqual(decode(msgpack.packb([1, plain])), data)

    def test_schema4(self) -> None:
        """
        A record of schema 4 knows no pauses of operators.
        """
        data = makeData(snapshot=makeSnapshot())
        _, plain = msgpack.unpackb(encode(data))
        del plain["snapshot"]["recording"]["pause"]
        self.assertEqual(decode(msgpack.packb([4, plain])), data)

    def test_newer(self) -> None:
        """
        A record of a newer schema is refused, as is one whose number makes no
        sense.
        """
        for schema in (SCHEMA + 1, 0, -1, 2**70 - 2**70):
            error = self.assertRaises(CorruptRecord, decode, self.record(schema), "k")
            self.assertIn(f"schema {schema}", error.why)
        for other in (True, "1", None, 1.0):
            self.assertRaises(CorruptRecord, decode, self.record(other))

    def test_missing(self) -> None:
        """
        A field without a default must be there.
        """
        error = self.assertRaises(CorruptRecord, decode, self.record(SCHEMA, callID=...))
        self.assertEqual(error.why, "SessionData lacks callID")

    def test_unknown(self) -> None:
        """
        A field that is not known is not dropped in silence: the next write
        would lose it.
        """
        self.assertRaises(CorruptRecord, decode, self.record(SCHEMA, shoeSize=43))

    def test_whichField(self) -> None:
        """
        The error says which field is bad, and not what it holds.
        """
        blob = self.record(SCHEMA, snapshot={"recording": {"id": 4}, "dialog": 0})
        error = self.assertRaises(CorruptRecord, decode, blob)
        self.assertEqual(error.why, "snapshot: recording: id: int in place of str")

"""
Tests of L{siprec.metadata.storing}.
"""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import MetadataDocument
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata
from siprec.metadata.storing import SCHEMA, fromDict, toDict
from tests.metadata.documents import documents
from tests.metadata.fixtures import BROADWORKS, ORACLE, PROPERTY, RIBBON, RIBBON_BYE, folded


class StoringTests(SynchronousTestCase):
    """
    The state as plain values and back.
    """

    def test_empty(self) -> None:
        """
        A state that knows nothing survives.
        """
        self.assertEqual(fromDict(toDict(RecordingMetadata())), RecordingMetadata())

    def test_dialects(self) -> None:
        """
        So does everything that real documents bring, through JSON as well.
        """
        for bodies in ((ORACLE,), (BROADWORKS,), (RIBBON, RIBBON_BYE)):
            state = folded(*map(parseMetadata, bodies))
            self.assertEqual(fromDict(json.loads(json.dumps(toDict(state)))), state)

    @PROPERTY
    @given(st.lists(documents, max_size=3))
    def test_anything(self, sequence: list[MetadataDocument]) -> None:
        """
        So does any state, with the order of its parts.
        """
        state = folded(*sequence)
        again = fromDict(json.loads(json.dumps(toDict(state))))
        self.assertEqual(again, state)
        self.assertEqual(list(again.streams), list(state.streams))
        self.assertEqual(list(again.participants), list(state.participants))

    def test_otherSchema(self) -> None:
        """
        A state of another version of the program is refused by name.
        """
        for schema in (SCHEMA + 1, None):
            error = self.assertRaises(
                ValueError, fromDict, {**toDict(RecordingMetadata()), "schema": schema}
            )
            self.assertIn(repr(schema), str(error))

    def test_damaged(self) -> None:
        """
        What is no state is a ValueError, not a surprise.
        """
        plain = toDict(folded(parseMetadata(ORACLE)))
        for key, value in (
            ("sessions", [["S"]]),
            ("streams", None),
            ("participations", [1]),
            ("uses", [["P", [[["T"], [], "noon", None, None, None, ""]], []]]),
        ):
            self.assertRaises(ValueError, fromDict, {**plain, key: value})
        del plain["groups"]
        self.assertRaises(ValueError, fromDict, plain)

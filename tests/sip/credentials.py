"""
A client that can authenticate, for the tests.
"""

from __future__ import annotations

from siprec.sip.digest import hashed
from siprec.sip.grammar import splitCommas
from siprec.sip.message import Request

__all__ = ["answerTo", "challengeParams", "ha1Of", "withCredentials"]


def ha1Of(algorithm: str, user: str, password: str, realm: str = "siprec") -> str:
    """
    @return: what a file of users has.
    """
    return hashed(algorithm, f"{user}:{realm}:{password}")


def challengeParams(value: str) -> dict[str, str]:
    """
    @return: the parameters of a value of WWW-Authenticate, without quotes.
    """
    found = {}
    for piece in splitCommas(value.partition(" ")[2]):
        name, _, text = piece.partition("=")
        found[name.strip()] = text.strip().strip('"')
    return found


def answerTo(
    challenge: str, method: str, uri: str, user: str, password: str, count: int = 1
) -> str:
    """
    @param challenge: a value of WWW-Authenticate.
    @return: a value of Authorization, made here by the book (RFC 7616 section
        3.4).
    """
    given = challengeParams(challenge)
    algorithm, nonce, nc = given["algorithm"], given["nonce"], f"{count:08x}"
    ha1 = ha1Of(algorithm, user, password, given["realm"])
    ha2 = hashed(algorithm, f"{method}:{uri}")
    response = hashed(algorithm, f"{ha1}:{nonce}:{nc}:c0ffee:auth:{ha2}")
    return (
        f'Digest username="{user}", realm="{given["realm"]}", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", algorithm={algorithm}, cnonce="c0ffee", qop=auth, nc={nc}'
    )


def withCredentials(
    request: Request, challenge: str, user: str = "ann", password: str = "secret", count: int = 1
) -> Request:
    """
    @return: the request with an answer to the challenge.
    """
    value = answerTo(challenge, request.method, request.uri, user, password, count)
    headers = request.headers.replacing("Authorization", value)
    return Request(request.method, request.uri, headers, request.body)

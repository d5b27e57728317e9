"""Graph text as tokens, and the comments that hold locations."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eager.ops.errors import GraphError
from jit.graph import Location

_TOKEN = re.compile(r"""
    (?P<space>[ \t\r\n]+) | (?P<comment>\#[^\n]*)
  | (?P<value>%(?:\w+|"(?:[^"\\\n]|\\.)*")) | (?P<const>@\d{1,9})
  | (?P<bits>0x[0-9a-f]{1,16}) | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<word>[A-Za-z_]\w*) | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<mark>\.\.|//|[=!<>]=|[-+*%(){}\[\],:=])
""", re.VERBOSE | re.ASCII)
_PLACE = re.compile(r"(.+):(\d{1,9})(?: (.*))?")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text: ``value const bits number word string mark`` or, last of all, ``end``."""

    kind: str
    text: str
    line: int  #: from 0


def tokens_of(text: str) -> tuple[list[Token], dict[int, str]]:
    """The tokens of a text, and the comments by line.  Raises GraphError at what is neither."""
    found: list[Token] = []
    comments: dict[int, str] = {}
    line = at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise GraphError(f"line {line + 1}: no graph text has {text[at]!r} here:\n"
                             f"  {text.split(chr(10))[line]:.100}")
        kind = str(match.lastgroup)
        if kind == "comment":
            comments[line] = match[0][1:].strip()
        elif kind != "space":
            found.append(Token(kind, match[0], line))
        line += match[0].count("\n")
        at = match.end()
    found.append(Token("end", "", line))
    return found, comments


def parse_location(text: str) -> Location:
    """The location that prints as ``text``."""
    place, arrow, scope = text.rpartition(" > ")
    match = _PLACE.fullmatch(place if arrow else text)
    if match is None:
        return Location(scope=tuple(text.split("."))) if text else Location()
    return Location(match[1], int(match[2]), match[3] or "",
                    tuple(scope.split(".")) if arrow else ())

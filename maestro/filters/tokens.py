"""The floor: filter text -> tokens, in one pass whose time grows with the text and no faster."""

import re
from dataclasses import dataclass

from maestro.errors import Fault, Invalid

TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<prefix>(?:`[^`]+`|"(?:[^"]|"")+")\.)
      | (?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]+`)
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<word>\w[\w.:/-]*)
      | (?P<mark>!=|>=|<=|<>|[=<>(),])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A piece of a filter: kind is word, number, mark, quoted or prefix; `text` is without its quotes.

    A prefix is quoted and has a dot behind it, as in `params`.lr.
    """

    kind: str
    text: str
    quote: str = ""

    def is_word(self, *words: str) -> bool:
        """Say whether it is one of some keywords, in any case."""
        return self.kind == "word" and self.text.upper() in words

    def is_mark(self, *marks: str) -> bool:
        """Say whether it is one of some marks."""
        return self.kind == "mark" and self.text in marks


def bad_filter(reason: str, pointer: str = "/filter") -> Invalid:
    """Make a refusal in MLflow's words."""
    return Invalid(
        f"Invalid clause(s) in filter string: {reason}", "bad_filter", faults=[Fault(pointer, "bad_filter", reason)]
    )


def tokenize(text: str) -> list[Token]:
    """Split a filter. Raises Invalid at the first character that begins no token."""
    found, place = [], 0
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise bad_filter(f"{text[place : place + 40]!r} is not understood")
        place = match.end()
        kind, piece = match.lastgroup or "", match[0]
        if kind == "quoted":
            found.append(Token("quoted", unquote(piece), piece[0]))
        elif kind == "prefix":
            found.append(Token("prefix", unquote(piece[:-1]), piece[0]))
        elif kind != "space":
            found.append(Token(kind, piece))
    return found


def unquote(piece: str) -> str:
    """Take the quotes off; a doubled quote inside stands for itself."""
    quote, inner = piece[0], piece[1:-1]
    return inner if quote == "`" else inner.replace(quote * 2, quote)

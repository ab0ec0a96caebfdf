"""The floor: order_by -> terms: `identifier [ASC|DESC]`, one for each entry of the list."""

from collections.abc import Sequence
from dataclasses import dataclass

from maestro.errors import Fault, Invalid
from maestro.filters.grammar import END, Parser, read_identifier
from maestro.filters.tokens import tokenize
from maestro.filters.vocabulary import Field, Vocabulary

MOST_TERMS = 16
ENTRY_CHARS = 600


@dataclass(frozen=True)
class Term:
    """One thing to sort by."""

    field: Field
    descending: bool = False


def parse_order(entries: Sequence[str], vocabulary: Vocabulary) -> tuple[Term, ...]:
    """Parse a list of entries. Raises Invalid naming the entry that is wrong."""
    if len(entries) > MOST_TERMS:
        raise bad_order(f"more than {MOST_TERMS} entries", "")
    return tuple(parse_entry(entry, vocabulary) for entry in entries)


def parse_entry(entry: str, vocabulary: Vocabulary) -> Term:
    """Parse one entry."""
    if len(entry) > ENTRY_CHARS:
        raise bad_order("it is too long", entry)
    try:
        parser = Parser(tokenize(entry), vocabulary)
        prefix, name = read_identifier(parser.take(), parser)
    except Invalid as error:
        raise bad_order("it begins with no identifier", entry) from error
    field = vocabulary.find(prefix, name)
    if field is None or field.kind not in vocabulary.sortable:
        raise bad_order("this can't be sorted by", entry)
    direction = parser.take()
    if direction is not END and not direction.is_word("ASC", "DESC"):
        raise bad_order("use ASC or DESC", entry)
    if parser.take() is not END:
        raise bad_order("one identifier for each entry", entry)
    return Term(field, direction.is_word("DESC"))


def bad_order(reason: str, entry: str) -> Invalid:
    """Make a refusal in MLflow's words."""
    detail = f"Invalid order_by clause '{entry[:100]}': {reason}"
    return Invalid(detail, "bad_order", faults=[Fault("/order_by", "bad_order", reason)])

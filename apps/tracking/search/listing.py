"""The tracking room: what a person writes into the run list -> what the search understands: filter, order, columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from apps.tracking.models import Run
from apps.tracking.search import pages
from apps.tracking.search.keysets import BY_NUMBER
from maestro import limits
from maestro.errors import Invalid
from maestro.filters import Field, Node, Term, Vocabulary, parse, parse_order
from maestro.filters.vocabulary import OPTIONAL, TEXT

COMPARES = re.compile(r"[=<>]")  # who writes one of these means a filter, right or wrong
KINDS = {"m": "metrics", "p": "params", "t": "tags"}
ORDERS = {"name": "attributes.run_name", "start": "attributes.start_time", "end": "attributes.end_time"}
MAX_COLUMNS = 30
# Clients see a lost run as a running one; people see what it is.
STATE = Field("attribute", "state", TEXT)
NAMED = Field("attribute", "run_name", TEXT | {"CONTAINS"})
LISTED_RUNS = replace(pages.RUNS, attributes={**pages.RUNS.attributes, "state": STATE, "run_name": NAMED})
# Our own lists sort params as people read them; MLflow's clients get the order of text, as from the original.
SORTED_RUNS = replace(
    pages.RUNS,
    keyed={
        **pages.RUNS.keyed,
        **dict.fromkeys(("params", "param", "parameters", "parameter"), Field(BY_NUMBER, "", OPTIONAL)),
    },
    sortable=pages.RUNS.sortable | {BY_NUMBER},
)


@dataclass(frozen=True, slots=True)
class Column:
    """A chosen column: `m.auc`, `p.lr` or `t.stage`."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """The column as the address writes it."""
        return f"{self.kind}.{self.name}"


def parse_columns(keys: Sequence[str]) -> list[Column]:
    """The columns of an address, once each; what is none is left out."""
    pairs = (key.partition(".") for key in dict.fromkeys(keys))
    return [Column(kind, name) for kind, dot, name in pairs if kind in KINDS and dot and name][:MAX_COLUMNS]


def name_clause(text: str, vocabulary: Vocabulary, name: str) -> str:
    """A text that is no filter, such as `run (copy)` or `keep 50%`, as a search for names that hold it as it stands.

    What is longer than any name can be stays what it is, and so is refused as a filter.
    """
    text = text.strip()
    if not text or len(text) > limits.NAME_CHARS or COMPARES.search(text) or parses(text, vocabulary):
        return text
    quoted = text.replace("'", "''")
    return f"{name} CONTAINS '{quoted}'"


def parses(text: str, vocabulary: Vocabulary) -> bool:
    """Whether a text is a filter."""
    try:
        return parse(text, vocabulary) is not None
    except Invalid:
        return False


def filter_text(text: str, status: str = "") -> str:
    """A filter in the grammar: what is none looks for a name, and the status box adds its clause."""
    text = name_clause(text, LISTED_RUNS, "attributes.run_name")
    return in_state(text, status if status in Run.Status.values else "")


def in_state(text: str, status: str) -> str:
    """A filter that also asks for a state, if there is one to ask for."""
    if not status:
        return text
    clause = f"attributes.state = '{status}'"
    return f"({text}) AND {clause}" if text.strip() else clause


def tree_of(text: str, status: str = "") -> Node | None:
    """The filter's tree. Raises Invalid."""
    return parse(filter_text(text, status), LISTED_RUNS)


def is_order(sort: str) -> bool:
    """Whether this is an order of the list: `-m.auc`, `name`, `-start`."""
    key = sort.removeprefix("-")
    return key in ORDERS or bool(parse_columns([key]))


def order_of(sort: str) -> list[str]:
    """The order of the address in the grammar; nothing for none."""
    descending, key = sort.startswith("-"), sort.removeprefix("-")
    columns = parse_columns([key])
    if columns:
        name = f"{KINDS[columns[0].kind]}.`{columns[0].name}`"
    elif key in ORDERS:
        name = ORDERS[key]
    else:
        return []
    return [f"{name} {'DESC' if descending else 'ASC'}"]


def terms_of(sort: str) -> tuple[Term, ...]:
    """The order of the address; the newest first without one."""
    return parse_order(order_of(sort), SORTED_RUNS)

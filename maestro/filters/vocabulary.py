"""The floor: what one search may compare, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from maestro import limits

NUMERIC = frozenset({"=", "!=", ">", ">=", "<", "<="})
TEXT = frozenset({"=", "!=", "LIKE", "ILIKE"})
LISTED = TEXT | {"IN", "NOT IN"}
OPTIONAL = TEXT | {"IS NULL", "IS NOT NULL"}


@dataclass(frozen=True)
class Field:
    """Something that can be compared. A kind with keys (metrics, params, tags) has an empty `key` here."""

    kind: str
    key: str
    operators: frozenset[str]

    @property
    def is_number(self) -> bool:
        """Say whether it is compared with numbers."""
        return ">" in self.operators

    @property
    def is_either(self) -> bool:
        """Say whether it is compared with numbers and with text, as a judge's feedback is."""
        return self.is_number and "LIKE" in self.operators


@dataclass(frozen=True)
class Vocabulary:
    """The identifiers of one search.

    keyed      prefix (any spelling) -> Field whose key is free
    prefixes   spellings that may stand before an attribute's name
    attributes attribute's name -> Field
    sortable   kinds of fields that can be sorted by
    """

    keyed: Mapping[str, Field]
    attributes: Mapping[str, Field]
    prefixes: frozenset[str] = field(default_factory=frozenset)
    sortable: frozenset[str] = frozenset({"attribute", "text", "number"})

    def find(self, prefix: str, name: str) -> Field | None:
        """Resolve an identifier, or None if this search has no such thing."""
        if prefix:
            if prefix in self.keyed:
                found = self.keyed[prefix]
                if not name or len(name) > limits.KEY_CHARS:
                    return None
                return Field(found.kind, name, found.operators)
            if prefix in self.prefixes:
                return self.attributes.get(name)
            return self.attributes.get(f"{prefix}.{name}")
        return self.attributes.get(name)

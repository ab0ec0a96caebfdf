"""The floor: filter text -> tree, and order_by text -> terms: MLflow's grammar plus OR, NOT and parentheses.

Pure: knows no table. A room gives its Vocabulary, which says what may be compared with what, and turns the tree
into SQL itself.
"""

from maestro.filters.grammar import parse
from maestro.filters.ordering import Term, parse_order
from maestro.filters.tree import And, Comparison, Node, Not, Or
from maestro.filters.vocabulary import Field, Vocabulary

__all__ = ["And", "Comparison", "Field", "Node", "Not", "Or", "Term", "Vocabulary", "parse", "parse_order"]

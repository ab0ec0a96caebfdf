"""The floor: tokens -> tree, by recursive descent with a bound on length, clauses and nesting.

filter     = term {OR term}
term       = factor {AND factor}
factor     = NOT factor | "(" filter ")" | comparison
comparison = identifier (operator value | [NOT] IN "(" value {"," value} ")" | IS [NOT] NULL)
"""

from maestro import limits
from maestro.filters.tokens import Token, bad_filter, tokenize
from maestro.filters.tree import And, Comparison, Node, Not, Or, Value
from maestro.filters.vocabulary import Field, Vocabulary

NESTING = 32
LISTED_VALUES = 1_000
END = Token("end", "")
SIGNS = ("=", "!=", "<>", ">", ">=", "<", "<=")


def parse(text: str, vocabulary: Vocabulary) -> Node | None:
    """Parse a filter; None for an empty one. Raises Invalid with the clause that is wrong."""
    if len(text) > limits.FILTER_CHARS:
        raise bad_filter(f"it is longer than {limits.FILTER_CHARS} characters")
    if not text.strip():
        return None
    parser = Parser(tokenize(text), vocabulary)
    node = parser.alternatives(0)
    if parser.peek() is not END:
        raise bad_filter(f"{parser.peek().text[:60]!r} comes after the end of a clause")
    return node


class Parser:
    """Walks the tokens once."""

    def __init__(self, tokens: list[Token], vocabulary: Vocabulary) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.place = 0
        self.clauses = 0

    def peek(self, ahead: int = 0) -> Token:
        """Look at a token to come."""
        at = self.place + ahead
        return self.tokens[at] if at < len(self.tokens) else END

    def take(self) -> Token:
        """Step over a token."""
        token = self.peek()
        self.place += 1
        return token

    def alternatives(self, depth: int) -> Node:
        """filter = term {OR term}"""
        if depth > NESTING:
            raise bad_filter(f"it is nested deeper than {NESTING}")
        parts = [self.conjunction(depth)]
        while self.peek().is_word("OR"):
            self.take()
            parts.append(self.conjunction(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self, depth: int) -> Node:
        """term = factor {AND factor}"""
        parts = [self.factor(depth)]
        while self.peek().is_word("AND"):
            self.take()
            parts.append(self.factor(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def factor(self, depth: int) -> Node:
        """factor = NOT factor | "(" filter ")" | comparison"""
        if depth > NESTING:
            raise bad_filter(f"it is nested deeper than {NESTING}")
        if self.peek().is_word("NOT"):
            self.take()
            return Not(self.factor(depth + 1))
        if self.peek().is_mark("("):
            self.take()
            node = self.alternatives(depth + 1)
            if not self.take().is_mark(")"):
                raise bad_filter("a parenthesis is not closed")
            return node
        return self.comparison()

    def comparison(self) -> Comparison:
        """One clause."""
        self.clauses += 1
        if self.clauses > limits.FILTER_TERMS:
            raise bad_filter(f"it has more than {limits.FILTER_TERMS} clauses")
        prefix, name = self.identifier()
        field = self.vocabulary.find(prefix, name)
        shown = f"{prefix}.{name}" if prefix else name
        if field is None:
            raise bad_filter(f"{shown[:60]!r} can't be searched by")
        operator = self.operator()
        if operator not in field.operators:
            raise bad_filter(
                f"{shown[:60]!r} does not take {operator}; use one of {', '.join(sorted(field.operators))}"
            )
        return Comparison(field.kind, field.key, operator, self.operand(operator, field, shown))

    def identifier(self) -> tuple[str, str]:
        """Read `prefix.name`, `prefix.'quoted name'` or a bare name."""
        return read_identifier(self.take(), self)

    def operator(self) -> str:
        """Read an operator."""
        token = self.take()
        if token.is_mark(*SIGNS):
            return "!=" if token.text == "<>" else token.text
        if token.is_word("LIKE", "ILIKE", "IN", "CONTAINS"):
            return token.text.upper()
        if token.is_word("NOT") and self.take().is_word("IN"):
            return "NOT IN"
        if token.is_word("IS"):
            word = self.take()
            negated = word.is_word("NOT")
            if (self.take() if negated else word).is_word("NULL"):
                return "IS NOT NULL" if negated else "IS NULL"
        raise bad_filter(f"an operator is missing near {token.text[:60]!r}")

    def operand(self, operator: str, field: Field, shown: str) -> Value:
        """Read what follows an operator."""
        if operator.endswith("NULL"):
            return None
        if operator.endswith("IN"):
            return self.listed(shown)
        token = self.take()
        if field.is_number and not (field.is_either and token.kind == "quoted"):
            if token.kind != "number":
                raise bad_filter(f"{shown[:60]!r} is compared with a number, not with {token.text[:60]!r}")
            return float(token.text)
        return text_of(token, shown)

    def listed(self, shown: str) -> tuple[str, ...]:
        """Read a list of quoted values."""
        if not self.take().is_mark("("):
            raise bad_filter("IN needs a list in parentheses")
        values = [text_of(self.take(), shown)]
        while self.peek().is_mark(","):
            self.take()
            if self.peek().is_mark(")"):
                break  # Python writes a tuple of one like this
            values.append(text_of(self.take(), shown))
        if not self.take().is_mark(")") or len(values) > LISTED_VALUES:
            raise bad_filter(f"the list after IN is not closed, or has more than {LISTED_VALUES} values")
        return tuple(values)


def read_identifier(token: Token, parser: Parser) -> tuple[str, str]:
    """Read an identifier that begins with a token."""
    if token.kind == "quoted" and token.quote != "'":
        return "", token.text
    if token.kind == "prefix":
        return token.text, key_after(token, parser.take())
    if token.kind != "word":
        raise bad_filter(f"a clause can't begin with {token.text[:60]!r}")
    prefix, dot, name = token.text.partition(".")
    if not dot:
        return "", prefix
    follower = parser.peek()
    if not name and follower.kind == "quoted" and follower.quote != "'":
        return prefix, parser.take().text
    return prefix, name


def key_after(prefix: Token, token: Token) -> str:
    """Read the key behind a quoted prefix."""
    is_key = token.kind in ("word", "number") or (token.kind == "quoted" and token.quote != "'")
    if not is_key:
        raise bad_filter(f"a key is missing after {prefix.text[:60]!r}.")
    return token.text


def text_of(token: Token, shown: str) -> str:
    """Read a quoted value."""
    if token.kind != "quoted" or token.quote == "`":
        raise bad_filter(f"{shown[:60]!r} is compared with text in quotes, not with {token.text[:60]!r}")
    return token.text

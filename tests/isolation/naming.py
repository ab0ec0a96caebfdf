"""Which fields the doors read, found in the code itself, so that no new one is forgotten."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maestro.api.serializers import StrictSerializer

ROOT = Path(__file__).resolve().parent.parent.parent
WORD = re.compile(r"[a-z][a-z0-9_]*")
WRITES = {"note", "record"}  # calls whose second word is what happened, not what was read


def word(node: ast.AST | None) -> str | None:
    """The word that a literal is."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and WORD.fullmatch(node.value):
        return node.value
    return None


def words_read(tree: ast.AST) -> Iterator[str | None]:
    """Every word that a module looks for in what it was sent."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield word_asked(node)
        elif isinstance(node, ast.Subscript):
            yield word(node.slice)
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            yield word(node.left)
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Tuple):
            yield from map(word, node.iter.elts)
        elif isinstance(node, ast.ClassDef) and any("Struct" in ast.unparse(base) for base in node.bases):
            targets = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
            yield from (one.id for one in targets if isinstance(one, ast.Name) and named(one))


def word_asked(node: ast.Call) -> str | None:
    """The word that a call looks up: `fields.get("run_id")`, `read.text(fields, "run_id")`."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "get":
        return word(node.args[0] if node.args else None)
    if name in WRITES or name[:1].isupper() or len(node.args) < 2 or isinstance(node.args[0], ast.Constant):
        return None
    return word(node.args[1])


def named(node: ast.AST) -> bool:
    """Say whether a node is a plain name."""
    return isinstance(node, ast.Name)


def modules(folder: str) -> Iterator[tuple[str, ast.AST]]:
    """The modules of a kind of door, by name."""
    for path in sorted(ROOT.glob(f"apps/**/{folder}/*.py")):
        if "imports" in path.parts:
            continue  # an importer reads what another program wrote; nobody sends that
        yield ".".join(path.relative_to(ROOT / "apps").with_suffix("").parts), ast.parse(path.read_text())


def mlflow_fields() -> dict[str, set[str]]:
    """What each module of the MLflow doors reads."""
    found = {module: {name for name in words_read(tree) if name} for module, tree in modules("mlflow")}
    return {module: names for module, names in found.items() if names}


def query_fields() -> dict[str, set[str]]:
    """The parameters of queries that each module of the REST doors describes or reads."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, tree in modules("api"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "OpenApiParameter":
                name = node.args[0].value if isinstance(node.args[0], ast.Constant) else ast.unparse(node.args[0])
                found[module].add(str(name))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("choice", "flag"):
                found[module].add(str(getattr(node.args[1], "value", "")))
            for source in ("query_params", "query"):
                if isinstance(node, ast.Subscript | ast.Call | ast.Compare) and source in ast.unparse(node)[:60]:
                    found[module] |= {name for name in words_read(node) if name}
    return dict(found)


def shapes(base: Any = StrictSerializer) -> Iterator[tuple[str, set[str]]]:
    """The fields of every body that the REST doors take."""
    for shape in base.__subclasses__():
        yield f"{shape.__module__.removeprefix('apps.')}.{shape.__name__}", set(shape._declared_fields)
        yield from shapes(shape)

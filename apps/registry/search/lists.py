"""The registry room: filtered, ordered pages of artifacts, versions and logged models, as MLflow's searches ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat, NullIf, Replace

from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, LoggedModel, VersionTag
from apps.registry.prompts import IS_PROMPT
from apps.registry.search import filters
from apps.registry.search.pages import Key, Page, cut, keys
from apps.tracking.models import ModelMetric
from maestro.filters import And, Comparison, Node, Not, Or, Term, parse, parse_order

# To MLflow's clients both are registered models; searches show prompts only to who asks for them by their note.
REGISTERED = (Artifact.Kind.MODEL, Artifact.Kind.PROMPT)


@dataclass(frozen=True)
class Asked:
    """What a search asks: a filter, an order, and which page: the sort key that it follows."""

    filter: str = ""
    order_by: Sequence[str] = ()
    most: int = 100
    after: Sequence[Any] | None = None


def mentions(node: Node | None, key: str) -> bool:
    """Say whether a tree compares a key."""
    if node is None or isinstance(node, Comparison):
        return node is not None and node.key == key
    if isinstance(node, Not):
        return mentions(node.part, key)
    assert isinstance(node, And | Or)  # noqa: S101 there are no other nodes
    return any(mentions(part, key) for part in node.parts)


def has_metric(node: Node | None) -> bool:
    """Say whether a tree compares a metric."""
    if node is None or isinstance(node, Comparison):
        return node is not None and node.kind == "metric"
    return has_metric(node.part) if isinstance(node, Not) else any(has_metric(part) for part in node.parts)


def order_of(terms: Sequence[Term], *then: Key) -> tuple[Key, ...]:
    """Return what was asked to be sorted by, then what makes the order whole."""
    asked = tuple(Key(term.field.key, term.descending, term.field.kind == "text") for term in terms)
    return (*asked, *(key for key in then if key.column not in {one.column for one in asked}))


def search_artifacts(visible: Any, asked: Asked) -> Page:
    """Search registered models; prompts are hidden unless the filter names them."""
    tree = parse(asked.filter, filters.ARTIFACTS)
    tags = ArtifactTag.objects.filter(artifact=OuterRef("pk"))
    rows = visible.filter(kind__in=kinds_of(tree)).filter(filters.condition(tree, clause_for(tags, "kind")))
    terms = parse_order(asked.order_by, filters.ARTIFACTS)
    rows = rows.prefetch_related("tags", "aliases__version")
    return cut(rows, order_of(terms, Key("name", is_text=True)), most=asked.most, after=asked.after)


def search_versions(visible: Any, asked: Asked) -> Page:
    """Search model versions."""
    tree = parse(asked.filter, filters.VERSIONS)
    tags = VersionTag.objects.filter(version=OuterRef("pk"))
    rows = ArtifactVersion.objects.for_page().filter(artifact__in=visible.filter(kind__in=kinds_of(tree)))
    rows = rows.filter(filters.condition(tree, clause_for(tags, "artifact__kind")))
    terms = parse_order(asked.order_by, filters.VERSIONS)
    # An order that was asked for goes on by name; the newest change counts only where none was.
    newest = () if terms else keys("-updated_ms")
    order = order_of(terms, *newest, Key("artifact__name", is_text=True), *keys("-number"))
    return cut(rows, order, most=asked.most, after=asked.after)


def kinds_of(tree: Node | None) -> Sequence[str]:
    """Say of what a search is: of models, and of prompts too where it compares the note that tells them apart."""
    return REGISTERED if mentions(tree, IS_PROMPT) else REGISTERED[:1]


def clause_for(tags: Any, kind: str) -> filters.Clause:
    """Read a clause on columns and notes. What is a prompt, the column `kind` says: `!= 'true'` finds all else."""

    def read(clause: Comparison) -> Q:
        if clause.kind != "tag":
            return filters.compare(clause.key, clause)
        if clause.key == IS_PROMPT and clause.operator in ("=", "!="):
            is_prompt = Q(**{kind: Artifact.Kind.PROMPT})
            return is_prompt if (clause.operator == "=") == (str(clause.value).lower() == "true") else ~is_prompt
        return filters.compare_tag(clause, tags)

    return read


# -- logged models ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelOrder:
    """How to sort logged models: by a column or by a metric, on one dataset or on any."""

    name: str
    descending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True)
class ModelsAsked(Asked):
    """A search of logged models. Of datasets only models count that were measured on one of them."""

    experiment_ids: Sequence[int] = ()
    orders: Sequence[ModelOrder] = ()
    datasets: Sequence[tuple[str, str]] = ()


def hexed(column: str, before: str = "") -> Concat:
    """Write a UUID as MLflow shows it."""
    return Concat(Value(before), Replace(Cast(column, CharField()), Value("-"), Value("")), output_field=CharField())


def search_models(visible_experiments: Any, asked: ModelsAsked) -> Page:
    """Search logged models of experiments."""
    experiments = visible_experiments.filter(pk__in=asked.experiment_ids)
    rows = LoggedModel.objects.active().select_related("experiment").filter(experiment__in=experiments)
    rows = rows.annotate(model_ref=hexed("id", "m-"), run_ref=Coalesce(NullIf("run_hex", Value("")), hexed("run_id")))
    tree = parse(asked.filter, filters.MODELS)
    measured = ModelMetric.objects.filter(model_id=OuterRef("model_ref"))
    on_datasets = Q()
    for name, digest in asked.datasets:
        on_datasets |= Q(dataset_name=name, dataset_digest=digest) if digest else Q(dataset_name=name)
    rows = rows.filter(filters.condition(tree, model_clause(measured.filter(on_datasets))))
    if asked.datasets and not has_metric(tree):
        rows = rows.filter(filters.Exists(measured.filter(on_datasets)))
    rows, order = sorted_models(rows, measured, asked.orders)
    return cut(rows, order, most=asked.most, after=asked.after)


def model_clause(measured: Any) -> filters.Clause:
    """Read a clause on a logged model."""

    def read(clause: Comparison) -> Q:
        if clause.kind == "metric":
            return Q(filters.Exists(measured.filter(key=clause.key).filter(filters.compare("value", clause))))
        if clause.kind in ("tag", "param"):
            return filters.compare_json("tags" if clause.kind == "tag" else "params", clause)
        if clause.operator in ("=", "!=", "IN", "NOT IN") or clause.kind == "number":
            return filters.compare(clause.key, clause)
        return filters.like(clause.key, clause)

    return read


def sorted_models(rows: Any, measured: Any, orders: Sequence[ModelOrder]) -> tuple[Any, tuple[Key, ...]]:
    """Add the metrics to sort logged models by, and return the order; those without the metric come last."""
    order: list[Key] = []
    for index, wanted in enumerate(orders):
        (term,) = parse_order([wanted.name], filters.MODELS)
        if term.field.kind != "metric":
            order.append(Key(term.field.key, wanted.descending, term.field.kind == "text"))
            continue
        points = measured.filter(key=term.field.key)
        if wanted.dataset_name:
            points = points.filter(dataset_name=wanted.dataset_name)
        if wanted.dataset_digest:
            points = points.filter(dataset_digest=wanted.dataset_digest)
        newest = points.order_by("-timestamp_ms", "-step", "run_id").values("value")[:1]
        rows = rows.annotate(**{f"order_{index}": Subquery(newest)})
        order.append(Key(f"order_{index}", wanted.descending))
    return rows, (*order, *keys("-created_ms", "id"))

"""The reusable artifacts of the history, and which of them each project and run uses.

Bench, not product. Who uses what is drawn by a seed, never chosen by hand, so no team's taste hides in it.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any

PROJECT_TAKES = 0.55
RUN_TAKES = 0.65
TRIES = 30


@dataclass(frozen=True)
class Piece:
    """A reusable artifact: the settings that each of its versions brings, and where it can apply."""

    name: str
    kind: str
    group: str
    about: str
    versions: tuple[dict[str, Any], ...]
    needs: str = "any"


def piece(name: str, kind: str, about: str, *versions: dict[str, Any], needs: str = "any") -> Piece:
    """Name an artifact by its kind and by what it is about."""
    return Piece(name, kind, name.partition("-")[0], about, versions, needs)


FEATURE, SCHEMA, TEMPLATE, NOTEBOOK = "feature_pipeline", "schema", "model_template", "notebook"

PIECES: tuple[Piece, ...] = (
    piece(
        "encode-onehot",
        FEATURE,
        "One column a level, at most 20 levels, the rest together",
        {"encode": "onehot", "max_levels": 20},
        needs="categories",
    ),
    piece(
        "encode-target",
        FEATURE,
        "Each level becomes its smoothed mean target, cross-fitted",
        {"encode": "target", "smoothing": "auto"},
        {"encode": "target", "smoothing": 50.0},
        needs="categories",
    ),
    piece(
        "encode-frequency",
        FEATURE,
        "Each level becomes its share of the training rows",
        {"encode": "frequency"},
        needs="categories",
    ),
    piece("impute-median", FEATURE, "Holes become the column's median", {"impute": "median"}, needs="holes"),
    piece(
        "impute-neighbours",
        FEATURE,
        "Holes become the mean of the five nearest rows",
        {"impute": "neighbours"},
        needs="holes",
    ),
    piece(
        "impute-indicator",
        FEATURE,
        "Median, and a column that says it was a hole",
        {"impute": "indicator"},
        needs="holes",
    ),
    piece("scale-standard", FEATURE, "Mean 0, standard deviation 1", {"scale": "standard"}),
    piece("scale-quantile", FEATURE, "Ranks mapped to a normal shape", {"scale": "quantile"}),
    piece("scale-robust", FEATURE, "Median 0, interquartile range 1", {"scale": "robust"}),
    piece("features-components", FEATURE, "Adds up to five principal components", {"features": "components"}),
    piece(
        "features-products",
        FEATURE,
        "Adds pairwise products of the six columns nearest to the target",
        {"features": "products"},
    ),
    piece(
        "features-half",
        FEATURE,
        "Keeps the half of the columns nearest to the target (F test)",
        {"features": "half"},
        {"features": "half", "keep_percent": 30},
    ),
    piece("resample-weights", SCHEMA, "Each class weighs the same", {"resample": "weights"}, needs="classes"),
    piece(
        "resample-copies",
        SCHEMA,
        "Rare classes repeated in training up to half of the largest",
        {"resample": "copies"},
        needs="classes",
    ),
    piece("target-log", SCHEMA, "Train on the signed log of the target", {"target": "log"}, needs="numbers"),
    piece(
        "target-trim",
        SCHEMA,
        "Training targets clipped to their 2nd and 98th percentile",
        {"target": "trim"},
        needs="numbers",
    ),
    piece(
        "template-lightgbm",
        TEMPLATE,
        "LightGBM, 100 rounds of 31 leaves; version 2 stops early, up to 250",
        {"model": "lightgbm", "rounds": 100},
        {"model": "lightgbm", "rounds": 250, "stop_after": 20},
    ),
    piece("template-forest", TEMPLATE, "Random forest of 100 trees", {"model": "forest"}),
    piece("template-extra-trees", TEMPLATE, "Extremely randomised trees, 100", {"model": "extra_trees"}),
    piece("template-neighbours", TEMPLATE, "Nearest neighbours, 9", {"model": "neighbours"}),
    piece(
        "template-additive",
        TEMPLATE,
        "LightGBM stumps: no interactions, 200 rounds of 2 leaves",
        {"model": "additive", "rounds": 200},
    ),
    piece(
        "notebook-cautious",
        NOTEBOOK,
        "Strong shrinkage: large leaves, many neighbours, heavy penalties",
        {"tune": "cautious"},
    ),
    piece(
        "notebook-fine",
        NOTEBOOK,
        "Weak shrinkage: small leaves, few neighbours, light penalties",
        {"tune": "fine"},
    ),
    piece(
        "notebook-subsample",
        NOTEBOOK,
        "Each tree sees 70 % of rows and 60 % of columns",
        {"tune": "subsample"},
    ),
)

GROUP_OF = {"resample": "goal", "target": "goal"}


@dataclass(frozen=True)
class Use:
    """One version of one artifact in a run."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


Bundle = tuple[Use, ...]
BY_NAME = {one.name: one for one in PIECES}


def settings_of(bundle: Bundle) -> dict[str, Any]:
    """All settings that a bundle brings; groups never overlap."""
    merged: dict[str, Any] = {}
    for use in bundle:
        merged |= BY_NAME[use.name].versions[use.version - 1]
    return merged


def applicable(traits: set[str]) -> list[Piece]:
    """The artifacts that can act on a table with these traits: categories, holes, classes or numbers."""
    return [one for one in PIECES if one.needs in traits | {"any"}]


def draw_bundles(slug: str, traits: set[str], n_runs: int, seed: int) -> list[Bundle]:
    """Which artifacts each run of one project uses; different bundles, the same for the same seed."""
    digest = hashlib.sha256(f"{seed}:{slug}".encode()).digest()
    chance = random.Random(digest)
    palette: dict[str, list[Use]] = {}
    for one in applicable(traits):
        if chance.random() < PROJECT_TAKES:
            group = GROUP_OF.get(one.group, one.group)
            palette.setdefault(group, []).append(Use(one.name, chance.randint(1, len(one.versions))))
    bundles: list[Bundle] = []
    for _ in range(TRIES * n_runs):
        if len(bundles) == n_runs:
            break
        drawn = tuple(chance.choice(uses) for uses in palette.values() if chance.random() < RUN_TAKES)
        if drawn not in bundles:
            bundles.append(drawn)
    return bundles

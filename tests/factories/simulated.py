"""Tenants with known truth: what each artifact really does is written down, then hidden in noise.

Shared by the tests (small) and by bench/learning (full size).
"""

from dataclasses import dataclass

import numpy as np

from apps.recommendations.estimators.data import ImpactData
from apps.recommendations.estimators.run_impact import RunData
from apps.recommendations.estimators.tables import Floats, table_from_columns

CLASSES = ("classification", "forecasting", "vision")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Finished projects and the true mean effect of each artifact, in points."""

    data: ImpactData
    truth: Floats


@dataclass(frozen=True, slots=True)
class Workshop:
    """Runs within projects and the true mean effect of each artifact, in within-project deviations."""

    data: RunData
    truth: Floats


def tenant(projects: int, artifacts: int, *, seed: int, hidden: bool = False, curved: bool = False) -> Tenant:
    """Good teams choose fashionable artifacts; neighbours are adopted in pairs; a third help, a sixth hurt.

    hidden  the team's past success is not recorded: no method can repair it
    curved  a U-shaped cause of both use and success that no straight line sees
    """
    draw = np.random.default_rng(seed)
    quality, size = draw.normal(size=projects), draw.normal(size=projects)
    kind = draw.integers(0, len(CLASSES), projects)
    truth = np.zeros(artifacts)
    order = draw.permutation(artifacts)
    helping, hurting = artifacts // 3, artifacts // 6
    truth[order[:helping]] = draw.uniform(2, 7, helping)
    truth[order[helping : helping + hurting]] = -draw.uniform(2, 5, hurting)
    bend = np.where(np.abs(size) < 0.67, 1.0, -1.0) if curved else np.zeros(projects)
    pairs = draw.normal(size=(projects, (artifacts + 1) // 2))[:, np.arange(artifacts) // 2]
    pull = draw.uniform(0.0, 1.0, artifacts)
    chance = draw.uniform(-1.8, 0.2, artifacts) + pull * quality[:, None] + 0.7 * pairs + 0.7 * bend[:, None]
    usage = (draw.random((projects, artifacts)) < 1 / (1 + np.exp(-chance))).astype(np.float64)
    noise = draw.normal(0, 6, projects)
    base = 50 + 7 * quality + 2 * size + np.array([0.0, -3.0, 2.0])[kind] + 5 * bend
    columns: dict[str, object] = {
        "team_size": np.round(np.exp(1.5 + 0.5 * size), 2),
        "problem_class": [CLASSES[k] for k in kind],
    }
    if not hidden:
        columns["team_past_success"] = np.round(50 + 10 * quality + draw.normal(0, 2.5, projects), 2)
    keys = tuple(f"project {i:05d}" for i in range(projects))
    names = tuple(f"artifact {j:02d}" for j in range(artifacts))
    covariates = table_from_columns(columns, rows=projects)  # type: ignore[arg-type]
    return Tenant(ImpactData(keys, keys, base + usage @ truth + noise, usage, names, covariates), truth)


def workshop(
    projects: int,
    runs: int,
    artifacts: int,
    *,
    seed: int,
    trend: float = 0.0,
    recorded: bool = True,
    known: float = 1.0,
) -> Workshop:
    """Projects of unlike level and scale whose runs differ in what they used.

    trend     later runs are this many deviations better (over the whole history) and use newer artifacts
    recorded  the run's place in that history is given as a covariate
    known     the share of artifacts that a project uses at all
    """
    draw = np.random.default_rng(seed)
    truth = np.where(draw.random(artifacts) < 0.5, draw.uniform(-0.8, 0.8, artifacts), 0.0)
    keys, owners, outcomes, usages, places, effects = [], [], [], [], [], []
    for p in range(projects):
        taste = draw.normal(-0.5, 1.0, artifacts)
        place = np.arange(runs) / max(runs - 1, 1) - 0.5
        newer = np.where(np.arange(artifacts) % 2, 2.0, 0.0) if trend else np.zeros(artifacts)
        chance = 1 / (1 + np.exp(-(taste + newer * place[:, None])))
        used = (draw.random((runs, artifacts)) < chance * (draw.random(artifacts) < known)).astype(float)
        own = truth + draw.normal(0, 0.2, artifacts)
        level, scale = draw.normal(0, 5), np.exp(draw.normal(0, 1))
        moved = used @ own + trend * place
        outcomes.append(level + scale * (moved + draw.normal(0, 1, runs)))
        effects.append(own / np.sqrt(1 + moved.var()))
        usages.append(used)
        places.append(place)
        keys += [f"run {p:04d}-{r:04d}" for r in range(runs)]
        owners += [f"project {p:04d}"] * runs
    columns = {"place": np.concatenate(places)} if recorded else {}
    names = tuple(f"artifact {j:02d}" for j in range(artifacts))
    covariates = table_from_columns(columns, rows=projects * runs)
    data = RunData(tuple(keys), tuple(owners), np.concatenate(outcomes), np.vstack(usages), names, covariates)
    return Workshop(data, np.mean(effects, axis=0))

"""The recommendations room: advice for every open project, as rows. Loads LightGBM: never in a web process.

The order rests on the ranker where it beat the mean rank on projects left out; else on the impact scores; else on
the mean rank. The gain beside it is always the impact score's, with its interval, or nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from apps.recommendations.answers.advice import MOST_ITEMS, reasons_of, unit_of
from apps.recommendations.answers.narrowing import Narrow, narrowest
from apps.recommendations.estimators.ranking import Advice as Ranked
from apps.recommendations.estimators.ranking import rank
from apps.recommendations.estimators.team_size import TeamData, TeamRange, recommend_team
from apps.recommendations.estimators.verdicts import Need, Verdict
from apps.recommendations.estimators.verdicts import refused as withhold
from apps.recommendations.models import Advice, ImpactModel
from apps.recommendations.past.arrays import covariates_of, numbers
from apps.recommendations.past.history import History, ProjectRow
from apps.recommendations.training.forecasts import MOST_OPEN, RankingFinding, seen_of
from apps.recommendations.training.publishing import RANKED_LEVEL, needs_of, standing_words


def advise(
    history: History, ranking: RankingFinding, models: dict[str, ImpactModel], *, at: datetime
) -> Iterator[Advice]:
    """Advice rows for the open projects. `models`: what serves for "impact" and "ranking"; "owner" is this training's."""
    rows = history.open[:MOST_OPEN]
    impact = models.get("impact")
    scores = {name: narrowest(impact, name) for name in {row.problem_class for row in rows}} if impact else {}
    classes, teams = {str(one.id): one.problem_class for one in history.projects}, team_ranges(history, rows)
    for row, team in zip(rows, teams, strict=True):
        ranked = rank(ranking.ranker, seen_of(history, row), project=row.slug, level=RANKED_LEVEL)
        pooled = ranking.is_pooled(row.problem_class)
        standings = {
            UUID(one.artifact): one
            for one in ranked.advice
            if not pooled or ranking.speaks_of(one.artifact, row.problem_class)
        }
        for advice in artifact_advice(row, scores.get(row.problem_class, []), standings, models, pooled=pooled):
            advice.made_at = at
            yield advice
        alike = sum(classes[one] == row.problem_class for one in team.similar)
        yield team_advice(row, team, models["owner"], alike=alike, at=at)


def artifact_advice(
    row: ProjectRow,
    scores: Sequence[Narrow],
    standings: dict[UUID, Ranked],
    models: dict[str, ImpactModel],
    *,
    pooled: bool,
) -> Iterator[Advice]:
    """The best artifacts that the project lacks. `pooled`: the standings rest on other classes too."""
    by_artifact = {one.score.artifact_id: one for one in scores}
    impact, ranking = models.get("impact"), models.get("ranking")
    basis = basis_of(impact, ranking)
    if basis == "impact":
        order = [one.score.artifact_id for one in scores if (one.effect or 0.0) > 0]
    else:
        order = list(standings) if ranking else []
    lacking = [artifact for artifact in order if artifact not in row.used][:MOST_ITEMS]
    for place, artifact in enumerate(lacking, 1):
        advice = Advice(model=models["owner"], project_id=row.id, kind=Advice.Kind.ARTIFACT, artifact_id=artifact)
        advice.rank, advice.basis, advice.problem_class, advice.status = place, basis, row.problem_class, "early"
        say(advice, by_artifact.get(artifact), standings.get(artifact), pooled=pooled)
        advice.unit = unit_of(impact) if impact and advice.gain is not None else ""
        yield advice


def basis_of(impact: ImpactModel | None, ranking: ImpactModel | None) -> str:
    """What the order rests on."""
    chosen = str(ranking.figures.get("basis", "")) if ranking else ""
    return chosen if chosen == "model" or impact is None else "impact"


def say(advice: Advice, narrow: Narrow | None, standing: Ranked | None, *, pooled: bool) -> None:
    """Put down what both methods know of the artifact. A gain that was refused is said to be, and why."""
    reasons: list[str] = []
    if narrow is not None:
        reasons += reasons_of(narrow, narrow.score.model)
    if narrow is not None and narrow.effect is not None:
        score = narrow.score
        advice.status, advice.n_projects, advice.evidence = narrow.status, score.n_projects, score.evidence
        advice.gain, advice.low, advice.high, advice.pooled = score.effect, score.low, score.high, narrow.is_pooled
    if standing is not None:
        advice.standing = advice.score = standing.standing
        advice.n_projects = advice.n_projects or standing.used
        advice.pooled = advice.pooled if advice.gain is not None else pooled
        reasons.append(standing_words(standing, pooled=pooled))
    advice.reasons = reasons


def team_ranges(history: History, rows: Sequence[ProjectRow]) -> Sequence[TeamRange]:
    """The range of team sizes of similar successful projects, for each open project; similar ones are named by id."""
    done = history.finished
    ids = {row.slug: str(row.id) for row in done}
    data = TeamData(
        keys=tuple(row.slug for row in done),
        size=numbers([row.team_size for row in done]),
        success=numbers([row.actual["success"] for row in done]),
        covariates=covariates_of(done).without(["team_size"]),
    )
    ranges = recommend_team(data, covariates_of(rows).without(["team_size"])) if rows else ()
    return [replace(one, similar=tuple(ids[slug] for slug in one.similar)) for one in ranges]


def team_verdict(row: ProjectRow, team: TeamRange, alike: int) -> Verdict:
    """Similar projects that are all of other classes say nothing of this one's."""
    if team.verdict.is_refused or alike or not team.similar:
        return team.verdict
    need = Need(f"similar successful {row.problem_class} projects", 0, 1)
    return withhold("never_in_class", f"No similar successful project is a {row.problem_class} project.", need)


def team_advice(row: ProjectRow, team: TeamRange, model: ImpactModel, *, alike: int, at: datetime) -> Advice:
    """The range, or its refusal. `alike`: how many of the similar projects are of the project's own class."""
    verdict, of = team_verdict(row, team, alike), len(team.similar)
    refused = verdict.is_refused
    said = [verdict.reason or "Team sizes of similar successful projects, from the tenth to the ninetieth percentile."]
    if not refused and alike < of:
        said.append(f"Pooled: {alike} of the {of} similar projects are {row.problem_class} projects.")
    return Advice(
        model=model,
        project_id=row.id,
        kind=Advice.Kind.TEAM_SIZE,
        rank=1,
        basis="similar",
        status=verdict.status,
        needs=needs_of(verdict),
        unit="people",
        low=None if refused else team.lo,
        high=None if refused else team.hi,
        n_projects=0 if refused else len(team.similar),
        reasons=said,
        pooled=not refused and alike < of,
        problem_class=row.problem_class,
        evidence=[] if refused else list(team.similar),
        made_at=at,
    )

"""The recommendations room: advice for every open project, as rows. Loads LightGBM: never in a web process.

The order rests on the ranker where it beat the mean rank on projects left out; else on the impact scores; else on
the mean rank. The gain beside it is always the impact score's, with its interval, or nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from apps.recommendations.answers.advice import MOST_ITEMS, reasons_of, scores_for, unit_of
from apps.recommendations.estimators.ranking import Advice as Ranked
from apps.recommendations.estimators.ranking import rank
from apps.recommendations.estimators.team_size import TeamData, TeamRange, recommend_team
from apps.recommendations.models import Advice, ImpactModel, ImpactScore
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
    scores = {name: scores_for(impact, name) for name in {row.problem_class for row in rows}} if impact else {}
    teams = team_ranges(history, rows)
    for row, team in zip(rows, teams, strict=True):
        ranked = rank(ranking.ranker, seen_of(history, row), project=row.slug, level=RANKED_LEVEL)
        standings = {UUID(one.artifact): one for one in ranked.advice}
        yield from artifact_advice(row, scores.get(row.problem_class, []), standings, models, at=at)
        yield team_advice(row, team, models["owner"], at=at)


def artifact_advice(
    row: ProjectRow,
    scores: Sequence[ImpactScore],
    standings: dict[UUID, Ranked],
    models: dict[str, ImpactModel],
    *,
    at: datetime,
) -> Iterator[Advice]:
    """The best artifacts that the project lacks."""
    by_artifact = {score.artifact_id: score for score in scores}
    impact, ranking = models.get("impact"), models.get("ranking")
    basis = basis_of(impact, ranking)
    if basis == "impact":
        order = [score.artifact_id for score in scores if (score.effect or 0.0) > 0]
    else:
        order = list(standings) if ranking else []
    lacking = [artifact for artifact in order if artifact not in row.used][:MOST_ITEMS]
    for place, artifact in enumerate(lacking, 1):
        score = by_artifact.get(artifact)
        advice = advice_row(row, artifact, models["owner"], score, standings.get(artifact))
        advice.rank, advice.basis, advice.made_at = place, basis, at
        advice.unit = unit_of(impact) if impact and score else ""
        yield advice


def basis_of(impact: ImpactModel | None, ranking: ImpactModel | None) -> str:
    """What the order rests on."""
    chosen = str(ranking.figures.get("basis", "")) if ranking else ""
    return chosen if chosen == "model" or impact is None else "impact"


def advice_row(
    row: ProjectRow, artifact: UUID, model: ImpactModel, score: ImpactScore | None, standing: Ranked | None
) -> Advice:
    """One row with what both methods know of the artifact."""
    advice = Advice(model=model, project_id=row.id, kind=Advice.Kind.ARTIFACT, artifact_id=artifact, status="early")
    reasons: list[str] = []
    if score is not None:
        advice.status, advice.n_projects, advice.evidence = score.status, score.n_projects, score.evidence
        advice.gain, advice.low, advice.high = score.effect, score.low, score.high
        reasons += reasons_of(score, score.model)
    if standing is not None:
        advice.standing = advice.score = standing.standing
        advice.n_projects = advice.n_projects or standing.used
        reasons.append(standing_words(standing))
    advice.reasons = reasons
    return advice


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


def team_advice(row: ProjectRow, team: TeamRange, model: ImpactModel, *, at: datetime) -> Advice:
    """The range, or its refusal."""
    verdict = team.verdict
    refused = verdict.is_refused
    said = verdict.reason or "Team sizes of similar successful projects, from the tenth to the ninetieth percentile."
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
        reasons=[said],
        evidence=[] if refused else list(team.similar),
        made_at=at,
    )

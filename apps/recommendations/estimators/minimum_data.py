"""Recommendations room: how much data each feature needs before it may speak. Pure.

The figures are the table of minimum data; the run unit's were found by simulation
(docs/adr/0005-run-unit-minimum-data.md).
"""

from apps.recommendations.estimators.verdicts import OK, Need, Verdict, early, refused

IMPACT_PROJECTS, IMPACT_PROJECTS_FULL, PROJECTS_PER_ARTIFACT = 100, 300, 3
ARM, ARM_FULL = 12, 30
OVERLAP = 0.10
RUN_PROJECTS, RUN_PROJECTS_FULL = 12, 30
RUNS_PER_PROJECT = 5
RUN_ARM_PROJECTS, RUN_ARM_PROJECTS_FULL = 8, 20
FORECAST_OUTCOMES, FORECAST_OUTCOMES_FULL = 20, 80
INTERVAL_PROJECTS = {0.8: 20, 0.9: 40}
RANKING_PROJECTS, RANKING_PROJECTS_FULL = 5, 40


def tenant_impact(projects: int, artifacts: int, spread: float) -> Verdict:
    """May a tenant's effects be estimated: finished projects with an outcome, artifacts to estimate."""
    if projects < IMPACT_PROJECTS:
        return refused(
            "too_few_projects",
            f"Only {projects} finished projects have an outcome.",
            Need("finished projects with an outcome", projects, IMPACT_PROJECTS),
        )
    if artifacts == 0:
        return refused(
            "no_artifact_compared",
            f"No artifact was used by {ARM} projects and left out by {ARM}.",
            Need("artifacts with both arms large enough", 0, 1),
        )
    if projects < PROJECTS_PER_ARTIFACT * artifacts:
        return refused(
            "too_few_projects_per_artifact",
            f"{projects} finished projects are too few to tell {artifacts} artifacts apart.",
            Need("finished projects with an outcome", projects, PROJECTS_PER_ARTIFACT * artifacts),
        )
    if not spread > 0:
        return refused(
            "outcomes_all_alike", "All finished projects had the same outcome.", Need("different outcomes", 1, 2)
        )
    if projects <= IMPACT_PROJECTS_FULL:
        return early(
            "few_projects",
            f"Based on {projects} finished projects; intervals settle above 300.",
            Need("finished projects with an outcome", projects, IMPACT_PROJECTS_FULL + 1),
        )
    return OK


def artifact_arms(smaller: int) -> Verdict:
    """May one artifact's effect be shown: projects in the smaller of used and not used."""
    if smaller < ARM:
        return refused(
            "arm_too_small",
            f"Only {smaller} projects are in the smaller of used and not used.",
            Need("projects in the smaller arm", smaller, ARM),
        )
    if smaller <= ARM_FULL:
        return early(
            "small_arm",
            f"Only {smaller} projects are in the smaller of used and not used.",
            Need("projects in the smaller arm", smaller, ARM_FULL + 1),
        )
    return OK


def overlap(share: float, *, with_artifacts: bool) -> Verdict:
    """May one artifact's effect be shown: share of its use that nothing else explains."""
    if share >= OVERLAP:
        return OK
    known = "the other artifacts used with it" if with_artifacts else "what was known before"
    code = "always_used_together" if with_artifacts else "no_overlap"
    return refused(
        code,
        f"Its use follows almost wholly from {known}: there is nothing to compare.",
        Need("share of the use left unexplained", round(share, 3), OVERLAP),
    )


def run_impact(projects: int, artifacts: int) -> Verdict:
    """May effects be estimated from runs: projects with enough unlike runs."""
    if projects < RUN_PROJECTS:
        return refused(
            "too_few_projects",
            f"Only {projects} projects have {RUNS_PER_PROJECT} runs to compare.",
            Need(f"projects with {RUNS_PER_PROJECT} or more runs with a goal metric", projects, RUN_PROJECTS),
        )
    if artifacts == 0:
        return refused(
            "no_artifact_compared",
            f"No artifact was used by some runs and not by others in {RUN_ARM_PROJECTS} projects.",
            Need("artifacts that enough projects compare", 0, 1),
        )
    if projects < RUN_PROJECTS_FULL:
        return early(
            "few_projects",
            f"Based on runs of {projects} projects.",
            Need("projects with runs to compare", projects, RUN_PROJECTS_FULL),
        )
    return OK


def run_artifact(projects: int) -> Verdict:
    """May one artifact's effect be shown from runs: projects with runs both with and without it."""
    need = "projects with runs both with and without it"
    if projects < RUN_ARM_PROJECTS:
        return refused(
            "arm_too_small",
            f"Only {projects} projects have runs both with and without it.",
            Need(need, projects, RUN_ARM_PROJECTS),
        )
    if projects < RUN_ARM_PROJECTS_FULL:
        return early(
            "small_arm",
            f"Only {projects} projects have runs both with and without it.",
            Need(need, projects, RUN_ARM_PROJECTS_FULL),
        )
    return OK


def forecast(outcomes: int) -> Verdict:
    """May a quantity be forecast: projects whose actual value is known."""
    if outcomes < FORECAST_OUTCOMES:
        return refused(
            "too_few_outcomes",
            f"Only {outcomes} projects have this outcome.",
            Need("projects with this outcome", outcomes, FORECAST_OUTCOMES),
        )
    if outcomes <= FORECAST_OUTCOMES_FULL:
        return early(
            "few_outcomes",
            f"Based on {outcomes} projects.",
            Need("projects with this outcome", outcomes, FORECAST_OUTCOMES_FULL + 1),
        )
    return OK


def interval(projects: int, level: float) -> Verdict:
    """May an interval be shown at this level: projects behind it."""
    least = max([need for bound, need in INTERVAL_PROJECTS.items() if bound <= level + 1e-9] or [FORECAST_OUTCOMES])
    if projects < least:
        return refused(
            "too_few_for_interval",
            f"{projects} projects are too few for a {level:.0%} interval.",
            Need("projects with this outcome", projects, least),
        )
    return OK


def ranking(projects: int) -> Verdict:
    """May artifacts be ranked: projects with outcomes. From 5 by mean rank alone."""
    if projects < RANKING_PROJECTS:
        return refused(
            "too_few_projects",
            f"Only {projects} projects have outcomes.",
            Need("projects with outcomes", projects, RANKING_PROJECTS),
        )
    if projects <= RANKING_PROJECTS_FULL:
        return early(
            "few_projects",
            f"Based on {projects} projects: by mean rank alone.",
            Need("projects with outcomes", projects, RANKING_PROJECTS_FULL + 1),
        )
    return OK

"""Recommendations room: how much data each feature needs before it may speak. Pure.

The figures are the table of minimum data; the run unit's were found by simulation
(docs/adr/0005-run-unit-minimum-data.md).
"""

from dataclasses import dataclass

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
IMPORTANCE_RUNS, IMPORTANCE_RUNS_FULL = 30, 100


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are of what is counted."""

    need: str
    have: int

    def refused_below(self, least: int, code: str, text: str) -> Verdict | None:
        """Refuse while there are fewer than that."""
        return refused(code, text, Need(self.need, self.have, least)) if self.have < least else None

    def early_below(self, settled: int, code: str, text: str) -> Verdict:
        """Call it early while there are fewer than that; else nothing stands in the way."""
        return early(code, text, Need(self.need, self.have, settled)) if self.have < settled else OK


def tenant_impact(projects: int, artifacts: int, spread: float) -> Verdict:
    """May a tenant's effects be estimated: finished projects with an outcome, artifacts to estimate."""
    finished, several = Count("finished projects with an outcome", projects), PROJECTS_PER_ARTIFACT * artifacts
    arms = Count("artifacts with both arms large enough", artifacts)
    outcomes = Count("different outcomes", 2 if spread > 0 else 1)
    return (
        finished.refused_below(
            IMPACT_PROJECTS, "too_few_projects", f"Only {projects} finished projects have an outcome."
        )
        or arms.refused_below(
            1, "no_artifact_compared", f"No artifact was used by {ARM} projects and left out by {ARM}."
        )
        or finished.refused_below(
            several,
            "too_few_projects_per_artifact",
            f"{projects} finished projects are too few to tell {artifacts} artifacts apart.",
        )
        or outcomes.refused_below(2, "outcomes_all_alike", "All finished projects had the same outcome.")
        or finished.early_below(
            IMPACT_PROJECTS_FULL + 1,
            "few_projects",
            f"Based on {projects} finished projects; intervals settle above 300.",
        )
    )


def artifact_arms(smaller: int) -> Verdict:
    """May one artifact's effect be shown: projects in the smaller of used and not used."""
    arm = Count("projects in the smaller arm", smaller)
    told = f"Only {smaller} projects are in the smaller of used and not used."
    return arm.refused_below(ARM, "arm_too_small", told) or arm.early_below(ARM_FULL + 1, "small_arm", told)


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
    able = Count(f"projects with {RUNS_PER_PROJECT} or more runs with a goal metric", projects)
    compared = Count("artifacts that enough projects compare", artifacts)
    comparing = Count("projects with runs to compare", projects)
    return (
        able.refused_below(
            RUN_PROJECTS, "too_few_projects", f"Only {projects} projects have {RUNS_PER_PROJECT} runs to compare."
        )
        or compared.refused_below(
            1,
            "no_artifact_compared",
            f"No artifact was used by some runs and not by others in {RUN_ARM_PROJECTS} projects.",
        )
        or comparing.early_below(RUN_PROJECTS_FULL, "few_projects", f"Based on runs of {projects} projects.")
    )


def run_artifact(projects: int) -> Verdict:
    """May one artifact's effect be shown from runs: projects with runs both with and without it."""
    arm = Count("projects with runs both with and without it", projects)
    told = f"Only {projects} projects have runs both with and without it."
    return arm.refused_below(RUN_ARM_PROJECTS, "arm_too_small", told) or arm.early_below(
        RUN_ARM_PROJECTS_FULL, "small_arm", told
    )


def forecast(outcomes: int) -> Verdict:
    """May a quantity be forecast: projects whose actual value is known."""
    known = Count("projects with this outcome", outcomes)
    return known.refused_below(
        FORECAST_OUTCOMES, "too_few_outcomes", f"Only {outcomes} projects have this outcome."
    ) or known.early_below(FORECAST_OUTCOMES_FULL + 1, "few_outcomes", f"Based on {outcomes} projects.")


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
    told = Count("projects with outcomes", projects)
    return told.refused_below(
        RANKING_PROJECTS, "too_few_projects", f"Only {projects} projects have outcomes."
    ) or told.early_below(
        RANKING_PROJECTS_FULL + 1, "few_projects", f"Based on {projects} projects: by mean rank alone."
    )


def importance(runs: int, params: int, spread: float) -> Verdict:
    """May params be weighed: finished runs with the metric and a param that varies."""
    told = Count("runs with the metric and a param that varies", runs)
    able = Count("params that vary", params)
    unlike = Count("different values of the metric", 2 if spread > 0 else 1)
    return (
        told.refused_below(IMPORTANCE_RUNS, "too_few_runs", f"Too few runs: {runs} of {IMPORTANCE_RUNS}.")
        or able.refused_below(1, "no_param_varies", "No param differs between these runs.")
        or unlike.refused_below(2, "metric_all_alike", "The metric is the same in all these runs.")
        or told.early_below(IMPORTANCE_RUNS_FULL, "few_runs", f"Based on {runs} runs; intervals are wide below 100.")
    )

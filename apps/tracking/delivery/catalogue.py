"""The tracking room: which measures there are: where each comes from, what it means, and what it must not be used for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """A measure, for those who read it. `unit`: seconds, share, per_week, lines or hours."""

    key: str
    title: str
    unit: str
    group: str
    means: str
    never: str
    of_people: bool = False  # its rows would tell what single people did


DELIVERY, PULLS, CODE, PIPELINES, RUNS = "Delivery", "Pull requests", "Code", "Pipelines", "Experiments"
PLANS = "Plans"
DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "deployment_frequency",
        "Deployments a week",
        "per_week",
        DELIVERY,
        "Good deployments to production, or moves of a serving alias, in a week; half of the weeks have at most the median.",
        "As a target: it rises by cutting work into pieces that nobody needed alone.",
    ),
    Definition(
        "change_lead_time",
        "Change lead time",
        "seconds",
        DELIVERY,
        "From a commit until it is first in production.",
        "To compare teams: it depends on what a change must pass.",
    ),
    Definition(
        "change_fail_rate",
        "Change fail rate",
        "share",
        DELIVERY,
        "Of the deployments that are a week old, those after which a hotfix, a rollback or an incident came within it.",
        "Alone: who deploys nothing has none.",
    ),
    Definition(
        "recovery_time",
        "Recovery time",
        "seconds",
        DELIVERY,
        "From a failed deployment until the next good one, and of incidents. Those still open count (Kaplan–Meier).",
        "To blame whoever deployed.",
    ),
    Definition(
        "rework_rate",
        "Rework rate",
        "share",
        DELIVERY,
        "Of all good deployments, those that mend another.",
        "As a count of mistakes: a quick rollback is good work.",
    ),
    Definition(
        "first_registered",
        "Time to the first model",
        "seconds",
        DELIVERY,
        "From a project's start until it registered a model. Those without one yet count (Kaplan–Meier).",
        "To hurry a project: a model that nobody needs is quick to make.",
    ),
    Definition(
        "first_serving",
        "Time to the first serving model",
        "seconds",
        DELIVERY,
        "From a project's start until a serving alias pointed at a model of it. Those without one yet count.",
        "Across projects that serve different people.",
    ),
    Definition(
        "pull_merge_time",
        "Time to merge",
        "seconds",
        PULLS,
        "From ready for review until merged, of pull requests of people.",
        "To rank people or to hurry reviews.",
        True,
    ),
    Definition(
        "pull_first_review",
        "Time to first review",
        "seconds",
        PULLS,
        "From ready for review until somebody else said something; open: merged without a review.",
        "To watch who reviews.",
        True,
    ),
    Definition(
        "pull_size",
        "Size of a pull request",
        "lines",
        PULLS,
        "Lines added and deleted in merged ones; GitLab does not tell.",
        "As a measure of work: lines are a cost.",
        True,
    ),
    Definition(
        "commits_per_week",
        "Commits a week",
        "per_week",
        CODE,
        "Commits of people on the main line, without merges, in a week that had any.",
        "As output: how often somebody commits is a habit.",
    ),
    Definition(
        "contributors",
        "People who commit",
        "people",
        CODE,
        "How many people committed within the last 28 days; n counts their commits.",
        "As the size of a team: reviews, data and models are work too.",
    ),
    Definition(
        "concentration",
        "Half of the commits",
        "people",
        CODE,
        "How few people made half of the commits of the last 28 days. Few: much hangs on them.",
        "To find out who they are, or how much each of them does.",
    ),
    Definition(
        "churn",
        "Lines a week",
        "lines",
        CODE,
        "Lines added and deleted in a week that had any, as a clone or a CI job tells them.",
        "As a measure of work: lines are a cost, and a generated file has thousands.",
    ),
    Definition(
        "rework_churn",
        "Lines that did not last",
        "share",
        CODE,
        "Of the lines that the main line gained, those that it lost again within 21 days; younger ones do not count yet.",
        "As a count of faults: trying something out and throwing it away is work.",
    ),
    Definition(
        "pipeline_duration",
        "Pipeline duration",
        "seconds",
        PIPELINES,
        "From begin to end of pipelines that succeeded or failed.",
        "Across projects that test different things.",
    ),
    Definition(
        "pipeline_queue",
        "Wait for a runner",
        "seconds",
        PIPELINES,
        "From the moment a job was made until it began.",
        "As the team's own doing: it is a matter of runners.",
    ),
    Definition(
        "pipeline_success",
        "Pipeline success",
        "share",
        PIPELINES,
        "Of those that ended, the share that succeeded; cancelled ones are left out.",
        "As a target: tests that find nothing always pass.",
    ),
    Definition(
        "pipeline_flakiness",
        "Flakiness",
        "share",
        PIPELINES,
        "Of the commits on which a failed pipeline ran again, those on which it then passed.",
        "Of commits that nobody tried twice: they are not in it.",
    ),
    Definition(
        "run_success",
        "Run success",
        "share",
        RUNS,
        "Of runs that finished, failed or were lost, those that finished; stopped ones are left out.",
        "Against bold experiments: a failed run may teach.",
    ),
    Definition(
        "run_throughput",
        "Runs a week",
        "per_week",
        RUNS,
        "Finished runs in a week that had any.",
        "As output: a sweep makes hundreds in an hour.",
    ),
    Definition(
        "run_waste",
        "Waste",
        "share",
        RUNS,
        "Of all hours of runs, those of failed and lost ones.",
        "Per person.",
    ),
    Definition(
        "run_reproducible",
        "Reproducible",
        "share",
        RUNS,
        "Of ended runs, those that tell their commit and at least one dataset, and of no change beside the commit.",
        "As proof: it says that the facts are noted, not that somebody repeated the run.",
    ),
    Definition(
        "duration_against_plan",
        "Time against plan",
        "times",
        PLANS,
        "How many times its first plan a project took that ended in this time, in days.",
        "To judge who planned: the next plan is then twice as long.",
    ),
    Definition(
        "cost_against_plan",
        "Cost against plan",
        "times",
        PLANS,
        "The same of its cost; where nobody said one, hours at the project's rate.",
        "Without what the project was worth.",
    ),
    Definition(
        "effort_against_plan",
        "Hours against plan",
        "times",
        PLANS,
        "The same of the hours that people worked on it.",
        "Per person.",
    ),
)
BY_KEY = {one.key: one for one in DEFINITIONS}

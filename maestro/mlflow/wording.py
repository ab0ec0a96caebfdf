"""The floor: refusals in MLflow's own words, by their code and the names of their facts; others speak for themselves."""

from collections.abc import Mapping

from maestro.errors import MaestroError

STATE = "must be in the 'active' state. Current state is deleted."
WORDS: dict[tuple[str, ...], str] = {
    ("not_found", "run"): "Run with id={run} not found",
    ("not_found", "experiment"): "No Experiment with id={experiment} exists",
    ("not_found", "experiment_name"): "Could not find experiment with name '{experiment_name}'",
    ("not_found", "run", "tag"): "No tag with name: {tag} in run with id {run}",
    ("not_found", "experiment", "tag"): "No tag with name: {tag} in experiment with id {experiment}",
    ("not_found", "trace", "tag"): "No trace tag with key '{tag}' for trace with ID '{trace}'",
    ("not_found", "dataset"): "Evaluation dataset with id '{dataset}' not found",
    ("not_found", "assessment", "trace"): "Assessment with ID '{assessment}' not found for trace '{trace}'",
    ("other_kind", "given_kind", "own_kind"): "Cannot update {given_kind} value on {own_kind} assessment.",
    ("already_exists", "experiment_name"): "Experiment(name={experiment_name}) already exists.",
    ("already_exists", "experiment_name", "trashed"): (
        "Experiment(name={experiment_name}) already exists. It lies in the trash as experiment {trashed}: restore it,"
        " or choose another name."
    ),
    ("already_exists", "trace"): "Trace with ID '{trace}' already exists in another experiment.",
    ("already_exists", "assessment"): "Assessment with ID '{assessment}' already exists.",
    ("run_is_deleted", "run"): "The run {run} " + STATE,
    ("experiment_is_deleted", "experiment"): "The experiment {experiment} " + STATE,
    ("not_active", "experiment"): "Cannot rename a non-active experiment.",
    ("servers_own_tag", "tag"): "Tag '{tag}' is immutable and cannot be set or deleted on a trace.",
    ("two_names", "run_name", "tag"): (
        "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
        " (run_name='{run_name}', mlflow.runName='{tag}')."
    ),
    ("param_changed", "params", "run"): (
        "Changing param values is not allowed. Params were already logged='{params}' for run ID='{run}'."
    ),
    ("bad_path", "path_fault"): "Invalid path: {path_fault}",
    ("bad_location", "field"): (
        "Invalid value for parameter '{field}': leave it out, so that Maestro keeps the files,"
        " or name a bucket (s3://, gs://, wasbs://, abfss://, hdfs://, dbfs:/)"
    ),
}

NO_WORDS: dict[tuple[str, ...], str] = {}

# What is in the trash is the caller's mistake there, not a conflict.
MISTAKES = frozenset({"run_is_deleted", "experiment_is_deleted"})


def worded(error: MaestroError, own: Mapping[tuple[str, ...], str] = NO_WORDS) -> str:
    """Say a refusal as MLflow does, where MLflow says it at all; `own` are the words of one room's door."""
    said = (error.code, *sorted(error.facts))
    words = own.get(said) or WORDS.get(said)
    return error.detail if words is None else words.format(**error.facts)

"""The registry room's MLflow door: refusals in MLflow's own words, by their code and the names of their facts."""

from apps.registry.stages import STAGES

WORDS: dict[tuple[str, ...], str] = {
    ("already_exists", "artifact_name"): "Registered Model (name={artifact_name}) already exists.",
    ("already_exists", "prompt_name"): "Prompt (name={prompt_name}) already exists.",
    (
        "kept_tag",
        "kept_tag",
    ): "Tag '{kept_tag}' of a prompt is immutable and cannot be set or deleted: register a new version.",
    (
        "wrong_kind",
        "artifact_name",
        "is_a",
        "not_a",
    ): "Name `{artifact_name}` is registered as a {is_a}, not a {not_a}.",
    ("bad_name", "artifact_name"): (
        "Invalid model name: {artifact_name!r}: it must not be blank, begin or end with a space, or hold"
        " / : @ % # a comma, a backslash or a control character"
    ),
    ("bad_stage", "stage"): f"Invalid Model Version stage: {{stage!r}}. Value must be one of {', '.join(STAGES)}.",
    ("bad_source", "reason", "source"): "Invalid model version source: {source!r}: {reason}",
    ("not_found", "logged_model"): "Logged model with ID '{logged_model}' not found.",
    ("not_found", "logged_model", "tag"): "No tag with key {tag!r} found for model with ID '{logged_model}'.",
}

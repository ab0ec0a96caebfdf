"""The registry room's admin: what a card of each kind says, for whoever begins one."""

from apps.registry.models import Artifact

HEAD = "---\nlicense: \ntags: []\n---\n\n"
SECTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    Artifact.Kind.MODEL: (
        ("What it is for", "Which question it answers, for whom; and what it must not be used for."),
        ("Trained on", "Which dataset, of when; how it was split."),
        ("How well it does", "Metrics with their data, against what they are to be compared."),
        ("Limits", "Where it fails, whom that would hurt."),
        ("How to use it", "A few lines of code."),
    ),
    Artifact.Kind.DATASET: (
        ("What is in it", "Rows, columns, units; one row means …"),
        ("Where it comes from", "Source, query, date; who may use it."),
        ("What is known to be wrong", "Gaps, duplicates, biases."),
    ),
    Artifact.Kind.FEATURE_PIPELINE: (
        ("What it makes", "Which features of which columns; units."),
        ("When to use it", "For which problems; what it assumes of its input."),
        ("Leaks", "What is fitted on which part of the data."),
    ),
    Artifact.Kind.SCHEMA: (("What it describes", "One row means …"), ("Rules", "What holds for every row.")),
    Artifact.Kind.NOTEBOOK: (
        ("What it shows", "The question and the answer."),
        ("How to run it", "Data and packages."),
    ),
    Artifact.Kind.PROMPT: (
        ("What it asks for", "Of which model, in which application."),
        ("How well it does", "On which questions, judged by whom or what."),
        ("Limits", "What it must not be asked."),
    ),
    Artifact.Kind.MODEL_TEMPLATE: (
        ("What it is", "The model, its search space."),
        ("When to use it", "Sizes, kinds of problems; what it costs to train."),
    ),
}


def template_for(kind: str) -> str:
    """Write an empty card of a kind, with a line under each heading that says what belongs there."""
    sections = SECTIONS.get(kind, SECTIONS[Artifact.Kind.MODEL])
    return HEAD + "\n\n".join(f"## {title}\n\n*{hint}*" for title, hint in sections) + "\n"

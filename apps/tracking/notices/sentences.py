"""The tracking room: what happened, in a sentence, for people: in a chat and in letters."""

from typing import Any, Final

LINE_CHARS: Final = 600
# Each names what its data hold; a figure or a name that is missing is written as a dash.
SENTENCES: Final = {
    "run.finished": "Run {run[name]} of {experiment[name]} finished",
    "run.failed": "Run {run[name]} of {experiment[name]} failed",
    "run.lost": "Run {run[name]} of {experiment[name]} is lost: it has been silent for too long",
    "artifact.created": "{artifact} was made",
    "artifact.tagged": "{artifact} got the tag {key}",
    "artifact.untagged": "{artifact} lost the tag {key}",
    "version.registered": "v{version} of {artifact} was registered",
    "version.tagged": "v{version} of {artifact} got the tag {key}",
    "version.untagged": "v{version} of {artifact} lost the tag {key}",
    "alias.moved": "{artifact}@{alias} points at v{version}",
    "alias.deleted": "{artifact}@{alias} was taken away",
    "gate.refused": "A gate refused {target} of {artifact} to v{version}: {reason}",
    "gate.waiting": "v{version} of {artifact} waits for approval to get {target}",
    "gate.passed": "v{version} of {artifact} passed the gate to {target}",
    "impact.changed": "What is said of the impact of {artifact} changed: {change}",
    "forecast.missed": "The forecast of {target} was missed: {actual} is outside of {low} to {high}",
    "storage.nearly_full": "{percent} % of the storage that may be used is used",
    "webhook.test": "This is a test",
}


class Known(dict[str, Any]):
    """What is told; what is missing is a dash."""

    def __missing__(self, key: str) -> Any:
        return Known() if key in {"run", "experiment"} else "–"


def sentence(event: str, data: dict[str, Any]) -> str:
    """Say what happened on one line, and in which project."""
    known = Known({name: Known(value) if isinstance(value, dict) else value for name, value in data.items()})
    said = SENTENCES[event].format_map(known)
    where = f" ({data['project']})" if data.get("project") else ""
    line = " ".join(said.split())
    return f"{line[:LINE_CHARS]}{where}"

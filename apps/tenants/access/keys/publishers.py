"""The access room: which claims of each CI system bind a job to what can't be registered again under its name.

Source  SECURITY class D10; the token references of GitHub Actions, GitLab CI, Kubernetes and Jenkins
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.tenants.access.models import TrustedPublisher
from maestro.errors import Fault, Invalid

Kind = TrustedPublisher.Kind
MOST_CLAIMS = 20


@dataclass(frozen=True)
class Rules:
    """What a kind's tokens must be bound to, and what is never let in."""

    issuer: str = ""
    bound: tuple[str, ...] = ("sub",)
    one_of: tuple[str, ...] = ()
    never: Mapping[str, frozenset[str]] | None = None
    needs_jti: bool = False


RULES: dict[str, Rules] = {
    Kind.GITHUB: Rules(
        issuer="https://token.actions.githubusercontent.com",
        bound=("repository_id", "repository_owner_id"),
        one_of=("ref", "environment"),
        never={
            "event_name": frozenset(
                {"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"}
            )
        },
        needs_jti=True,
    ),
    Kind.GITLAB: Rules(
        issuer="https://gitlab.com",
        bound=("project_id", "namespace_id"),
        one_of=("ref", "environment"),
        never={"pipeline_source": frozenset({"merge_request_event", "external_pull_request_event"})},
        needs_jti=True,
    ),
    Kind.KUBERNETES: Rules(bound=("sub", "kubernetes.io/serviceaccount/uid")),
    Kind.JENKINS: Rules(),
    Kind.OIDC: Rules(),
}


def claim(claims: Mapping[str, Any], name: str) -> str | None:
    """Read a claim as text; `a/b/c` goes down into objects. None for what is not a plain value."""
    value: Any = claims
    for part in name.split("/") if name not in claims else [name]:
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def check_publisher(kind: str, claims: Mapping[str, Any]) -> None:
    """Raise Invalid unless a publisher's claims pin down one project and one branch or environment."""
    rules = RULES[kind]
    faults = [
        Fault(f"/claims/{name}", "required", f"{name} is needed: it can't be registered again by somebody else")
        for name in rules.bound
        if name not in claims
    ]
    if rules.one_of and not any(name in claims for name in rules.one_of):
        faults.append(Fault("/claims", "required", f"one of {' or '.join(rules.one_of)} is needed"))
    for name, value in claims.items():
        if not isinstance(value, str) or not value or len(value) > 500 or "*" in value:
            faults.append(Fault(f"/claims/{name}", "bad_value", "a claim's value is plain text, compared exactly"))
    if len(claims) > MOST_CLAIMS:
        faults.append(Fault("/claims", "too_many", f"at most {MOST_CLAIMS} claims"))
    if faults:
        raise Invalid(f"{faults[0].pointer.lstrip('/')}: {faults[0].detail}", "bad_claims", faults=faults)


def mismatch(publisher: TrustedPublisher, claims: Mapping[str, Any]) -> str | None:
    """Say which claim does not fit, or None if the job is the one that is trusted."""
    rules = RULES[publisher.kind]
    for name, values in (rules.never or {}).items():
        found = claim(claims, name)
        if found is None or found in values:
            return name
    if rules.needs_jti and not claims.get("jti"):
        return "jti"
    return next((name for name, wanted in publisher.claims.items() if claim(claims, name) != wanted), None)


def snippet(publisher: TrustedPublisher, url: str, tenant: str) -> str:
    """Write what a CI file needs, ready to paste."""
    ask = f"curl -fsS {url}/ci/maestro -o maestro-ci\npython3 maestro-ci login"
    if publisher.kind == Kind.GITHUB:
        return (
            "permissions:\n  id-token: write\nenv:\n"
            f"  MAESTRO_URL: {url}\n  MAESTRO_TENANT: {tenant}\n  MAESTRO_AUDIENCE: {publisher.audience}\n"
            "steps:\n  - run: |\n      " + ask.replace("\n", "\n      ")
        )
    if publisher.kind == Kind.GITLAB:
        return (
            "train:\n  id_tokens:\n    MAESTRO_ID_TOKEN:\n"
            f"      aud: {publisher.audience}\n  variables:\n    MAESTRO_URL: {url}\n    MAESTRO_TENANT: {tenant}\n"
            "  script:\n    - " + ask.replace("\n", "\n    - ")
        )
    return (
        f"export MAESTRO_URL={url} MAESTRO_TENANT={tenant}\n"
        "export MAESTRO_ID_TOKEN_FILE=/path/to/the/jobs/token\n" + ask
    )

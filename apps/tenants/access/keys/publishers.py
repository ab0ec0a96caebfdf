"""The access room: which claims of each CI system bind a job to what can't be registered again under its name.

Source  SECURITY class D10; the token references of GitHub Actions, GitLab CI, Kubernetes and Jenkins
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any
from urllib.parse import urlsplit

from apps.tenants.access.models import TrustedPublisher
from maestro.errors import Fault, Invalid

Kind = TrustedPublisher.Kind
MOST_CLAIMS = 20

# The same lines everywhere. `|| exit` ends the job with the client's own exit code under any flags of the shell.
ENTER = """curl -fsS "$MAESTRO_URL/ci/maestro" -o maestro-ci
python3 maestro-ci login --file maestro.env || exit
. ./maestro.env
python3 train.py"""

PLAIN = """export MAESTRO_URL=$url MAESTRO_TENANT=$tenant MAESTRO_AUDIENCE=$audience
export MAESTRO_ID_TOKEN_FILE=/var/run/secrets/maestro/token
$plain
"""

CI_FILES: dict[str, str] = {
    Kind.GITHUB: """permissions:
  contents: read
  id-token: write
env:
  MAESTRO_URL: $url
  MAESTRO_TENANT: $tenant
  MAESTRO_AUDIENCE: $audience
jobs:
  train:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          $block
""",
    Kind.GITLAB: """train:
  id_tokens:
    MAESTRO_ID_TOKEN:
      aud: $audience
  variables:
    MAESTRO_URL: $url
    MAESTRO_TENANT: $tenant
  script:
    $items
""",
    Kind.JENKINS: """withEnv(['MAESTRO_URL=$url', 'MAESTRO_TENANT=$tenant', 'MAESTRO_AUDIENCE=$audience']) {
  withCredentials([file(credentialsId: 'maestro-identity', variable: 'MAESTRO_ID_TOKEN_FILE')]) {
    sh '''
      $groovy
    '''
  }
}
""",
}


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

# Whose tokens an issuer's are follows from the issuer, and at an installation of one's own from what they say of
# themselves: never from the kind alone, which is the caller's word.
HOSTS = {"token.actions.githubusercontent.com": Kind.GITHUB, "gitlab.com": Kind.GITLAB}
MARKS: dict[str, str] = {
    "repository_id": Kind.GITHUB,
    "repository_owner_id": Kind.GITHUB,
    "pipeline_source": Kind.GITLAB,
    "namespace_id": Kind.GITLAB,
    "kubernetes.io": Kind.KUBERNETES,
}


def kind_of_issuer(issuer: str) -> str | None:
    """Name the CI system that an issuer is known to belong to; None for an installation of somebody's own."""
    try:
        return HOSTS.get(urlsplit(issuer).hostname or "")
    except ValueError:
        return None


def rules_for(kind: str, issuer: str, claims: Mapping[str, Any] | None = None) -> list[Rules]:
    """List every kind's rules that a publisher's tokens fall under."""
    kinds = {kind, kind_of_issuer(issuer)} | {MARKS[name] for name in claims or () if name in MARKS}
    return [RULES[name] for name in sorted(filter(None, kinds))]


def claim(claims: Mapping[str, Any], name: str) -> str | None:
    """Read a claim as text; `a/b/c` goes down into objects. None for what is not a plain value."""
    value: Any = claims
    for part in name.split("/") if name not in claims else [name]:
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def check_publisher(kind: str, issuer: str, claims: Mapping[str, Any]) -> None:
    """Raise Invalid unless a publisher's claims pin down one project and one branch or environment."""
    known = kind_of_issuer(issuer)
    if known is not None and known != kind:
        raise Invalid(f"kind: tokens of {issuer} are of the kind {known}", "wrong_kind")
    faults = [fault for rules in rules_for(kind, issuer) for fault in unbound(rules, claims)]
    for name, value in claims.items():
        if not isinstance(value, str) or not value or len(value) > 500 or "*" in value:
            faults.append(Fault(f"/claims/{name}", "bad_value", "a claim's value is plain text, compared exactly"))
    if len(claims) > MOST_CLAIMS:
        faults.append(Fault("/claims", "too_many", f"at most {MOST_CLAIMS} claims"))
    if faults:
        raise Invalid(f"{faults[0].pointer.lstrip('/')}: {faults[0].detail}", "bad_claims", faults=faults)


def unbound(rules: Rules, claims: Mapping[str, Any]) -> list[Fault]:
    """List what a publisher leaves open that rules want pinned down."""
    faults = [
        Fault(f"/claims/{name}", "required", f"{name} is needed: it can't be registered again by somebody else")
        for name in rules.bound
        if name not in claims
    ]
    if rules.one_of and not any(name in claims for name in rules.one_of):
        faults.append(Fault("/claims", "required", f"one of {' or '.join(rules.one_of)} is needed"))
    return faults


def mismatch(publisher: TrustedPublisher, claims: Mapping[str, Any]) -> str | None:
    """Say which claim does not fit, or None if the job is the one that is trusted."""
    for rules in rules_for(publisher.kind, publisher.issuer, claims):
        if open_claims := unbound(rules, publisher.claims):
            return open_claims[0].pointer.removeprefix("/claims/")
        for name, values in (rules.never or {}).items():
            found = claim(claims, name)
            if found is None or found in values:
                return name
        if rules.needs_jti and not claims.get("jti"):
            return "jti"
    return next((name for name, wanted in publisher.claims.items() if claim(claims, name) != wanted), None)


def snippet(publisher: TrustedPublisher, url: str, tenant: str) -> str:
    """Write a CI file, ready to paste; docs/ci/README.md shows the same ones."""
    shape = CI_FILES.get(publisher.kind, PLAIN)
    lines = ENTER.splitlines()
    return Template(shape).substitute(
        url=url,
        tenant=tenant,
        audience=publisher.audience,
        plain=ENTER,
        block=textwrap.indent(ENTER, " " * 10).strip(),
        groovy=textwrap.indent(ENTER, " " * 6).strip(),
        items="\n".join(f"    - {line}" for line in lines).strip(),
    )

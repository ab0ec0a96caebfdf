"""Which CI jobs may be trusted: by ids that nobody can register again, within the truster's rights, and no longer than that."""

import uuid
from typing import Any

import pytest
from django.test import Client

from apps.tenants.access.models import AuditEvent, TrustedPublisher
from apps.tenants.models import Tenant
from tests.issuer import Issuer
from tests.tenants.access.keys.jobs import JOB, PUBLISHERS, REPOSITORY, Door, exchange

GITHUBS, GITLABS = "https://token.actions.githubusercontent.com", "https://gitlab.com"
KUBERNETES = {"sub": "system:serviceaccount:ml:trainer", "kubernetes.io/serviceaccount/uid": "u-1"}


@pytest.mark.parametrize(("uid", "status"), [("u-1", 201), ("u-2", 403)])
def test_a_service_account_is_bound_by_its_uid(acme: Tenant, trust: Any, issuer: Issuer, uid: str, status: int) -> None:
    assert trust(kind="kubernetes", claims=KUBERNETES, audience="maestro").status_code == 201
    own = {"namespace": "ml", "serviceaccount": {"name": "trainer", "uid": uid}}
    claims: dict[str, Any] = {"kubernetes.io": own}
    token = issuer.token(sub=KUBERNETES["sub"], aud="maestro", **claims)
    assert exchange(token).status_code == status


@pytest.mark.parametrize(("source", "status"), [("push", 201), ("merge_request_event", 403), (None, 403)])
def test_a_merge_request_pipeline_is_refused(
    acme: Tenant, trust: Any, issuer: Issuer, source: str | None, status: int
) -> None:
    trust(kind="gitlab", claims={"project_id": "7", "namespace_id": "3", "ref": "main"})
    claims = {"sub": "project_path:acme/churn", "project_id": "7", "namespace_id": "3", "ref": "main"}
    assert exchange(issuer.token(**claims, aud="maestro:acme", pipeline_source=source)).status_code == status


@pytest.mark.parametrize(
    "fields",
    [
        {"claims": {"repository": "acme/churn", "ref": "main"}},
        {"claims": {"repository_id": "1", "repository_owner_id": "2"}},
        {"claims": REPOSITORY | {"ref": "refs/heads/*"}},
        {"claims": REPOSITORY | {"x": 1}},
        {"claims": {}},
        {"minutes": 16},
        {"minutes": 0},
        {"role": "admin"},
        {"project": "nowhere"},
        {"kind": "jenkins", "issuer": None},
        {"issuer": "file:///etc/passwd"},
        {"jwks": {"keys": [{"kty": "RSA", "d": "private"}]}},
        {"jwks": []},
        {"unknown": 1},
    ],
)
def test_a_publisher_that_trusts_too_much_is_refused(acme: Tenant, trust: Any, fields: dict[str, Any]) -> None:
    assert trust(**fields).status_code in {400, 404}


def test_an_issuer_on_a_private_address_is_not_called(acme: Tenant, trust: Any, issuer: Issuer, settings: Any) -> None:
    trust()
    settings.EGRESS_ALLOW = ()
    assert exchange(issuer.token(**JOB)).status_code == 403
    assert issuer.hits == []


def test_a_publisher_that_is_gone_lets_nobody_in(acme: Tenant, trust: Any, issuer: Issuer, api: Door) -> None:
    made = trust().json()
    admin = api(acme, "admin")
    assert admin.get(f"{PUBLISHERS}{made['id']}/").json()["claims"] == REPOSITORY
    assert admin.delete(f"{PUBLISHERS}{made['id']}/").status_code == 204
    assert admin.get(f"{PUBLISHERS}{uuid.uuid4()}/").status_code == 404
    assert exchange(issuer.token(**JOB)).status_code == 403


def test_taking_the_trust_back_ends_the_keys_of_its_jobs(acme: Tenant, trust: Any, issuer: Issuer, api: Door) -> None:
    made, other = trust().json(), trust(name="other", audience="maestro:other").json()
    texts = [exchange(issuer.token(**JOB | {"aud": one["audience"]})).json()["key"] for one in (made, other)]
    jobs = [Client(headers={"host": "acme.localhost", "authorization": f"Bearer {text}"}) for text in texts]
    assert [job.get("/api/v1/auth/whoami/").status_code for job in jobs] == [200, 200]
    assert api(acme, "admin").delete(f"{PUBLISHERS}{made['id']}/").status_code == 204
    assert [job.get("/api/v1/auth/whoami/").status_code for job in jobs] == [401, 200]
    assert AuditEvent.objects.get(action="publisher.delete").after["keys_ended"] == 1


@pytest.mark.parametrize(
    ("kind", "issuer_url"),
    [
        ("oidc", GITHUBS),
        ("jenkins", f"{GITHUBS}/a-company"),
        ("gitlab", GITHUBS),
        ("oidc", GITLABS),
        ("oidc", "https://GITLAB.com/"),
        ("github", GITLABS),
    ],
)
def test_a_kind_that_the_issuer_is_not_is_refused(acme: Tenant, trust: Any, kind: str, issuer_url: str) -> None:
    loose = {"sub": "repo:acme/churn:ref:refs/heads/main"}
    made = trust(kind=kind, issuer=issuer_url, claims=loose | REPOSITORY | {"project_id": "1", "namespace_id": "2"})
    assert (made.status_code, made.json()["code"]) == (400, "wrong_kind")


LOOSE: dict[str, dict[str, Any]] = {
    "GitHub's, of a pull request": {"event_name": "pull_request"} | REPOSITORY,
    "GitHub's, by its name alone": {"event_name": "push"} | REPOSITORY,
    "GitLab's, of a merge request": {"pipeline_source": "merge_request_event", "project_id": "1", "namespace_id": "2"},
    "GitLab's, by its name alone": {"pipeline_source": "push", "project_id": "1", "namespace_id": "2", "ref": "main"},
    "Kubernetes', by its name alone": {"kubernetes.io": {"serviceaccount": {"uid": "u-1"}}},
}


@pytest.mark.parametrize("kind", ["oidc", "jenkins"])
@pytest.mark.parametrize("name", LOOSE)
def test_a_token_of_ones_own_installation_falls_under_the_rules_of_what_it_is(
    acme: Tenant, trust: Any, issuer: Issuer, kind: str, name: str
) -> None:
    assert trust(kind=kind, claims={"sub": "a job"}).status_code == 201
    plain = {"sub": "a job", "aud": "maestro:acme"}
    assert exchange(issuer.token(**plain, **LOOSE[name])).status_code == 403
    assert exchange(issuer.token(**plain)).status_code == 201


def test_a_row_with_a_wrong_kind_opens_nothing(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust(kind="oidc", issuer="https://elsewhere.example", jwks=issuer.jwks(), claims={"sub": JOB["sub"]})
    TrustedPublisher.objects.update(issuer=GITHUBS)
    plain = {"iss": GITHUBS, "aud": "maestro:acme", "sub": JOB["sub"]}
    assert exchange(issuer.token(**plain)).status_code == 403
    assert "repository_id" in AuditEvent.objects.get(action="job.refuse").after["why"]

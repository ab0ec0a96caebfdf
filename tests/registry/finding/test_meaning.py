"""Artifacts by meaning: read by a worker, found in other words, within reach; off and said so where it is not installed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from apps.registry import tasks
from apps.registry.finding import meaning, sentences
from apps.registry.models import Artifact, Meaning
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from bench.search import judging
from maestro.database.session import connection
from tests.factories.two_projects import person_in

Api = Callable[..., Client]
# As bench/results/search.md has it, less one query of the last two sorts.
FLOORS = {"name": 1.0, "typo": 1.0, "words": 0.96, "meaning": 0.9}
QUESTION = "which clients will quit soon"


def as_a_worker(task: Callable[..., Any], tenant: Tenant, **told: Any) -> Any:
    """Run a tenant's task, which leaves the tenant, and come back to it."""
    found = task(schema=tenant.schema_name, **told)
    connection.set_tenant(tenant)
    return found


# To read all of the corpus takes half a minute.
SOME = ("churn-model", "schema.customers", "encoder.target", "imputer.median")


def read_by_worker(tenant: Tenant, *names: str) -> None:
    """Make the corpus, or some of it, and have it read as a worker does."""
    made = judging.fill(*names)
    assert made > 1
    assert meaning.is_due()
    assert as_a_worker(tasks.read_meanings, tenant) == made
    assert not meaning.is_due()


@pytest.fixture
def some(acme: Tenant) -> None:
    """A few artifacts that were read."""
    read_by_worker(acme, *SOME)


def ask(client: Client, **query: Any) -> tuple[str, list[str]]:
    told = client.get("/api/v1/search/", {"thing": "artifact", "limit": "5", "meaning": "true"} | query).json()
    return told["meaning"], [row["name"] for row in told["results"]]


def test_the_judged_queries_are_answered_by_meaning(acme: Tenant) -> None:
    read_by_worker(acme)
    asked = judging.queries()
    found = judging.hits(judging.by_meaning, asked)
    for sort, floor in FLOORS.items():
        these = [query for query in asked if query.sort == sort]
        share = sum(query in found for query in these) / len(these)
        assert share >= floor, (sort, share, [query.text for query in these if query not in found])


def test_a_question_is_read_by_a_worker_and_answered_within_reach(some: None, acme: Tenant, api: Api) -> None:
    client = api(acme)
    assert QUESTION not in str(Artifact.objects.values_list("description", flat=True))
    state, names = ask(client, q=QUESTION)
    if state == meaning.LATE:  # no worker runs beside this test: this is what one does
        assert "churn-model" not in names
        as_a_worker(tasks.answer_meaning, acme, text=QUESTION)
        state, names = ask(client, q=QUESTION)
    assert (state, "churn-model" in names) == (meaning.USED, True)
    assert ask(client, q=QUESTION, kind="schema")[1][:1] == ["schema.customers"]
    assert ask(client, q=QUESTION, meaning="false") == (meaning.UNASKED, [])
    theirs, mine = (Project.objects.create(slug=slug, name=slug) for slug in ("theirs", "mine"))
    Artifact.objects.filter(name="churn-model").update(project=theirs)
    assert "churn-model" not in ask(api(acme, project_id=mine.pk), q=QUESTION)[1]
    assert client.get("/api/v1/search/", {"q": "x", "meaning": "perhaps"}).status_code == 400


def test_what_changes_is_read_anew_and_what_goes_takes_it_along(acme: Tenant) -> None:
    artifact = Artifact.objects.create(name="a", description="bakes bread", created_ms=1, updated_ms=1)
    assert meaning.read_due() == 1
    before = Meaning.objects.get().vector
    assert meaning.read_due() == 0
    Artifact.objects.update(description="flies aeroplanes", updated_ms=2)
    assert meaning.read_due() == 1
    assert Meaning.objects.get().vector != before
    artifact.delete()
    assert not Meaning.objects.exists()


def test_where_it_is_not_installed_it_is_off_and_said_so(
    some: None, acme: Tenant, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Client(headers={"host": "acme.localhost"})
    backend = "apps.tenants.access.sign_in.passwords.PasswordBackend"
    browser.force_login(person_in({}, "viewer"), backend=backend)
    cache.set(meaning.key_of(QUESTION), meaning.vector_of(QUESTION), 60)
    page = browser.get("/admin/find/", {"q": QUESTION, "meaning": "1"}).content.decode()
    assert "churn-model" in page
    assert "by meaning too" in page
    monkeypatch.setattr(sentences, "NEEDS", ("no_such_package_anywhere",))
    assert ask(api(acme), q=QUESTION) == (meaning.OFF, [])
    page = browser.get("/admin/find/", {"q": QUESTION, "meaning": "1"}).content.decode()
    assert "churn-model" not in page
    assert "Finding by meaning is off here" in page
    assert tasks.read_meanings_everywhere() == 0


def test_few_wait_for_a_worker_at_a_time() -> None:
    """Each that waits holds a thread of the web server; questions of one viewer held all of them."""
    sent: list[str] = []

    def send(text: str) -> bool:
        sent.append(text)
        if len(sent) < 4:  # one more asks while this one waits
            meaning.asked(f"nobody reads {len(sent)}", send)
        return False

    assert meaning.asked("nobody reads", send) is None
    assert len(sent) == 2

"""Searches kept under names, by REST and on the page: one's own, with their facets, bounded, and gone when deleted."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Artifact, SavedSearch
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro import limits
from tests.factories.sending import make_version, send
from tests.factories.two_projects import person_in

Api = Callable[..., Client]
PATH, PAGE = "/api/v1/searches/", "/admin/find/"
ENCODERS = {"name": "encoders", "q": "encode & more", "kind": "feature_pipeline", "tag": "stage=gold"}


def keep(client: Client, **facts: Any) -> Any:
    return send(client, "post", PATH, ENCODERS | facts)


def names(client: Client) -> list[str]:
    return [row["name"] for row in client.get(PATH).json()["results"]]


def test_a_search_is_kept_shown_and_deleted(acme: Tenant, api: Api) -> None:
    client = api(acme, "viewer")
    made = keep(client, owner="").json()
    assert made["asked"] == {name: text for name, text in ENCODERS.items() if name != "name"}
    assert made["url"] == f"{PAGE}?q=encode+%26+more&kind=feature_pipeline&tag=stage%3Dgold"
    assert client.get(f"{PATH}{made['id']}/").json() == made
    taken = keep(client)
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert client.delete(f"{PATH}{made['id']}/").status_code == 204
    assert client.delete(f"{PATH}{made['id']}/").status_code == 404
    assert names(client) == []


def test_a_search_is_its_keepers_alone(acme: Tenant, globex: Tenant, api: Api) -> None:
    mine, admin = api(acme, "viewer"), api(acme, "admin")
    made = keep(mine).json()
    assert keep(admin).status_code == 201
    for other in (admin, api(globex, "admin")):
        assert other.get(f"{PATH}{made['id']}/").status_code == 404
        assert other.delete(f"{PATH}{made['id']}/").status_code == 404
    assert (names(mine), names(api(globex, "admin"))) == (["encoders"], [])


@pytest.mark.parametrize(
    "facts",
    [
        {"name": " "},
        {"name": "n" * 101},
        {"name": "a\0b"},
        {"q": "q" * 201},
        {"kind": "spell"},
        {"impact": "magic"},
        {"problem_class": "x"},
        {"tag": "t" * 251},
        {"q": ["x"]},
        {"other": 1},
        {"q": "", "kind": "", "tag": ""},
    ],
)
def test_what_is_no_search_is_refused_and_not_kept(acme: Tenant, api: Api, facts: dict[str, Any]) -> None:
    assert keep(api(acme), **facts).status_code == 400
    assert not SavedSearch.objects.exists()


def test_a_narrowed_key_keeps_none_and_the_number_is_bounded(
    acme: Tenant, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = api(acme, "contributor", scopes=["read"])
    assert keep(reading).status_code == 403
    monkeypatch.setattr(limits, "SEARCHES_SAVED", 1)
    client = api(acme)
    assert keep(client).status_code == 201
    refused = keep(client, name="second")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_searches")


@pytest.fixture
def stocked(acme: Tenant, api: Api) -> Client:
    client = api(acme)
    for name, kind in (("encoder.target", "feature_pipeline"), ("churn-schema", "schema")):
        make_version(client, name, kind=kind)
    Artifact.objects.filter(name="encoder.target").update(description="encodes categories", owner="ana")
    Artifact.objects.get(name="encoder.target").tags.create(key="stage", value="gold")
    return client


def test_the_page_finds_counts_keeps_and_forgets(stocked: Client, person: Callable[[str], Client]) -> None:
    browser = person("viewer")
    text = browser.get(PAGE, {"q": "categories"}).content.decode()
    assert "encoder.target" in text
    assert "churn-schema" not in text
    assert "encodes categories" in text
    assert "stage=gold" in text
    chosen = browser.get(PAGE, {"kind": "schema"}).content.decode()
    assert "churn-schema" in chosen
    assert "again lets it go" in chosen
    query = "q=categories&owner=ana"
    done = browser.post(f"{PAGE}saved/", {"do": "keep", "name": "cats", "query": query})
    assert (done.status_code, done["Location"]) == (302, f"{PAGE}?{query}")
    search = SavedSearch.objects.get(name="cats")
    assert search.asked == {"text": "categories", "owner": "ana"}
    assert "cats" in browser.get(PAGE).content.decode()
    again = browser.post(f"{PAGE}saved/", {"do": "keep", "name": "cats", "query": query}, follow=True)
    assert "you keep a search called" in again.content.decode()
    browser.post(f"{PAGE}saved/", {"do": "delete", "search": str(search.pk), "query": query})
    assert not SavedSearch.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"do": "keep", "name": "x" * 101, "query": "q=a"},
        {"do": "keep", "name": "x", "query": ""},
        {"do": "delete", "search": "nonsense"},
        {"do": "delete", "search": str(uuid.uuid4())},
        {"do": "keep", "name": "x\0", "query": "q=%00&kind=" + "k" * 9000},
    ],
)
def test_what_the_page_is_sent_wrong_changes_nothing(
    acme: Tenant, person: Callable[[str], Client], form: dict[str, str]
) -> None:
    browser = person("viewer")
    assert browser.get(f"{PAGE}saved/").status_code == 405
    done = browser.post(f"{PAGE}saved/", form, follow=True)
    assert "Nothing was changed" in done.content.decode()
    assert not SavedSearch.objects.exists()


def test_the_page_shows_what_lies_within_reach(stocked: Client, acme: Tenant) -> None:
    mine, theirs = (Project.objects.create(slug=slug, name=slug) for slug in ("mine", "theirs"))
    Artifact.objects.filter(name="churn-schema").update(project=theirs)
    browser = Client(headers={"host": "acme.localhost"})
    browser.force_login(person_in({mine: "viewer"}), backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    text = browser.get(PAGE).content.decode()
    assert "encoder.target" in text
    assert "churn-schema" not in text

"""Prompts: artifacts whose versions hold a template, the same at every door; no model is one, and none is a model."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.registry import prompts
from apps.registry.models import Artifact, ArtifactVersion
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.errors import Invalid
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
CALL = "/api/2.0/mlflow/"
SAYS_SO = {"key": prompts.IS_PROMPT, "value": "true"}
CHAT = [{"role": "system", "content": "You are {{ style }}."}, {"role": "user", "content": "{{question}} {{ style }}"}]
BYTES = b"\xff"
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}


def call(client: Client, path: str, body: dict[str, Any], method: str = "post") -> Any:
    return send(client, method, CALL + path, body)


def found(client: Client, what: str, text: str) -> list[Any]:
    """The names that a search finds."""
    answer = client.get(f"{CALL}{what}/search", {"filter": text}).json()
    return [row["name"] for row in answer.get(what.replace("-", "_"), [])]


def as_tags(template: str, *, is_chat: bool = False, **more: Any) -> list[dict[str, str]]:
    """The notes that a stock client sends."""
    tags = {prompts.TEXT: template, prompts.TYPE: "chat" if is_chat else "text"} | more
    return [SAYS_SO, *({"key": key, "value": value} for key, value in tags.items())]


def register(client: Client, name: str, template: str = "Hi {{name}}", **more: Any) -> Any:
    """Register a version as a stock client does, and the prompt before it."""
    call(client, "registered-models/create", {"name": name, "tags": [SAYS_SO]})
    body = {"name": name, "source": "dummy-source", "tags": as_tags(template, **more)}
    return call(client, "model-versions/create", body)


def test_the_blanks_of_a_template_are_listed_once_in_their_order() -> None:
    text = "{{ b }} {{a}} {{b}} {{ a.c }} {{}} {{ 1x }} {a} {% if x %} {{ ü }} {{{ d }}}"
    assert prompts.Template(text).variables == ["b", "a", "a.c", "d"]
    assert prompts.Template(json.dumps(CHAT), is_chat=True).variables == ["style", "question"]


@pytest.mark.parametrize(
    "text", ["{{" * 50_000, "{{" + " " * 99_000, "{{a." * 25_000, "{{ a" + ".a" * 49_000, "{{a }" * 20_000]
)
def test_blanks_are_found_in_a_bounded_time(text: str) -> None:
    began = time.process_time()
    prompts.Template(text).variables  # noqa: B018 what it costs is asked
    assert time.process_time() - began < 0.25


def test_a_prompt_of_a_client_is_an_artifact_of_its_kind_with_the_template_as_its_file(
    acme: Tenant, api: ApiFor
) -> None:
    client = api(acme)
    made = register(
        client, "qa", "Answer {{question}}", **{prompts.RESPONSE_FORMAT: json.dumps(SCHEMA), "author": "ana"}
    )
    assert made.status_code == 200, made.content
    shown = client.get("/api/v1/artifacts/qa/").json()
    assert (shown["kind"], shown["tags"]) == ("prompt", {})
    version = client.get("/api/v1/artifacts/qa/versions/1/").json()
    assert version["tags"] == {"author": "ana"}
    assert version["prompt"]["text"] == "Answer {{question}}"
    assert (version["prompt"]["variables"], version["prompt"]["is_chat"]) == (["question"], False)
    assert json.loads(version["prompt"]["response_format"]) == SCHEMA
    files = client.get("/api/v1/artifacts/qa/versions/1/files/").json()["results"]
    assert [file["path"] for file in files] == ["prompt.txt", "response_format.json"]
    assert client.get("/api/v1/artifacts/qa/versions/1/files/prompt.txt").getvalue() == b"Answer {{question}}"
    told = AuditEvent.objects.get(action="version.create").after
    assert told["tags"] == {"author": "ana"}


def test_a_prompt_made_over_rest_is_read_by_the_clients(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    assert send(client, "put", "/api/v1/artifacts/qa/", {"kind": "prompt", "tags": {"team": "x"}}).status_code == 201
    assert send(client, "put", "/api/v1/artifacts/qa/", {"kind": "prompt", "tags": {"team": "x"}}).status_code == 200
    body = {"files": [{"path": "prompt.json", "text": json.dumps(CHAT)}], "tags": {"author": "ana"}}
    made = send(client, "post", "/api/v1/artifacts/qa/versions/", body, Idempotency_Key="k")
    assert made.status_code == 201, made.content
    assert [one["role"] for one in made.json()["prompt"]["messages"]] == ["system", "user"]
    model = client.get(f"{CALL}registered-models/get?name=qa").json()["registered_model"]
    assert {tag["key"]: tag["value"] for tag in model["tags"]} == {"team": "x", prompts.IS_PROMPT: "true"}
    version = client.get(f"{CALL}model-versions/get?name=qa&version=1").json()["model_version"]
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert tags == {"author": "ana", prompts.IS_PROMPT: "true", prompts.TYPE: "chat", prompts.TEXT: json.dumps(CHAT)}


@pytest.mark.parametrize("text", ["[" * 300 + "]" * 300, '["a\\u0000"]', '["\\ud800"]'])
def test_json_in_a_template_is_as_strict_as_a_body(acme: Tenant, api: ApiFor, text: str) -> None:
    """What is nested deeper could be read and not be written again, so the page that shows it would break."""
    client = api(acme)
    chat = json.dumps([{"role": "user", "content": ["X"]}]).replace('["X"]', text)
    for answer in (
        register(client, "qa", **{prompts.RESPONSE_FORMAT: text}),
        register(client, "qa", chat, is_chat=True),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.content
    assert not ArtifactVersion.objects.exists()


def test_the_registry_of_models_never_lists_prompts_nor_the_reverse(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    register(client, "a-prompt")
    call(client, "registered-models/create", {"name": "a-model"})
    call(client, "model-versions/create", {"name": "a-model", "source": "s3://b/k"})
    make_version(client, "a-pipeline")
    note = f"tags.`{prompts.IS_PROMPT}`"
    for what in ("registered-models", "model-versions"):
        assert found(client, what, "") == found(client, what, f"{note} != 'true'") == ["a-model"], what
        assert found(client, what, f"{note} = 'true'") == ["a-prompt"], what
        assert found(client, what, f"{note} = 'true' AND name LIKE 'a-%'") == ["a-prompt"], what
    listed = client.get("/api/v1/artifacts/", {"kind": "prompt"}).json()["results"]
    assert [one["name"] for one in listed] == ["a-prompt"]


def test_a_template_never_changes_whichever_door_asks(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    register(client, "qa")
    version = {"name": "qa", "version": "1"}
    for key, value in (
        (prompts.TEXT, "other"),
        (prompts.TYPE, "chat"),
        (prompts.RESPONSE_FORMAT, "{}"),
        (prompts.IS_PROMPT, "no"),
    ):
        refused = call(client, "model-versions/set-tag", version | {"key": key, "value": value})
        assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), key
    assert (
        call(client, "model-versions/set-tag", version | {"key": prompts.TEXT, "value": "Hi {{name}}"}).status_code
        == 200
    )
    for path, body in (("model-versions", version), ("registered-models", {"name": "qa"})):
        gone = call(client, f"{path}/delete-tag", body | {"key": prompts.IS_PROMPT}, "delete")
        assert gone.status_code == 400, path
    config = {"key": prompts.MODEL_CONFIG, "value": '{"temperature": 0}'}
    assert call(client, "model-versions/set-tag", version | config).status_code == 200
    address = "/api/v1/artifacts/qa/versions/1/"
    patched = send(client, "patch", address, {"tags": {"a": "b"}}, If_Match=client.get(address)["ETag"])
    assert (patched.status_code, patched.json()["tags"]) == (200, {"a": "b"})
    assert patched.json()["prompt"]["text"] == "Hi {{name}}"
    etag = client.get("/api/v1/artifacts/qa/")["ETag"]
    asks: tuple[tuple[dict[str, Any], int], ...] = (({"kind": "model"}, 400), ({"tags": {}}, 200))
    for body, code in asks:
        assert send(client, "patch", "/api/v1/artifacts/qa/", body, If_Match=etag).status_code == code, body
    assert found(client, "registered-models", f"tags.`{prompts.IS_PROMPT}` = 'true'") == ["qa"]


def test_no_model_becomes_a_prompt_and_no_prompt_takes_a_model(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    call(client, "registered-models/create", {"name": "churn"})
    register(client, "qa")
    asks: dict[str, tuple[str, dict[str, Any]]] = {
        "a version": ("model-versions/create", {"name": "churn", "source": "dummy-source", "tags": as_tags("x")}),
        "a model's source": ("model-versions/create", {"name": "qa", "source": "s3://b/k"}),
        "a source": ("model-versions/create", {"name": "qa", "source": "s3://b/k", "tags": as_tags("x")}),
        "a placeholder": ("model-versions/create", {"name": "churn", "source": "dummy-source"}),
        "a note": ("registered-models/set-tag", {"name": "churn", **SAYS_SO}),
        "its name, as a model": ("registered-models/create", {"name": "qa"}),
        "its name, as a prompt": ("registered-models/create", {"name": "qa", "tags": [SAYS_SO]}),
    }
    for name, (path, body) in asks.items():
        refused = call(client, path, body)
        assert refused.status_code == 400, (name, refused.content)
    assert "already exists" in call(client, "registered-models/create", {"name": "qa"}).json()["message"]
    assert call(client, *asks["its name, as a prompt"]).json()["message"] == "Prompt (name=qa) already exists."
    made = send(client, "put", "/api/v1/artifacts/m/", {"kind": "model", "tags": {prompts.IS_PROMPT: "true"}})
    assert (made.status_code, made.json()["code"]) == (400, "kept_tag")
    assert (ArtifactVersion.objects.count(), Artifact.objects.count()) == (1, 2)


NO_JSON: dict[str, Any] = {prompts.RESPONSE_FORMAT: "{"}
BAD_TEMPLATES: dict[str, dict[str, Any]] = {
    "no text": {"tags": [SAYS_SO]},
    "empty": {"tags": as_tags("")},
    "too long": {"tags": as_tags("x" * 100_001)},
    "no chat": {"tags": as_tags("Hi", is_chat=True)},
    "an object": {"tags": as_tags('{"role": "user"}', is_chat=True)},
    "no messages": {"tags": as_tags("[]", is_chat=True)},
    "no role": {"tags": as_tags('[{"content": "x"}]', is_chat=True)},
    "no objects": {"tags": as_tags('["x"]', is_chat=True)},
    "too many": {"tags": as_tags(json.dumps([{"role": "u", "content": ""}] * 1_001), is_chat=True)},
    "too deep": {"tags": as_tags("[" * 50_000, is_chat=True)},
    "half an emoji": {"tags": as_tags('[{"role": "\\ud83d"}]', is_chat=True)},
    "a bad format": {"tags": as_tags("x", **NO_JSON)},
}


@pytest.mark.parametrize("what", BAD_TEMPLATES)
def test_what_is_no_template_is_refused_and_nothing_stored(acme: Tenant, api: ApiFor, what: str) -> None:
    client = api(acme)
    call(client, "registered-models/create", {"name": "qa", "tags": [SAYS_SO]})
    answer = call(client, "model-versions/create", {"name": "qa", "source": "dummy-source"} | BAD_TEMPLATES[what])
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.content
    assert len(answer.content) < 2_000
    assert not ArtifactVersion.objects.exists()


BAD_FILES: tuple[list[dict[str, str]], ...] = (
    [{"path": "content.txt", "text": "x"}],
    [{"path": "prompt.txt", "text": "x"}, {"path": "prompt.json", "text": "[]"}],
    [{"path": "response_format.json", "text": "{}"}],
    [{"path": "prompt.txt", "text": ""}],
    [{"path": "prompt.txt", "text": "x" * 100_001}],
    [{"path": "prompt.json", "text": "{}"}],
    [{"path": "prompt.txt", "sha256": "0" * 64}],
    [{"path": "prompt.txt", "text": "x"}] * 2,
)


@pytest.mark.parametrize("files", BAD_FILES)
def test_files_that_are_no_template_are_refused_over_rest(
    acme: Tenant, api: ApiFor, files: list[dict[str, str]]
) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/artifacts/qa/", {"kind": "prompt"})
    answer = send(client, "post", "/api/v1/artifacts/qa/versions/", {"files": files}, Idempotency_Key="k")
    assert answer.status_code == 400, answer.content
    assert not ArtifactVersion.objects.exists()


def test_bytes_that_are_no_text_are_no_prompt(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/artifacts/qa/", {"kind": "prompt"})
    blob = client.put(
        f"/api/v1/blobs/{hashlib.sha256(BYTES).hexdigest()}/",
        BYTES,
        content_type="application/octet-stream",
    ).json()
    body = {"files": [{"path": "prompt.txt", "sha256": blob["sha256"]}]}
    answer = send(client, "post", "/api/v1/artifacts/qa/versions/", body, Idempotency_Key="k")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_prompt")


def test_who_stands_in_another_project_or_tenant_sees_no_prompt(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    with tenant_context(acme):
        mine, theirs = (Project.objects.create(slug=slug, name=slug) for slug in ("mine", "theirs"))
        inside, outside = api(acme), api(acme, project_id=mine.pk)
    assert send(inside, "put", "/api/v1/artifacts/qa/", {"kind": "prompt", "project": "theirs"}).status_code == 201
    assert register(inside, "qa").status_code == 200
    with tenant_context(acme):
        assert ArtifactVersion.objects.get().artifact.project_id == theirs.pk
    assert found(inside, "registered-models", f"tags.`{prompts.IS_PROMPT}` = 'true'") == ["qa"]
    for stranger in (outside, api(globex)):
        assert found(stranger, "registered-models", f"tags.`{prompts.IS_PROMPT}` = 'true'") == []
        assert found(stranger, "model-versions", f"tags.`{prompts.IS_PROMPT}` = 'true'") == []
        assert stranger.get(f"{CALL}model-versions/get?name=qa&version=1").status_code == 404
        assert stranger.get("/api/v1/artifacts/qa/versions/1/").status_code == 404
        denied = call(stranger, "model-versions/create", {"name": "qa", "source": "dummy-source", "tags": as_tags("x")})
        assert denied.status_code == 404


def test_a_template_says_what_is_wrong_with_it() -> None:
    with pytest.raises(Invalid, match="message 1 of the chat"):
        prompts.from_tags({prompts.TEXT: '[{"role": "user"}, {}]', prompts.TYPE: "chat"})

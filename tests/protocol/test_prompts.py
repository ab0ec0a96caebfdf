"""The stock client's prompt registry: registered, loaded, pointed at, noted, searched, and linked to runs and traces."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django_tenants.utils import tenant_context

from apps.registry.models import Artifact, ArtifactVersion
from apps.tenants.models import Tenant
from tests.clients import python_of
from tests.factories.clients import run_script, use_client
from tests.web import WebServer

KeyFor = Callable[..., str]
WORK = r"""
import json, time, mlflow
from pydantic import BaseModel
from mlflow.exceptions import MlflowException
told = {"version": mlflow.__version__}
new = mlflow.__version__.startswith("3.1")
home = mlflow.set_experiment("prompts").experiment_id
client = mlflow.MlflowClient()

class Answer(BaseModel):
    text: str

one = mlflow.genai.register_prompt("qa", "Answer {{question}} {{ style }}.", commit_message="first",
                                   tags={"author": "ana"}, response_format=Answer)
two = mlflow.genai.register_prompt("qa", "Answer {{question}} shortly.", commit_message="second")
chat = mlflow.genai.register_prompt("chat", [{"role": "system", "content": "Be {{mood}}."},
                                             {"role": "user", "content": "{{question}}"}])
told["versions"] = [one.version, two.version, chat.version]
told["formatted"] = mlflow.genai.load_prompt("prompts:/qa/1").format(question="why", style="now")
told["chat"] = mlflow.genai.load_prompt("chat", version=1).format(mood="kind", question="how?")
told["variables"] = sorted(one.variables)
told["response_format"] = sorted(mlflow.genai.load_prompt("qa", version=1).response_format["properties"])
told["commit"] = mlflow.genai.load_prompt("qa", version=2).commit_message
mlflow.genai.set_prompt_alias("qa", alias="production", version=1)
told["alias"] = [mlflow.genai.load_prompt("prompts:/qa@production").version, one.version]
mlflow.genai.set_prompt_alias("qa", alias="production", version=2)
client.set_prompt_tag("qa", "team", "blue")
tag_version, untag_version = client.set_prompt_version_tag, client.delete_prompt_version_tag
if not new:  # 3.4 fails in itself there: it writes the version as a number where its own message takes text
    from mlflow.entities.model_registry import ModelVersionTag
    store = client._get_registry_client().store
    tag_version = lambda name, version, key, value: store.set_model_version_tag(name, version, ModelVersionTag(key, value))
    untag_version = store.delete_model_version_tag
tag_version("qa", "2", "checked", "yes")
told["tags"] = [client.get_prompt("qa").tags.get("team"), client.get_prompt_version("qa", "2").tags.get("checked")]
client.delete_prompt_tag("qa", "team")
untag_version("qa", "2", "checked")
told["untagged"] = ["team" in client.get_prompt("qa").tags, "checked" in client.get_prompt_version("qa", "2").tags]
told["moved"] = client.get_prompt_version_by_alias("qa", "production").version
mlflow.genai.delete_prompt_alias("qa", alias="production")
told["found"] = sorted(p.name for p in mlflow.genai.search_prompts())
told["filtered"] = [p.name for p in mlflow.genai.search_prompts("name = 'qa'")]

if new:
    told["history"] = [p.version for p in client.search_prompt_versions("qa")]
    told["latest"] = mlflow.genai.load_prompt("qa").version
    for _ in range(300):  # the client notes the experiment in a thread
        told["of_experiment"] = sorted(p.name for p in mlflow.genai.search_prompts(f"experiment_id = '{home}'"))
        if told["of_experiment"] == ["chat", "qa"]:
            break
        time.sleep(0.1)
    mlflow.genai.set_prompt_model_config("qa", 1, {"model_name": "m", "temperature": 0.5})
    told["config"] = client.get_prompt_version("qa", "1").model_config["model_name"]

client.create_registered_model("a-model")
told["models"] = [m.name for m in client.search_registered_models()]
told["model_versions"] = len(client.search_model_versions())
told["refusals"] = []
for call in (lambda: mlflow.genai.load_prompt("qa", version=9), lambda: mlflow.genai.load_prompt("prompts:/nobody/1"),
             lambda: mlflow.genai.register_prompt("a-model", "x"), lambda: client.create_registered_model("qa"),
             lambda: tag_version("qa", "1", "mlflow.prompt.text", "other")):
    try:
        call()
        told["refusals"].append("none")
    except MlflowException as error:
        told["refusals"].append(error.error_code)

with mlflow.start_run() as run:
    mlflow.genai.load_prompt("prompts:/qa/1")
told["of_run"] = json.loads(client.get_run(run.info.run_id).data.tags.get("mlflow.linkedPrompts", "[]"))

@mlflow.trace
def ask(question):
    return mlflow.genai.load_prompt("prompts:/qa/2").format(question=question)

ask("why")
mlflow.flush_trace_async_logging()
trace = client.search_traces(experiment_ids=[home])[0].info.trace_id
client.link_prompt_versions_to_trace([one, chat], trace)
told["of_trace"] = json.loads(client.get_trace(trace).info.tags["mlflow.linkedPrompts"])
if new:
    told["traces"] = [len(client.search_traces(experiment_ids=[home], filter_string=f"prompt = '{name}'"))
                      for name in ("qa/1", "qa/2", "chat/1", "chat/2", "q/1")]
if new:
    client.delete_prompt_version("chat", "1")
client.delete_prompt("chat")
told["left"] = [p.name for p in mlflow.genai.search_prompts()]
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["skinny-3.4", "full-3.17"])
def test_the_prompt_registry_of_the_stock_client(
    committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path, name: str
) -> None:
    told = json.loads(run_script(web, key_for(committed), WORK, tmp_path, python=python_of(name)).splitlines()[-1])
    check_work(told)
    if name == "full-3.17":
        assert (told["latest"], told["of_experiment"], told["config"]) == (2, ["chat", "qa"], "m")
        assert told["history"] == [2, 1]
        assert told["refusals"] == [
            "RESOURCE_DOES_NOT_EXIST",
            "RESOURCE_DOES_NOT_EXIST",
            "INVALID_PARAMETER_VALUE",
            "RESOURCE_ALREADY_EXISTS",
            "INVALID_PARAMETER_VALUE",
        ]
        assert told["traces"] == [1, 1, 1, 0, 0]
    with tenant_context(committed):
        prompt = Artifact.objects.get(name="qa")
        assert (prompt.kind, Artifact.objects.filter(kind="model").count()) == ("prompt", 1)
        paths = [file.path for file in ArtifactVersion.objects.get(artifact=prompt, number=1).files.all()]
        assert paths == ["prompt.txt", "response_format.json"]


def check_work(told: dict[str, Any]) -> None:
    """What every version of the client has to see."""
    assert (told["versions"], told["formatted"]) == ([1, 2, 1], "Answer why now.")
    assert [one["content"] for one in told["chat"]] == ["Be kind.", "how?"]
    assert (told["variables"], told["response_format"], told["commit"]) == (["question", "style"], ["text"], "second")
    assert (told["alias"], told["moved"]) == ([1, 1], 2)
    assert (told["tags"], told["untagged"]) == (["blue", "yes"], [False, False])
    assert (told["found"], told["filtered"], told["left"]) == (["chat", "qa"], ["qa"], ["qa"])
    assert (told["models"], told["model_versions"]) == (["a-model"], 0)
    assert "none" not in told["refusals"]  # 3.4 loses the code where it says prompt for model
    assert told["of_run"] == [{"name": "qa", "version": "1"}]
    linked = {(one["name"], one["version"]) for one in told["of_trace"]}
    assert linked == {("qa", "1"), ("qa", "2"), ("chat", "1")}


def test_each_tenant_has_prompts_of_its_own(
    committed: Tenant, other_committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_client(monkeypatch, web, key_for(committed)).register_prompt("qa", "of the first")
    other = use_client(monkeypatch, web, key_for(other_committed))
    assert list(other.search_prompts()) == []
    assert other.register_prompt("qa", "of the second").version == 1
    assert other.load_prompt("prompts:/qa/1").template == "of the second"

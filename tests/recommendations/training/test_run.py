"""A training from rows to scores: right, repeatable, bounded, its own tenant's alone."""

from typing import Any

import pytest
from django.core.management import call_command
from django_tenants.utils import tenant_context
from pytest_django import DjangoAssertNumQueries

from apps.recommendations import tasks
from apps.recommendations.models import ImpactModel, ImpactScore, Training
from apps.recommendations.training import run
from apps.recommendations.work import leases, processes
from apps.registry.models import Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.database.session import connection
from tests.factories.learning import make_past


def train_now(**options: Any) -> Training:
    """One training in this process."""
    asked, _ = leases.ask(why="asked", asked_by="test", **options)
    assert leases.take(asked.pk, "test") is not None
    run.run(Training.objects.get(pk=asked.pk), "test")
    return Training.objects.get(pk=asked.pk)


def test_a_tenant_without_projects_is_refused_and_told_what_is_missing(acme: Tenant) -> None:
    done = train_now()
    assert done.state == Training.State.DONE
    model = ImpactModel.objects.serving()
    assert model is not None
    assert (model.state, model.code) == ("refused", "too_few_projects")
    assert {
        "what": "finished projects with an outcome",
        "have": 0,
        "at_least": 100,
    } in model.needs or model.unit == "run"
    assert not ImpactScore.objects.exclude(effect=None).exists()


def test_a_training_finds_the_artifact_that_helps_though_hard_projects_use_it(acme: Tenant) -> None:
    past = make_past(160)
    done = train_now()
    model = ImpactModel.objects.serving()
    assert (done.state, model.state, model.unit) == ("done", "champion", "project")
    scores = {score.artifact_id: score for score in model.scores.filter(problem_class="")}
    first = scores[past.artifacts[0].pk]
    assert first.low <= 12 <= first.high
    assert first.raw_effect < first.effect
    for other in past.artifacts[1:]:
        assert scores[other.pk].low < 5
        assert scores[other.pk].high > -5
    assert model.figures["holdout"]["error_ratio"] < 1
    assert len(done.data_digest) == 64
    assert done.data_ms is not None
    assert done.counts["finished"] == 160


def test_the_same_data_give_the_same_bits(acme: Tenant) -> None:
    make_past(120)
    first = train_now(force=True)
    second = train_now(force=True)
    assert first.data_digest == second.data_digest
    texts = [one.models.get(target="impact", unit="project").model_text for one in (first, second)]
    assert texts[0]
    assert texts[0] == texts[1]


def test_unchanged_data_are_not_learnt_from_twice(acme: Tenant) -> None:
    make_past(20)
    train_now()
    again = train_now()
    assert again.state == Training.State.DONE
    assert "the data are those of the last training" in again.reason
    assert not again.models.exists()
    Project.objects.filter(slug="past-0000").update(success=1)
    assert train_now().models.exists()


def test_runs_within_projects_speak_where_projects_are_too_few(acme: Tenant) -> None:
    past = make_past(30, runs=8)
    train_now()
    model = ImpactModel.objects.serving()
    assert (model.state, model.unit) == ("champion", "run")
    score = model.scores.get(artifact=past.artifacts[0], problem_class="")
    assert score.low > 0
    assert score.n_projects == 30
    by_class = model.scores.filter(artifact=past.artifacts[0]).exclude(problem_class="")
    assert {(one.problem_class, one.n_projects) for one in by_class} == {("classification", 15), ("regression", 15)}
    assert all(one.n_used + one.n_unused == 120 for one in by_class)


def test_a_training_of_acme_reads_nothing_of_globex(acme: Tenant, globex: Tenant) -> None:  # stands in the other tenant
    make_past(110, prefix="theirs")
    with tenant_context(acme):
        make_past(3, prefix="ours")
        done = train_now()
        assert done.counts["projects"] == 3
        assert done.counts["artifacts"] <= 4
        assert ImpactModel.objects.serving().state == "refused"
    assert connection.schema_name == globex.schema_name
    assert not Training.objects.exists()
    assert not ImpactModel.objects.exists()


@pytest.mark.slow
def test_the_process_of_a_training_stands_in_its_own_tenant(
    committed: Tenant, other_committed: Tenant, test_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in test_environment.items():
        monkeypatch.setenv(name, value)
    make_past(3, prefix="ours")
    asked, _ = leases.ask(why="asked")
    with tenant_context(other_committed):
        make_past(25, prefix="theirs")
    assert tasks.train(schema=committed.schema_name, training=str(asked.pk)) == "done"
    with tenant_context(committed):
        assert Training.objects.get().counts["projects"] == 3
    with tenant_context(other_committed):
        assert not Training.objects.exists()
    assert tasks.train(schema=other_committed.schema_name, training=str(asked.pk)) == "taken"
    with tenant_context(other_committed):
        assert not ImpactModel.objects.exists()


def test_reading_takes_the_same_number_of_queries_for_one_project_and_for_many(
    acme: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_past(2, runs=2)
    with django_assert_num_queries(7):
        run.dataset.read_history()
    make_more = make_past(60, runs=2, prefix="more")
    assert len(make_more.projects) == 60
    with django_assert_num_queries(7):
        history = run.dataset.read_history()
    assert len(history.projects) == 62


def test_the_digest_does_not_depend_on_the_order_of_rows_and_changes_with_any_usage(acme: Tenant) -> None:
    past = make_past(5)
    before = run.digest_of(run.dataset.read_history())
    Project.objects.filter(pk=past.projects[2].pk).update(name="another name")
    assert run.digest_of(run.dataset.read_history()) == before
    usage = Usage.objects.first()
    usage.delete()
    assert run.digest_of(run.dataset.read_history()) != before


def test_what_came_of_a_project_is_never_a_covariate(acme: Tenant) -> None:
    make_past(3, runs=2)
    row = run.dataset.read_history().projects[0]
    told = set(row.known)
    assert "complexity" in told
    assert not told & {"success", "model_performance", "business_value", "actual_duration_days", "actual_cost"}


def test_a_team_s_past_counts_only_what_had_ended_before(acme: Tenant) -> None:
    past = make_past(40)
    Project.objects.filter(pk__in=[one.pk for one in past.projects]).update(team="red")
    rows = {row.id: row for row in run.dataset.read_history().projects}
    first, last = rows[past.projects[0].pk], rows[past.projects[39].pk]
    assert first.known["past_success"] is None
    assert last.known["past_projects"] == 19
    ended = [row.actual["success"] for row in rows.values() if row.ended < last.began]
    assert last.known["past_success"] == pytest.approx(sum(ended) / len(ended))


def test_a_lost_lease_writes_nothing(acme: Tenant) -> None:
    make_past(20)
    asked, _ = leases.ask(why="asked")
    assert leases.take(asked.pk, "first") is not None
    Training.objects.filter(pk=asked.pk).update(lease_owner="second")
    with pytest.raises(leases.LeaseLost):
        run.run(Training.objects.get(pk=asked.pk), "first")
    assert not ImpactModel.objects.exists()


@pytest.mark.slow
def test_the_command_trains_in_a_process_of_its_own(
    committed: Tenant,
    test_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in test_environment.items():
        monkeypatch.setenv(name, value)
    make_past(105)
    call_command("train_impact", "--tenant", committed.slug, "--here", "--output", "json")
    with tenant_context(committed):
        done = Training.objects.get()
        assert (done.state, done.tries) == ("done", 1)
        assert done.peak_bytes > 50 * 2**20
        assert ImpactModel.objects.serving().state == "champion"
    assert '"state": "done"' in capsys.readouterr().out


@pytest.mark.slow
def test_a_training_that_needs_too_much_memory_fails_with_that_reason_and_the_caller_lives(
    committed: Tenant, test_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in test_environment.items():
        monkeypatch.setenv(name, value)
    make_past(105)
    asked, _ = leases.ask(why="asked")
    state = processes.supervise(committed, asked.pk, megabytes=250)
    assert state == "failed"
    assert "more memory" in Training.objects.get().reason


def test_of_two_units_the_one_that_foresaw_better_serves(acme: Tenant) -> None:
    asked, _ = leases.ask(why="asked")
    for unit, ratio in (("project", 0.99), ("run", 0.8)):
        ImpactModel.objects.create(
            training=asked, target="impact", unit=unit, state="champion", figures={"holdout": {"error_ratio": ratio}}
        )
    assert ImpactModel.objects.serving().unit == "run"
    assert ImpactModel.objects.serving("impact", "project").unit == "project"
    ImpactModel.objects.filter(unit="run").update(figures={"holdout": {"error_ratio": 0.99}})
    assert ImpactModel.objects.serving().unit == "project"


def test_a_model_that_foresees_worse_than_nothing_is_not_promoted(acme: Tenant) -> None:
    past = make_past(140)
    # What went with success before the last quarter goes with failure in it.
    for one in past.projects[112:]:
        used = Usage.objects.filter(project=one, version=past.versions[0]).exists()
        Project.objects.filter(pk=one.pk).update(success=5 if used else 95)
    train_now()
    model = ImpactModel.objects.get(target="impact", unit="project")
    ratio = model.figures["holdout"]["error_ratio"]
    assert (model.state, model.code) == ("refused", "no_claim")
    assert ratio > 1
    assert f"{ratio:.3f} × that of assuming that no artifact matters" in model.reason
    assert not ImpactModel.objects.champions().filter(target="impact").exists()
    assert not model.scores.exclude(effect=None).exists()

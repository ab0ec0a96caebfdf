"""The tracking room: what forges told: commits, pull requests, reviews, pipelines and deployments.

A row is written by as many deliveries as speak of its thing, in any order and more than once: its id follows from its key,
of most columns the newest word counts, of those in EARLIEST the least, in MOST the most. So the same deliveries give the same rows.
People are pseudonyms: a digest by the connection's own salt. No name, address or text of theirs is kept here.
"""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, F, Max, Min, OuterRef, Q, Subquery
from django.db.models.functions import Cast, Coalesce

from apps.tracking.models.connections import Connection
from apps.tracking.models.measures import Measure, between, share, share_of, spread_of
from maestro.principals import Reach

ID_CHARS, PSEUDONYM_CHARS, NAME_CHARS = 40, 16, 250


class Told(models.Model):
    """Something of a forge, as the newest of its deliveries tells it."""

    EARLIEST: ClassVar[tuple[str, ...]] = ()
    MOST: ClassVar[tuple[str, ...]] = ()

    id = models.UUIDField(primary_key=True, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    as_of = models.DateTimeField(help_text="when the forge's word was true")
    rank = models.PositiveSmallIntegerField(help_text="how final it is, among words of one time")
    digest = models.CharField(max_length=64, help_text="of the word, to choose among words of one time and rank")

    class Meta:
        abstract = True


class ToldQuerySet(models.QuerySet[Any]):
    """Questions about what forges told."""

    def of_projects(self, projects: Reach) -> Self:
        """Keep what was told to some projects."""
        return self if projects is None else self.filter(connection__project_id__in=projects)

    def during(self, column: str, since: datetime, until: datetime) -> Self:
        """Keep what happened in a time."""
        return self.filter(**{f"{column}__gte": since, f"{column}__lt": until})


class Commit(Told):
    """A commit that was pushed to the default branch."""

    EARLIEST = ("pushed_at", "place")

    sha = models.CharField(max_length=64)
    author = models.CharField(max_length=PSEUDONYM_CHARS)
    committed_at = models.DateTimeField()
    pushed_at = models.DateTimeField(help_text="when it first came to the default branch")
    place = models.PositiveIntegerField(help_text="its place in that push")
    is_merge = models.BooleanField()
    is_revert = models.BooleanField()
    is_bot = models.BooleanField()

    objects = ToldQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "pushed_at", "place"], name="tracking_commit_pushed"),
            models.Index(fields=["connection", "sha"], name="tracking_commit_sha"),
        ]

    def __str__(self) -> str:
        return self.sha[:12]


class PullRequestQuerySet(ToldQuerySet):
    """Questions about pull requests."""

    def merged(self, since: datetime, until: datetime) -> Self:
        """Keep those of people that were merged in a time."""
        return self.filter(is_bot=False).during("merged_at", since, until)

    def with_first_review(self) -> Self:
        """Add when somebody else than its author first said something about it, since it was ready."""
        others = Review.objects.filter(
            connection=OuterRef("connection"), number=OuterRef("number"), is_bot=False, at__gte=OuterRef("begun_at")
        ).exclude(reviewer=OuterRef("author"))
        first = others.order_by().values("number").annotate(first=Min("at")).values("first")
        return self.with_start().annotate(reviewed_at=Subquery(first))

    def with_start(self) -> Self:
        """Add when it was ready to be looked at."""
        return self.annotate(begun_at=Coalesce("ready_at", "opened_at"))

    def time_to_merge(self) -> Measure:
        """Seconds from ready to merged."""
        return spread_of(self.with_start(), between("begun_at", "merged_at"))

    def time_to_first_review(self) -> Measure:
        """Seconds from ready to the first review; `open_n` were merged without one."""
        return spread_of(self.with_first_review(), between("begun_at", "reviewed_at"))

    def size(self) -> Measure:
        """Lines added and deleted, where the forge tells them."""
        return spread_of(self, F("additions") + F("deletions"))

    def people(self) -> int:
        """How many people opened them."""
        return self.values("author").distinct().count()


class PullRequest(Told):
    """A pull request, or merge request."""

    EARLIEST = ("opened_at", "ready_at", "merged_at")

    number = models.CharField(max_length=ID_CHARS)
    author = models.CharField(max_length=PSEUDONYM_CHARS)
    is_bot = models.BooleanField()
    state = models.CharField(max_length=10)
    is_draft = models.BooleanField()
    opened_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, help_text="when it was no draft any more, if it was one")
    merged_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    additions = models.BigIntegerField(null=True)
    deletions = models.BigIntegerField(null=True)
    changed_files = models.BigIntegerField(null=True)

    objects = PullRequestQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["connection", "merged_at"], name="tracking_pull_merged")]

    def __str__(self) -> str:
        return f"#{self.number}"


class Review(Told):
    """What somebody said about a pull request."""

    EARLIEST = ("at",)

    number = models.CharField(max_length=ID_CHARS, help_text="of the pull request")
    reviewer = models.CharField(max_length=PSEUDONYM_CHARS)
    is_bot = models.BooleanField()
    state = models.CharField(max_length=20)
    at = models.DateTimeField()

    objects = ToldQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["connection", "number", "at"], name="tracking_review_of_pull")]

    def __str__(self) -> str:
        return f"{self.state} #{self.number}"


class PipelineQuerySet(ToldQuerySet):
    """Questions about pipelines and their jobs."""

    def ended(self, since: datetime, until: datetime) -> Self:
        """Keep pipelines that succeeded or failed in a time; who cancelled one said nothing of it."""
        return self.filter(level="pipeline", state__in=("success", "failure")).during("finished_at", since, until)

    def jobs(self, since: datetime, until: datetime) -> Self:
        """Keep jobs that began in a time."""
        return self.filter(level="job").during("started_at", since, until)

    def duration(self) -> Measure:
        """Seconds from begin to end."""
        return spread_of(self, between("started_at", "finished_at"))

    def queue(self) -> Measure:
        """Seconds that jobs waited for a runner."""
        return spread_of(self, between("created_at", "started_at"))

    def success(self) -> Measure:
        """The share that succeeded."""
        return share_of(self, Q(state="success"))

    def retried(self) -> Self:
        """Keep the failures after which the same pipeline ran once more on the same commit; add whether it passed then."""
        same = Pipeline.objects.filter(
            level="pipeline",
            connection=OuterRef("connection"),
            sha=OuterRef("sha"),
            name=OuterRef("name"),
            finished_at__gt=OuterRef("finished_at"),
        )
        found = self.filter(state="failure").annotate(
            has_passed=Exists(same.filter(state="success")), has_failed=Exists(same.filter(state="failure"))
        )
        return found.filter(Q(has_passed=True) | Q(has_failed=True))

    def flakiness(self) -> Measure:
        """Of the commits on which a failed pipeline ran again, the share on which it then passed."""
        shas = self.retried().order_by().values("connection", "name", "sha")
        found = shas.annotate(passed=Max(Cast("has_passed", models.IntegerField()))).values_list("passed", flat=True)
        passed = list(found)
        return share(sum(passed), len(passed))


class Pipeline(Told):
    """A run of CI, or one job of it; each attempt is one of its own."""

    class Level(models.TextChoices):
        """What it is."""

        PIPELINE = "pipeline"
        JOB = "job"

    level = models.CharField(max_length=10, choices=Level)
    number = models.CharField(max_length=ID_CHARS)
    attempt = models.PositiveIntegerField()
    name = models.CharField(max_length=NAME_CHARS)
    sha = models.CharField(max_length=64)
    branch = models.CharField(max_length=NAME_CHARS)
    state = models.CharField(max_length=10, help_text="success, failure, cancelled, running, queued or other")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = PipelineQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "level", "finished_at"], name="tracking_pipeline_finished"),
            models.Index(fields=["connection", "sha"], name="tracking_pipeline_sha"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.number}.{self.attempt}"


class DeploymentQuerySet(ToldQuerySet):
    """Questions about deployments."""

    def to_production(self) -> Self:
        """Keep those to an environment that users meet."""
        return self.filter(is_production=True)


class Deployment(Told):
    """A deployment to an environment, with how it went."""

    EARLIEST = ("started_at", "deployed_at", "failed_at")

    number = models.CharField(max_length=ID_CHARS)
    sha = models.CharField(max_length=64)
    environment = models.CharField(max_length=NAME_CHARS)
    is_production = models.BooleanField()
    state = models.CharField(max_length=20)
    is_hotfix = models.BooleanField()
    is_rollback = models.BooleanField()
    started_at = models.DateTimeField()
    deployed_at = models.DateTimeField(null=True, help_text="when it was first good")
    failed_at = models.DateTimeField(null=True)

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["connection", "started_at"], name="tracking_deployment_started")]

    def __str__(self) -> str:
        return f"{self.environment} {self.number}"

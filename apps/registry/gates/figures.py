"""The registry room: what was measured of a version: of its logged model, else of its run, and on which dataset."""

from dataclasses import dataclass
from uuid import UUID

from apps.registry.models import ArtifactVersion
from apps.tracking.models import LatestMetric, ModelMetric, RunInput
from maestro import limits

CONTEXT = "mlflow.data.context"
LEARNT_FROM = ("train", "training")


@dataclass(frozen=True)
class Figure:
    """One metric's latest value; without a dataset nobody said on what it was measured."""

    value: float
    dataset: str = ""
    digest: str = ""

    @property
    def measured_on(self) -> tuple[str, str]:
        """The dataset, by its name and digest."""
        return self.dataset, self.digest


def run_of(version: ArtifactVersion) -> UUID | None:
    """The run that made a version."""
    model = version.logged_model
    return version.run_id or (model.run_id if model else None)


def figures_of(version: ArtifactVersion, metric: str, dataset: str = "") -> list[Figure]:
    """What is known of a metric, one figure a dataset; with `dataset` on those of that name."""
    found = of_model(version, metric) or of_run(version, metric, dataset)
    return [figure for figure in found if not dataset or figure.dataset == dataset]


def of_model(version: ArtifactVersion, metric: str) -> list[Figure]:
    """What runs measured of the version's logged model: on each dataset the latest."""
    if version.logged_model is None:
        return []
    rows = ModelMetric.objects.filter(model_id=version.logged_model.model_id, key=metric)
    newest = rows.order_by("dataset_name", "dataset_digest", "-timestamp_ms", "-step", "run_id")
    latest = newest.distinct("dataset_name", "dataset_digest")[: limits.PAGE_MAX]
    return [Figure(row.value, row.dataset_name, row.dataset_digest) for row in latest]


def of_run(version: ArtifactVersion, metric: str, dataset: str) -> list[Figure]:
    """What the version's run logged: on the dataset that is named, or on all that it read but did not learn from."""
    run_id = run_of(version)
    latest = LatestMetric.objects.filter(run=run_id, key__name=metric).first() if run_id else None
    if latest is None:
        return []
    rows = RunInput.objects.filter(run=run_id).order_by("dataset__name", "dataset__digest")
    read = list(rows.values_list("dataset__name", "dataset__digest", "tags")[: limits.PAGE_MAX])
    if dataset:
        return [Figure(latest.value, name, digest) for name, digest, _ in read if name == dataset]
    judged = [(name, digest) for name, digest, tags in read if tags.get(CONTEXT, "").lower() not in LEARNT_FROM]
    names, digests = (", ".join(pair[at] for pair in judged) for at in (0, 1))
    return [Figure(latest.value, names, digests)]

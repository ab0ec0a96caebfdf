"""The recommendations room: deleting what trainings left behind. Light; it may be repeated at any time.

Kept for good: what serves, and every forecast and piece of advice that has met its outcome, with the figures and the
sha256 of the model that made it: they are the record of what was claimed. Kept for a while: the trainings of the last
KEEP_DAYS and the last KEEP_TRAININGS, and for a rollback the last KEEP_BACK models of each target that served before.
The rest goes: first texts and scores, which are large, then rows that nothing rests on.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from apps.recommendations.models import Advice, Forecast, ImpactModel, ImpactScore, Training

KEEP_TRAININGS, KEEP_BACK, KEEP_DAYS = 10, 5, 30
BATCH = 500


def prune(at: datetime, *, keep_trainings: int = KEEP_TRAININGS, days: float = KEEP_DAYS) -> dict[str, int]:
    """Delete in the current tenant. Returns how many rows of what."""
    old = old_models(at, keep_trainings=keep_trainings, days=days)
    ids = list(old.values_list("pk", flat=True))
    gone = {
        "forecasts": delete(Forecast.objects.filter(model__in=ids, actual=None)),
        "advice": delete(Advice.objects.filter(model__in=ids).filter(Q(was_followed=None) | Q(outcome=None))),
        "scores": delete(ImpactScore.objects.filter(model__in=ids)),
        "texts": ImpactModel.objects.filter(pk__in=ids).exclude(model_text="").update(model_text=""),
    }
    bare = old.exclude(Exists(Forecast.objects.filter(model=OuterRef("pk"))))
    gone["models"] = delete(bare.exclude(Exists(Advice.objects.filter(model=OuterRef("pk")))))
    empty = old_trainings(at, keep=keep_trainings, days=days)
    gone["trainings"] = delete(empty.exclude(Exists(ImpactModel.objects.filter(training=OuterRef("pk")))))
    return gone


def foresee(at: datetime, *, keep_trainings: int = KEEP_TRAININGS, days: float = KEEP_DAYS) -> dict[str, int]:
    """Say what `prune` would delete: it is done and undone."""
    with transaction.atomic():
        gone = prune(at, keep_trainings=keep_trainings, days=days)
        transaction.set_rollback(True)
    return gone


def old_trainings(at: datetime, *, keep: int, days: float) -> QuerySet[Training]:
    """Ended trainings that are neither among the last nor of the last days. The last digest stays in any case."""
    ended = Training.objects.exclude(state__in=Training.OPEN)
    last = list(Training.objects.done().order_by("-ended_at").values_list("pk", flat=True)[:1])
    newest = list(ended.order_by("-created_at").values_list("pk", flat=True)[:keep])
    return ended.filter(created_at__lt=at - timedelta(days=days)).exclude(pk__in=newest + last)


def old_models(at: datetime, *, keep_trainings: int, days: float) -> QuerySet[ImpactModel]:
    """Models of old trainings that don't serve and that no rollback would reach."""
    retired = ImpactModel.objects.filter(state=ImpactModel.State.RETIRED)
    place = Window(RowNumber(), partition_by=[F("target"), F("unit")], order_by=F("retired_at").desc())
    back = list(retired.annotate(place=place).filter(place__lte=KEEP_BACK).values_list("pk", flat=True))
    # A refusal that is the latest word on its target is what pages show.
    refused = ImpactModel.objects.filter(state=ImpactModel.State.REFUSED)
    place = Window(RowNumber(), partition_by=[F("target"), F("unit")], order_by=F("created_at").desc())
    said = list(refused.annotate(place=place).filter(place=1).values_list("pk", flat=True))
    old = old_trainings(at, keep=keep_trainings, days=days)
    return (
        ImpactModel.objects.filter(training__in=old)
        .exclude(state=ImpactModel.State.CHAMPION)
        .exclude(pk__in=back + said)
    )


def delete(
    rows: QuerySet[Advice] | QuerySet[Forecast] | QuerySet[ImpactScore] | QuerySet[ImpactModel] | QuerySet[Training],
) -> int:
    """Delete in short transactions, so that a page never waits for a night's work."""
    done = 0
    while True:
        some = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not some:
            return done
        with transaction.atomic():
            rows.model._default_manager.filter(pk__in=some).delete()
        done += len(some)

"""The recommendations room's door: Celery's entry points. Light: the training itself runs in a process of its own."""

import logging
import uuid
from functools import partial

from celery import shared_task
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django_tenants.utils import get_tenant_model, tenant_context
from kombu.exceptions import OperationalError

from apps.recommendations.answers import followup
from apps.recommendations.models import Importance, Training
from apps.recommendations.past import outcomes
from apps.recommendations.work import leases, processes, pruning, questions
from maestro.database.session import connection
from maestro.tasks import fan_out, tenant_task
from maestro.turns import Turns

logger = logging.getLogger("maestro.recommendations")

# Less than the broker's visibility timeout (config/celery.py): a message that waits longer is sent a second time.
NIGHT_SECONDS = 50 * 60
LOOK_SECONDS = 300
RESEND_SECONDS = 60
FORESEE_SECONDS = 30
TASK_SECONDS = processes.TRAINING_SECONDS + 120
QUESTION_SECONDS = processes.QUESTION_SECONDS + 30


@tenant_task(name="apps.recommendations.tasks.train", soft_time_limit=TASK_SECONDS, time_limit=TASK_SECONDS + 60)
def train(training: str) -> str:
    """Do one training, unless somebody else does."""
    return processes.supervise_in_place(connection.tenant, uuid.UUID(training))


@tenant_task(name="apps.recommendations.tasks.answer", soft_time_limit=QUESTION_SECONDS)
def answer(question: str = "") -> str:
    """Answer the tenant's next question about a project that does not exist yet. Older messages name one."""
    return TURNS.work(question, lambda wanted: processes.answer(connection.tenant, wanted))


TURNS = Turns("questions", answer, questions.free, questions.untaken, QUESTION_SECONDS)


@tenant_task(name="apps.recommendations.tasks.weigh", soft_time_limit=QUESTION_SECONDS)
def weigh() -> str:
    """Answer the tenant's next question which params go with a metric."""
    return WEIGHINGS.work("", lambda wanted: processes.answer(connection.tenant, wanted, Importance))


WEIGHINGS = Turns(
    "weighings", weigh, partial(questions.free, Importance), partial(questions.untaken, Importance), QUESTION_SECONDS
)


@tenant_task(name="apps.recommendations.tasks.foresee", soft_time_limit=QUESTION_SECONDS)
def foresee() -> int:
    """Forecast the projects that began after the last training."""
    return processes.foresee(connection.tenant)


@tenant_task(name="apps.recommendations.tasks.train_tonight", soft_time_limit=120)
def train_tonight() -> str:
    """Ask for the nightly training. It ends at once if nothing has changed since the last."""
    training, _ = leases.ask(why="schedule", asked_by="beat")
    send(training)
    return str(training.pk)


@tenant_task(name="apps.recommendations.tasks.look", soft_time_limit=240)
def look() -> str:
    """Notice what the rooms below don't tell: outcomes to derive, forecasts to settle, advice that was followed."""
    at = timezone.now()
    changed = outcomes.derive_due(at)
    followup.changed_outcomes()
    followup.settle_forecasts(at)
    followup.record_advice(at)
    followup.follow_advice(at)
    followup.drop_questions(at)
    if not outcomes.changed_since_training():
        return f"{changed} outcomes derived"
    training, _ = leases.ask(why="outcomes", asked_by="beat")
    send(training)
    return f"{changed} outcomes derived, training {training.pk}"


@tenant_task(name="apps.recommendations.tasks.prune", soft_time_limit=600)
def prune() -> dict[str, int]:
    """Delete what trainings left that no page, no rollback and no evidence needs."""
    return pruning.prune(timezone.now())


@shared_task(name="apps.recommendations.tasks.prune_learnings")
def prune_learnings() -> int:
    """Daily, for every tenant, before the nightly training."""
    return fan_out(prune, jitter_seconds=LOOK_SECONDS)


@shared_task(name="apps.recommendations.tasks.train_all_tonight")
def train_all_tonight() -> int:
    """Nightly, for every tenant, spread over the first hour."""
    return fan_out(train_tonight, jitter_seconds=NIGHT_SECONDS)


@shared_task(name="apps.recommendations.tasks.look_everywhere")
def look_everywhere() -> int:
    """Every few minutes, for every tenant."""
    return fan_out(look, jitter_seconds=LOOK_SECONDS)


@shared_task(name="apps.recommendations.tasks.resume_trainings", expires=RESEND_SECONDS)
def resume_trainings() -> int:
    """Send again what waits for a worker: its worker died, its message was lost, or no place was free."""
    connection.set_schema_to_public()
    sent = 0
    for tenant in get_tenant_model().objects.active():
        with tenant_context(tenant):
            for training_id in leases.abandoned():
                deliver(tenant.schema_name, training_id, expires=RESEND_SECONDS)
                sent += 1
            TURNS.send_or_fail()
            WEIGHINGS.send_or_fail()
    connection.set_schema_to_public()
    return sent


def send(training: Training) -> None:
    """Hand a training to a worker once its row is committed."""
    transaction.on_commit(partial(deliver, connection.schema_name, training.pk))


def send_foresee() -> bool:
    """Have latecomers forecast, unless somebody has just asked for that. Says whether it was sent."""
    if not cache.add("recommendations.foresee", 1, timeout=FORESEE_SECONDS):
        return False
    try:
        foresee.apply_async(kwargs={"schema": connection.schema_name}, retry=False, expires=RESEND_SECONDS)
    except OperationalError:
        return False
    return True


def deliver(schema: str, training_id: uuid.UUID, *, expires: float | None = None) -> None:
    """Send the message. If the broker is away the row still waits, and `resume_trainings` sends it again."""
    try:
        train.apply_async(kwargs={"schema": schema, "training": str(training_id)}, expires=expires, retry=False)
    except OperationalError:
        logger.warning("the broker does not answer; training %s of %s is sent later", training_id, schema)

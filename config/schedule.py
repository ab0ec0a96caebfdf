"""The roof: what runs when. One public entry a job; the job itself fans out over the active tenants."""

from typing import Any

from celery.schedules import crontab

SCHEDULE: dict[str, dict[str, Any]] = {
    "fold-runs": {"task": "apps.tracking.tasks.fold_everywhere", "schedule": 20.0, "options": {"expires": 60}},
    "mark-lost-runs": {"task": "apps.tracking.tasks.mark_lost_everywhere", "schedule": 600.0},
    "prune-trash": {"task": "apps.tracking.tasks.prune_everywhere", "schedule": crontab(hour=3, minute=0)},
    "prune-artifacts": {"task": "apps.registry.tasks.prune_everywhere", "schedule": crontab(hour=3, minute=10)},
    "expire-uploads": {"task": "apps.tracking.tasks.expire_uploads_everywhere", "schedule": crontab(minute=37)},
    "measure-storage": {"task": "apps.tracking.tasks.measure_storage_everywhere", "schedule": crontab(minute=47)},
    "read-deliveries": {
        "task": "apps.tracking.tasks.read_deliveries_everywhere",
        "schedule": 10.0,
        "options": {"expires": 60},
    },
    "tell-notices": {
        "task": "apps.tracking.tasks.tell_notices_everywhere",
        "schedule": 10.0,
        "options": {"expires": 60},
    },
    "forget-deliveries": {
        "task": "apps.tracking.tasks.forget_deliveries_everywhere",
        "schedule": crontab(minute=27),
    },
    "resume-trainings": {"task": "apps.recommendations.tasks.resume_trainings", "schedule": 20.0},
    "look-for-outcomes": {"task": "apps.recommendations.tasks.look_everywhere", "schedule": 600.0},
    "train-nightly": {"task": "apps.recommendations.tasks.train_all_tonight", "schedule": crontab(hour=1, minute=0)},
    "prune-learnings": {"task": "apps.recommendations.tasks.prune_learnings", "schedule": crontab(hour=0, minute=20)},
    "observe-usages": {"task": "apps.registry.tasks.observe_everywhere", "schedule": 60.0},
    "write-manifests": {"task": "apps.registry.tasks.write_manifests_everywhere", "schedule": 60.0},
    "read-meanings": {"task": "apps.registry.tasks.read_meanings_everywhere", "schedule": 60.0},
    "observe-all-usages": {"task": "apps.registry.tasks.observe_all", "schedule": 1800.0},
    "prune-audit": {"task": "apps.tenants.access.tasks.prune_audit_everywhere", "schedule": crontab(hour=4, minute=0)},
    "forget-expired": {"task": "apps.tenants.access.tasks.forget_expired_everywhere", "schedule": crontab(minute=17)},
}

"""The tracking room: projects, experiments, runs, what they log, how work went."""

from apps.tracking.models.commit_lines import CommitLines
from apps.tracking.models.connections import Connection, ConnectionSecret, Delivery
from apps.tracking.models.datasets import Dataset, RunInput
from apps.tracking.models.delivery_rules import DeliveryRule, Incident, WorkCalendar
from apps.tracking.models.evaluation import EvaluationDataset, EvaluationRecord
from apps.tracking.models.experiments import Experiment, ExperimentTag
from apps.tracking.models.exports import Export
from apps.tracking.models.files import Blob, Offer, RunFile
from apps.tracking.models.forge_facts import Commit, Deployment, Pipeline, PullRequest, Review
from apps.tracking.models.metrics import LatestMetric, MetricChunk, MetricKey, MetricPoint, ModelMetric
from apps.tracking.models.projects import DEFAULT_PROJECT_ID, Member, PlanRevision, Project
from apps.tracking.models.retention import LifeRule
from apps.tracking.models.runs import Param, Run, RunDocument, RunModel, Tag
from apps.tracking.models.saved_views import SavedView
from apps.tracking.models.storage import StorageUse
from apps.tracking.models.traces import Assessment, Trace, TraceFile, TraceLink
from apps.tracking.models.uploads import Upload
from apps.tracking.models.webhooks import Notice, Telling, Webhook, WebhookSecret
from apps.tracking.models.writers import TagWriter

__all__ = [
    "DEFAULT_PROJECT_ID",
    "Assessment",
    "Blob",
    "Commit",
    "CommitLines",
    "Connection",
    "ConnectionSecret",
    "Dataset",
    "Delivery",
    "DeliveryRule",
    "Deployment",
    "EvaluationDataset",
    "EvaluationRecord",
    "Experiment",
    "ExperimentTag",
    "Export",
    "Incident",
    "LatestMetric",
    "LifeRule",
    "Member",
    "MetricChunk",
    "MetricKey",
    "MetricPoint",
    "ModelMetric",
    "Notice",
    "Offer",
    "Param",
    "Pipeline",
    "PlanRevision",
    "Project",
    "PullRequest",
    "Review",
    "Run",
    "RunDocument",
    "RunFile",
    "RunInput",
    "RunModel",
    "SavedView",
    "StorageUse",
    "Tag",
    "TagWriter",
    "Telling",
    "Trace",
    "TraceFile",
    "TraceLink",
    "Upload",
    "Webhook",
    "WebhookSecret",
    "WorkCalendar",
]

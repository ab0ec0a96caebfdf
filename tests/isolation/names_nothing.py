"""Fields of the doors that name no thing which might be another project's: words, numbers, choices, and names to be given.

A name that is to be given (`new_name`, a new artifact's or experiment's `name`, `slug`, a new trace's `trace_id`) may be
taken by another project: such names are unique in the tenant, as MLflow has it, and a taken one is told as taken.
"""

MLFLOW = {
    "registry.mlflow.base": "key tags value",
    "registry.mlflow.logged": "allow_deleted artifact_directory_path ascending dataset_digest dataset_name datasets field_name key"
    " model_type name order_by params status step value",
    "registry.mlflow.models": "alias description new_name order_by stages version",
    "registry.mlflow.notes": "key",
    "registry.mlflow.versions": "archive_existing_versions description order_by run_link stage version",
    "tracking.mlflow.assessments": "assessment_name expectation feedback metadata name paths rationale update_mask",
    "tracking.mlflow.batches": "dataset_digest dataset_name",
    "tracking.mlflow.bodies": "dataset_digest dataset_name key params step timestamp",
    "tracking.mlflow.evaluation": "dataset filter_string name order_by tags",
    # The source of a record is kept as its client tells it; nothing looks it up. asks.py tries one all the same.
    "tracking.mlflow.evaluation_fields": "expectations inputs outputs source_data source_id source_type",
    "tracking.mlflow.experiments": "artifact_location key name new_name",
    "tracking.mlflow.inputs": "digest key name tags value",
    # A file in the folder that the address names, and one's own upload: protocol/test_direct_files.py.
    "tracking.mlflow.large_files": "etag num_parts part_number parts path upload_id",
    "tracking.mlflow.metrics": "end_step max_results metric_key next_page_token page_token start_step",
    "tracking.mlflow.runs": "end_time key run_name start_time status user_id",
    "tracking.mlflow.searches": "order_by",
    # A span is one of its own trace.
    "tracking.mlflow.trace_fields": "assessment_name assessments client_request_id create_time error execution_duration expectation"
    " feedback metadata rationale request_preview request_time response_preview serialization_format serialized_value"
    " source_id source_type span_id state type valid",
    # A prompt's name and version are kept as they are told; nothing looks them up.
    "tracking.mlflow.traces": "key max_timestamp_millis max_traces name order_by prompt_versions value version",
}
FACTS = (
    "name description problem_class complexity dataset_facts team team_size starts_at ends_at planned_duration_days planned_cost"
    " planned_effort_hours actual_duration_days actual_cost actual_effort_hours goal_metric goal_maximize goal_worst goal_best labels"
)
PLANS = "problem_class complexity team team_size starts_at dataset_facts planned_duration_days planned_cost planned_effort_hours"
VIEW = "is_default is_shared name"
SHAPES = {
    "tenants.access.api.serializers.KeyNew": "days name role scopes",
    "tenants.access.api.serializers.KeyTurn": "days overlap_hours",
    "tenants.access.api.serializers.SignIn": "code password username",
    "tenants.access.api.serializers.Refresh": "refresh",
    "tenants.access.api.publishers.PublisherNew": "audience claims issuer jwks jwks_url kind minutes name role",
    "tenants.access.api.publishers.ExchangeNew": "token",
    "tenants.access.api.roles.RoleGiven": "role",
    "tenants.access.api.people.Closing": "hand_over_to",  # a person, who is of the tenant and of no project
    "tracking.api.connections.ConnectionNew": "kind name secret",
    "tracking.api.connections.ConnectionTurn": "hours secret",
    # A commit's id names nothing of ours: it is kept for the project that tells it.
    "tracking.api.commits.CommitFields": "additions committed deletions email files id is_revert name parents",
    "tracking.api.commits.CommitsNew": "commits head",
    "tracking.api.incidents.IncidentFacts": "opened_at resolved_at title",
    "tracking.api.incidents.IncidentNew": "opened_at resolved_at title",
    "tracking.api.incidents.DeliveryRuleAsked": "currency hour_rate serving_aliases source",  # aliases by name, of one's own project's models
    "tracking.api.time_zone.TimeZoneAsked": "time_zone",
    "tracking.api.webhooks.WebhookFacts": "description events name state url",
    "tracking.api.webhooks.WebhookNew": "description events format name secret state url",
    "tracking.api.webhooks.WebhookTurn": "hours secret",
    "tracking.api.run_bulk.BulkAsked": "action drop_tags expected status",
    "tracking.api.exports.ExportAsked": "column format order_by status view",
    "tracking.api.exports.ExportNew": "columns format order_by status view",
    "tracking.api.serializers.ProjectFacts": FACTS,
    "tracking.api.serializers.ProjectNew": f"{FACTS} slug",
    "tracking.api.serializers.OutcomeNew": "actual_cost actual_duration_days actual_effort_hours business_value model_performance"
    " rule source success",
    "tracking.api.serializers.MemberNew": "title",
    "tracking.api.quotas.QuotaAsked": "quota_bytes",
    "tracking.api.retention.RuleAsked": "keep_runs_days lost_after_hours trash_days",
    "tracking.api.runs_shown.RunFacts": "end_ms status",
    "tracking.api.saved_views.ViewStateFields": "columns layout log_axis smoothing sort status x_axis",
    "tracking.api.saved_views.ViewFacts": VIEW,
    "tracking.api.saved_views.ViewNew": VIEW,
    "registry.api.signatures.SigningKeyNew": "kind name pem",  # keys are the tenant's, and of no project
    "registry.api.serializers.ArtifactFacts": "card description kind owner tags",
    "registry.api.serializers.ArtifactNew": "card description kind name owner tags",
    "registry.api.serializers.FileNew": "path text",
    "registry.api.serializers.VersionNew": "description tags",
    "registry.api.serializers.VersionFacts": "description state tags",
    "registry.api.uploads.UploadNew": "part_size_bytes size_bytes",
    "registry.api.uploads.PartNew": "number sha256",  # the digest of a part is compared with the bytes that are sent
    "registry.api.uploads.PartsNew": "parts",
    "registry.api.serializers.UsageNew": "at observed role",
    "registry.api.serializers.UsagesNew": "replace",
    "registry.api.gates.BoundFields": "baseline dataset margin metric operator value",  # an alias of the same artifact
    "registry.api.gates.GateFacts": "aliases approvals files kind max_run_age_hours metrics name needs_signature sections"
    " spares_prompts stages",
    "registry.api.searches.SearchNew": "impact kind meaning name owner problem_class q tag",
    "registry.api.promotions.PromotionNew": "alias stage why",
    "registry.api.promotions.WordNew": "decision why",
    "registry.api.aliases.RollbackAsked": "why",
    "recommendations.api.serializers.TrainingNew": "force seed",
    "recommendations.api.forecast_serializers.WhatIfNew": PLANS,
    "recommendations.api.importance.ImportanceNew": "metric",
}
QUERIES = {
    "registry.api.storage": "fresh",
    "recommendations.api.impact": "problem_class unit",
    "registry.api.artifacts": "kind",
    "registry.api.files": "RUN_HEADER",  # a header: x-maestro-run in asks.py
    "registry.api.finding": "impact kind limit meaning owner problem_class q tag thing",  # words; test_search.py stands in another project
    "registry.api.lineage": "depth direction",
    "registry.api.promotions": "dry_run state",
    "tenants.access.api.audit": "cursor limit name since until",
    "tracking.api.exports": "column format order_by status view",
    "tracking.api.incidents": "open",
    "tracking.api.projects": "finished problem_class team",
    "tracking.api.run_bulk": "dry_run",
    "tracking.api.runs": "deleted folder status",
}
# Routes that refuse even one's own things, from within a project, and why.
TENANTS = "belongs to the whole tenant"
NOT_OFFERED = "says that it is not offered"
REFUSED = {
    "POST api/v1/forecasts/": TENANTS,
    "GET api/v1/forecasts/<uuid:question>/": TENANTS,
    "GET api/v1/calibration/": TENANTS,
    "GET api/v1/impact/": TENANTS,
    "GET api/v1/trainings/": TENANTS,
    "POST api/v1/trainings/": TENANTS,
    "GET api/v1/trainings/<uuid:training>/": TENANTS,
    "POST api/v1/trainings/<uuid:training>/rollback/": TENANTS,
    "POST api/v1/projects/": TENANTS,
    "PUT api/v1/projects/<str:project>/quota/": TENANTS,
    "GET api/v1/storage/": TENANTS,
    "PUT api/v1/retention/": TENANTS,
    "PUT api/v1/time-zone/": TENANTS,
    "POST api/v1/projects/<str:project>/outcome/derive/": "has no goal",
    "POST api/v1/connections/<uuid:connection>/deliveries/<uuid:delivery>/replay/": "waits to be read first",
    "POST api/v1/uploads/<uuid:upload>/commit/": "has no parts yet",
    "GET api/v1/runs/exports/<uuid:export>/file/": "is not written yet",
    "POST api/v1/artifacts/<str:artifact>/aliases/<str:alias>/rollback/": "pointed nowhere before",
    "POST api/v1/people/<str:username>/close/": TENANTS,
    "GET api/v1/searches/<uuid:search>/": "is one's own alone: another's is not there",
    "DELETE api/v1/searches/<uuid:search>/": "is one's own alone: another's is not there",
    "POST api/v1/signing-keys/": TENANTS,
    "DELETE api/v1/signing-keys/<uuid:signing_key>/": TENANTS,
    "GET api/v1/audit/": TENANTS,
    "GET api/v1/audit/export/": TENANTS,
    "POST api/2.0/mlflow-artifacts/mpu/create/<path:path>": NOT_OFFERED,
    "POST api/2.0/mlflow-artifacts/mpu/complete/<path:path>": NOT_OFFERED,
    "POST api/2.0/mlflow-artifacts/mpu/abort/<path:path>": NOT_OFFERED,
    "GET api/2.0/mlflow-artifacts/presigned/<path:path>": NOT_OFFERED,
    "POST api/2.0/mlflow/artifacts/presigned-upload-url": NOT_OFFERED,
    "POST api/2.0/mlflow/artifacts/presigned-download-url": NOT_OFFERED,
    "POST v1/traces": NOT_OFFERED,
}
# Where a name is given, which may be taken.
GIVEN = {("PUT api/v1/artifacts/<str:artifact>/", "artifact")}
# Routes that are tried elsewhere, or that name nothing but oneself.
APART = {
    "GET api/v1/signing-keys/<uuid:signing_key>/": "keys are the tenant's and of no project",
    "POST api/v1/artifacts/<str:artifact>/versions/<str:version>/signatures/": "registry/signatures/test_signatures.py: a bundle is sent from another project",
    "GET api/v1/artifacts/<str:artifact>/versions/<str:version>/signatures/<uuid:signature>/": "registry/signatures/test_signatures.py",
    "PUT api/v1/blobs/<str:sha256>/": "registry/test_contents.py: the bytes are sent with their digest",
    "PUT api/v1/projects/<str:project>/": "gives a name",
    "DELETE api/v1/keys/self/": "oneself",
    "POST api/v1/keys/self/rotate/": "oneself",
}

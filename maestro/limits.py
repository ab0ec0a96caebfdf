"""The floor: every bound in one place. docs/limits.md is rendered from this module (`manage.py show_limits --markdown`)."""

from typing import Final

# Request bodies
JSON_BODY_BYTES: Final = 16 * 2**20
ASKING_BODY_BYTES: Final = 512 * 2**10  # of a call that only looks
OPEN_BODY_BYTES: Final = 64 * 2**10  # of a call by somebody who is not known yet
FORM_BYTES: Final = 256 * 2**10  # of a form: its percent-escapes cost many times their length
PAGE_BODY_BYTES: Final = 2**20  # of a form in parts (multipart/form-data), as those with long texts are sent
JSON_DEPTH: Final = 64
JSON_ITEMS: Final = 50_000  # in one body: each becomes an object, which weighs many times its text
RECORD_ITEMS: Final = 200_000  # of a body with traces or records, of which there may be many
QUERY_STRING_BYTES: Final = 16 * 2**10
FILE_BYTES: Final = 64 * 2**30
ARCHIVE_FILES: Final = 20_000  # in one zip or tar
DIGESTS_ASKED: Final = 1_000  # in one question for what is missing

# Uploads in parts
UPLOAD_PARTS: Final = 1_000
UPLOADS_OPEN_PERSON: Final = 100  # of one person or key
QUOTA_BYTES: Final = 2**60  # that a tenant or a project may be allowed

# Answers
ANSWER_BYTES: Final = 16 * 2**20  # about, of one page of a list: it ends early there, and the next page goes on

# Refusals
FAULTS: Final = 20  # that are named in one answer
DETAIL_CHARS: Final = 2_000

# Numbers and times
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
TIME_MS_MAX: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z

# Names and text
SLUG_CHARS: Final = 40
NAME_CHARS: Final = 250
EXPERIMENT_NAME_CHARS: Final = 500
KEY_CHARS: Final = 250
PARAM_VALUE_CHARS: Final = 6_000  # of a run; longer ones are cut, as the original does
TAG_VALUE_CHARS: Final = 8_000  # of a run; longer ones are cut, as the original does
MODEL_PARAM_VALUE_CHARS: Final = 20_000  # of a logged model; longer ones are cut
EXPERIMENT_TAG_VALUE_CHARS: Final = 20_000
REGISTRY_TAG_VALUE_CHARS: Final = 100_000
TEXT_CHARS: Final = 100_000

# Batches (MLflow protocol)
BATCH_METRICS: Final = 1_000
BATCH_PARAMS: Final = 100
BATCH_TAGS: Final = 100
BATCH_TOTAL: Final = 1_000

# Traces (MLflow protocol)
TRACE_ID_CHARS: Final = 50
TRACE_PREVIEW_CHARS: Final = 10_000
TRACE_NOTES: Final = 500  # tags, and metadata, of one trace
TRACE_ASSESSMENTS: Final = 1_000
TRACE_PAGE_MAX: Final = 500

# Evaluation datasets (MLflow protocol)
EVALUATION_RECORDS: Final = 10_000  # in one call
EVALUATION_RECORDS_PAGE: Final = 1_000

# Pages
PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 500
MLFLOW_PAGE_MAX: Final = 50_000

# Filters
FILTER_CHARS: Final = 4_096
FILTER_TERMS: Final = 64

# File names
PATH_BYTES: Final = 1_024
PATH_SEGMENT_BYTES: Final = 255

# Signatures of versions
SIGNING_KEYS: Final = 100  # that a tenant trusts at a time
SIGNATURES: Final = 50  # of one version
PEM_CHARS: Final = 16_384  # of a key or a certificate

# Searches
SEARCH_CHARS: Final = 200
SEARCH_NAME_CHARS: Final = 100
SEARCHES_SAVED: Final = 200  # by one person or key

# Gates
ALIAS_CHARS: Final = 255
GATES: Final = 500  # of one tenant
GATE_BOUNDS: Final = 500  # on metrics, of all gates of one tenant: each is looked at where a gate is passed
GATE_APPROVALS: Final = 10
GATE_NAMES: Final = 50  # aliases of one gate, and as many files, card sections and metric bounds
WHY_CHARS: Final = 2_000
RUN_AGE_HOURS_LEAST: Final = 0.01
RUN_AGE_HOURS: Final = 87_600.0
PROMOTIONS_WAITING: Final = 100  # of one artifact

# Work that waits for a worker
QUESTIONS_WAITING_PERSON: Final = 10  # what-ifs of one person or key
QUESTIONS_WAITING: Final = 50  # of one tenant
EXPORTS_WAITING_PERSON: Final = 5
EXPORTS_WAITING: Final = 20

# Webhooks of forges
HOOK_BYTES: Final = 25 * 2**20  # of one delivery, the most that GitHub sends
HOOK_ITEMS: Final = 500_000  # in one delivery
HOOK_LARGE_MINUTE: Final = 30  # deliveries beyond 1 MB of one connection, in a minute
HOOK_HEADER_CHARS: Final = 200  # of a delivery's id and of its event's name
HOOK_SECRET_CHARS: Final = 200
CONNECTIONS: Final = 50  # open ones of one project
COMMITS_AT_ONCE: Final = 2_000  # that a CI job tells in one report
COMMIT_PARENTS: Final = 100
DELIVERY_DAYS: Final = 30  # that deliveries are kept as they came

# Webhooks of ours, which tell others
WEBHOOKS: Final = 50  # open ones of one project, and as many that tell of all
WEBHOOK_URL_CHARS: Final = 2_000
WEBHOOK_WORDS: Final = 1_000  # characters of a description
WEBHOOK_TESTS_MINUTE: Final = 10  # of one webhook
TELLINGS_WAITING: Final = 10_000  # of one webhook; what is more is failed at once
NOTICE_DAYS: Final = 30  # that what was told is kept, and what became of it

# Pages of text
MARKDOWN_CHARS: Final = 20_000  # rendered of one text; the rest is shown as it is

# Charts
CURVE_POINTS: Final = 2_000

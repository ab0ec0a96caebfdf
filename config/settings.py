"""The roof: every setting, read from the environment once."""

import os
import sys
from pathlib import Path

import django_stubs_ext

from config import env
from maestro import limits

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_server_env()
django_stubs_ext.monkeypatch()

DEBUG = env.flag("MAESTRO_DEBUG", False)
SECRET_KEY = env.secret("MAESTRO_SECRET_KEY")
KEY_PEPPER = env.secret("MAESTRO_KEY_PEPPER")
# Older ones, or the next, known while they are rotated (docs/operators.md).
SECRET_KEY_FALLBACKS = env.secrets("MAESTRO_SECRET_KEY_FALLBACKS")
KEY_PEPPER_FALLBACKS = env.secrets("MAESTRO_KEY_PEPPER_FALLBACKS")
BASE_HOST = env.text("MAESTRO_BASE_HOST", "localhost").lower()
BASE_HOST_ALIASES = frozenset(filter(None, env.text("MAESTRO_BASE_HOST_ALIASES", "127.0.0.1").lower().split(",")))
ALLOWED_HOSTS = [
    BASE_HOST,
    f".{BASE_HOST}",
    *BASE_HOST_ALIASES,
    *filter(None, env.text("MAESTRO_HOSTS", " ").strip().split(",")),
]
TLS = env.flag("MAESTRO_TLS", False)
HOME = env.home()

# --- apps: public schema, and each tenant's ---
PEOPLE = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.admin",
    "apps.tenants.access.factors",
]
SHARED_APPS = [
    "apps.tenants",
    "django_tenants",
    *PEOPLE,
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
TENANT_APPS = [*PEOPLE, "apps.tenants.access", "apps.tracking", "apps.registry", "apps.recommendations"]
INSTALLED_APPS = [
    *SHARED_APPS,
    *(app for app in TENANT_APPS if app not in SHARED_APPS),
    "maestro",
    "config",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
]
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
PUBLIC_SCHEMA_URLCONF = "config.urls_public"
ROOT_URLCONF = "config.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- database: search_path and role in one trip; the owner's login only for commands that change schemas ---
DATABASE_URL = env.secret("MAESTRO_DATABASE_URL")
OWNER_DATABASE_URL = env.secret("MAESTRO_OWNER_DATABASE_URL", " ").strip()
OWNER_COMMANDS = {
    "migrate",
    "migrate_schemas",
    "migrate_tenants",
    "makemigrations",
    "sqlmigrate",
    "showmigrations",
}
AS_OWNER = len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS and bool(OWNER_DATABASE_URL)
DATABASE_LOGIN = str(env.database(DATABASE_URL)["USER"])
TENANT_ROLES = not AS_OWNER
TENANT_LIMIT_SET_CALLS = True
ORIGINAL_BACKEND = "django_prometheus.db.backends.postgresql"
CHILD_ENV = {"DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "config.settings")}
# The most memory that the process of one training may hold.
TRAINING_MEGABYTES = env.number("MAESTRO_TRAINING_MB", 2_048)
# Trainings at once on one machine; the other processes of its worker are for what is short.
TRAININGS_AT_ONCE = env.number("MAESTRO_TRAININGS_AT_ONCE", max(1, (os.cpu_count() or 2) - 1))
STATEMENT_TIMEOUT_MS = env.number("MAESTRO_STATEMENT_TIMEOUT_MS", 15_000)
# For how many seconds each other server is waited for: a database session of the application's login and of the owner's,
# a lock, an address outside (a step of a large answer), and Valkey, which shows its queue, is connected to, and forgets a
# tenant; a free place to digest a password, and the turn of a large request.
PATIENCE: dict[str, int] = {
    "database": 3,
    "owner": 5,
    "lock": 5,
    "egress": 5,
    "egress_piece": 30,
    "queue": 1,
    "connect": 2,
    "forget": 5,
    "password": 2,
    "turn": 30,
}
# And Valkey once more, on the way of a request that is counted there.
COUNTING_SECONDS = 0.25
DATABASE_OPTIONS = env.session_options(STATEMENT_TIMEOUT_MS, lock_seconds=PATIENCE["lock"], idle_seconds=60)
DATABASES = {
    "default": {
        "ENGINE": "maestro.database",
        **env.database(OWNER_DATABASE_URL if AS_OWNER else DATABASE_URL),
        # Each thread keeps its session. A pool would move it from tenant to tenant, which costs two more trips.
        "CONN_MAX_AGE": 0 if AS_OWNER else 600,
        "OPTIONS": {"connect_timeout": PATIENCE["database"], "options": "" if AS_OWNER else DATABASE_OPTIONS},
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]

# --- cache, tasks ---
REDIS_URL = env.secret("MAESTRO_REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "REVERSE_KEY_FUNCTION": "django_tenants.cache.reverse_key",
    }
}

# --- storage of bytes: file:///folder or s3://bucket/prefix ---
STORAGE_URL = env.text("MAESTRO_STORAGE", f"file://{HOME}/blobs")
S3 = {
    "endpoint_url": env.text("MAESTRO_S3_ENDPOINT", " ").strip() or None,
    "access_key": env.secret("MAESTRO_S3_ACCESS_KEY", " ").strip() or None,
    "secret_key": env.secret("MAESTRO_S3_SECRET_KEY", " ").strip() or None,
    "region_name": env.text("MAESTRO_S3_REGION", "us-east-1"),
}
# Where clients reach the bucket themselves. Without it all bytes pass through the web processes.
S3_PUBLIC_ENDPOINT = env.text("MAESTRO_S3_PUBLIC_ENDPOINT", " ").strip()

# --- requests ---
MIDDLEWARE = [
    "maestro.http.edge.EdgeMiddleware",
    "config.health.HealthMiddleware",
    "config.lane.LaneMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.tenants.middleware.TenantMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "maestro.http.forms.StrangersFormMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "apps.tenants.access.sign_in.middleware.PersonMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# How often in a minute; 0 is no limit. `refused`: wrong credentials of an address; `address`: none; `hook`: a connection's.
RATE_LIMITS = {
    "key": env.number("MAESTRO_RATE_KEY", 240_000),
    "person": env.number("MAESTRO_RATE_PERSON", 30_000),
    "address": env.number("MAESTRO_RATE_ADDRESS", 12_000),
    "refused": env.number("MAESTRO_RATE_REFUSED", 600),
    "hook": env.number("MAESTRO_RATE_HOOK", 12_000),
}
# Addresses that are not public and may be called all the same: an identity provider in the house.
EGRESS_ALLOW = env.networks("MAESTRO_EGRESS_ALLOW")
METRICS_TOKEN = env.secret("MAESTRO_METRICS_TOKEN", " ").strip()
PROMETHEUS_FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "maestro" / "templates", BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.tenants.access.pages.context.sign_in_ways",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.text("MAESTRO_STATIC_ROOT", " ").strip() or None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

# --- people ---
AUTHENTICATION_BACKENDS = [
    "apps.tenants.access.sign_in.passwords.PasswordBackend",
    "apps.tenants.access.sign_in.oidc.OidcBackend",
]
PASSWORD_HASHERS = ["apps.tenants.access.sign_in.hashing.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/admin/login/"
PASSWORD_RESET_TIMEOUT = 3600
# Without a mail server nobody gets a letter, and the page for a forgotten password says so.
EMAIL_HOST = env.text("MAESTRO_EMAIL_HOST", " ").strip()
EMAIL_PORT = env.number("MAESTRO_EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("MAESTRO_EMAIL_USER", " ").strip()
EMAIL_HOST_PASSWORD = env.secret("MAESTRO_EMAIL_PASSWORD", " ").strip()
EMAIL_USE_TLS = env.flag("MAESTRO_EMAIL_STARTTLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("MAESTRO_EMAIL_FROM", f"maestro@{BASE_HOST}")
SESSION_ENGINE = "apps.tenants.access.factors.session_store"
SESSION_COOKIE_NAME = "__Host-session" if TLS else "maestro_session"
CSRF_COOKIE_NAME = "__Host-csrf" if TLS else "maestro_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600

# --- headers ---
SECURE_HSTS_SECONDS = 31_536_000 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = TLS
SECURE_HSTS_PRELOAD = TLS
SECURE_SSL_REDIRECT = False
# Only these peers may say by forwarded headers where a request came from; without any, such headers are dropped.
TRUSTED_PROXIES = env.networks("MAESTRO_TRUSTED_PROXIES")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SELF = ["'self'"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": SELF,
        "script-src": SELF,
        "style-src": SELF,
        "img-src": ["'self'", "data:"],
        "connect-src": SELF,
        "font-src": SELF,
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": SELF,
        "frame-ancestors": ["'none'"],
    }
}

# --- APIs ---
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.tenants.access.keys.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["maestro.api.permissions.RolePermission"],
    "DEFAULT_PARSER_CLASSES": ["maestro.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "maestro.api.pagination.CursorPagination",
    # OPTIONS is no method here: what a route takes stands in the description.
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "config.schema.PagedSchema",
    "EXCEPTION_HANDLER": "maestro.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "STRICT_JSON": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Maestro",
    "DESCRIPTION": "Track, register and learn from machine-learning work.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["config.schema.first"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.schema.describe"],
    "ENUM_NAME_OVERRIDES": {
        "ArtifactKind": "apps.registry.models.Artifact.Kind",
        "ConnectionKind": "apps.tracking.models.Connection.Kind",
        "DeliveryState": "apps.tracking.models.Delivery.State",
        "PromotionState": "apps.registry.models.Promotion.State",
        "RunStatus": "apps.tracking.models.Run.Status",
        "Role": [("viewer", "viewer"), ("contributor", "contributor"), ("approver", "approver"), ("admin", "admin")],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = limits.PAGE_BODY_BYTES
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "maestro.logs.SecretFilter"}},
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["secrets"]}},
    "root": {"handlers": ["console"], "level": env.text("MAESTRO_LOG_LEVEL", "WARNING")},
}
# Ours are stricter and are errors (config/checks.py): secrets E001 to E003, TLS with its cookies and HSTS E005 and E006.
# W001 is about how the API's description names its enums.
SILENCED_SYSTEM_CHECKS = [f"security.W{number:03}" for number in (4, 8, 9, 12, 16)] + ["drf_spectacular.W001"]

"""The roof: settings of the tests: a fast hasher, and the addresses of servers that the test run started."""

import os

os.environ.setdefault("MAESTRO_SECRET_KEY", "tQ7vKx2mZr9LwP4nYc8HsB6fJd3GaE5uRk1Wo0Vi")
os.environ.setdefault("MAESTRO_KEY_PEPPER", "pM5bXe8jTn2CyU7qLf4KvA9hSg6DzW3rGo1Ni0Ju")
os.environ.setdefault("MAESTRO_DATABASE_URL", "postgresql://maestro_app:unset@127.0.0.1:1/unset")
os.environ.setdefault("MAESTRO_REDIS_URL", "redis://127.0.0.1:1/0")
os.environ.setdefault("MAESTRO_RATE_ADDRESS", "0")
os.environ.setdefault("MAESTRO_RATE_REFUSED", "0")

from config import env
from config.settings import *

# A busy machine makes all of them slow. Who tests how long something is waited for says so (tests/hostile/test_time_limits.py).
PATIENCE = dict.fromkeys(PATIENCE, env.number("MAESTRO_TEST_PATIENCE", 60))
STATEMENT_TIMEOUT_MS = env.number("MAESTRO_STATEMENT_TIMEOUT_MS", 120_000)
EMAIL_TIMEOUT = COUNTING_SECONDS = PATIENCE["egress"]
OPTIONS = {
    "connect_timeout": PATIENCE["database"],
    "options": env.session_options(STATEMENT_TIMEOUT_MS, lock_seconds=PATIENCE["lock"], idle_seconds=600),
}
DATABASES = {"default": DATABASES["default"] | {"OPTIONS": DATABASES["default"]["OPTIONS"] if AS_OWNER else OPTIONS}}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]

# The test workers of one machine train at once.
TRAININGS_AT_ONCE = 64

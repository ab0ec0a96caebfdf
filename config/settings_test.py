"""The roof: settings of the tests: a fast hasher, and the addresses of servers that the test run started."""

import os

os.environ.setdefault("MAESTRO_SECRET_KEY", "tQ7vKx2mZr9LwP4nYc8HsB6fJd3GaE5uRk1Wo0Vi")
os.environ.setdefault("MAESTRO_KEY_PEPPER", "pM5bXe8jTn2CyU7qLf4KvA9hSg6DzW3rGo1Ni0Ju")
os.environ.setdefault("MAESTRO_DATABASE_URL", "postgresql://maestro_app:unset@127.0.0.1:1/unset")
os.environ.setdefault("MAESTRO_REDIS_URL", "redis://127.0.0.1:1/0")
os.environ.setdefault("MAESTRO_RATE_ADDRESS", "0")
os.environ.setdefault("MAESTRO_RATE_REFUSED", "0")

from config.settings import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]

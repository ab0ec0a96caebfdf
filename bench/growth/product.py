"""The bench's own: Django set up on the embedded servers that MAESTRO_HOME names. Import it before any app."""

import os
import sys

import django

from bench.load.machine import ROOT

sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("MAESTRO_STATEMENT_TIMEOUT_MS", "900000")
django.setup()

"""The roof: the web server's entry. Refuses to start with what would let the wrong people in."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
pages = get_wsgi_application()

from config.checks import refuse_unsafe_start  # noqa: E402 the apps must be loaded first
from config.lane import ShortWay  # noqa: E402
from maestro.database import silence  # noqa: E402

application = ShortWay(pages)

refuse_unsafe_start()
silence.give_up_after(settings.STATEMENT_TIMEOUT_MS / 1000)

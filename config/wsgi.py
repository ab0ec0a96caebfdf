"""The roof: the web server's entry. Refuses to start with a route that declares no role."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

from config.routes import require_declared_roles  # noqa: E402 the apps must be loaded first

require_declared_roles()

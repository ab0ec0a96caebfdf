"""Run the provider: `python -m tests.provider.serve PORT`. Makes its tables, client and people on first start."""

import json
import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.provider.settings"

import django

django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402 the settings must be set up first
from django.core.management import call_command  # noqa: E402 the settings must be set up first
from django.core.wsgi import get_wsgi_application  # noqa: E402 the settings must be set up first
from oauth2_provider.models import Application  # noqa: E402 the settings must be set up first


class Server(ThreadingMixIn, WSGIServer):
    """Answers several requests at once: the browser's, and Maestro's for the token."""

    daemon_threads = True


def prepare() -> None:
    """Make what is missing, from PROVIDER_DATA."""
    call_command("migrate", verbosity=0)
    told = json.loads(os.environ["PROVIDER_DATA"])
    Application.objects.update_or_create(
        client_id=told["client_id"],
        defaults={
            "client_secret": told["client_secret"],
            "client_type": "confidential",
            "authorization_grant_type": "authorization-code",
            "algorithm": "RS256",
            "redirect_uris": told["redirect_uri"],
            "post_logout_redirect_uris": told["after_logout"],
            "name": "Maestro",
        },
    )
    for name, (password, groups) in told["people"].items():
        if not User.objects.filter(username=name).exists():
            person = User.objects.create_user(name, f"{name}@acme.example", password)
            person.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])


if __name__ == "__main__":
    prepare()
    make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), server_class=Server).serve_forever()

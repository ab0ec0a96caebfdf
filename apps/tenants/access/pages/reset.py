"""The access room's pages: a new password for who forgot theirs."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View
from kombu.exceptions import OperationalError

from apps.tenants.access.people.principal import acting, acting_as
from apps.tenants.access.sign_in.resets import setting
from apps.tenants.access.tasks import send_reset_letters
from maestro.api.permissions import public_route
from maestro.database.session import connection
from maestro.errors import Unavailable
from maestro.http.addresses import client_address, group_of
from maestro.http.throttling import limiter

ASKED_AN_HOUR = 20


class Address(forms.Form):
    """An e-mail address."""

    email = forms.EmailField(max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"}))


@public_route("somebody who forgot their password asks for a letter; answered alike for every address")
@method_decorator(never_cache, name="dispatch")
class Ask(View):
    """Asks for the address."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form; where no mail is sent, say so."""
        return page(request, "reset_ask", form=Address(), sends_mail=bool(settings.EMAIL_HOST))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Hand the address to a worker, whoever's it is. Raises TooMany, or Unavailable without a broker."""
        form = Address(request.POST)
        limiter.take(f"reset:{group_of(client_address(request))}", ASKED_AN_HOUR, seconds=3600)
        if not form.is_valid() or not settings.EMAIL_HOST:
            return page(request, "reset_ask", form=form, sends_mail=bool(settings.EMAIL_HOST))
        told = {"email": form.cleaned_data["email"], "domain": request.get_host(), "secure": request.is_secure()}
        try:
            send_reset_letters.delay(schema=connection.schema_name, **told)
        except OperationalError as error:
            raise Unavailable("letters can't be sent right now; try again later") from error
        return HttpResponseRedirect(reverse_lazy("password_reset_sent"))


@public_route("says that a letter is on its way if somebody has the address")
class Sent(View):
    """The same for every address."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say so."""
        return page(request, "reset_sent")


@public_route("the letter's link carries a token that works once, for an hour")
@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class Confirm(PasswordResetConfirmView):
    """Sets the new password. Nobody is signed in by it: the second factor is still asked for."""

    http_method_names = ["get", "post"]
    template_name = "access/reset_confirm.html"
    success_url = reverse_lazy("password_reset_done")
    extra_context = {"title": "A new password"}

    def get_user(self, uidb64: str) -> Any:
        """Find whose letter it is: nobody's any more once the account is closed."""
        person = super().get_user(uidb64)
        return person if person is not None and person.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        """Set it, end what the old one opened, and write it down, together."""
        person: Any = self.user
        with setting(acting_as(person, acting(self.request)), told="by the letter's link") as done:
            answer = super().form_valid(form)
            done.person = person
        return answer


@public_route("says that the password was set")
class Done(View):
    """The end of it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say so."""
        return page(request, "reset_done")


def page(request: HttpRequest, name: str, **context: Any) -> TemplateResponse:
    """Answer a page for somebody who is not signed in."""
    return TemplateResponse(request, f"access/{name}.html", {"title": "A new password", **context})

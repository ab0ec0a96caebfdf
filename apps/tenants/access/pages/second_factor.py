"""The access room's pages: the second factor: set it up, show it at sign-in, take it away."""

import base64
import io
from typing import Any
from urllib.parse import quote, urlencode

import qrcode
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View
from qrcode.image.svg import SvgPathFillImage

from apps.tenants.access.people.principal import acting
from apps.tenants.access.sign_in import factor_acts, second_factor
from maestro.admin.sites import MaestroSite, operator_site
from maestro.errors import TooMany

WRONG = "That code is not right, or it was used before. Wait for the next one and try again."
CODE_CHARS = 40


class Page(View):
    """A page for who is signed in by password, also while the second factor is still owed."""

    site: MaestroSite = operator_site
    http_method_names = ["get", "post"]

    @method_decorator([never_cache, csrf_protect, sensitive_post_parameters()])
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Let nobody in who is not signed in as staff."""
        person: Any = request.user
        if not (person.is_active and person.is_staff):
            return HttpResponseRedirect(reverse("admin:login", current_app=self.site.name))
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def show(self, template: str, title: str, **context: Any) -> TemplateResponse:
        """Answer a page of this site."""
        self.request.current_app = self.site.name  # type: ignore[attr-defined]
        whole = {**self.site.each_context(self.request), "title": title, **context}
        return TemplateResponse(self.request, f"access/{template}.html", whole)

    def to(self, name: str) -> HttpResponseRedirect:
        """Lead to another page of this site."""
        return HttpResponseRedirect(reverse(f"admin:{name}", current_app=self.site.name))


class Enter(Page):
    """Asks for a code after the password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        person: Any = request.user
        if second_factor.standing_of(person)[0] is None:
            return self.to("second_factor")
        return self.show("second_factor_enter", "Enter your code", next=following(request))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Take a code, or show the form again; or go back to the beginning."""
        if "leave" in request.POST:
            auth.logout(request)
            return self.to("login")
        person: Any = request.user
        problem, how = "", None
        try:
            how = factor_acts.show(person, code_of(request), by=acting(request), at=timezone.now())
        except TooMany as refusal:
            problem = f"Too many wrong codes. Try again in {refusal.retry_after // 60 + 1} minutes."
        if how is None:
            context = {"problem": problem or WRONG, "next": following(request)}
            return self.show("second_factor_enter", "Enter your code", **context)
        second_factor.accept(request, person)
        return HttpResponseRedirect(following(request) or reverse("admin:index", current_app=self.site.name))


class Manage(Page):
    """Where a person sets their second factor up, and takes it away."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what there is."""
        if is_owed(request):
            return self.to("second_factor_enter")
        person: Any = request.user
        identity, is_required = second_factor.standing_of(person)
        left = person.recovery_codes.left().count()
        context = {"has_factor": identity is not None, "is_required": is_required, "codes_left": left}
        return self.show("second_factor", "Second factor", **context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Do what a button asks."""
        if is_owed(request):
            return self.to("second_factor_enter")
        person: Any = request.user
        has_factor = second_factor.standing_of(person)[0] is not None
        action = request.POST.get("action", "")
        if action in {"begin", "confirm"} and not has_factor:
            return self.begin(person) if action == "begin" else self.confirm(request, person)
        if action in set(factor_acts.Change) and has_factor:
            return self.change(request, person, action)
        return self.to("second_factor")

    def begin(self, person: Any) -> HttpResponse:
        """Show a new secret, as a picture and as text."""
        return self.secret_page(person, second_factor.begin(person))

    def secret_page(self, person: Any, secret: str, problem: str = "") -> HttpResponse:
        """Show a secret that waits for its first code."""
        name = f"{self.request.get_host()}:{person.get_username()}"
        url = f"otpauth://totp/Maestro:{quote(name, safe='')}?{urlencode({'secret': secret, 'issuer': 'Maestro'})}"
        grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        context = {"picture": picture(url), "secret": grouped, "problem": problem}
        return self.show("second_factor_begin", "Set up a second factor", **context)

    def confirm(self, request: HttpRequest, person: Any) -> HttpResponse:
        """Take the first code and show the recovery codes, once. Programs that hold tokens have to sign in anew."""
        codes = factor_acts.set_up(person, code_of(request), by=acting(request), at=timezone.now())
        if codes is None:
            secret = second_factor.waiting_secret(person)
            return self.secret_page(person, secret, WRONG) if secret else self.to("second_factor")
        second_factor.accept(request, person)
        return self.show("second_factor_codes", "Your recovery codes", codes=codes)

    def change(self, request: HttpRequest, person: Any, action: str) -> HttpResponse:
        """Make new recovery codes, or end the second factor: both ask for a code."""
        what = factor_acts.Change(action)
        try:
            codes = factor_acts.change(what, person, code_of(request), by=acting(request), at=timezone.now())
        except TooMany:
            codes = None
        if codes is None:
            left = person.recovery_codes.left().count()
            context = {"has_factor": True, "codes_left": left, "problem": WRONG}
            return self.show("second_factor", "Second factor", **context)
        if action == "renew":
            return self.show("second_factor_codes", "Your recovery codes", codes=codes)
        return self.to("second_factor")


def code_of(request: HttpRequest) -> str:
    """Read the code that was sent, at the length that any may have."""
    return request.POST.get("code", "")[:CODE_CHARS]


def is_owed(request: HttpRequest) -> bool:
    """Say whether somebody has a second factor and has not shown it yet in this session."""
    person: Any = request.user
    return second_factor.standing_of(person)[0] is not None and second_factor.is_wanting(request)


def following(request: HttpRequest) -> str:
    """Read where to go next, if that is a page of this host."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else ""


def picture(text: str) -> str:
    """Draw a QR code as the address of an image, which a strict content policy shows."""
    drawn = io.BytesIO()
    qrcode.make(text, image_factory=SvgPathFillImage, box_size=10, border=2).save(drawn)
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode()


def gate(request: HttpRequest) -> str:
    """Name the page that somebody who is signed in has to see first; empty for none."""
    if not second_factor.is_wanting(request):
        return ""
    person: Any = request.user
    return "second_factor_enter" if second_factor.standing_of(person)[0] is not None else "second_factor"

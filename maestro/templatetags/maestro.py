"""FLOOR: how pages write numbers, times, states, charts, refusals and empty states."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from maestro.charts import Chart
from maestro.clock import span_words
from maestro.prose import rendered

register = template.Library()

TONES = {
    "finished": ("good", "check", "finished"),
    "success": ("good", "check", "success"),
    "ready": ("good", "check", "ready"),
    "approved": ("good", "check", "approved"),
    "published": ("good", "check", "published"),
    "champion": ("good", "check", "in use"),
    "active": ("good", "check", "active"),
    "done": ("good", "check", "done"),
    "running": ("info", "play", "running"),
    "training": ("info", "play", "training"),
    "scheduled": ("warn", "clock", "scheduled"),
    "waiting": ("warn", "clock", "waiting"),
    "queued": ("warn", "clock", "queued"),
    "draft": ("warn", "clock", "draft"),
    "early": ("warn", "clock", "early"),
    "pooled": ("warn", "clock", "pooled"),
    "provisioning": ("info", "play", "provisioning"),
    "failed": ("bad", "cross", "failed"),
    "rejected": ("bad", "cross", "rejected"),
    "declined": ("bad", "cross", "declined"),
    "met": ("good", "check", "met"),
    "not met": ("bad", "cross", "not met"),
    "refused": ("warn", "pause", "refused"),
    "suspended": ("warn", "pause", "suspended"),
    "killed": ("bad", "stop", "stopped"),
    "lost": ("lost", "lost", "lost"),
    "ok": ("good", "check", "ok"),
    "error": ("bad", "cross", "error"),
    "in_progress": ("info", "play", "in progress"),
    "state_unspecified": ("muted", "clock", "not said"),
}
SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def significant(value: float, digits: int = 4) -> str:
    """`value` with `digits` significant digits: 0.93185 -> 0.9319, 123456 -> 123,456, 1e-9 -> 1.000e-9."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -4 or exponent >= 9:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(power)}".replace("-", "−")
    return f"{value:,.{max(digits - 1 - exponent, 0)}f}".replace("-", "−")


@register.filter
def is_number(value: object) -> bool:
    """Whether a cell is to be right-aligned."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@register.filter
def sig(value: object) -> str:
    """Four significant digits; a dash for nothing."""
    if value is None or value == "":
        return "–"
    return significant(float(value)) if isinstance(value, int | float) and is_number(value) else str(value)


@register.filter
def amount(value: object, unit: str) -> str:
    """A number with its unit; days in a unit that can be read: 0.00007 days -> 6.05 seconds."""
    if unit == "days" and is_number(value):
        return span_words(float(value))  # type: ignore[arg-type]
    return f"{sig(value)} {unit}".strip()


@register.filter
def signed(value: object) -> str:
    """Two decimals with a sign, for effects: +1.20, −0.35."""
    if not is_number(value) or not math.isfinite(float(value)):  # type: ignore[arg-type]
        return "–"
    text = f"{float(value):+,.2f}"  # type: ignore[arg-type]
    return "0.00" if text in {"+0.00", "-0.00"} else text.replace("-", "−")


@register.filter
def percent(value: object) -> str:
    """A share as a percentage: 0.125 -> 12.5 %."""
    if not is_number(value) or not math.isfinite(float(value)):  # type: ignore[arg-type]
        return "–"
    return f"{float(value) * 100:.3g} %"  # type: ignore[arg-type]


@register.filter
def cell(value: object) -> str:
    """A cell of a table twin."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return sig(value)


@register.filter
def unlocalized(value: object) -> str:
    """A number as machines read it, whatever the language."""
    return repr(value) if is_number(value) else str(value)


@register.filter
def bytesize(value: object) -> str:
    """Bytes in decimal units: 12345 -> 12.3 kB."""
    if not is_number(value):
        return "–"
    size, unit = float(value), 0  # type: ignore[arg-type]
    while size >= 1000 and unit < len(SIZES) - 1:
        size, unit = size / 1000, unit + 1
    return f"{int(size)} B" if unit == 0 else f"{size:.3g} {SIZES[unit]}"


@register.filter
def duration(seconds: object) -> str:
    """Seconds as a person says them: 75 -> 1 min 15 s."""
    if hasattr(seconds, "total_seconds"):
        seconds = seconds.total_seconds()
    if not is_number(seconds) or not math.isfinite(float(seconds)):  # type: ignore[arg-type]
        return "–"
    left = float(seconds)  # type: ignore[arg-type]
    if left < 60:
        return f"{left:.3g} s"
    for size, name, small, small_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if left >= size:
            return f"{int(left // size)} {name} {int(left % size // small)} {small_name}"
    return f"{left:.3g} s"


@register.filter
def markdown(text: object) -> SafeString:
    """Markdown as HTML that can do nothing, its beginning; the rest as it was written."""
    return rendered(str(text))


def relative(at: datetime, now: datetime) -> str:
    """How long before (or after) `now`, in one unit."""
    seconds = (now - at).total_seconds()
    ahead, size = seconds < 0, abs(seconds)
    steps = ((31_557_600, "y"), (2_629_800, "mo"), (86_400, "d"), (3600, "h"), (60, "min"))
    text = next((f"{int(size // step)} {name}" for step, name in steps if size >= step), "")
    if not text:
        return "just now"
    return f"in {text}" if ahead else f"{text} ago"


@register.simple_tag
def ago(at: datetime | None) -> str | SafeString:
    """A relative time with the exact one in `title`; page.js keeps it fresh."""
    if at is None:
        return "–"
    exact = at.astimezone(UTC)
    shown = relative(exact, timezone.now())
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        exact.isoformat(),
        exact.strftime("%Y-%m-%d %H:%M:%S"),
        shown,
    )


@register.simple_tag
def status(value: object) -> SafeString:
    """A state as colour, word and icon."""
    return status_of(str(value).lower())


@lru_cache(maxsize=256)
def status_of(word: str) -> SafeString:
    """A state's mark: lists show it once a row, so it is written once a state."""
    tone, icon, shown = TONES.get(word, ("muted", "clock", word))
    return mark_safe(render_to_string("maestro/status.html", {"tone": tone, "icon": icon, "word": shown}).rstrip())  # noqa: S308 a template of ours # nosec B308 B703


@register.inclusion_tag("maestro/chart.html")
def chart(made: Chart, chart_id: str, source: str = "", live: bool = False) -> dict[str, Any]:
    """A figure for charts.js: options by json_script, table and CSV twin; `source` loads points later."""
    payload = None if source else {"options": made.options, "columns": made.columns}
    return {
        "chart": made,
        "chart_id": chart_id,
        "payload": payload,
        "payload_id": f"{chart_id}-options",
        "source": source,
        "live": live,
    }


def needs_of(given: object) -> list[dict[str, Any]]:
    """What is there against what is needed, from how rooms store it: a list of what, have, at_least."""
    items = given.get("needs", []) if isinstance(given, Mapping) and "what" not in given else given
    listed = [items] if isinstance(items, Mapping) else items if isinstance(items, list | tuple) else []
    return [
        {"label": str(item.get("what", "")), "have": item.get("have"), "need": item.get("at_least")}
        for item in listed
        if isinstance(item, Mapping) and is_number(item.get("have")) and is_number(item.get("at_least"))
    ]


@register.inclusion_tag("maestro/refusal.html")
def refusal(title: str, reason: str, needs: object = (), action: str = "", link: str = "") -> dict[str, Any]:
    """A refusal as a first-class state: the reason, a meter of what is there, what would help."""
    return {"title": title, "reason": reason, "needs": needs_of(needs), "action": action, "link": link}


@register.inclusion_tag("maestro/empty_state.html")
def empty_state(text: str, snippet: str = "", link: str = "", link_text: str = "") -> dict[str, str]:
    """One sentence, one snippet to copy, one link."""
    return {"text": text, "snippet": snippet, "link": link, "link_text": link_text or "Read how"}


@register.inclusion_tag("maestro/snippet.html")
def snippet(text: str, label: str = "Code to copy") -> dict[str, str]:
    """Code with a copy button."""
    return {"snippet": text, "label": label}


@register.inclusion_tag("maestro/copy.html")
def copy(text: object, what: str = "") -> dict[str, str]:
    """A copy button."""
    return {"text": str(text), "what": what}


@register.inclusion_tag("maestro/short_id.html")
def short_id(value: object, length: int = 8) -> dict[str, str]:
    """The end of an id (the start of a UUIDv7 is only a time), with a copy button."""
    full = str(value)
    return {"full": full, "short": full[-length:]}


@register.inclusion_tag("maestro/stat.html")
def stat(label: str, value: object, unit: str = "", note: str = "") -> dict[str, str]:
    """A stat tile. Days are shown in a unit that can be read."""
    if unit == "days" and is_number(value):
        value, unit = amount(value, unit), ""
    return {"label": label, "value": sig(value), "unit": unit, "note": note}


@register.inclusion_tag("maestro/interval.html")
def interval(value: float | None, low: float | None, high: float | None) -> dict[str, float | None]:
    """An effect with its interval."""
    return {"value": value, "low": low, "high": high}

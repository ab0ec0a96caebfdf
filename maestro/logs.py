"""The floor: no secret reaches a log. A filter masks keys, tokens, cookies and passwords in every record."""

import logging
import re

MASKED = "[masked]"
SECRETS = re.compile(
    r"mst_[a-z0-9-]{2,40}_[a-z0-9]{8,32}_[A-Za-z0-9_-]{20,100}"
    r"|msr_[A-Za-z0-9_-]{20,100}"
    r"|eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"
    r"|(?i:(?<=bearer )|(?<=basic ))[A-Za-z0-9+/=._-]{8,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)
NAMES = r"(?:pass(?:word|wd)|secret|token|session|sessionid|pepper|secret_key)"
# name=value in addresses and cookies, "name": "value" in JSON and in Python's own writing.
PAIRS = re.compile(rf"(?i)({NAMES}=|[\"'][a-z_]*{NAMES}[\"']\s*:\s*[\"'])([^\s&;,'\"]+)")


def scrub(text: str) -> str:
    """Mask what looks like a secret."""
    return PAIRS.sub(rf"\1{MASKED}", SECRETS.sub(MASKED, text))


class SecretFilter(logging.Filter):
    """Scrubs a record's message and its traceback before a handler sees them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask in place; never drop a record."""
        record.msg, record.args = scrub(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = scrub(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True

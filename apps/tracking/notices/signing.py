"""The tracking room: the headers that sign what a webhook is told, so that nobody else can tell it anything.

Source  Standard Webhooks 1.0 (standardwebhooks.com); MLflow 3.17 mlflow/webhooks/delivery.py, which takes the secret as it is
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from apps.tracking.models import Webhook


def signed(key: bytes, name: str, stamp: str, body: bytes) -> str:
    """One signature over id, time and body."""
    made = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"


def headers(form: str, secrets: Sequence[str], name: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers of a telling. While a secret is rotated, both sign; MLflow's header has room for one, the new one."""
    plain, stamp = {"Content-Type": "application/json"}, str(int(at.timestamp()))
    if form == Webhook.Format.MAESTRO:
        keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
        signatures = " ".join(signed(key, name, stamp, body) for key in keys)
        return plain | {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": signatures}
    if form == Webhook.Format.MLFLOW:
        told = plain | {"X-MLflow-Delivery-Id": name, "X-MLflow-Timestamp": stamp}
        return told | {"X-MLflow-Signature": signed(secrets[0].encode(), name, stamp, body)} if secrets else told
    return plain

#!/usr/bin/env python3
"""maestro-ci: what a CI job says to Maestro. One file, Python 3.9 or later, nothing to install.

  maestro-ci login --file maestro.env    let this job in by its own identity, without a stored secret
  maestro-ci whoami                      say as whom, in which tenant and project it is known

`login` shows its key to nobody. Source the file that it writes (`. ./maestro.env`) for MLFLOW_TRACKING_URI,
MLFLOW_TRACKING_TOKEN, MAESTRO_TOKEN and MAESTRO_TOKEN_FILE; the key itself lies beside it in maestro.env.key, so that a
shell's trace does not show it. On GitHub the key is masked in the log and the next steps have the same variables.

Settings: MAESTRO_URL, MAESTRO_TENANT (needed where the URL is the base host), MAESTRO_AUDIENCE (default
maestro:<tenant>), MAESTRO_TOKEN or MAESTRO_TOKEN_FILE (a key; `login` writes the file).
The job's identity is found by itself: GitHub Actions (permissions: id-token: write), GitLab CI (id_tokens:
MAESTRO_ID_TOKEN), or a file named by MAESTRO_ID_TOKEN_FILE (Kubernetes projected token, Jenkins credential).

Exit codes: 0 done, 1 unexpected, 2 usage, 3 not let in, 4 not found, 5 conflict, 7 server unavailable after retries.
"""

import argparse
import json
import os
import random
import re
import shlex
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TRIES = 5
SECONDS = 30
AGAIN = (429, 502, 503, 504)
HERE = ("localhost", "127.0.0.1", "::1")
PROJECTED = "/var/run/secrets/maestro/token"
USE_FILE = "`maestro-ci login --file maestro.env || exit`, then `. ./maestro.env`"
KEY = re.compile(r"[!-~]{8,500}")


class Failure(Exception):
    """Something to say on stderr, and the exit code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key goes to the server that was named and to no other."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """Follow nothing."""
        return None


def handlers(url):
    """Use the machine's proxy settings, but not for a server on this machine."""
    local = urllib.parse.urlsplit(url).hostname in HERE
    return [NoRedirect()] + ([urllib.request.ProxyHandler({})] if local else [])


def call(method, url, body=None, headers=None):
    """Send one request; return (status, JSON or None, Retry-After). Status 0 is a server that can't be reached."""
    data = None if body is None else json.dumps(body).encode()
    given = {"Accept": "application/json", "User-Agent": "maestro-ci"}
    given.update({"Content-Type": "application/json"} if data is not None else {})
    given.update(headers or {})
    request = urllib.request.Request(url, data=data, headers=given, method=method)
    try:
        with urllib.request.build_opener(*handlers(url)).open(request, timeout=SECONDS) as answer:
            return answer.status, read(answer.read(2**20)), ""
    except urllib.error.HTTPError as refusal:
        return refusal.code, read(refusal.read(2**20)), refusal.headers.get("Retry-After", "")
    except (urllib.error.URLError, OSError) as error:
        return 0, {"detail": str(getattr(error, "reason", error))}, ""


def read(data):
    """Read JSON, or nothing."""
    try:
        return json.loads(data or b"null")
    except ValueError:
        return None


def insist(attempt):
    """Repeat what may pass by itself, with full jitter; return the JSON of a success. Raises Failure."""
    for turn in range(TRIES):
        status, answer, after = attempt()
        if 200 <= status < 300:
            return answer
        if status not in AGAIN and status != 0:
            break
        if turn < TRIES - 1:
            pause = min(20.0, 0.5 * 2**turn) * random.random()  # noqa: S311 jitter is no secret
            time.sleep(min(60.0, float(after)) if after.isdigit() else pause)
    detail = answer.get("detail") if isinstance(answer, dict) else None
    code = {401: 3, 403: 3, 404: 4, 409: 5, 412: 5}.get(status, 7 if status in AGAIN or status == 0 else 1)
    raise Failure(code, "{} ({})".format(detail or "the server refuses", status or "no connection"))


def server(options):
    """Read the server's address. A key is not sent in clear over a network."""
    url = (options.url or "").rstrip("/")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or not url.isprintable() or " " in url:
        raise Failure(2, "set MAESTRO_URL, or give --url, for example https://maestro.example.org")
    local = parts.hostname in HERE or parts.hostname.endswith(".localhost")
    if parts.scheme == "http" and not local and not options.insecure:
        raise Failure(2, f"{url} is not https; --insecure allows it")
    return url


def named(options):
    """Name the tenant, for the base host."""
    return {"X-Maestro-Tenant": options.tenant} if options.tenant else {}


def file_text(path):
    """Read a small file. Raises Failure."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(65536).strip()
    except (OSError, UnicodeError) as error:
        raise Failure(2, f"{path} can't be read: {error}") from error


def identity(audience):
    """Find this job's identity token. Raises Failure naming what is missing."""
    request_url = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    request_token = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if os.environ.get("MAESTRO_ID_TOKEN"):
        return os.environ["MAESTRO_ID_TOKEN"]
    if os.environ.get("MAESTRO_ID_TOKEN_FILE"):
        return file_text(os.environ["MAESTRO_ID_TOKEN_FILE"])
    if request_url and request_token:
        joint = "&" if "?" in request_url else "?"
        url = request_url + joint + urllib.parse.urlencode({"audience": audience})
        answer = insist(lambda: call("GET", url, headers={"Authorization": "Bearer " + request_token}))
        if isinstance(answer, dict) and answer.get("value"):
            return answer["value"]
    if os.path.exists(PROJECTED):
        return file_text(PROJECTED)
    raise Failure(
        3,
        "this job has no identity token: on GitHub set `permissions: id-token: write`, on GitLab `id_tokens: "
        "MAESTRO_ID_TOKEN`, elsewhere MAESTRO_ID_TOKEN_FILE",
    )


def token_file(options):
    """Say where the key is kept. Jobs that share a machine and a user must not share it, so it lies in the job's folder."""
    named_file = os.environ.get("MAESTRO_TOKEN_FILE") or (options.file + ".key" if options.file else "")
    if not named_file:
        raise Failure(2, "there is no key: set MAESTRO_TOKEN or MAESTRO_TOKEN_FILE, or " + USE_FILE)
    return os.path.abspath(named_file)


def write_private(path, text):
    """Write a file that only this user reads."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    part = f"{path}.{os.getpid()}"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(part, path)


def remove(*paths):
    """Remove what an earlier job left: after a failure nothing stale is to be sourced."""
    for path in paths:
        if os.path.lexists(path):
            os.remove(path)


def sourced(plain, secret, key_file):
    """Write what a shell sources. `read` brings the key in, as `set -x` and `set -v` would show any other way."""
    lines = ["# Written by `maestro-ci login`, to be sourced by a shell."]
    for name in secret:
        lines.append(f"IFS= read -r {name} < {shlex.quote(key_file)} || return 1")
        lines.append(f"export {name}")
    return "\n".join(lines + [f"export {name}={shlex.quote(value)}" for name, value in plain.items()])


def hand_on(key, url, options):
    """Give the key to the job's next commands. Nothing prints it but GitHub's own order to hide it."""
    kept = token_file(options)
    plain = {"MLFLOW_TRACKING_URI": url, "MAESTRO_TOKEN_FILE": kept}
    secret = ("MLFLOW_TRACKING_TOKEN", "MAESTRO_TOKEN")
    if os.environ.get("GITHUB_ENV"):
        print("::add-mask::" + key, flush=True)
        with open(os.environ["GITHUB_ENV"], "a", encoding="utf-8") as file:
            file.writelines("{}={}\n".format(*pair) for pair in [*plain.items(), *((name, key) for name in secret)])
    write_private(kept, key)
    write_private(options.file, sourced(plain, secret, kept))


def refuse_to_print(options):
    """Refuse what would show the key, or leave it where the job's next command does not find it. Raises Failure."""
    if options.env:
        print("exit 2")  # an old job's `eval` takes no notice of our own exit code
        raise Failure(2, "--env is gone: it printed the key, and `eval` hid failures. Write " + USE_FILE)
    if not options.file:
        raise Failure(2, "say where the key goes: " + USE_FILE)


def login(options):
    """Trade this job's identity for a key of some minutes, and hand it on."""
    refuse_to_print(options)
    remove(options.file, token_file(options))
    url = server(options)
    audience = options.audience or "maestro:%s" % (options.tenant or urllib.parse.urlsplit(url).hostname.split(".")[0])

    def attempt():
        # A fresh identity for each try: one that reached the server can't be used again.
        return call("POST", url + "/api/v1/auth/exchange/", {"token": identity(audience)}, named(options))

    try:
        admitted = insist(attempt)
    except Failure as failure:
        if failure.code != 4 or options.tenant:
            raise
        raise Failure(4, f"{failure}: where MAESTRO_URL is the base host, set MAESTRO_TENANT") from failure
    shown = {name: admitted[name] for name in ("role", "project", "expires_at")}
    if not KEY.fullmatch(admitted["key"]):
        raise Failure(1, "the server's answer holds no key")
    hand_on(admitted["key"], url, options)
    return dict(shown, token_file=token_file(options))


def whoami(options):
    """Ask the server who this is."""
    url = server(options)
    key = os.environ.get("MAESTRO_TOKEN") or file_text(token_file(options))
    return insist(lambda: call("GET", url + "/api/v1/auth/whoami/", headers={"Authorization": "Bearer " + key}))


def show(result, output):
    """Print data on stdout."""
    if isinstance(result, str):
        print(result)
    elif output == "json":
        print(json.dumps(result))
    else:
        width = max(len(name) for name in result)
        for name, value in result.items():
            print(f"{name.ljust(width)}  {value}")


def parser():
    """Describe the command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--url", default=os.environ.get("MAESTRO_URL"), help="default: $MAESTRO_URL")
    shared.add_argument("--tenant", default=os.environ.get("MAESTRO_TENANT"), help="default: $MAESTRO_TENANT")
    shared.add_argument("--output", choices=("table", "json"), default="table")
    shared.add_argument("--insecure", action="store_true", help="allow http:// to another machine")
    main_parser = argparse.ArgumentParser(
        prog="maestro-ci", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = main_parser.add_subparsers(dest="command", required=True)
    enter = commands.add_parser("login", parents=[shared], help="let this job in by its own identity")
    enter.add_argument("--audience", default=os.environ.get("MAESTRO_AUDIENCE"), help="default: maestro:<tenant>")
    enter.add_argument("--file", help="the file that the shell sources next")
    enter.add_argument("--env", action="store_true", help=argparse.SUPPRESS)
    enter.set_defaults(run=login)
    commands.add_parser("whoami", parents=[shared], help="say who this is").set_defaults(run=whoami, file=None)
    return main_parser


def main(arguments=None):
    """Run a command; return the exit code."""
    options = parser().parse_args(arguments)
    try:
        show(options.run(options), options.output)
    except Failure as failure:
        print(f"maestro-ci: {failure}", file=sys.stderr)
        return failure.code
    except (KeyError, TypeError, OSError) as error:
        print(f"maestro-ci: unexpected: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

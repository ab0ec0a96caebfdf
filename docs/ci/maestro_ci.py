#!/usr/bin/env python3
"""maestro-ci: what a CI job says to Maestro. One file, Python 3.9 or later, nothing to install.

  maestro-ci login --file maestro.env    let this job in by its own identity, without a stored secret
  maestro-ci whoami                      say as whom, in which tenant and project it is known
  maestro-ci artifact push NAME PATH...  make a version of files; the same files again make none
  maestro-ci artifact pull NAME@VERSION  fetch a version's files, each compared with its digest
  maestro-ci artifact use NAME@VERSION   say that a project, or one of its runs, uses it
  maestro-ci artifact verify FOLDER      compare a folder with a version, or with a signature and a key, off line
  maestro-ci gate NAME VERSION           ask whether the gates would let an alias or stage move; moves nothing
  maestro-ci promote NAME VERSION        move it, or ask for the approvals that it needs
  maestro-ci usages PROJECT              list what a project uses
  maestro-ci advice PROJECT              what it may try next
  maestro-ci report RUN --against RUN    the difference of two runs, as Markdown for a pull request
  maestro-ci git report PROJECT          tell new commits with their sizes, for the measures of how teams deliver
  maestro-ci sync FOLDER                 send runs that the mlflow client logged to a folder while no server was there

`login` shows its key to nobody. Source the file that it writes (`. ./maestro.env`) for MLFLOW_TRACKING_URI,
MLFLOW_TRACKING_TOKEN, MAESTRO_TOKEN and MAESTRO_TOKEN_FILE; the key itself lies beside it in maestro.env.key, so that a
shell's trace does not show it. On GitHub the key is masked in the log and the next steps have the same variables.

Settings: MAESTRO_URL, MAESTRO_TENANT (needed where the URL is the base host), MAESTRO_AUDIENCE (default
maestro:<tenant>), MAESTRO_TOKEN or MAESTRO_TOKEN_FILE (a key; `login` writes the file).
The job's identity is found by itself: GitHub Actions (permissions: id-token: write), GitLab CI (id_tokens:
MAESTRO_ID_TOKEN), or a file named by MAESTRO_ID_TOKEN_FILE (Kubernetes projected token, Jenkins credential).

Every command takes --output json. Data go to stdout, all else to stderr. What may pass by itself (429, 502, 503, 504, no
connection) is tried five times, with the same Idempotency-Key, so that a job that runs twice does a thing once.

Each command that writes takes --dry-run: it says what it would do, and does nothing.

Exit codes: 0 done, 1 unexpected, 2 usage, 3 not let in, 4 not found, 5 conflict, 6 refused by a gate, 7 server
unavailable after retries, 8 --wait took too long.
"""

import argparse
import base64
import concurrent.futures
import hashlib
import json
import math
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
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
CHUNK, LARGE, AT_ONCE = 2**20, 2**25, 4
KINDS = ("feature_pipeline", "model_template", "schema", "notebook", "dataset", "model", "prompt")
MODEL_SIGNATURE = "https://model_signing/signature/v1.0"
LEFT_OUT = (".git", ".gitattributes", ".github", ".gitignore", "model.sig")  # by the tool that signs folders


PLAIN_HELP = argparse.RawDescriptionHelpFormatter
EXIT_CODES = __doc__[__doc__.index("Exit codes:") :]


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
    return exchange(urllib.request.Request(url, data=data, headers=given, method=method), SECONDS, shown_json)


def exchange(request, seconds, take):
    """Send a request and let `take` read the answer; return (status, what it read, Retry-After), also of a refusal."""
    opener = urllib.request.build_opener(*handlers(request.full_url))
    try:
        with opener.open(request, timeout=seconds) as answer:
            return answer.status, take(answer), ""
    except urllib.error.HTTPError as refusal:
        return refusal.code, shown_json(refusal), refusal.headers.get("Retry-After", "")
    except (urllib.error.URLError, OSError) as error:
        return 0, {"detail": str(getattr(error, "reason", error))}, ""


def shown_json(answer):
    """Read a short answer."""
    return read(answer.read(2**20))


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
    raise refused(status, answer)


def refused(status, answer):
    """Make an error answer a Failure, with the exit code that it stands for."""
    facts = answer if isinstance(answer, dict) else {}
    code = {401: 3, 403: 3, 404: 4, 409: 5, 412: 5, 428: 5}.get(status, 7 if status in AGAIN or status == 0 else 1)
    if facts.get("code") == "gate_refused":
        code = 6
    lines = [
        "{} ({})".format(facts.get("detail") or facts.get("message") or "the server refuses", status or "no connection")
    ]
    for fault in facts.get("errors") or []:
        if isinstance(fault, dict) and fault.get("detail") and fault["detail"] not in lines[0]:
            lines.append("  {} {}".format(fault.get("pointer") or "", fault["detail"]).rstrip())
    return Failure(code, "\n".join(lines))


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
    if not options.dry_run:
        remove(options.file, token_file(options))
    url = server(options)
    audience = options.audience or "maestro:%s" % (options.tenant or urllib.parse.urlsplit(url).hostname.split(".")[0])
    if options.dry_run:
        return {"url": url, "audience": audience, "has_identity": bool(identity(audience)), "file": options.file}

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
    return insist(lambda: call("GET", url + "/api/v1/auth/whoami/", headers=authorized(options)))


def key_of(options):
    """Find the key that speaks for this job."""
    return os.environ.get("MAESTRO_TOKEN") or file_text(token_file(options))


def job_id():
    """Name this job, attempt-free: a job that is run again makes the same Idempotency-Keys."""
    names = ("GITHUB_RUN_ID", "CI_JOB_NAME", "CI_PIPELINE_ID", "BUILD_TAG", "GITHUB_JOB", "HOSTNAME")
    return "/".join(os.environ.get(name, "") for name in names)


def authorized(options):
    """Write the headers that say who asks."""
    return dict(named(options), Authorization="Bearer " + key_of(options))


def ask(options, method, path, body=None, query=None):
    """Ask the server for JSON, with retries. `path` is quoted already. Raises Failure."""
    url = server(options) + path + ("?" + urllib.parse.urlencode(query) if query else "")
    headers = authorized(options)
    if method == "POST":
        told = json.dumps([job_id(), path, query or {}, body], sort_keys=True)
        headers["Idempotency-Key"] = hashlib.sha256(told.encode()).hexdigest()
    return insist(lambda: call(method, url, body, headers))


def listed(options, path):
    """Read every page of a list."""
    found, query = [], {"limit": 500}
    while True:
        page = ask(options, "GET", path, query=query)
        found += page["results"]
        if not page.get("next"):
            return found
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page["next"]).query))


def quoted(text):
    """Write one part of an address."""
    return urllib.parse.quote(text, safe="")


def say(text):
    """Tell people how it goes; programs read stdout."""
    print("maestro-ci: " + text, file=sys.stderr, flush=True)


# Files


def digest_of_file(path):
    """Read a file's size and sha256."""
    found, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            found.update(chunk)
            size += len(chunk)
    return size, found.hexdigest()


def walk(paths):
    """List files as (name in the version, path): a file by its own name, a folder's by their names below it."""
    for path in paths:
        if os.path.isfile(path):
            yield os.path.basename(os.path.abspath(path)), path
        elif os.path.isdir(path):
            for top, folders, names in os.walk(path):
                folders.sort()
                for name in sorted(names):
                    full = os.path.join(top, name)
                    yield os.path.relpath(full, path).replace(os.sep, "/"), full
        else:
            raise Failure(2, f"{path} is no file and no folder")


def read_files(paths):
    """Digest files: {name: (path, size, sha256)}. Raises Failure for two of one name, or none."""
    found = {}
    for name, path in walk(paths):
        if name in found:
            raise Failure(2, f"{name} is there twice")
        found[name] = (path, *digest_of_file(path))
    if not found:
        raise Failure(2, "there are no files in " + ", ".join(paths))
    return found


def manifest_digest(digests):
    """Digest a version: the sha256 of what `sha256sum` prints of its files, sorted by name. `digests`: name to sha256."""
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def send_bytes(url, path, start, size, headers):
    """PUT a part of a file, with retries. Raises Failure."""

    def attempt():
        with open(path, "rb") as file:
            file.seek(start)
            told = dict(headers, **{"Content-Length": str(size), "Content-Type": "application/octet-stream"})
            request = urllib.request.Request(url, data=Part(file, size), headers=told, method="PUT")
            return exchange(request, SECONDS * 10, shown_json)

    return insist(attempt)


class Part:
    """A part of an open file. An iterable is sent in pieces of its own size; what can be read, urllib sends 8 KiB at a time."""

    def __init__(self, file, size):
        self.file, self.left = file, size

    def __iter__(self):
        while self.left:
            data = self.file.read(min(self.left, CHUNK))
            if not data:
                return
            self.left -= len(data)
            yield data


def upload(options, path, size, sha256):
    """Send a file's bytes: a small one at once, a large one in parts, going on where an earlier job stopped."""
    if size < LARGE:
        url = server(options) + f"/api/v1/blobs/{sha256}/"
        send_bytes(url, path, 0, size, authorized(options))
        return
    begun = ask_again(options, "/api/v1/uploads/", {"sha256": sha256, "size_bytes": size})
    if begun["state"] == "done":
        return
    send_parts(options, begun, path, size)
    ask_again(options, "/api/v1/uploads/{}/commit/".format(begun["id"]), None)


def send_parts(options, begun, path, size):
    """Send the parts that are not there yet, some at a time. Raises the first Failure, once those under way have ended."""
    here = {row["number"] for row in begun["here"]}
    missing = [number for number in range(1, begun["parts"] + 1) if number not in here]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        sent = [
            pool.submit(send_part, options, begun["id"], path, number, begun["part_size_bytes"], size)
            for number in missing
        ]
        try:
            for one in concurrent.futures.as_completed(sent):
                one.result()
        except BaseException:
            for one in sent:
                one.cancel()
            raise


def send_part(options, identity_of, path, number, part_size, size):
    """Send one part to the address that the server signs for it."""
    start = (number - 1) * part_size
    length = min(part_size, size - start)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(start)
        left = length
        while left:
            chunk = file.read(min(CHUNK, left))
            digest.update(chunk)
            left -= len(chunk)
    wanted = {"parts": [{"number": number, "sha256": digest.hexdigest()}]}
    (signed,) = ask_again(options, f"/api/v1/uploads/{identity_of}/parts/", wanted)["parts"]
    send_bytes(signed["url"], path, start, length, signed["headers"])


def ask_again(options, path, body):
    """POST what may be said any number of times and answers what is so now: no Idempotency-Key."""
    url, headers = server(options) + path, authorized(options)
    return insist(lambda: call("POST", url, body, headers))


def download(url, path, sha256, headers):
    """Fetch a file to where it belongs, once its digest is right. Raises Failure."""
    part = f"{path}.{os.getpid()}.part"
    os.makedirs(os.path.dirname(path), exist_ok=True)

    def save(answer):
        with open(part, "wb") as file:
            shutil.copyfileobj(answer, file, CHUNK)

    def attempt():
        status, answer, after = exchange(urllib.request.Request(url, headers=headers), SECONDS, save)
        if status == 200 and digest_of_file(part)[1] != sha256:
            return 0, {"detail": f"{path} arrived with other bytes"}, ""
        return status, answer, after

    try:
        insist(attempt)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def inside(folder, name):
    """Say where a version's file goes. Raises Failure for a name that leaves the folder."""
    path = os.path.abspath(os.path.join(folder, *name.split("/")))
    if name.startswith("/") or os.path.commonpath([path, os.path.abspath(folder)]) != os.path.abspath(folder):
        raise Failure(1, f"{name!r} would leave {folder}")
    return path


# Artifacts


def split_name(text):
    """Read NAME@VERSION; without @ it is the newest."""
    name, _, version = text.rpartition("@")
    return (name, version) if name else (text, "latest")


def artifact_path(name, version=None):
    """Write the address of an artifact, or of a version of it."""
    path = f"/api/v1/artifacts/{quoted(name)}/"
    return path if version is None else path + f"versions/{quoted(version)}/"


def push(options):
    """Make a version of files, unless it is there."""
    files = read_files(options.paths)
    digests = {name: row[2] for name, row in files.items()}
    digest = manifest_digest(digests)
    unique = {row[2]: row for row in files.values()}
    missing = missing_of(options, list(unique))
    to_send = sum(unique[sha256][1] for sha256 in missing)
    told = {
        "artifact": options.name,
        "digest": digest,
        "files": len(files),
        "sent_files": len(missing),
        "sent_bytes": to_send,
    }
    if options.dry_run:
        return dict(told, version=None)
    ensure_artifact(options)
    for count, sha256 in enumerate(missing, 1):
        path, size, _ = unique[sha256]
        say(f"sending {count} of {len(missing)}: {path} ({size:,} bytes)")
        upload(options, path, size, sha256)
    body = {"files": [{"path": name, "sha256": sha256} for name, sha256 in sorted(digests.items())]}
    body.update({"description": options.description} if options.description else {})
    body.update({"tags": dict(pair(text) for text in options.tag)} if options.tag else {})
    body.update({"run": options.run_id} if options.run_id else {})
    made = ask(options, "PUT", artifact_path(options.name, digest), body)
    if options.alias:
        made["promotion"] = ask_promotion(options, options.name, made["version"], {"alias": options.alias})["state"]
    if options.version_file:
        with open(options.version_file, "w", encoding="utf-8") as file:
            file.write(made["version"] + "\n")
    return dict(told, version=made["version"], **({"promotion": made["promotion"]} if options.alias else {}))


def pair(text):
    """Read key=value."""
    key, sign, value = text.partition("=")
    if not sign:
        raise Failure(2, f"{text!r} is not key=value")
    return key, value


def missing_of(options, digests):
    """Ask which bytes are to be sent, a thousand at a time."""
    found = []
    for start in range(0, len(digests), 1000):
        found += ask_again(options, "/api/v1/blobs/missing/", {"digests": digests[start : start + 1000]})["missing"]
    return found


def ensure_artifact(options):
    """Make the artifact if it is missing."""
    try:
        ask(options, "GET", artifact_path(options.name))
    except Failure as failure:
        if failure.code != 4:
            raise
        if not options.kind:
            raise Failure(4, f"there is no artifact {options.name}; --kind makes it") from failure
        ask(options, "PUT", artifact_path(options.name), {"kind": options.kind})


def pull(options):
    """Fetch a version's files."""
    name, version = split_name(options.version)
    found = ask(options, "GET", artifact_path(name, version))
    at = artifact_path(name, found["version"]) + "files/"
    files = listed(options, at)
    folder = options.to or f"{name}-{found['version']}"
    headers = authorized(options)
    headers.update({"X-Maestro-Run": options.run_id} if options.run_id else {})
    fetched = 0
    for row in files:
        path = inside(folder, row["path"])
        if options.dry_run or (os.path.isfile(path) and digest_of_file(path)[1] == row["sha256"]):
            continue
        url = server(options) + at + urllib.parse.quote(row["path"])
        download(url, path, row["sha256"], headers)
        fetched += 1
    if options.run_id and not options.dry_run:
        note_use(options, name, found["version"])
    told = {"artifact": name, "version": found["version"], "digest": found["digest"], "folder": folder}
    return dict(told, files=len(files), fetched=fetched)


def note_use(options, name, version):
    """Record that a run uses a version, also where every file was here already."""
    run = ask(options, "GET", f"/api/v1/runs/{quoted(options.run_id)}/")
    usage = {"artifact": name, "version": version, "run": options.run_id}
    ask(options, "PUT", f"/api/v1/projects/{quoted(run['project'])}/usages/", {"usages": [usage]})


def use(options):
    """Say what a project uses, or one of its runs."""
    if not options.project and not options.run_id:
        raise Failure(2, "say for which --project, or for which --run")
    project = options.project or ask(options, "GET", f"/api/v1/runs/{quoted(options.run_id)}/")["project"]
    rows = []
    for text in options.versions:
        name, version = split_name(text)
        found = ask(options, "GET", artifact_path(name, version))
        rows.append(
            {"artifact": name, "version": found["version"], **({"run": options.run_id} if options.run_id else {})}
        )
    if not options.dry_run:
        ask(options, "PUT", f"/api/v1/projects/{quoted(project)}/usages/", {"usages": rows})
    return rows


def usages(options):
    """List what a project uses."""
    rows = listed(options, f"/api/v1/projects/{quoted(options.project)}/usages/")
    return [{name: row[name] for name in ("artifact", "version", "run", "observed", "at")} for row in rows]


# Signatures, off line


def verify(options):
    """Compare a folder with a version, or with a signature and the public key that should have made it."""
    files = {name: row[2] for name, row in read_files([options.folder]).items()}
    if options.signature:
        if not options.key:
            raise Failure(2, "--signature needs --key, the signer's public key as PEM")
        return verify_signature(options, files)
    if not options.version:
        raise Failure(2, "say which --version NAME@VERSION, or which --signature and --key")
    name, version = split_name(options.version)
    found = ask(options, "GET", artifact_path(name, version))
    if manifest_digest(files) != found["digest"]:
        theirs = {
            row["path"]: row["sha256"] for row in listed(options, artifact_path(name, found["version"]) + "files/")
        }
        raise Failure(5, "the folder is not that version: " + difference(theirs, files))
    return {"artifact": name, "version": found["version"], "digest": found["digest"], "is_same": True}


def difference(theirs, ours):
    """Name the first file that differs."""
    for name in sorted(set(theirs) | set(ours)):
        if name not in ours:
            return f"{name} is missing"
        if theirs.get(name) != ours[name]:
            return f"{name} has other bytes" if name in theirs else f"{name} is one file too many"
    return "in the order of names"


def verify_signature(options, files):
    """Check a model signature or an attestation with openssl: made by this key, and about these files."""
    document = read(file_bytes(options.signature))
    envelope = document.get("dsseEnvelope", document) if isinstance(document, dict) else {}
    try:
        payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
        made = [base64.b64decode(row["sig"]) for row in envelope["signatures"]]
        statement = json.loads(payload)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Failure(2, f"{options.signature} is no signature") from error
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    if not any(openssl_verifies(options.key, signature, signed) for signature in made):
        raise Failure(5, f"{options.signature} was not made with {options.key}")
    ours = {
        name: value
        for name, value in files.items()
        if os.path.abspath(options.signature) != os.path.abspath(os.path.join(options.folder, name))
    }
    require_about(statement, ours)
    return {"predicate": statement["predicateType"], "files": len(ours), "key": options.key, "is_valid": True}


def require_about(statement, files):
    """Check that a statement speaks of a folder's files. Raises Failure."""
    subjects = {str(row.get("digest", {}).get("sha256")) for row in statement["subject"]}
    if statement["predicateType"] != MODEL_SIGNATURE:
        if manifest_digest(files) not in subjects and not set(files.values()) <= subjects:
            raise Failure(5, "the statement is about other files")
        return
    rows = statement["predicate"]["resources"]
    theirs = {row["name"]: row["digest"] for row in rows}
    root = hashlib.sha256(b"".join(bytes.fromhex(row["digest"]) for row in rows)).hexdigest()
    ours = {name: value for name, value in files.items() if name in theirs or name.split("/")[0] not in LEFT_OUT}
    if subjects != {root} or theirs != ours:
        raise Failure(5, "the signature is over other files: " + difference(theirs, ours))


def openssl_verifies(key, signature, data):
    """Have openssl check one signature."""
    program = shutil.which("openssl")
    if program is None:
        raise Failure(2, "this needs the program openssl")
    text = subprocess.run(
        [program, "pkey", "-pubin", "-in", key, "-text", "-noout"], capture_output=True, text=True, check=False
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("data", "signature")]
        for path, content in ((paths[0], data), (paths[1], signature)):
            with open(path, "wb") as file:
                file.write(content)
        digest = "-sha384" if "P-384" in text else "-sha512" if "P-521" in text else "-sha256"
        if "ED25519" in text.upper():
            command = ["pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", paths[0], "-sigfile", paths[1]]
        else:
            command = ["dgst", digest, "-verify", key, "-signature", paths[1], paths[0]]
        done = subprocess.run([program, *command], capture_output=True, text=True, check=False)
    return done.returncode == 0


def file_bytes(path):
    """Read a file of at most 16 MiB."""
    with open(path, "rb") as file:
        return file.read(2**24)


# Gates


def target_of(options):
    """Name what shall move: an alias or a stage."""
    if bool(options.alias) == bool(options.stage):
        raise Failure(2, "say which --alias or which --stage")
    return {"alias": options.alias} if options.alias else {"stage": options.stage}


def ask_promotion(options, name, version, target):
    """Ask for a promotion."""
    body = dict(target, version=version, **({"why": options.why} if getattr(options, "why", "") else {}))
    return ask(options, "POST", artifact_path(name) + "promotions/", body)


def conditions(found):
    """Tell each condition in a line."""
    for row in found["conditions"]:
        say("{}: {}".format("met" if row["is_met"] else "NOT MET", row["text"]))
    if found.get("missing_approvals"):
        say("waits for {} approval(s)".format(found["missing_approvals"]))


def gate(options):
    """Ask what the gates would say. Exit code 6 if they would refuse, or wait for somebody."""
    body = dict(target_of(options), version=options.version)
    found = ask_again(options, artifact_path(options.name) + "promotions/?dry_run=true", body)
    conditions(found)
    shown = {"would": found["would"], "missing_approvals": found["missing_approvals"]}
    shown.update({"conditions": found["conditions"]} if options.output == "json" else {})
    return Outcome(shown, 0 if found["would"] == "be done" else 6)


def promote(options):
    """Move an alias or a stage through its gates. With --wait, until approvers have spoken."""
    if options.dry_run:
        return gate(options)
    found = ask_promotion(options, options.name, options.version, target_of(options))
    deadline = time.monotonic() + options.timeout
    path = artifact_path(options.name) + "promotions/{}/".format(found["id"])
    if found["state"] == "waiting":
        conditions(found)
    while found["state"] == "waiting" and options.wait:
        if time.monotonic() > deadline:
            raise Failure(8, f"still waiting for approval after {options.timeout} s; it goes on without this job")
        time.sleep(min(options.poll, max(0.0, deadline - time.monotonic()) + 0.01))
        found = ask(options, "GET", path)
    shown = {name: found[name] for name in ("id", "artifact", "version", "alias", "stage", "state")}
    return Outcome(shown, 0 if found["state"] in ("done", "waiting") else 6)


class Outcome:
    """What is shown, with an exit code of its own."""

    def __init__(self, shown, code):
        self.shown, self.code = shown, code


# Words for people


def advice(options):
    """What a project may try next, or what is missing to say so."""
    found = ask(options, "GET", f"/api/v1/projects/{quoted(options.project)}/advice/")
    if options.output == "json":
        return found
    if found["status"] == "refused":
        say("no advice: " + found["reason"])
    rows = []
    for item in found["items"]:
        between = "" if item["low"] is None else "{:+.3g} to {:+.3g}".format(item["low"], item["high"])
        rows.append(
            {"rank": item["rank"], "artifact": item["artifact"]["name"], "gain": between, "of": item["n_projects"]}
        )
    return rows


def report(options):
    """The difference of two runs: metrics, then params that are not the same, as Markdown."""
    run, base = whole_run(options, options.this_run), whole_run(options, options.against)
    metrics = [
        metric_row(name, base["metrics"].get(name), run["metrics"].get(name))
        for name in sorted(set(base["metrics"]) | set(run["metrics"]))
        if not options.metric or name in options.metric
    ]
    params = [
        {"param": name, "base": base["params"].get(name, "–"), "run": run["params"].get(name, "–")}
        for name in sorted(set(base["params"]) | set(run["params"]))
        if base["params"].get(name) != run["params"].get(name)
    ]
    if options.output == "json":
        return {"run": run["id"], "base": base["id"], "metrics": metrics, "params": params}
    url = server(options)
    lines = [f"### {escaped(run['name'])} against {escaped(base['name'])}", ""]
    lines += ["| metric | {} | {} | change |".format(escaped(base["name"]), escaped(run["name"])), "|---|--:|--:|--:|"]
    lines += [
        "| {} | {} | {} | {} |".format(
            escaped(row["metric"]), *[shown_number(row[n]) for n in ("base", "run")], shown_change(row)
        )
        for row in metrics
    ]
    if params:
        lines += ["", "| param | before | now |", "|---|---|---|"]
        lines += [
            "| {} | {} | {} |".format(*[escaped(row[name]) for name in ("param", "base", "run")]) for row in params
        ]
    else:
        lines += ["", "No param differs."]
    return "\n".join([*lines, "", f"[{run['id'][:8]}]({url}/admin/tracking/run/{run['id']}/change/)"])


GIT_FORMAT = "--format=%x1e%H%x1f%P%x1f%ct%x1f%aE%x1f%aN%x1f%s"
GIT_COUNTS = re.compile(rb"(\d+) (file|insertion|deletion)")
REVERTS = (b'Revert "', b"revert:", b"revert(")


def git(options, *arguments, check=True):
    """Run git in the repository; return what it says, or with check=False None where it fails. Raises Failure."""
    try:
        done = subprocess.run(["git", "-C", options.repository, *arguments], capture_output=True, check=False)  # noqa: S607
    except OSError as error:
        raise Failure(2, f"git can't be run: {error}") from error
    if done.returncode == 0:
        return done.stdout
    if not check:
        return None
    raise Failure(2, f"git: {done.stderr[:300].decode(errors='replace').strip()}")


def git_report(options):
    """Tell commits that the server does not know yet. Where a shallow clone begins, a commit has no size: it is left out."""
    path = f"/api/v1/projects/{quoted(options.project)}/commits/"
    head = git(options, "rev-parse", "--verify", options.ref + "^{commit}").decode().strip()
    known = ask(options, "GET", path)["newest"]
    is_known = known and git(options, "merge-base", "--is-ancestor", known, head, check=False) is not None
    wanted = [f"{known}..{head}"] if is_known else [head]
    arguments = ("log", f"--max-count={options.most}", "--shortstat", "-M", "-l200", "--no-textconv", "--no-ext-diff")
    told = git(options, *arguments, "--no-color", "--use-mailmap", GIT_FORMAT, *wanted, "--")
    cut = git(options, "rev-parse", "--git-path", "shallow").decode().strip()
    shallow = os.path.join(options.repository, cut)
    edges = set(file_text(shallow).split()) if os.path.exists(shallow) else set()
    commits = [one for one in map(commit_of, told.split(b"\x1e")[1:]) if one["id"] not in edges]
    facts = {"project": options.project, "head": head, "commits": len(commits), "since": known if is_known else ""}
    if options.dry_run or not commits:
        return facts
    answer = ask_again(options, path, {"head": head, "commits": commits})
    return {**facts, **answer}


def commit_of(record):
    """Read a commit of git's log. Of its message only stays whether it takes another back."""
    line, _, rest = record.partition(b"\n")
    sha, parents, date, email, name, subject = (line.split(b"\x1f", 5) + [b""] * 5)[:6]
    counts = {kind: int(many) for many, kind in GIT_COUNTS.findall(rest)}
    return {
        "id": sha.decode(),
        "parents": parents.decode().split()[:100],
        "committed": int(date) if date.lstrip(b"-").isdigit() and len(date) < 19 else 0,
        "email": email.decode(errors="replace")[:250],
        "name": name.decode(errors="replace")[:250],
        "is_revert": subject.startswith(REVERTS),
        "files": counts.get(b"file", 0),
        "additions": counts.get(b"insertion", 0),
        "deletions": counts.get(b"deletion", 0),
    }


def whole_run(options, text):
    """Fetch a run by its id, or the run that made NAME@VERSION."""
    if "@" in text:
        name, version = split_name(text)
        text = ask(options, "GET", artifact_path(name, version))["run"]
        if not text:
            raise Failure(4, f"no run is known to have made {name}@{version}")
    return ask(options, "GET", f"/api/v1/runs/{quoted(text)}/")


def metric_row(name, base, run):
    """Put two latest values of a metric side by side."""
    before, now = (None if row is None else row["value"] for row in (base, run))
    change = now - before if before is not None and now is not None else None
    return {"metric": name, "base": before, "run": now, "change": change}


def shown_number(value):
    """Write a number with four digits."""
    return "–" if value is None else f"{value:.4g}"


def shown_change(row):
    """Write a change, and how much that is of what was before."""
    if row["change"] is None:
        return "–"
    share = f" ({row['change'] / abs(row['base']):+.1%})" if row["base"] else ""
    return f"{row['change']:+.4g}{share}"


def escaped(text):
    """Keep a table of Markdown a table, and names from speaking HTML."""
    text = re.sub(r"[\r\n]+", " ", str(text))[:200]
    return re.sub(r"([\\|`*_\[\]<>])", r"\\\1", text)


# Runs from a folder


def meta_of(path):
    """Read the flat part of a meta.yaml as the mlflow client's file store writes it."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file.read(2**20).splitlines():
            name, sign, value = line.partition(": ")
            if sign and not name.startswith((" ", "-", "#")):
                value = value.strip()
                if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                    value = value[1:-1].replace("''", "'") if value[0] == "'" else json.loads(value)
                found[name] = value
    return found


def lines_of(folder):
    """Read the files below a folder, name to text; names may hold slashes."""
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            with open(path, encoding="utf-8") as file:
                found[os.path.relpath(path, folder).replace(os.sep, "/")] = file.read()
    return found


def folders_with_meta(folder):
    """List the folders in a folder that hold a meta.yaml."""
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(os.path.join(path, "meta.yaml")):
            yield path


def mlflow(options, method, path, body=None, query=None):
    """Make a call of the MLflow protocol."""
    url = server(options) + "/api/2.0/mlflow/" + path + ("?" + urllib.parse.urlencode(query) if query else "")
    headers = authorized(options)
    return insist(lambda: call(method, url, body, headers))


def sync(options):
    """Send what lies in a folder of the mlflow client (MLFLOW_TRACKING_URI=file:…). What was sent whole is not sent again."""
    sent = known = 0
    for place in folders_with_meta(options.folder):
        experiment = meta_of(os.path.join(place, "meta.yaml"))
        runs = list(folders_with_meta(place))
        if not runs:
            continue
        target = None if options.dry_run else experiment_id(options, experiment.get("name") or "offline")
        for run in runs:
            if options.dry_run:
                sent += 1
            elif send_run(options, target, run):
                sent += 1
                say("sent " + run)
            else:
                known += 1
    return {"sent": sent, "known": known}


def experiment_id(options, name):
    """Find the experiment of a name, or make it."""
    try:
        found = mlflow(options, "GET", "experiments/get-by-name", query={"experiment_name": name})
        return found["experiment"]["experiment_id"]
    except Failure as failure:
        if failure.code != 4:
            raise
    tags = [{"key": "maestro.project", "value": options.project}] if options.project else []
    return mlflow(options, "POST", "experiments/create", {"name": name, "tags": tags})["experiment_id"]


def send_run(options, experiment, folder):
    """Send a run unless it is there whole. One that was sent in part is thrown away and sent anew."""
    meta = meta_of(os.path.join(folder, "meta.yaml"))
    origin = meta.get("run_id") or os.path.basename(folder)
    asked = {"experiment_ids": [experiment], "filter": f"tags.`maestro.offline` = '{origin}'", "max_results": 10}
    for found in mlflow(options, "POST", "runs/search", asked).get("runs", []):
        if any(tag["key"] == "maestro.offline.sent" for tag in found["data"].get("tags", [])):
            return False
        mlflow(options, "POST", "runs/delete", {"run_id": found["info"]["run_id"]})
    tags = [{"key": key, "value": value} for key, value in lines_of(os.path.join(folder, "tags")).items()]
    started = whole_number(meta.get("start_time")) or now_ms()
    tags.append({"key": "maestro.offline", "value": origin})
    made = mlflow(options, "POST", "runs/create", {"experiment_id": experiment, "start_time": started, "tags": tags})
    run = made["run"]["info"]
    send_values(options, run["run_id"], folder)
    send_artifacts(options, run, os.path.join(folder, "artifacts"))
    mark = {"run_id": run["run_id"], "key": "maestro.offline.sent", "value": str(now_ms())}
    mlflow(options, "POST", "runs/set-tag", mark)
    status = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}.get(
        meta.get("status", ""), meta.get("status", "FINISHED")
    )
    ended = {"run_id": run["run_id"], "status": status, "end_time": whole_number(meta.get("end_time")) or now_ms()}
    mlflow(options, "POST", "runs/update", ended)
    return True


def whole_number(text):
    """Read a whole number, or nothing."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def now_ms():
    """Say what time it is, in epoch milliseconds."""
    return int(time.time() * 1000)


def send_values(options, run_id, folder):
    """Send a run's params, then its metrics, a thousand points at a time."""
    params = [{"key": key, "value": value} for key, value in lines_of(os.path.join(folder, "params")).items()]
    for start in range(0, len(params), 100):
        mlflow(options, "POST", "runs/log-batch", {"run_id": run_id, "params": params[start : start + 100]})
    points = []
    for key, text in lines_of(os.path.join(folder, "metrics")).items():
        for line in text.splitlines():
            parts = line.split(" ")
            if len(parts) >= 2:
                value = float(parts[1])
                told = value if math.isfinite(value) else "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
                step = int(parts[2]) if len(parts) > 2 else 0
                points.append({"key": key, "value": told, "timestamp": int(parts[0]), "step": step})
    for start in range(0, len(points), 1000):
        mlflow(options, "POST", "runs/log-batch", {"run_id": run_id, "metrics": points[start : start + 1000]})


def send_artifacts(options, run, folder):
    """Send a run's files."""
    if not os.path.isdir(folder):
        return
    root = run["artifact_uri"].partition(":/")[2].lstrip("/")
    for name, path in walk([folder]):
        url = server(options) + "/api/2.0/mlflow-artifacts/artifacts/" + urllib.parse.quote(f"{root}/{name}")
        send_bytes(url, path, 0, os.path.getsize(path), authorized(options))


def cell(value):
    """Write a value in a table."""
    return "" if value is None else json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def show(result, output):
    """Print data on stdout."""
    if isinstance(result, str):
        print(result)
    elif output == "json":
        print(json.dumps(result))
    elif isinstance(result, list):
        names = list(result[0]) if result else []
        rows = [names, *([cell(row[name]) for name in names] for row in result)]
        widths = [max(len(row[index]) for row in rows) for index in range(len(names))]
        for row in rows if result else []:
            print("  ".join(row[index].ljust(width) for index, width in enumerate(widths)).rstrip())
    else:
        width = max(len(name) for name in result)
        for name, value in result.items():
            print(f"{name.ljust(width)}  {cell(value)}")


def shared_options():
    """Describe what every command takes."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--url", default=os.environ.get("MAESTRO_URL"), help="default: $MAESTRO_URL")
    shared.add_argument("--tenant", default=os.environ.get("MAESTRO_TENANT"), help="default: $MAESTRO_TENANT")
    shared.add_argument("--output", choices=("table", "json"), default="table")
    shared.add_argument("--insecure", action="store_true", help="allow http:// to another machine")
    shared.set_defaults(file=None, soft_fail=False, dry_run=False, run_id="")
    return shared


def parser():
    """Describe the command line."""
    shared = shared_options()
    main_parser = argparse.ArgumentParser(prog="maestro-ci", description=__doc__, formatter_class=PLAIN_HELP)
    commands = main_parser.add_subparsers(dest="command", required=True)

    def add(where, name, run, text):
        made = where.add_parser(
            name, parents=[shared], help=text, description=text, epilog=EXIT_CODES, formatter_class=PLAIN_HELP
        )
        made.set_defaults(run=run)
        return made

    enter = add(commands, "login", login, "let this job in by its own identity")
    enter.add_argument("--audience", default=os.environ.get("MAESTRO_AUDIENCE"), help="default: maestro:<tenant>")
    enter.add_argument("--file", help="the file that the shell sources next")
    enter.add_argument("--dry-run", action="store_true", help="find the identity, trade nothing and write nothing")
    enter.add_argument("--env", action="store_true", help=argparse.SUPPRESS)
    add(commands, "whoami", whoami, "say who this is")
    about = commands.add_parser("artifact", help="push, pull, use or verify a version")
    add_artifact_commands(about.add_subparsers(dest="act", required=True), add)
    add_gate_commands(commands, add)
    add_telling_commands(commands, add)
    return main_parser


def add_artifact_commands(inner, add):
    """Describe the commands about versions."""
    one = add(inner, "push", push, "make a version of files; the same files again make none")
    one.add_argument("name")
    one.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, or a folder whose files keep their names below it"
    )
    one.add_argument("--kind", choices=KINDS, help="of the artifact, if it is not there yet")
    one.add_argument("--description")
    one.add_argument("--tag", action="append", metavar="KEY=VALUE")
    one.add_argument("--run", dest="run_id", default="", help="the run that made it")
    one.add_argument("--alias", help="move this alias to it, through its gates")
    one.add_argument("--why", default="", help="for the evidence of the gates")
    one.add_argument("--version-file", metavar="FILE", help="write the version's number there, for the next commands")
    one.add_argument("--dry-run", action="store_true", help="say what would be sent")
    one = add(inner, "pull", pull, "fetch a version's files, each compared with its digest")
    one.add_argument("version", metavar="NAME@VERSION", help="a number, an alias or a digest; without @ the newest")
    one.add_argument("--to", metavar="FOLDER")
    one.add_argument("--run", dest="run_id", default="", help="the run that uses it: recorded")
    one.add_argument("--dry-run", action="store_true", help="fetch nothing")
    one = add(inner, "use", use, "say that a project, or one of its runs, uses versions")
    one.add_argument("versions", nargs="+", metavar="NAME@VERSION")
    one.add_argument("--project")
    one.add_argument("--run", dest="run_id", default="")
    one.add_argument("--dry-run", action="store_true", help="say what would be recorded")
    one.add_argument("--soft-fail", action="store_true", help="end with 0 whatever happens, and say what did")
    one = add(inner, "verify", verify, "compare a folder with a version, or with a signature and a key, off line")
    one.add_argument("folder")
    one.add_argument("--version", metavar="NAME@VERSION")
    one.add_argument("--signature", metavar="FILE", help="a Sigstore bundle, or a DSSE envelope with a statement")
    one.add_argument("--key", metavar="FILE", help="the public key that should have made it, as PEM")


def add_gate_commands(commands, add):
    """Describe the commands that ask gates."""
    for name, run, text in (
        ("gate", gate, "ask whether the gates would let an alias or stage move; moves nothing"),
        ("promote", promote, "move an alias or stage, or ask for the approvals that it needs"),
    ):
        one = add(commands, name, run, text)
        one.add_argument("name")
        one.add_argument("version", help="a number, an alias or a digest")
        one.add_argument("--alias")
        one.add_argument("--stage")
        if run is promote:
            one.add_argument("--why", default="", help="kept with the evidence")
            one.add_argument("--wait", action="store_true", help="until approvers have spoken")
            one.add_argument("--timeout", type=float, default=3600.0, metavar="SECONDS", help="of --wait; default 3600")
            one.add_argument("--poll", type=float, default=5.0, help=argparse.SUPPRESS)
            one.add_argument("--dry-run", action="store_true", help="the same as gate")


def add_telling_commands(commands, add):
    """Describe the commands that tell, and the one that sends what was kept."""
    add(commands, "usages", usages, "list what a project uses").add_argument("project")
    add(commands, "advice", advice, "what a project may try next").add_argument("project")
    one = add(commands, "report", report, "the difference of two runs, as Markdown for a pull request")
    one.add_argument("this_run", metavar="RUN", help="a run's id, or NAME@VERSION: the run that made it")
    one.add_argument("--against", required=True, metavar="RUN|NAME@VERSION", help="the run to compare with")
    one.add_argument("--metric", action="append", help="only this one; may be given several times")
    about = commands.add_parser("git", help="tell commits")
    one = add(
        about.add_subparsers(dest="act", required=True), "report", git_report, "tell new commits with their sizes"
    )
    one.add_argument("project")
    one.add_argument("--repository", default=".", metavar="PATH", help="the clone; default: here")
    one.add_argument("--ref", default="HEAD", help="the head of the main line; default HEAD")
    one.add_argument("--most", type=int, default=2000, help=argparse.SUPPRESS)
    one.add_argument("--dry-run", action="store_true", help="say how many there are, and tell none")
    one.add_argument("--soft-fail", action="store_true", help="end with 0 whatever happens, and say what did")
    one = add(commands, "sync", sync, "send runs that the mlflow client logged to a folder")
    one.add_argument("folder", help="what MLFLOW_TRACKING_URI=file:FOLDER named")
    one.add_argument("--project", help="of experiments that are not there yet")
    one.add_argument("--dry-run", action="store_true", help="say how many runs there are, without the server")
    one.add_argument("--soft-fail", action="store_true", help="end with 0 whatever happens, and say what did")


def main(arguments=None):
    """Run a command; return the exit code."""
    options = parser().parse_args(arguments)
    try:
        result = options.run(options)
        shown, code = (result.shown, result.code) if isinstance(result, Outcome) else (result, 0)
        show(shown, options.output)
    except Failure as failure:
        print(f"maestro-ci: {failure}", file=sys.stderr)
        return 0 if options.soft_fail else failure.code
    except (KeyError, TypeError, ValueError, OSError) as error:
        print(f"maestro-ci: unexpected: {type(error).__name__}: {error}", file=sys.stderr)
        return 0 if options.soft_fail else 1
    return code


if __name__ == "__main__":
    sys.exit(main())

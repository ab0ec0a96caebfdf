"""Signatures of versions: made by the stock tool, verified by the server against the tenant's keys."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.registry.models import ArtifactVersion, Signature
from apps.registry.signatures import envelopes
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro import limits
from maestro.errors import Invalid
from tests.factories.sending import send
from tests.factories.signing import attest, certificate, envelope, new_key, pem_of, public_pem, sign_folder

Api = Callable[..., Client]
AT = "/api/v1/artifacts/model/versions/1/signatures/"
FILES = {"weights.bin": "weights", "conf/a.json": "{}"}


def make_folder(folder: Path, files: dict[str, str]) -> Path:
    """A folder with these files in it."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def model(acme: Tenant, api: Api) -> ArtifactVersion:
    """A version of two files."""
    client = api(acme)
    assert send(client, "put", "/api/v1/artifacts/model/", {"kind": "model"}).status_code == 201
    body = {"files": [{"path": path, "text": text} for path, text in FILES.items()]}
    assert send(client, "post", "/api/v1/artifacts/model/versions/", body, Idempotency_Key="v").status_code == 201
    return ArtifactVersion.objects.get()


def trust(admin: Client, pem: str, name: str = "release", kind: str = "public_key") -> dict[str, Any]:
    """Have an admin trust a key."""
    answer = send(admin, "post", "/api/v1/signing-keys/", {"name": name, "kind": kind, "pem": pem})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_a_folder_signed_by_the_stock_tool_is_believed_once_its_key_is(
    acme: Tenant, api: Api, model: ArtifactVersion, tmp_path: Path
) -> None:
    key, client = new_key(), api(acme)
    bundle = sign_folder(make_folder(tmp_path / "m", FILES | {".gitignore": "x"}), key)
    stranger = send(client, "post", AT, bundle)
    assert (stranger.status_code, stranger.json()["code"]) == (400, "untrusted_signer")
    trust(api(acme, "admin"), public_pem(key))
    kept, again = send(client, "post", AT, bundle), send(client, "post", AT, bundle)
    assert (kept.status_code, again.status_code) == (201, 200), kept.content
    assert (kept.json()["kind"], kept.json()["signer"], kept.json()["is_trusted"]) == (
        "model_signature",
        "release",
        True,
    )
    assert client.get(f"{AT}{kept.json()['id']}/").json() == bundle
    assert model.signatures.over_files().exists()
    assert AuditEvent.objects.filter(action="version.sign").count() == 1


def test_a_signature_under_an_authority_names_its_signer(
    acme: Tenant, api: Api, model: ArtifactVersion, tmp_path: Path
) -> None:
    root_key, middle_key, key = new_key(), new_key(), new_key()
    root = certificate("root", root_key, is_authority=True)
    middle = certificate("middle", middle_key, ("root", root_key), is_authority=True)
    leaf = certificate("ana", key, ("middle", middle_key))
    paths = []
    for name, found in {"leaf": leaf, "middle": middle}.items():
        paths.append(tmp_path / f"{name}.pem")
        paths[-1].write_text(pem_of(found))
    options = ("--signing_certificate", str(paths[0]), "--certificate_chain", str(paths[1]))
    bundle = sign_folder(make_folder(tmp_path / "m", FILES), key, *options)
    other = certificate("root", new_key(), is_authority=True)
    trust(api(acme, "admin"), pem_of(other), "other root", "authority")
    assert send(api(acme), "post", AT, bundle).json()["code"] == "untrusted_signer"
    trust(api(acme, "admin"), pem_of(root), "root", "authority")
    kept = send(api(acme), "post", AT, bundle)
    assert (kept.status_code, kept.json().get("signer")) == (201, "CN=ana"), kept.content


def test_a_certificate_that_may_not_issue_makes_no_chain(
    acme: Tenant, api: Api, model: ArtifactVersion, tmp_path: Path
) -> None:
    root_key, middle_key, key = new_key(), new_key(), new_key()
    root = certificate("root", root_key, is_authority=True)
    middle = certificate("middle", middle_key, ("root", root_key))  # a signer's, not an authority's
    (tmp_path / "leaf.pem").write_text(pem_of(certificate("eve", key, ("middle", middle_key))))
    (tmp_path / "middle.pem").write_text(pem_of(middle))
    options = ("--signing_certificate", str(tmp_path / "leaf.pem"), "--certificate_chain", str(tmp_path / "middle.pem"))
    bundle = sign_folder(make_folder(tmp_path / "m", FILES), key, *options)
    trust(api(acme, "admin"), pem_of(root), "root", "authority")
    assert send(api(acme), "post", AT, bundle).json()["code"] == "untrusted_signer"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (FILES | {"weights.bin": "others"}, "has other bytes than were signed"),
        (FILES | {"more.bin": "x"}, "is signed but not in the version"),
        ({"weights.bin": "weights"}, "is not signed"),
    ],
)
def test_a_signature_over_other_files_is_refused_by_the_file(
    acme: Tenant, api: Api, model: ArtifactVersion, tmp_path: Path, files: dict[str, str], said: str
) -> None:
    key = new_key()
    trust(api(acme, "admin"), public_pem(key))
    answer = send(api(acme), "post", AT, sign_folder(make_folder(tmp_path / "m", files), key))
    assert (answer.status_code, answer.json()["code"]) == (409, "signature_mismatch")
    assert said in answer.json()["detail"]
    assert not Signature.objects.exists()


def test_an_attestation_tells_run_commit_and_inputs(acme: Tenant, api: Api, model: ArtifactVersion) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    trust(api(acme, "admin"), public_pem(key), "builder")
    inputs = [
        {"uri": "git+https://forge.example/a", "digest": {"gitCommit": "c" * 40}},
        {"digest": {"sha256": "d" * 64}},
    ]
    predicate = {
        "buildDefinition": {"resolvedDependencies": inputs},
        "runDetails": {"metadata": {"invocationId": "job/7"}},
    }
    kept = send(api(acme), "post", AT, attest({"model": model.digest}, key, predicate))
    assert kept.status_code == 201, kept.content
    facts = kept.json()["facts"]
    assert (facts["run"], facts["commit"], facts["inputs"][1]) == ("job/7", "c" * 40, {"sha256": "d" * 64})
    assert not model.signatures.over_files().exists()  # what made it is told; its files are not signed one by one
    by_files = attest({"x": "0" * 64}, key)
    assert send(api(acme), "post", AT, by_files).json()["code"] == "signature_mismatch"


def test_a_key_that_is_ended_vouches_no_more(acme: Tenant, api: Api, model: ArtifactVersion, tmp_path: Path) -> None:
    key, admin = new_key(), api(acme, "admin")
    row = trust(admin, public_pem(key))
    bundle = sign_folder(make_folder(tmp_path / "m", FILES), key)
    assert send(api(acme), "post", AT, bundle).status_code == 201
    assert admin.delete(f"/api/v1/signing-keys/{row['id']}/").status_code == 204
    assert admin.delete(f"/api/v1/signing-keys/{row['id']}/").status_code == 404
    assert not model.signatures.over_files().exists()
    assert [found["is_trusted"] for found in api(acme).get(AT).json()["results"]] == [False]
    trust(admin, public_pem(key))  # the same key and name may be trusted again
    assert not model.signatures.over_files().exists()  # which revives nothing that it signed before


def test_only_an_admin_trusts_keys_and_only_public_ones(acme: Tenant, api: Api) -> None:
    body = {"name": "k", "kind": "public_key", "pem": public_pem(new_key())}
    assert send(api(acme, "approver"), "post", "/api/v1/signing-keys/", body).status_code == 403
    project = Project.objects.create(slug="one", name="One")
    assert send(api(acme, "admin", project_id=project.pk), "post", "/api/v1/signing-keys/", body).status_code == 403
    admin = api(acme, "admin")
    for pem in (
        "",
        "x",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        pem_of(certificate("a", new_key())),
    ):
        answer = send(admin, "post", "/api/v1/signing-keys/", body | {"pem": pem})
        assert answer.status_code == 400, (pem, answer.content)
    leaf = {"name": "l", "kind": "authority", "pem": pem_of(certificate("l", new_key()))}
    assert send(admin, "post", "/api/v1/signing-keys/", leaf).json()["code"] == "bad_signature"
    assert send(admin, "post", "/api/v1/signing-keys/", body).status_code == 201
    assert send(admin, "post", "/api/v1/signing-keys/", body | {"name": "other"}).status_code == 409


STATEMENT = (
    b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "subject": [{}], "predicate": {"runDetails":'
    b' {"metadata": {"invocationId": %b}}}}'
)
BROKEN: list[Any] = [
    [],
    {},
    {"dsseEnvelope": None},
    {"payload": "e30=", "payloadType": "text/plain", "signatures": [{"sig": ""}]},
    {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []},
    {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": ["x"] * 17},
    {"payload": "!", "payloadType": "application/vnd.in-toto+json", "signatures": [{"sig": "e30="}]},
    {"payload": 7, "payloadType": "application/vnd.in-toto+json", "signatures": [{"sig": 7}]},
]


@pytest.mark.parametrize("document", BROKEN)
def test_what_is_no_envelope_is_refused(acme: Tenant, api: Api, model: ArtifactVersion, document: Any) -> None:
    answer = send(api(acme), "post", AT, document)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature"), answer.content


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"7",
        b"{" * 5_000,
        STATEMENT % b'"a\\u0000b"',
        STATEMENT % b'"\\ud800"',
        STATEMENT % b"1e999",
        b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": 7, "predicate": {}, "subject": [{}]}',
        b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "predicate": [], "subject": []}',
        json.dumps(
            {
                "_type": "https://in-toto.io/Statement/v1",
                "predicateType": "https://model_signing/signature/v1.0",
                "predicate": {"serialization": {"method": "files"}, "resources": [{"name": "a", "digest": "zz"}]},
                "subject": [{"name": "m", "digest": {"sha256": "0" * 64}}],
            }
        ).encode(),
    ],
)
def test_a_signed_payload_that_says_nothing_is_refused(
    acme: Tenant, api: Api, model: ArtifactVersion, payload: bytes
) -> None:
    key = new_key()
    trust(api(acme, "admin"), public_pem(key))
    answer = send(api(acme), "post", AT, envelope(payload, key))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature"), answer.content


def test_a_payload_is_read_as_strictly_as_a_body_and_told_in_short(
    acme: Tenant, api: Api, model: ArtifactVersion
) -> None:
    """What is signed is text in a body: neither its shape nor its length is bounded by what the body was checked for."""
    key, client = new_key(), api(acme)
    trust(api(acme, "admin"), public_pem(key))
    many = send(client, "post", AT, envelope(b"[" + b"[]," * (limits.JSON_ITEMS + 1) + b"[]]", key))
    assert (many.status_code, many.json()["code"]) == (413, "too_many_items"), many.content
    said = {"runDetails": {"metadata": {"invocationId": "r" * 100_000}}}
    kept = send(client, "post", AT, attest({"m": model.digest}, key, said))
    assert kept.status_code == 201, kept.content
    assert kept.json()["facts"]["run"] == "r" * 500
    with CaptureQueriesContext(connection) as seen:
        assert len(client.get(AT).json()["results"]) == 1
    assert not any('"registry_signature"."text"' in query["sql"] for query in seen.captured_queries)


def test_the_same_signature_again_is_known_when_no_more_fit(
    acme: Tenant, api: Api, model: ArtifactVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SIGNATURES", 1)
    key, client = new_key(), api(acme)
    trust(api(acme, "admin"), public_pem(key))
    one, other = (attest({"m": model.digest}, key, {"a": n}) for n in (1, 2))
    assert [send(client, "post", AT, it).status_code for it in (one, one, other, one)] == [201, 200, 409, 200]


def test_no_broken_certificate_is_a_fault_of_ours() -> None:
    """Each byte of one is changed in its turn: read, or refused, and never anything else."""
    root, leaf = new_key(), new_key()
    authority = certificate("root", root, is_authority=True)
    whole = certificate("leaf", leaf, ("root", root)).public_bytes(Encoding.DER)
    pem, read = pem_of(authority).splitlines(), 0
    for at in range(len(whole)):
        for change in (0x01, 0x80, 0xFF):
            broken = bytearray(whole)
            broken[at] ^= change
            bundle = attest({"m": "0" * 64}, leaf)
            bundle = {"dsseEnvelope": bundle, "verificationMaterial": {"certificate": {"rawBytes": in_base64(broken)}}}
            with suppress(Invalid):
                read += envelopes.signer_under(envelopes.read(bundle), [authority]) is None
            lines = [pem[0], in_base64(broken), pem[-1]]
            with suppress(Invalid):
                envelopes.load_authority("\n".join(lines))
    assert read > 100


def in_base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()


def test_a_chain_costs_the_same_under_many_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [new_key() for _ in range(envelopes.CHAIN_MAX)]
    names = [f"c{n}" for n in range(len(keys))]
    above = [*zip(names[1:], keys[1:], strict=True), ("root", root := new_key())]
    chain = [
        certificate(name, key, issuer, is_authority=n > 0)
        for n, (name, key, issuer) in enumerate(zip(names, keys, above, strict=True))
    ]
    bundle = attest({"m": "0" * 64}, keys[0])
    rows = [{"rawBytes": in_base64(one.public_bytes(Encoding.DER))} for one in chain]
    material = {"x509CertificateChain": {"certificates": rows}}
    envelope = envelopes.read({"dsseEnvelope": bundle, "verificationMaterial": material})
    others = [certificate(f"o{n}", root, is_authority=True) for n in range(20)]
    steps: list[Any] = []
    plain = envelopes.may_issue

    def counted(*args: Any) -> bool:
        steps.append(args)
        return plain(*args)

    monkeypatch.setattr(envelopes, "may_issue", counted)
    assert envelopes.signer_under(envelope, others) is None
    assert len(steps) <= len(chain) + len(others)
    assert envelopes.signer_under(envelope, [*others, certificate("root", root, is_authority=True)])


@pytest.mark.parametrize(("bits", "exponent"), [(1_024, 65_537), (2_048, 2**40 + 15), (8_200, 65_537)])
def test_a_key_whose_check_costs_too_much_or_proves_nothing_is_refused(bits: int, exponent: int) -> None:
    numbers = rsa.RSAPublicNumbers(exponent, (1 << bits) - 1)
    with pytest.raises(Invalid):
        envelopes.usable(numbers.public_key())


def test_a_changed_payload_is_nobodys(acme: Tenant, api: Api, model: ArtifactVersion, tmp_path: Path) -> None:
    key = new_key()
    trust(api(acme, "admin"), public_pem(key))
    bundle = sign_folder(make_folder(tmp_path / "m", FILES), key)
    inner = bundle["dsseEnvelope"]
    text = base64.b64decode(inner["payload"]).replace(b'"name": "m"', b'"name": "n"')
    inner["payload"] = base64.b64encode(text).decode()
    assert send(api(acme), "post", AT, bundle).json()["code"] == "untrusted_signer"


def test_another_project_sees_no_signature_and_sets_none(
    acme: Tenant, api: Api, model: ArtifactVersion, tmp_path: Path
) -> None:
    key = new_key()
    trust(api(acme, "admin"), public_pem(key))
    mine, theirs = (Project.objects.create(slug=slug, name=slug) for slug in ("mine", "theirs"))
    model.artifact.project = theirs
    model.artifact.save()
    bundle = sign_folder(make_folder(tmp_path / "m", FILES), key)
    outside, inside = api(acme, project_id=mine.pk), api(acme, project_id=theirs.pk)
    assert send(outside, "post", AT, bundle).status_code == outside.get(AT).status_code == 404
    made = send(inside, "post", AT, bundle)
    assert made.status_code == 201
    assert outside.get(f"{AT}{made.json()['id']}/").status_code == 404
    assert send(api(acme, "viewer"), "post", AT, bundle).status_code == 403


def test_another_tenant_trusts_its_own_keys_only(acme: Tenant, globex: Tenant, api: Api) -> None:
    row = trust(api(globex, "admin"), public_pem(new_key()))
    assert api(globex).get("/api/v1/signing-keys/").json()["results"][0]["id"] == row["id"]
    assert api(acme).get("/api/v1/signing-keys/").json()["results"] == []
    assert api(acme).get(f"/api/v1/signing-keys/{row['id']}/").status_code == 404

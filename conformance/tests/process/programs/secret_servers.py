"""What secrets are asked for: moto in the place of AWS, and a Confidant that is as strict as the
real one. Says on stdout where they listen, and ends when its stdin does.

moto checks signatures against a user's key of its own. Confidant's tokens are judged by the
real kmsauth, and what a service's credentials become by the real confidant-client.
"""

import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import confidant_client
import kmsauth
import requests
import tls
from confidant_client import formatter
from cryptography.fernet import Fernet
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
FROM, TO = "ranking-prod", "confidant-prod"
AUTH_KEY = "alias/authnz"
# After so many questions one that fails at first does not any more.
FAILS = 3
ANSWERS: dict[str, tuple[int, object]] = {
    "unknown": (401, {"error": "canary"}),
    "denied": (403, {"error": "canary", "reference": "acl"}),
    "undecrypted": (500, {"error": "Decryption error."}),
    "failing": (503, {"error": "canary"}),
    "stalling": (503, {"error": "canary"}),
    "flaky": (503, {"error": "canary"}),
    "garbage": (200, None),
    "redirecting": (302, {}),
}
CONTEXT = {"to": "everybody", "from": "blind"}


def credential(number: int, pairs: dict[str, str], **more: object) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "name": f"credential {number}",
        "revision": number,
        "enabled": True,
        "credential_keys": sorted(pairs),
        "credential_pairs": pairs,
        "metadata": {},
        "documentation": None,
        "tags": [],
        **more,
    }


def service(name: str, **more: object) -> dict[str, Any]:
    return {
        "id": name,
        "revision": 7,
        "enabled": True,
        "account": None,
        "modified_date": "2026-01-31T00:00:00Z",
        "modified_by": "somebody@example.net",
        "credentials": [],
        "blind_credentials": [],
        "permissions": {"metadata": True, "get": True, "update": False},
        **more,
    }


def blind(
    kms: Any, key: str, number: int, pairs: dict[str, str], **metadata: str
) -> dict[str, Any]:
    """As `confidant create_blind_credential` makes one."""
    data_key = Fernet.generate_key()
    encrypted = kms.encrypt(KeyId=key, Plaintext=data_key, EncryptionContext=CONTEXT)
    token = Fernet(data_key).encrypt(json.dumps(pairs).encode())
    return credential(
        number,
        {},
        cipher_type="fernet",
        cipher_version="2",
        data_key={REGION: base64.b64encode(encrypted["CiphertextBlob"]).decode()},
        credential_pairs={REGION: token.decode()},
        metadata={"context": {REGION: CONTEXT}, **metadata},
    )


def services(kms: Any, key: str, canary: str) -> dict[str, dict[str, Any]]:
    broken = blind(kms, key, 1, {"password": canary})
    broken["credential_pairs"][REGION] = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()
    elsewhere = blind(kms, key, 1, {"password": canary})
    elsewhere["metadata"]["context"][REGION] = {"to": "somebody else"}
    return {
        FROM: service(
            FROM,
            credentials=[
                credential(1, {"password": canary, "user": 'it\'s "ranker" & $co'}),
                credential(2, {"with-dash": canary, "2nd": canary, "ok_1": "zwei\nünd \x7f 🎈"}),
                credential(3, {"key": canary}, metadata={"env_var_prefix": "own_"}),
                credential(4, {"empty_prefix": canary}, metadata={"env_var_prefix": ""}),
                credential(5, {"user": "the second"}),
            ],
            blind_credentials=[
                blind(kms, key, 6, {"blind": canary, "bad key": canary}),
                blind(kms, key, 7, {"bare": canary}, env_var_prefix=""),
                blind(kms, key, 8, {"lower": canary}, env_var_prefix="blind_"),
            ],
        ),
        "disabled": service("disabled", enabled=False),
        "blind-broken": service("blind-broken", blind_credentials=[broken]),
        "blind-elsewhere": service("blind-elsewhere", blind_credentials=[elsewhere]),
        "nothing": service("nothing"),
    }


class Confidant(ThreadingHTTPServer):
    daemon_threads = True
    known: dict[str, dict[str, Any]]
    validator: Any
    wrong: list[str]
    asked: dict[str, int]
    # What the proxy was asked for.
    proxied: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Confidant
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/wrong":
            server = self.server
            seen = {"wrong": server.wrong, "asked": server.asked, "proxied": server.proxied}
            return self.answer(200, seen)
        try:
            name = self.checked()
        except Exception as error:
            self.server.wrong.append(f"{self.path}: {error!r}")
            return self.answer(418, {"error": "see /wrong"})
        asked = self.server.asked
        asked[name] = asked.get(name, 0) + 1
        known = self.server.known
        if name == "hanging" or (name == "stalling" and asked[name] > 1):
            time.sleep(3600)
        flaky = name == "flaky" and asked[name] >= FAILS
        if name in known or flaky:
            return self.answer(200, known[FROM if flaky else name])
        status, body = ANSWERS.get(name, (404, {}))
        elsewhere = {"location": "http://127.0.0.1:1/canary"} if name == "redirecting" else {}
        return self.answer(status, body, **elsewhere)

    def checked(self) -> str:
        """The service that a valid request asks for."""
        path, _, query = self.path.partition("?")
        assert query.lower() == "metadata_only=false", query
        start, _, name = path.rpartition("/")
        assert start == "/v1/services", path
        kind, _, credentials = self.headers["Authorization"].partition(" ")
        assert kind == "Basic", kind
        user, _, token = base64.b64decode(credentials, validate=True).decode().partition(":")
        assert user == f"2/service/{FROM}", user
        payload = self.server.validator.decrypt_token(user, token)["payload"]
        assert sorted(payload) == ["not_after", "not_before"], payload
        return name

    def answer(self, status: int, body: object, **headers: str) -> None:
        data = b"{canary" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def golden(url: str) -> dict[str, object]:
    """What the real client and the real formatter make of the service."""
    client = confidant_client.ConfidantClient(
        url=url,
        auth_key=AUTH_KEY,
        auth_context={"from": FROM, "to": TO, "user_type": "service"},
        token_cache_file="",
        region=REGION,
        config_files=[],
    )
    data = client.get_service(FROM, decrypt_blind=True)
    assert data["result"], data
    exports = formatter.bash_export_format(data, "CREDENTIALS_")
    script = f"{exports}\nexec env -0"
    shown = subprocess.run(["sh", "-c", script], env={}, capture_output=True, check=True).stdout
    pairs = (pair.partition("=") for pair in shown.decode().split("\0") if "=" in pair)
    # A shell's own.
    own = ("PWD", "OLDPWD", "SHLVL", "_")
    combined = formatter.combined_credential_pair_format(data)
    return {
        "variables": {name: value for name, _, value in pairs if name not in own},
        "combined": json.dumps(combined, sort_keys=True, indent=4, separators=(",", ": ")),
    }


def main() -> None:
    canary = sys.argv[1]
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with contextlib.redirect_stderr(io.StringIO()):
        server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ENDPOINT_URL=endpoint, AWS_DEFAULT_REGION=REGION, AWS_EC2_METADATA_DISABLED="true"
    )
    os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none")
    iam = boto3.client("iam")
    iam.create_user(UserName="job")
    statement = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="job", PolicyName="all", PolicyDocument=document)
    key = iam.create_access_key(UserName="job")["AccessKey"]
    os.environ.update(
        AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"]
    )
    # The default session keeps the identity that it began with.
    boto3.setup_default_session()
    manager, ssm, kms = (boto3.client(name) for name in ("secretsmanager", "ssm", "kms"))
    document = json.dumps({"user": "ranker", "password": canary, "port": 5432, "tls": True})
    manager.create_secret(Name="prod/db", SecretString="old")
    manager.put_secret_value(SecretId="prod/db", SecretString=document)
    manager.create_secret(Name="prod/token", SecretString=canary)
    manager.create_secret(Name="prod/binary", SecretBinary=b"\0\xff" + canary.encode())
    for number in range(25):
        ssm.put_parameter(
            Name=f"/app/p{number:02}", Value=f"{canary}-{number}", Type="SecureString"
        )
    ssm.put_parameter(Name="/app/deep/er", Value=canary, Type="SecureString")
    ssm.put_parameter(Name="/versions", Value="one", Type="String")
    ssm.put_parameter(Name="/versions", Value="two", Type="String", Overwrite=True)
    ssm.put_parameter(Name="/document", Value=document, Type="SecureString")
    auth, data = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    kms.create_alias(AliasName=AUTH_KEY, TargetKeyId=auth)
    kms.create_alias(AliasName="alias/other", TargetKeyId=data)

    confidant = Confidant(("127.0.0.1", 0), Handler)
    confidant.known = services(kms, data, canary)
    confidant.wrong, confidant.asked, confidant.proxied = [], {}, []
    confidant.validator = kmsauth.KMSTokenValidator(
        [AUTH_KEY], None, TO, REGION, minimum_token_version=2
    )
    threading.Thread(target=confidant.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{confidant.server_port}"
    made = golden(url)
    # From here on every call must be signed by the user's own key.
    requests.post(f"{endpoint}/moto-api/reset-auth", data=b"0", timeout=120).raise_for_status()
    root, context = tls.trust()
    secured = tls.before(context, port)
    ready = {
        "root": root,
        "aws-by-tls": f"https://127.0.0.1:{secured}",
        "confidant-by-tls": f"https://127.0.0.1:{tls.before(context, confidant.server_port)}",
        "proxy": f"http://127.0.0.1:{tls.proxy(secured, confidant.proxied)}",
        "aws": endpoint,
        "confidant": url,
        "key": key["AccessKeyId"],
        "secret": key["SecretAccessKey"],
        "golden": made,
    }
    print(json.dumps(ready), flush=True)
    # A line changes a secret: its name, a space, its value.
    for line in sys.stdin:
        name, _, value = line.rstrip("\n").partition(" ")
        manager.put_secret_value(SecretId=name, SecretString=value)
        print("done", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()

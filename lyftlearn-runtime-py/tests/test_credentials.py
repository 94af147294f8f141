"""rt.credentials(): keys for code that signs, from whatever source there is."""

import json
import pickle
import stat
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.session
import lyftlearn_runtime as rt
import pytest

SECRET = "canary-secret-key"


class Endpoint(ThreadingHTTPServer):
    """A credential endpoint that can fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.life = 3600.0
        self.asked: list[tuple[str, str]] = []
        self.body: bytes | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/credentials"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        until = time.gmtime(time.time() + self.server.life)
        document: dict[str, str] = {"code": "Nope", "message": "the role is gone"}
        if self.server.status == 200:
            document = {
                "AccessKeyId": f"ASIA{len(self.server.asked)}",
                "SecretAccessKey": SECRET,
                "Token": "token",
                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", until),
            }
        body = self.server.body or json.dumps(document).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.uri)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "open sesame")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_nothing_is_asked_before_a_key_is(endpoint: Endpoint) -> None:
    credentials = rt.credentials()
    assert endpoint.asked == []
    assert credentials.access_key == "ASIA1"
    assert credentials.token == "token"
    assert credentials.secret_key == SECRET
    assert endpoint.asked == [("/v1/credentials", "open sesame")]


def test_a_token_file_stands_before_the_variable(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("from the file")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    assert rt.credentials().access_key == "ASIA1"
    assert endpoint.asked[0][1] == "from the file"
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "absent"))
    with pytest.raises(rt.CredentialsError, match="AUTHORIZATION_TOKEN_FILE: FileNotFoundError"):
        rt.credentials().load().access_key  # noqa: B018


def test_botocore_signs_with_it(endpoint: Endpoint) -> None:
    session = botocore.session.get_session()
    session._credentials = rt.credentials()
    request = botocore.awsrequest.AWSRequest("GET", "https://example.amazonaws.com/")
    signer = botocore.auth.SigV4Auth(session.get_credentials(), "execute-api", "eu-west-1")
    signer.add_auth(request)
    assert "Credential=ASIA1/" in request.headers["Authorization"]
    assert request.headers["X-Amz-Security-Token"] == "token"


def test_botocore_finds_the_same_by_itself(endpoint: Endpoint) -> None:
    found = botocore.session.get_session().get_credentials()
    assert found is not None
    assert found.method == "container-role"
    assert found.get_frozen_credentials().secret_key == SECRET


def test_keys_are_renewed_before_they_end_and_a_failure_is_not_felt(endpoint: Endpoint) -> None:
    endpoint.life = 600
    credentials = rt.credentials()
    assert credentials.access_key == "ASIA1"
    credentials._asked = float("-inf")
    assert credentials.access_key == "ASIA2"
    credentials._asked = float("-inf")
    endpoint.status = 503
    assert credentials.access_key == "ASIA2"
    # No second attempt at once.
    asked = len(endpoint.asked)
    assert credentials.access_key == "ASIA2"
    assert len(endpoint.asked) == asked
    credentials._until = time.time() - 1
    with pytest.raises(rt.CredentialsError, match="answered 503: the role is gone"):
        credentials.get_frozen_credentials()


def test_threads_share_one_question(endpoint: Endpoint) -> None:
    credentials = rt.credentials()
    threads = [threading.Thread(target=credentials.get_frozen_credentials) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(endpoint.asked) == 1


def test_nothing_shows_a_key(endpoint: Endpoint) -> None:
    credentials = rt.credentials("data")
    frozen = credentials.get_frozen_credentials()
    for shown in (repr(credentials), str(credentials), repr(frozen), f"{frozen}"):
        assert SECRET not in shown
    assert SECRET.encode() not in pickle.dumps(credentials)
    assert pickle.loads(pickle.dumps(credentials)).access_key == "ASIA2"
    assert [path for path, _ in endpoint.asked] == ["/v1/credentials/data"] * 2


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"AccessKeyId": "A"}'])
def test_what_is_no_credentials_is_said(endpoint: Endpoint, body: bytes) -> None:
    endpoint.body = body
    with pytest.raises(rt.CredentialsError, match="answered with something that is none"):
        rt.credentials().get_frozen_credentials()


def test_a_token_goes_nowhere_else(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("http://example.com/x", "http://127.0.0.1@example.com/x", "ftp://127.0.0.1/x"):
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
        with pytest.raises(rt.CredentialsError, match="names neither this machine"):
            rt.credentials().get_frozen_credentials()
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/x")
    with pytest.raises(rt.CredentialsError, match="does not answer: ConnectionRefusedError"):
        rt.credentials().get_frozen_credentials()


def test_static_keys_are_the_users_own(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    frozen = rt.credentials().get_frozen_credentials()
    assert frozen == ("AKIA", "key", None, None)
    assert endpoint.asked == []


def test_without_an_endpoint_the_binary_is_asked(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(rt.CredentialsError, match="no lyftlearn-runtime on PATH"):
        rt.credentials().get_frozen_credentials()
    with pytest.raises(rt.CredentialsError, match="the role 'data': nothing serves it here"):
        rt.credentials("data").get_frozen_credentials()
    binary = tmp_path / "lyftlearn-runtime"
    binary.write_text(
        '#!/bin/sh\necho \'{"AccessKeyId": "A", "SecretAccessKey": "s", "Version": 1}\'\n'
    )
    binary.chmod(stat.S_IRWXU)
    assert rt.credentials().get_frozen_credentials() == ("A", "s", None, None)
    binary.write_text(
        "#!/bin/sh\necho 'lyftlearn-runtime: cannot give credentials: why' >&2; exit 2\n"
    )
    with pytest.raises(rt.CredentialsError, match=r"^cannot give credentials: why$"):
        rt.credentials().get_frozen_credentials()

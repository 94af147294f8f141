"""The container's identity for code that signs by itself. boto3 needs none of this."""

from __future__ import annotations

import os
import threading
import time

from lyftlearn_runtime import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NamedTuple

    class FrozenCredentials(NamedTuple):
        """One set of keys that belongs together."""

        access_key: str
        secret_key: str
        token: str | None
        account_id: str | None
else:
    from collections import namedtuple

    FrozenCredentials = namedtuple(
        "FrozenCredentials", ["access_key", "secret_key", "token", "account_id"]
    )
    FrozenCredentials.__doc__ = "One set of keys that belongs together."
    FrozenCredentials.__repr__ = lambda self: "<FrozenCredentials>"

# Seconds before the end at which new ones are asked for, as botocore does.
_WANTED = 15 * 60
# Seconds after a failure without a new attempt, while cached credentials are valid.
_AGAIN = 30
# Seconds; the runtime's endpoint answers within one.
_TIMEOUT = 5
# Where AWS serves credentials to containers. A token is sent to no other host without TLS.
_LINK_LOCAL = ("169.254.170.2", "169.254.170.23", "[fd00:ec2::23]")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Credentials:
    """The container's identity, refreshed before it ends.

    It has what botocore's credentials have: ``access_key``, ``secret_key``, ``token``,
    ``account_id`` and ``get_frozen_credentials()``. Keys are never shown by ``repr``.

    Source: AWS SDKs and Tools reference guide, "Container credential provider".
    """

    method = "lyftlearn-runtime"

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._held: FrozenCredentials | None = None
        self._until: float | None = None
        self._asked = float("-inf")

    def __repr__(self) -> str:
        role = "" if self._name is None else f" {self._name!r}"
        return f"<lyftlearn_runtime credentials{role}>"

    def __reduce__(self) -> Any:
        # Keys do not travel: the other side asks for its own.
        return (Credentials, (self._name,))

    @property
    def access_key(self) -> str:
        """The access key id."""
        return self.get_frozen_credentials().access_key

    @property
    def secret_key(self) -> str:
        """The secret access key."""
        return self.get_frozen_credentials().secret_key

    @property
    def token(self) -> str | None:
        """The session token; None for long-term keys."""
        return self.get_frozen_credentials().token

    @property
    def account_id(self) -> str | None:
        """The account's number, where the source tells it."""
        return self.get_frozen_credentials().account_id

    def load(self) -> Credentials:
        """Itself: so it is a provider for botocore's chain, too."""
        return self

    def get_frozen_credentials(self) -> FrozenCredentials:
        """Keys that belong together, good for more than a moment.

        Raises CredentialsError when there are none, with the reason. While what is held is
        good, a source that fails is not felt.
        """
        if self._pid != os.getpid():
            # A lock that another thread held at the fork would never open.
            self._lock, self._pid = threading.Lock(), os.getpid()
        with self._lock:
            left = self._left()
            due = left < _WANTED and (left <= 0 or time.monotonic() - self._asked > _AGAIN)
            if self._held is None or due:
                self._asked = time.monotonic()
                try:
                    self._held, self._until = _ask(self._name)
                except _native.CredentialsError:
                    if self._held is None or left <= 0:
                        raise
            return self._held

    def _left(self) -> float:
        return float("inf") if self._until is None else self._until - time.time()


def credentials(name: str | None = None) -> Credentials:
    """The container's identity; with a name, that role of the setting ``credentials.roles``.

    boto3 and every other AWS client find the same identity by themselves. This is for code
    that signs requests with botocore's classes, or that hands keys on:

        session = botocore.session.get_session()
        session._credentials = rt.credentials()

    Nothing is asked before a key is.
    """
    return Credentials(name)


def _ask(name: str | None) -> tuple[FrozenCredentials, float | None]:
    keys = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if name is None and all(keys):
        token = os.environ.get("AWS_SESSION_TOKEN")
        return FrozenCredentials(str(keys[0]), str(keys[1]), token or None, None), None
    document = _endpoint(name)
    if document is None:
        if name is not None:
            raise _native.CredentialsError(
                f"cannot get credentials of the role {name!r}: nothing serves it here\n"
                "  hint: it is served where lyftlearn-runtime run is PID 1"
            )
        document = _command()
    try:
        until = document.get("Expiration")
        token = document.get("Token") or document.get("SessionToken")
        frozen = FrozenCredentials(
            document["AccessKeyId"],
            document["SecretAccessKey"],
            token or None,
            document.get("AccountId"),
        )
        return frozen, None if until is None else _seconds(until)
    except (KeyError, ValueError):
        raise _native.CredentialsError(
            "cannot get credentials: the source answered with something that is none"
        ) from None


def _seconds(time_stamp: str) -> float:
    from datetime import datetime  # noqa: PLC0415 - only a caller pays for it

    return datetime.fromisoformat(time_stamp.replace("Z", "+00:00")).timestamp()


def _endpoint(name: str | None) -> dict[str, Any] | None:
    """What the container's endpoint says; None where there is none."""
    address = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    path = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if path:
        address = "http://169.254.170.2" + path
    if not address:
        return None
    import http.client  # noqa: PLC0415 - only a caller pays for it
    import json  # noqa: PLC0415
    from urllib.parse import urlsplit  # noqa: PLC0415

    url = urlsplit(address)
    host = url.netloc.rpartition("@")[2]
    bare = host if host.endswith("]") else host.rsplit(":", 1)[0]
    if url.scheme == "https":
        connect: Callable[..., http.client.HTTPConnection] = http.client.HTTPSConnection
    elif url.scheme == "http" and bare in (*_LOOPBACK, *_LINK_LOCAL):
        connect = http.client.HTTPConnection
    else:
        raise _native.CredentialsError(
            "cannot get credentials: $AWS_CONTAINER_CREDENTIALS_FULL_URI names neither this "
            "machine nor an address of AWS's nor https"
        )
    target = url.path if name is None else f"{url.path}/{name}"
    headers = {"Accept": "application/json"}
    token = _token()
    if token:
        headers["Authorization"] = token
    try:
        connection = connect(host, timeout=_TIMEOUT)
        try:
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            body = answer.read(1 << 20)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _native.CredentialsError(
            f"cannot get credentials: the endpoint does not answer: {type(error).__name__}\n"
            "  hint: lyftlearn-runtime doctor shows each step of it"
        ) from None
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    if answer.status == http.client.OK:
        return document
    said = document.get("message") if bare in _LOOPBACK else None
    raise _native.CredentialsError(
        f"cannot get credentials: the endpoint answered {answer.status}"
        + (f": {said}" if isinstance(said, str) else "")
        + "\n  hint: lyftlearn-runtime doctor shows each step of it"
    )


def _token() -> str | None:
    path = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if not path:
        return os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError) as error:
        raise _native.CredentialsError(
            f"cannot read $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {type(error).__name__}"
        ) from None


def _command() -> dict[str, Any]:
    """The binary knows every other source."""
    import json  # noqa: PLC0415 - only a caller pays for it
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    binary = shutil.which("lyftlearn-runtime")
    if binary is None:
        raise _native.CredentialsError(
            "cannot get credentials: no endpoint, no keys, and no lyftlearn-runtime on PATH\n"
            "  hint: start the program with lyftlearn-runtime run"
        )
    done = subprocess.run([binary, "credentials"], capture_output=True, check=False)
    if done.returncode != 0:
        report = done.stderr.decode(errors="replace").strip()
        raise _native.CredentialsError(report.replace("lyftlearn-runtime: ", "", 1))
    document: dict[str, Any] = json.loads(done.stdout)
    return document

"""What a program looks up or connects to beyond this machine."""

import ipaddress
import sys

addresses: list[str] = []


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host)
    if not _here(name):
        addresses.append(name)


def _here(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def listen() -> list[str]:
    """From now on; the list grows."""
    sys.addaudithook(_heard)
    return addresses

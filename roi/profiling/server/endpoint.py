"""The address of a server, as a user writes it."""

import re
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from roi.errors import InputError

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Endpoint(NamedTuple):
    """Address of a server, up to the path before /v1."""

    scheme: str
    host: str
    port: int
    prefix: str
    """Path before /v1; empty or /something."""

    @property
    def authority(self) -> str:
        """host:port as a URL and the Host header have it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def private(self) -> bool:
        """True where nobody on the way can read what is sent: TLS, or this machine itself."""
        return self.scheme == "https" or self.host == "localhost" or _is_loopback(self.host)

    @property
    def url(self) -> str:
        """The URL as a person would write it."""
        return f"{self.scheme}://{self.authority}{self.prefix}"


def _is_loopback(host: str) -> bool:
    """True for an address of this machine; a name, such as 127.example.com, may be anybody's."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_url(text: str) -> Endpoint:
    """The endpoint that `text` means: http://host:8000, also with /v1 at its end, or host:8000."""
    given = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise InputError(f"URL: {text[:60]!r} is not usable; for example http://localhost:8000") from None
    if "@" in parts.netloc:
        raise InputError("URL: leave out user and password; a key comes from the environment, --api-key-env names it")
    strange = parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", given)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or strange:
        raise InputError(f"URL: {text[:60]!r} is not usable; for example http://localhost:8000")
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        raise InputError(f"URL: {parts.hostname[:60]!r} is no name of a host") from None
    prefix = re.sub(r"/v1(/(chat/)?completions|/models)?$", "", parts.path.rstrip("/"))
    return Endpoint(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], prefix.rstrip("/"))

"""The address of a server: what it names, whether that is this machine, and the proxy on the way to it."""

from __future__ import annotations

import ipaddress
import re
import urllib.request

import httpx

from anyanomaly.errors import UsageError
from anyanomaly.masking import mask_url

_HOST_NAME = re.compile(rb"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?")


def read_address(base_url: str) -> httpx.URL:
    """Return an address as it is used; what it is checked for and what is connected to cannot differ.

    :raises UsageError: when it is no address of a server. The message holds no password.
    """
    reason = ""
    try:
        url = httpx.URL(base_url)
        reason = _find_fault(base_url, url)
    except (httpx.InvalidURL, ValueError):  # UnicodeError, of international names, is one
        reason = "its host or port cannot be read"
    if reason:
        raise UsageError(
            f"{mask_url(base_url)!r} (--backend.base-url) is no address of a server: {reason}. It looks like "
            f"https://HOST:PORT/v1; write special characters of a password as %40, %2F and so on."
        )
    return url


def is_loopback(url: httpx.URL) -> bool:
    """Return whether an address is on this machine for certain: 127.0.0.0/8, ::1, or ``localhost``."""
    host = url.raw_host.decode("ascii")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def endpoint(url: httpx.URL, path: str) -> httpx.URL:
    """Return the address of a path below the base address, or with a leading / below the server's root.

    The query stays; user name and password, which are sent as a header, do not.
    """
    base = url.path.rstrip("/")
    base = base.removesuffix("/v1") if path.startswith("/") else f"{base}/"
    return url.copy_with(path=f"{base}{path}", userinfo=b"")


def environment_proxy(url: httpx.URL) -> str:
    """Return the proxy that the environment names for an address; "" for none, and always for this machine.

    A proxy would send the images off this machine.
    """
    if is_loopback(url) or urllib.request.proxy_bypass(url.raw_host.decode("ascii")):
        return ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all") or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _find_fault(base_url: str, url: httpx.URL) -> str:
    """Return why an address is refused; "" when it is not."""
    host = url.raw_host
    if url.scheme not in ("http", "https"):
        return "it starts with neither http:// nor https://"
    if not host:
        return "it names no host"
    if url.port is not None and not 0 < url.port < 65536:
        return "its port is not between 1 and 65535"
    if ":" not in host.decode("ascii") and not _HOST_NAME.fullmatch(host):
        return "its host is no name"
    if "\\" in base_url or any(character.isspace() for character in base_url):
        return "it holds a backslash or a blank"
    return "it has a fragment (#)" if url.fragment else ""

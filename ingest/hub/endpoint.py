"""The address of the model hub, and whether it answers."""

from __future__ import annotations

import os
import threading

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger

log = get_logger(__name__)

# The same three, in the same order, as in the ModelScope SDK's own configuration (modelscope_hub/config.py, 0.5).
ENDPOINT_VARIABLE = "MODELSCOPE_ENDPOINT"
DOMAIN_VARIABLE = "MODELSCOPE_DOMAIN"
DEFAULT_ENDPOINT = "https://modelscope.cn"

PULL_AGAIN = "run `docent models pull` again"
# HTTP status codes of a proxy that cannot reach the hub.
_GATEWAY_ERRORS = (502, 503, 504)


def hub_endpoint() -> str:
    """The hub's address, without a trailing slash, chosen as the SDK chooses it."""
    value = (os.environ.get(ENDPOINT_VARIABLE) or os.environ.get(DOMAIN_VARIABLE) or "").strip() or DEFAULT_ENDPOINT
    if not value.lower().startswith(("http://", "https://")):
        value = f"https://{value}"
    return value.rstrip("/")


def hub_reachable(connect_seconds: float, endpoint: str | None = None) -> bool:
    """Whether the hub answers within `connect_seconds`; a single request.

    The SDK would retry for minutes. The request runs in a thread because looking up a host name has no time limit of
    its own: without a network that alone can take half a minute.
    """
    import httpx

    address = endpoint or hub_endpoint()
    statuses: list[int] = []

    def request() -> None:
        try:
            statuses.append(httpx.head(address, timeout=connect_seconds).status_code)
        except Exception as error:  # noqa: BLE001 - any error means unreachable, also one of a wrong proxy setting
            log.info("hub_unreachable", endpoint=address, reason=f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=request, name="hub-request", daemon=True)
    thread.start()
    thread.join(connect_seconds)
    return bool(statuses) and statuses[0] not in _GATEWAY_ERRORS


def require_hub(connect_seconds: float) -> str:
    """The hub's address. Raises DocentError when it does not answer in time."""
    endpoint = hub_endpoint()
    if not hub_reachable(connect_seconds, endpoint):
        raise DocentError(
            f"model hub {endpoint} did not answer within {connect_seconds:g} s: check the connection, the proxy or "
            f"{ENDPOINT_VARIABLE}, then {PULL_AGAIN}."
        )
    return endpoint

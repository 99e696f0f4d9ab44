"""A pytest plugin that reads the usual certificates once; each client would take 20 ms for it."""

import os
from collections.abc import Iterator
from functools import cache
from ssl import SSLContext
from typing import Any

import pytest
from httpx._transports import default

_NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(scope="session", autouse=True)
def _usual_certificates() -> Iterator[None]:
    create = default.create_ssl_context
    usual = cache(create)

    def context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> SSLContext:
        is_usual = verify is True and cert is None and not any(map(os.environ.get, _NAMES))
        return usual() if is_usual else create(verify=verify, cert=cert, trust_env=trust_env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "create_ssl_context", context)
        yield

"""Fetchers over servers of the loopback address."""

import socket
from ipaddress import ip_network

import pytest

from bento_service.errors import (
    UrlUnreachable,
)
from bento_service.fetching.fetcher import Fetcher
from bento_service.settings import Settings

MOST = 1_000_000


class Names:
    """A name server whose answers may change from one question to the next."""

    def __init__(self, **answers):
        self._answers = {f"{name}.example": list(given) for name, given in answers.items()}
        self.asked = []

    async def __call__(self, host):
        self.asked.append(host)
        given = self._answers.get(host)
        if given is None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return given.pop(0) if len(given) > 1 else given[0]


NAMES = {"pictures": [["127.0.0.1"]], "inside": [["127.0.0.9"]]}


def fetcher(*servers, names=None, trusted=None, **settings):
    ports = [server.port for server in servers]
    usual = {
        "max_upload_bytes": MOST,
        "url_seconds": 20.0,
        "url_ports": ports,
        "url_networks": [ip_network("127.0.0.1/32")],
    }
    resolve = names or Names(**NAMES)
    return Fetcher(Settings(**usual | settings), resolve=resolve, trusted=trusted)


async def fetched(fetcher, url):
    async with fetcher.picture(url) as file:
        return file.read()


async def refusal(fetcher, url):
    with pytest.raises(UrlUnreachable) as refused:
        await fetched(fetcher, url)
    assert refused.value.__cause__ is None
    return str(refused.value)

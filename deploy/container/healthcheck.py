"""Health check of a container: success once searches can be answered.

It reads the same settings as the service, and loads nothing of it, since it runs every few seconds.
"""

import os
import ssl
import sys
import urllib.request

port = os.environ.get("LOOKALIKE_PORT") or "8001"
scheme = "https" if os.environ.get("LOOKALIKE_TLS_CERTIFICATE") else "http"
# The certificate is for the service's public name, not for this address.
unverified = ssl._create_unverified_context()  # noqa: S323
https = urllib.request.HTTPSHandler(context=unverified)
# Docker's client may set `http_proxy` in each container; this address is never behind a proxy.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)
try:
    direct.open(f"{scheme}://127.0.0.1:{port}/readyz", timeout=5)
except OSError as error:
    sys.exit(str(error))

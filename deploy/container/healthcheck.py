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
try:
    urllib.request.urlopen(f"{scheme}://127.0.0.1:{port}/readyz", timeout=5, context=unverified)  # noqa: S310
except OSError as error:
    sys.exit(str(error))

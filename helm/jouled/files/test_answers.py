"""Ask each address whether it is ready; for "helm test".

Usage: test_answers.py SECONDS URL...
"""

import ssl
import sys
import time
import urllib.error
import urllib.request

EACH_S = 5
NOT_FOR_US = 401

# Whether there is an answer is the question, not who gives it.
TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE
# Services of the cluster are not behind a proxy.
OPENER = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=TLS)
)


def answer_of(url: str) -> str | None:
    """Return what is wrong, or ``None`` if somebody is ready there."""
    try:
        with OPENER.open(url, timeout=EACH_S):
            return None
    except urllib.error.HTTPError as error:
        return None if error.code == NOT_FOR_US else str(error)
    except OSError as error:
        # One that wants a client's certificate answers, but not to us.
        return None if "CERTIFICATE_REQUIRED" in str(error) else str(error)


def main(longest: str, *urls: str) -> int:
    """Return how many were not ready in ``longest`` seconds."""
    until = time.monotonic() + float(longest)
    failed = 0
    for url in urls:
        problem = answer_of(url)
        while problem is not None and time.monotonic() < until:
            time.sleep(1)
            problem = answer_of(url)
        print(f"{url}: {problem or 'ready'}")
        failed += problem is not None
    return failed


sys.exit(main(*sys.argv[1:]))

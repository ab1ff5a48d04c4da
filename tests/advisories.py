"""Check all locked packages against OSV's database of known vulnerabilities: `python -m tests.advisories`.

The exit code is 1 if there is a finding, and 0 if the database cannot be reached, with a line that nothing was checked.
Before the check, the database must report an old, known finding, so that an empty result means that a package is clean.
Source: google.github.io/osv.dev, "POST /v1/query".
"""

import argparse
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

import httpx

LOCK = Path(__file__).parent.parent / ".requirements.lock"
OSV = "https://api.osv.dev/v1/query"
KNOWN = {"package": {"name": "jinja2", "ecosystem": "PyPI"}, "version": "2.4.1"}
"""A package and a version that have had known vulnerabilities since 2014."""
_UNREACHABLE = (httpx.TimeoutException, httpx.NetworkError, httpx.ProxyError)


class UnreachableError(Exception):
    """The database is not reachable at present; the text says why."""


class NoDatabaseError(Exception):
    """The server is not a vulnerability database; the text has its response."""


def check(osv: str) -> int:
    """Print the findings for the locked packages, and return the exit code."""
    try:
        _find_known(osv)
    except UnreachableError as error:
        print(f"not checked: no advisory database can be reached ({error})")  # noqa: T201  # it is a program
        return 0
    except NoDatabaseError as error:
        print(f"not checked: {osv} does not answer as an advisory database ({error})")  # noqa: T201  # it is a program
        return 1
    options = ("--strict", "--disable-pip", "--progress-spinner", "off", "-s", "osv")
    command = [sys.executable, "-m", "pip_audit", "-r", str(LOCK), *options, "--osv-url", osv]
    return subprocess.run(command, check=False).returncode


def _find_known(osv: str) -> None:
    try:
        answer = httpx.post(osv, json=KNOWN, timeout=15)
    except _UNREACHABLE as error:
        raise UnreachableError(str(error) or type(error).__name__) from error
    except httpx.HTTPError as error:
        raise NoDatabaseError(str(error)) from error
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise UnreachableError(f"HTTP {answer.status_code}")
    if answer.status_code != HTTPStatus.OK:
        raise NoDatabaseError(f"HTTP {answer.status_code}")
    try:
        found = answer.json().get("vulns")
    except (ValueError, AttributeError) as error:
        raise NoDatabaseError("no JSON object") from error
    if not found:
        raise NoDatabaseError("it does not know what has long been known of jinja2 2.4.1")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Check the lock for known vulnerabilities.")
    parser.add_argument("--osv-url", default=OSV, metavar="URL", help="where to ask")
    sys.exit(check(parser.parse_args().osv_url))

"""Asks a running web server whether it is up, and whether the code location is loaded."""

import json
import urllib.error
import urllib.request
from typing import Any

# A proxy from the environment must never see what is meant for this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_SECONDS = 20

_LOCATIONS = """
{ workspaceOrError {
    __typename
    ... on Workspace { locationEntries {
        name loadStatus
        locationOrLoadError {
          __typename
          ... on PythonError { message causes { message } }
        } } }
    ... on PythonError { message }
} }
"""


def answers(url: str) -> bool:
    """Whether Dagster's web server answers at `url` (without a slash at the end)."""
    try:
        with _opener.open(f"{url}/server_info", timeout=_SECONDS) as reply:
            return "dagster_webserver_version" in json.load(reply)
    except (OSError, ValueError):
        return False


def graphql(url: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send a GraphQL query and return its `data`.

    Raises:
        OSError: no answer.
        ValueError: the answer is no JSON, or holds errors.
    """
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"content-type": "application/json"})
    try:
        with _opener.open(request, timeout=_SECONDS) as reply:
            answer = json.load(reply)
    except urllib.error.HTTPError as error:
        raise ValueError(error.read().decode(errors="replace")) from None
    if answer.get("errors"):
        raise ValueError(str(answer["errors"]))
    return answer["data"]


def location_state(url: str, location: str) -> tuple[bool, str | None]:
    """Whether the code location is loaded, and why not when it failed.

    Returns:
        (True, None) when loaded, (False, reason) when it failed, (False, None) while it loads.
    """
    try:
        workspace = graphql(url, _LOCATIONS)["workspaceOrError"]
    except (OSError, ValueError):
        return False, None
    if workspace["__typename"] != "Workspace":
        return False, workspace["message"]
    for entry in workspace["locationEntries"]:
        found = entry["locationOrLoadError"]
        if entry["name"] != location or entry["loadStatus"] != "LOADED" or not found:
            continue
        if found["__typename"] == "PythonError":
            # The innermost cause is the line of ours that failed; the rest tells of loading.
            message = ([found["message"]] + [cause["message"] for cause in found["causes"]])[-1]
            return False, " ".join(message.split())
        return True, None
    return False, None

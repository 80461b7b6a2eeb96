"""What the settings cannot say: nobody saws off the branch that the run sits on."""

import json
import os
import re

import schemathesis

UNTOUCHABLE = set(json.loads(os.environ["CONFORMANCE_UNTOUCHABLE"]))
CHANGES = {"PATCH", "PUT", "DELETE"}
NOBODY = "00000000-0000-4000-8000-000000000000"


def padded(value):
    """Whether a text somewhere in it has blanks around it."""
    if isinstance(value, dict):
        return any(padded(part) for part in value.values())
    if isinstance(value, list):
        return any(padded(part) for part in value)
    return isinstance(value, str) and value != value.strip()


@schemathesis.hook
def filter_body(context, body):
    """The server trims what it reads, then looks at the length; the lengths of a schema count the blanks."""
    return not padded(body)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Changes of the caller, or of what others read, found in an answer by chance, go to what is not there."""
    named = re.findall(r"{(\w+)}", case.path)
    if not named or case.method.upper() not in CHANGES and not case.path.endswith("/revoke"):
        return
    changed = named[-1]
    if (case.path_parameters or {}).get(changed) in UNTOUCHABLE:
        case.path_parameters[changed] = NOBODY

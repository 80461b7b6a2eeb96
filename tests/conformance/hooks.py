"""What the settings cannot say: nobody saws off the branch that the run sits on."""

import json
import os
import re

import schemathesis

UNTOUCHABLE = set(json.loads(os.environ["CONFORMANCE_UNTOUCHABLE"]))
CHANGES = {"PATCH", "PUT", "DELETE"}
# The shortest of the greatest lengths.
LONG = 64
NOBODY = "00000000-0000-4000-8000-000000000000"


def unpadded(value):
    """The same with letters for the blanks around long texts: the server trims before it counts, a schema does not."""
    if isinstance(value, dict):
        return {name: unpadded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [unpadded(part) for part in value]
    if isinstance(value, str) and len(value) > LONG:
        blanks = len(value) - len(value.lstrip()), len(value) - len(value.rstrip())
        return "x" * blanks[0] + value.strip() + "x" * blanks[1]
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    """Changes of the caller, or of what others read, found in an answer by chance, go to what is not there."""
    if (body := unpadded(case.body)) != case.body:
        case.body = body
    named = re.findall(r"{(\w+)}", case.path)
    if not named or case.method.upper() not in CHANGES and not case.path.endswith("/revoke"):
        return
    changed = named[-1]
    if (case.path_parameters or {}).get(changed) in UNTOUCHABLE:
        case.path_parameters[changed] = NOBODY

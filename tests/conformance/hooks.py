"""What the settings cannot say: nobody saws off the branch that the run sits on."""

import os

import schemathesis

UNTOUCHABLE = os.environ["CONFORMANCE_UNTOUCHABLE"].split(",")
NOBODY = "00000000-0000-4000-8000-000000000000"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Changes of the caller's own identity, found in an answer by chance, go to an identity that is not there."""
    if case.method.upper() == "GET":
        return
    for name, value in (case.path_parameters or {}).items():
        if value in UNTOUCHABLE:
            case.path_parameters[name] = NOBODY

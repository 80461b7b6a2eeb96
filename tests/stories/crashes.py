"""The server is killed with SIGKILL at each call of a rotation to AWS, before and after its effect."""

import functools
import threading

from support import ROTATIONS, Api, Sandbox, Server, require, until

CHANGES = ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
# The calls of a rotation that retires a key, makes one and verifies it: action, side, calls to let pass.
POINTS = [
    ("GetUser", "holdRequest", 0),
    ("ListAccessKeys", "holdRequest", 0),
    ("UpdateAccessKey", "holdRequest", 0),
    ("UpdateAccessKey", "holdAnswer", 0),
    ("DeleteAccessKey", "holdRequest", 0),
    ("DeleteAccessKey", "holdAnswer", 0),
    ("ListAccessKeys", "holdRequest", 1),
    ("CreateAccessKey", "holdRequest", 0),
    ("ListAccessKeys", "holdRequest", 2),
    ("GetCallerIdentity", "holdRequest", 1),
    ("GetCallerIdentity", "holdAnswer", 3),
]


def killed(binary, folder, action, side, skip):
    """Killed while one call is held, started again: the rotation completes, and nothing else happens."""
    aws, server, api, rotation = rotated_once(binary, folder)
    before = api.published()
    kill_at(aws, server, api, rotation, action, side, skip)
    require(aws.accepts(before), "the published key works while the server is dead")
    server.restart()
    after = until("the rotation completes", lambda: moved_on(api, before))
    require(aws.accepts(after), "the new key works")
    require(aws.accepts(before), "the previous key still works")
    require(len(aws.keys("app")) == 2, f"there are two keys: {aws.keys('app')}")
    check_calls(aws)


def killed_after_create(binary, folder):
    """The answer of a create dies with the server: the secret is lost. The key is named and not touched, and
    once its owner has removed it, the rotation goes on."""
    aws, server, api, rotation = rotated_once(binary, folder)
    before = api.published()
    known = set(aws.keys("app"))
    kill_at(aws, server, api, rotation, "CreateAccessKey", "holdAnswer", 0)
    (orphan,) = set(aws.keys("app")) - known
    server.restart()
    failed = until("the failure is shown", lambda: message(api, rotation))
    require(orphan in failed, f"the key is named: {failed}")
    require(aws.accepts(before) and orphan in aws.keys("app"), "the published key works, the orphan is left alone")
    aws.control("POST", "/foreign", {"do": "deleteKey", "userName": "app", "accessKeyId": orphan})
    api.rotate(rotation)
    require(aws.accepts(api.published()) and aws.accepts(before), "after that it rotates")
    check_calls(aws)


def lost_answers(binary, folder):
    """AWS does what it is asked and the answer is lost: nothing is done twice."""
    aws, server, api, rotation = rotated_once(binary, folder)
    for action in ("UpdateAccessKey", "DeleteAccessKey"):
        for kind in ("answerLost", "serviceFailure"):
            before = api.published()
            aws.control("POST", "/faults", {"kind": kind, "action": action})
            api.refused(500, "POST", f"{ROTATIONS}/{rotation}/rotate-secrets")
            require(api.published() == before, "a failure leaves the published pair alone")
            until("the next attempt repeats the call", lambda: try_rotate(api, rotation))
            require(aws.accepts(api.published()) and aws.accepts(before), f"both keys work after {kind} of {action}")
    before, known = api.published(), set(aws.keys("app"))
    aws.control("POST", "/faults", {"kind": "answerLost", "action": "CreateAccessKey"})
    text = api.refused(500, "POST", f"{ROTATIONS}/{rotation}/rotate-secrets")
    require("did not say" in text, f"it is said that nobody knows: {text}")
    require(len(set(aws.keys("app")) - known) == 1, "the create was sent once")
    require(aws.accepts(before), "the published key works")
    check_calls(aws)


def stopped(binary, folder):
    """SIGTERM in the middle of a rotation parks it; the next start finishes it."""
    aws, server, api, rotation = rotated_once(binary, folder)
    before = api.published()
    hold(aws, "GetCallerIdentity", "holdRequest", 1)
    background(api, rotation)
    until("the call is held", lambda: held(aws))
    server.program.process.terminate()
    aws.control("DELETE", "/faults")
    require(server.program.process.wait(30) == 0, "the server ends cleanly")
    server.restart()
    until("the rotation completes", lambda: moved_on(api, before))
    check_calls(aws)


def rotated_once(binary, folder):
    """A server with a rotation that has two keys, so that the next one has to retire one; and a foreign user."""
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws)
    api = Api(server)
    aws.user("app")
    aws.user("neighbour", keys=2)
    rotation = api.ok("POST", ROTATIONS, api.rotation(api.connect()["id"]))["secretRotation"]["id"]
    api.rotate(rotation)
    return aws, server, api, rotation


def hold(aws, action, side, skip):
    aws.control("POST", "/faults", {"kind": side, "action": action, "skip": skip})


def held(aws):
    return True if any(entry["outcome"] == "held" for entry in aws.calls()) else None


def background(api, rotation):
    """Rotates without waiting; whoever waits is cut off by the kill."""

    def rotate():
        try:
            api.call("POST", f"{ROTATIONS}/{rotation}/rotate-secrets")
        except OSError:
            pass

    threading.Thread(target=rotate, daemon=True).start()


def kill_at(aws, server, api, rotation, action, side, skip):
    hold(aws, action, side, skip)
    background(api, rotation)
    until(f"{action} is held", lambda: held(aws))
    server.program.kill()
    aws.control("DELETE", "/faults")


def moved_on(api, before):
    published = api.published()
    return published if published["accessKeyId"] != before["accessKeyId"] else None


def message(api, rotation):
    shown = api.ok("GET", f"{ROTATIONS}/{rotation}")["secretRotation"]
    return shown["lastRotationMessage"] if shown["rotationStatus"] == "failed" else None


def try_rotate(api, rotation):
    status, _ = api.call("POST", f"{ROTATIONS}/{rotation}/rotate-secrets")
    return True if status == 200 else None


def check_calls(aws):
    """As AWS saw it: only keys that Keywheel made were changed, and never the published one."""
    made = set()
    deactivated = set()
    for entry in aws.calls():
        if entry["action"] not in CHANGES or not entry["effect"]:
            continue
        key = entry["accessKeyId"]
        require(entry["userName"] == "app", f"no other user is touched: {entry}")
        if entry["action"] == "CreateAccessKey":
            made.add(key)
        elif entry["action"] == "UpdateAccessKey":
            require(key in made, f"only own keys are changed: {entry}")
            deactivated.add(key)
        else:
            require(key in deactivated, f"a key is deactivated before it is deleted: {entry}")
    require(len(aws.keys("neighbour")) == 2, "the keys of others are there")


STORIES = [
    (f"killed at {side} of {action} number {skip + 1}", functools.partial(killed, action=action, side=side, skip=skip))
    for action, side, skip in POINTS
] + [
    ("killed with the answer of a create", killed_after_create),
    ("lost answers are not repeated blindly", lost_answers),
    ("a stop in the middle parks the rotation", stopped),
]

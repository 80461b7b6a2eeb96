"""What people do with single keys: adopt, preview, roll back, retire, resolve; and what they are shown."""

from support import ROTATIONS, Api, Sandbox, Server, require, until

CHANGES = ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
# A day of 48 s makes an hour of two seconds.
SHORT_DAY = {"KEYWHEEL_DAY_LENGTH": "48s"}


def begun(binary, folder, settings=None, **users):
    """A server, its API and a connection; users with so many keys of their own."""
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws, settings)
    api = Api(server)
    for name, keys in users.items():
        aws.user(name, keys)
    return aws, api, api.connect()["id"]


def create(api, connection, user, **more):
    return api.ok("POST", ROTATIONS, api.rotation(connection, user, **more))["secretRotation"]["id"]


def ledger(api, rotation):
    keys = api.ok("GET", f"{ROTATIONS}/{rotation}/keys")["keys"]
    # Everything but what changes by itself.
    return {key["accessKeyId"]: key | {"ageSeconds": None} for key in keys}


def word(api, rotation, key, action, body=None):
    return api.ok("POST", f"{ROTATIONS}/{rotation}/keys/{key}/{action}", body)


def foreign_key(aws, user):
    made = aws.control("POST", "/foreign", {"do": "createKey", "userName": user})["accessKey"]
    return {field: made[field] for field in ("accessKeyId", "secretAccessKey")}


def changes(aws):
    return [entry["action"] for entry in aws.calls() if entry["action"] in CHANGES and entry["effect"]]


def adoption(binary, folder):
    """A user with keys is taken as its owner says: imported, handed over, left alone or refused."""
    aws, api, connection = begun(binary, folder, imported=0, given=0, left=0, full=2, both=0)

    # Imported: published as it is, with no change at AWS.
    key = foreign_key(aws, "imported")
    secret = {"mode": "import", "accessKeyId": key["accessKeyId"]}
    body = api.rotation(connection, "imported", adoption=secret | {"secretAccessKey": "x" * 40})
    text = api.refused(400, "POST", ROTATIONS, body, containing=key["accessKeyId"])
    require("refuses the secret" in text, f"a wrong secret is said to be wrong: {text}")
    before = len(changes(aws))
    adopt = secret | {"secretAccessKey": key["secretAccessKey"]}
    rotation = create(api, connection, "imported", adoption=adopt)
    require(len(changes(aws)) == before, "an import changes nothing at AWS")
    require(api.published("imported") == key, "it is published")
    require(ledger(api, rotation)[key["accessKeyId"]]["origin"] == "imported", "the ledger says where it came from")
    api.rotate(rotation)
    require(aws.accepts(key) and aws.accepts(api.published("imported")), "it is rotated like any other")
    temporary = {"mode": "import", "accessKeyId": "ASIA0000000000000000", "secretAccessKey": "x"}
    api.refused(422, "POST", ROTATIONS, api.rotation(connection, "given", adoption=temporary), containing="ASIA")

    # Handed over: it lives on until a rotation needs its slot.
    key = foreign_key(aws, "given")["accessKeyId"]
    rotation = create(api, connection, "given", adoption={"mode": "hand-over", "accessKeyId": key})
    require(ledger(api, rotation)[key]["state"] == "displaced" and aws.keys("given")[key] == "Active", "it is displaced")
    api.rotate(rotation)
    require(key not in aws.keys("given"), "the next rotation retires it")

    # Left alone: the consequence is shown, and it can still be handed over later.
    key = foreign_key(aws, "left")["accessKeyId"]
    preview = api.ok("POST", f"{ROTATIONS}/preview", api.rotation(connection, "left"))["preview"]
    require(preview["outcome"] == "published" and preview["inTheWay"] == [key], f"it is told of before: {preview}")
    require(preview["next"]["code"] == "PREFLIGHT_UNMANAGED", f"so is the rotation after it: {preview['next']}")
    rotation = create(api, connection, "left")
    require(ledger(api, rotation)[key]["blocksRotation"], "the key ledger says that it blocks")
    text = api.refused(400, "POST", f"{ROTATIONS}/{rotation}/rotate-secrets", containing=key)
    require("Hand it over" in text and aws.keys("left")[key] == "Active", f"the way out is named: {text}")
    word(api, rotation, key, "hand-over")
    api.rotate(rotation)
    require(key not in aws.keys("left"), "handed over, it makes room")

    # A key that nobody has looked at yet can be spoken of as well.
    (displaced,) = [key for key, row in ledger(api, rotation).items() if row["state"] == "displaced"]
    aws.control("POST", "/foreign", {"do": "deleteKey", "userName": "left", "accessKeyId": displaced})
    new = foreign_key(aws, "left")["accessKeyId"]
    keys = word(api, rotation, new, "hand-over")["keys"]
    require([k["state"] for k in keys if k["accessKeyId"] == new] == ["displaced"], f"it is handed over: {keys}")

    # Two of others: refused, with everything that helps to decide.
    text = api.refused(400, "POST", ROTATIONS, api.rotation(connection, "full"))
    for part in [*aws.keys("full"), "Active", "less than an hour old", "never used", "Import one", "retireAtOnce"]:
        require(part in text, f"{part!r} is told: {text}")
    one, other = sorted(aws.keys("full"))
    hand_over = {"mode": "hand-over", "accessKeyId": one}
    api.refused(400, "POST", ROTATIONS, api.rotation(connection, "full", adoption=hand_over), containing="retireAtOnce")
    require(set(aws.keys("full")) == {one, other}, "nothing changed at AWS")
    rotation = create(api, connection, "full", adoption=hand_over | {"retireAtOnce": True})
    require(one not in aws.keys("full") and other in aws.keys("full"), "exactly the named key is gone")
    require(ledger(api, rotation)[other]["state"] == "unmanaged", "the other is not Keywheel's")
    unknown = {"mode": "hand-over", "accessKeyId": "AKIA0000000000000000"}
    api.refused(400, "POST", ROTATIONS, api.rotation(connection, "both", adoption=unknown), containing="does not list")


def policy_and_grace(binary, folder):
    """Grace: the displaced key is active for its hours, then inactive for its quarantine, then gone."""
    aws, api, connection = begun(binary, folder, SHORT_DAY, app=0)
    grace = {"retirement": {"mode": "grace", "graceHours": 2, "quarantineHours": 2}}
    rotation = create(api, connection, "app", isAutoRotationEnabled=False)
    path = f"{ROTATIONS}/{rotation}/policy"
    shown = api.ok("GET", path)["policy"]
    require(shown["retirement"] == {"mode": "next-rotation"} and not shown["exclusiveUser"], f"defaults: {shown}")
    require(api.ok("PATCH", path, grace)["policy"]["retirement"] == grace["retirement"], "it is changed")
    require(api.ok("GET", path)["policy"]["whenStillUsed"] == {"action": "warn"}, "the rest stays")
    changed = api.ok("PATCH", path, {"policy": {"retirement": {"graceHours": 3}}})["policy"]["retirement"]
    require(changed == {"mode": "grace", "graceHours": 3, "quarantineHours": 2}, f"what is absent stays: {changed}")
    api.ok("PATCH", path, grace)
    longer = {"retirement": {"mode": "grace", "graceHours": 48, "quarantineHours": 48}}
    api.ok("PATCH", path, longer)
    api.refused(400, "PATCH", f"{ROTATIONS}/{rotation}", {"rotationInterval": 2}, containing="shorter than")
    api.ok("PATCH", path, grace)
    too_long = {"retirement": {"mode": "grace", "graceHours": 30 * 24}}
    api.refused(400, "PATCH", path, too_long, containing="shorter than the rotation interval")
    api.refused(422, "PATCH", path, {"retirement": {"mode": "soon"}})
    api.refused(422, "PATCH", path, {"verifyRegions": ["mars"]})
    api.refused(400, "PATCH", path, {"verifyRegions": ["cn-north-1"]}, containing="partition")

    first = api.published()["accessKeyId"]
    api.rotate(rotation)
    row = ledger(api, rotation)[first]
    require(row["terms"]["when"] == "grace" and row["nextChange"]["change"] == "deactivate", f"what comes next: {row}")
    text = api.refused(400, "POST", f"{ROTATIONS}/{rotation}/rotate-secrets", containing=first)
    require("grace time" in text, f"the slot is held, and it is said why: {text}")
    shown = api.ok("GET", f"{ROTATIONS}/{rotation}")["secretRotation"]
    require(shown["rotationStatus"] == "success", f"nothing is wrong with the rotation: {shown}")
    until("it is inactive", lambda: aws.keys("app").get(first) == "Inactive" or None)
    until("it is gone", lambda: first not in aws.keys("app") or None)
    require(changes(aws)[-2:] == ["UpdateAccessKey", "DeleteAccessKey"], "in two steps")

    def erased():
        """AWS forgets the key before the ledger may: that waits for the answer and for a list without the key."""
        shown = api.ok("GET", f"{ROTATIONS}/{rotation}/generated-credentials")["generatedCredentials"]
        return [c["secretAccessKey"] for c in shown if c["accessKeyId"] == first] == [""] or None

    until("its id is shown, its secret is erased", erased)


def roll_back(binary, folder):
    """The previous key is published again while it exists, also out of its quarantine."""
    aws, api, connection = begun(binary, folder, SHORT_DAY, app=0, calm=0)
    rotation = create(api, connection, "app")
    first = api.published()
    shown = api.rotate(rotation)
    second = api.published()
    due = shown["nextRotationAt"]
    back = word(api, rotation, first["accessKeyId"], "roll-back")["secretRotation"]
    require(api.published() == first and back["activeIndex"] == 0, "the first key is published again, in its slot")
    require(back["nextRotationAt"] == due, "the schedule stays")
    require(aws.accepts(first) and aws.accepts(second), "both keys work")
    text = api.refused(400, "POST", f"{ROTATIONS}/{rotation}/keys/{first['accessKeyId']}/roll-back")
    require("the published one" in text, f"it cannot be rolled back to itself: {text}")
    api.refused(404, "POST", f"{ROTATIONS}/{rotation}/keys/AKIA0000000000000000/roll-back")
    api.refused(422, "POST", f"{ROTATIONS}/{rotation}/keys/no/roll-back")

    # Out of quarantine: an hour active, then inactive for long.
    policy = {"retirement": {"mode": "grace", "graceHours": 1, "quarantineHours": 400}}
    wanted = api.rotation(connection, "calm", policy=policy, rotationInterval=30)
    next_one = api.ok("POST", f"{ROTATIONS}/preview", wanted)["preview"]["next"]
    require(next_one["outcome"] == "published", f"by then the grace time is over: {next_one}")
    rotation = create(api, connection, "calm", policy=policy)
    first = api.published("calm")
    api.rotate(rotation)
    until("it is inactive", lambda: aws.keys("calm").get(first["accessKeyId"]) == "Inactive" or None)
    preview = api.ok("POST", f"{ROTATIONS}/{rotation}/preview", {"action": "roll-back"} | {
        "accessKeyId": first["accessKeyId"]})["preview"]
    steps = [step["step"] for step in preview["steps"]]
    require(preview["outcome"] == "published" and "reactivate" in steps, f"the preview says so: {preview}")
    word(api, rotation, first["accessKeyId"], "roll-back")
    require(api.published("calm") == first and aws.accepts(first), "it is active and published again")


def retire_and_hold(binary, folder):
    """The previous key goes at once when its owner says so, and stays when its owner holds it."""
    aws, api, connection = begun(binary, folder, app=0)
    rotation = create(api, connection, "app")
    first = api.published()["accessKeyId"]
    api.refused(400, "POST", f"{ROTATIONS}/{rotation}/keys/{first}/retire", containing="the published one")
    api.rotate(rotation)
    word(api, rotation, first, "hold", {"reason": "the batch job moves on Monday"})
    api.refused(422, "POST", f"{ROTATIONS}/{rotation}/keys/{first}/hold", {"reason": "two\nlines"})
    text = api.refused(400, "POST", f"{ROTATIONS}/{rotation}/rotate-secrets", containing=first)
    require("moves on Monday" in text and aws.keys("app")[first] == "Active", f"it is held, and why is told: {text}")
    word(api, rotation, first, "release")
    require(not ledger(api, rotation)[first]["blocksRotation"], "released, it makes room")
    keys = word(api, rotation, first, "retire")["keys"]
    state = {key["accessKeyId"]: key["state"] for key in keys}
    require(state[first] == "deleted" and first not in aws.keys("app"), "it is gone")
    require(changes(aws)[-2:] == ["UpdateAccessKey", "DeleteAccessKey"], "in two steps")
    require(aws.accepts(api.published()), "the published key works")


def preview_changes_nothing(binary, folder):
    """A preview asks AWS, says what would happen, and changes nothing there or here."""
    aws, api, connection = begun(binary, folder, app=0)
    wanted = api.rotation(connection)
    preview = api.ok("POST", f"{ROTATIONS}/preview", wanted)["preview"]
    require(preview["outcome"] == "published" and preview["next"]["outcome"] == "published", f"it would work: {preview}")
    require(not aws.keys("app"), "no key is made by a preview of a create")
    rotation = create(api, connection, "app")
    api.rotate(rotation)
    before, known = ledger(api, rotation), len(changes(aws))
    preview = api.ok("POST", f"{ROTATIONS}/{rotation}/preview")["preview"]
    planned = [s["step"] for s in preview["steps"] if s["status"] == "planned"]
    for step in ("deactivate", "delete", "create", "verify", "publish"):
        require(step in planned, f"{step} is planned: {preview}")
    checked = {s["step"] for s in preview["steps"] if s["status"] == "checked"}
    require({"identify", "list", "last-used"} <= checked, f"AWS was asked: {preview}")
    require(len(changes(aws)) == known and ledger(api, rotation) == before, "nothing changed")
    (displaced,) = [key for key, row in before.items() if row["state"] == "displaced"]
    aws.control("POST", "/foreign", {"do": "deleteKey", "userName": "app", "accessKeyId": displaced})
    foreign = foreign_key(aws, "app")["accessKeyId"]
    preview = api.ok("POST", f"{ROTATIONS}/{rotation}/preview")["preview"]
    require(preview["outcome"] == "failed" and foreign in preview["message"], f"it would not work: {preview}")


def suspects(binary, folder):
    """A key whose secret was lost waits for its owner's word, and goes or stays by it."""
    aws, api, connection = begun(binary, folder, one=0, two=0)
    for user, owner in (("one", "ours"), ("two", "theirs")):
        rotation = create(api, connection, user)
        known = set(aws.keys(user))
        aws.control("POST", "/faults", {"kind": "answerLost", "action": "CreateAccessKey"})
        api.refused(500, "POST", f"{ROTATIONS}/{rotation}/rotate-secrets", containing="did not say")
        (orphan,) = set(aws.keys(user)) - known
        found = until("it is found", lambda: ledger(api, rotation).get(orphan))
        require(found["state"] == "orphan_suspect" and found["blocksRotation"], f"it is a suspect: {found}")
        word(api, rotation, orphan, "resolve", {"owner": owner})
        gone = orphan not in aws.keys(user)
        require(gone == (owner == "ours"), f"{owner}: {aws.keys(user)}")
        require(ledger(api, rotation)[orphan]["state"] == ("deleted" if gone else "unmanaged"), "the ledger says so")
        api.refused(400, "POST", f"{ROTATIONS}/{rotation}/keys/{orphan}/resolve", {"owner": "ours"})
    api.refused(422, "POST", f"{ROTATIONS}/{rotation}/keys/{orphan}/resolve", {"owner": "nobody"})


def history_and_check(binary, folder):
    """Each run is kept with its steps and its end, and the published key can be checked at any time."""
    aws, api, connection = begun(binary, folder, app=0)
    rotation = create(api, connection, "app")
    check = f"{ROTATIONS}/{rotation}/check-credentials"
    status, answer = api.call("POST", check)
    require((status, answer) == (204, None), f"the published key works: {status} {answer}")
    api.rotate(rotation)
    aws.control("POST", "/faults", {"kind": "accessDenied", "action": "CreateAccessKey"})
    first = next(key for key, row in ledger(api, rotation).items() if row["state"] == "displaced")
    api.refused(500, "POST", f"{ROTATIONS}/{rotation}/rotate-secrets")
    runs = api.ok("GET", f"{ROTATIONS}/{rotation}/runs")["runs"]
    goals = [(run["goal"], run["outcome"], run["code"]) for run in runs]
    expected = [("rotate", "failed", "AWS_REFUSED"), ("rotate", "published", None), ("create", "published", None)]
    require(goals == expected, f"latest first: {goals}")
    steps = [(s["step"], s["accessKeyId"]) for s in runs[0]["steps"] if s["step"] != "record"]
    require(steps[:5] == [("identify", None), ("list", None), ("last-used", first), ("deactivate", first),
                          ("delete", first)], f"steps in order: {steps}")
    require(any(s["error"] and "AccessDenied" in s["error"] for s in runs[0]["steps"]), "errors are told")
    page = api.ok("GET", f"{ROTATIONS}/{rotation}/runs?limit=1&before={runs[0]['id']}")["runs"]
    require([run["id"] for run in page] == [runs[1]["id"]], "it is read page by page")
    published = api.published()["accessKeyId"]
    aws.control("POST", "/foreign", {"do": "deactivateKey", "userName": "app", "accessKeyId": published})
    api.refused(400, "POST", check, containing=published)


STORIES = [
    ("adoption as the owner says", adoption),
    ("grace and quarantine", policy_and_grace),
    ("a roll-back while the key exists", roll_back),
    ("retired and held by the owner's word", retire_and_hold),
    ("a preview changes nothing", preview_changes_nothing),
    ("a suspect is resolved", suspects),
    ("history and check of credentials", history_and_check),
]

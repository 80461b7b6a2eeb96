"""A rotation, from the connection to its end."""

import re

from playwright.sync_api import expect

from stage import run_of, section, what_to_do
from support import EMAIL, ROTATIONS, require, until

CREDENTIALS = "generated-credentials"
# So long that a run is seen at work, and so short that no call is given up.
SLOW = {"kind": "latency", "forever": True, "delayMs": 600}
REFUSING = {"kind": "accessDenied", "action": "CreateAccessKey", "forever": True}


def guided(stage):
    api = stage.set_up()
    terms = {"retirement": {"mode": "grace", "graceHours": 12, "quarantineHours": 36}, "whenStillUsed": {"action": "hold", "hoursMax": 48}}
    with api.as_administrator():
        api.ok("PUT", "/api/v1/organization/retirement-default", terms)
    stage.aws.user("billing", keys=1)
    (present,) = stage.aws.keys("billing")
    visitor = stage.signed_in()
    page = visitor.page

    connect(stage, visitor)
    visitor.follow("Rotations")
    page.get_by_role("main").get_by_role("link", name="New rotation").click()
    step(visitor, "Connection")
    step(visitor, "IAM user", lambda: choose(page, "billing"))
    expect(page.get_by_role("heading", name="Present keys")).to_be_visible()
    expect(page.get_by_role("cell", name=present).or_(page.get_by_role("rowheader", name=present))).to_be_visible()
    step(visitor, "Present keys", lambda: choose(page, re.compile("leave this one alone")))
    step(visitor, "Schedule", lambda: five_dates(page))
    step(visitor, "Place and names", lambda: name_secrets(page))
    expect(page.get_by_text("This would work")).to_be_visible()
    require("billing_ID" not in secrets_of(api), "nothing is made before the review is accepted")
    visitor.button("Create the rotation").click()

    expect(visitor.heading("billing")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("keys"))).to_be_visible()
    published = api.published("billing")
    require(stage.aws.accepts(published), "AWS accepts the published key")
    require(stage.aws.keys("billing").keys() == {present, published["accessKeyId"]}, "the key that was there is still there")
    expect(keys_table(visitor).get_by_role("row").filter(has_text=published["accessKeyId"])).to_contain_text("Published")
    expect(keys_table(visitor).get_by_role("row").filter(has_text=present)).to_contain_text("Foreign")
    expect(visitor.page.get_by_text("active for 12 h, inactive for 36 h, then deleted; kept while it is used, for 48 h at most")).to_be_visible()


def connect(stage, visitor):
    """A connection, made as the page guides."""
    page = visitor.page
    visitor.follow("Connections")
    page.get_by_role("main").get_by_role("link", name="New connection").click()
    choose(page, re.compile("^Access key"))
    page.get_by_label("Name", exact=True).fill("production")
    page.get_by_label("Access key id").fill(stage.aws.connection["accessKeyId"])
    page.get_by_label("Secret access key").fill(stage.aws.connection["secretAccessKey"])
    visitor.button("Create the connection").click()
    expect(visitor.heading("production")).to_be_visible()
    visitor.button("Test the connection").click()
    expect(page.get_by_text("It works")).to_be_visible()


def choose(page, name):
    page.get_by_role("radio", name=name).check()


def step(visitor, title, fill=None):
    """One step of the guide."""
    expect(visitor.page.get_by_role("heading", level=2, name=title)).to_be_visible()
    if fill:
        fill()
    visitor.button("Next").click()


def five_dates(page):
    expect(page.get_by_role("main").get_by_role("time")).to_have_count(5)


def name_secrets(page):
    page.get_by_label("Secret of the access key id").fill("billing_ID")
    page.get_by_label("Secret of the secret access key").fill("billing_SECRET")
    page.get_by_label("Name of the rotation").fill("billing")


def secrets_of(api):
    query = f"workspaceId={api.project}&environment=dev&secretPath=/"
    return {secret["secretKey"] for secret in api.ok("GET", f"/api/v3/secrets/raw?{query}")["secrets"]}


def keys_table(visitor):
    return visitor.page.get_by_role("table", name="Keys", exact=True)


def key_row(visitor, access_key_id):
    return keys_table(visitor).get_by_role("row").filter(has_text=access_key_id)


def opened(stage, **more):
    """A rotation of the user `app`, and somebody who looks at it."""
    api = stage.set_up()
    rotation = stage.rotation("app", **more)
    visitor = stage.signed_in()
    visitor.go(f"/rotations/{rotation}")
    return api, rotation, visitor


def run(visitor, button, title):
    """Asks for a run: reads what would happen, and agrees."""
    what_to_do(visitor, button).click()
    with visitor.dialog() as dialog:
        expect(dialog).to_have_accessible_name(title)
        expect(dialog.get_by_text("This would work")).to_be_visible()
        dialog.get_by_role("button", name=button, exact=True).click()


def watched(stage):
    api, rotation, visitor = opened(stage)
    first = api.published()["accessKeyId"]
    api.rotate(rotation)
    before = api.published()["accessKeyId"]
    visitor.go(f"/rotations/{rotation}")
    stage.aws.control("POST", "/faults", SLOW)
    run(visitor, "Rotate now", "Rotate now")
    latest = run_of(visitor)
    # On record is what was done before the last change that was announced.
    running = latest.filter(has_text="Running").get_by_role("listitem")
    expect(running.filter(has_text="Looked who")).to_be_visible()
    expect(what_to_do(visitor, "Rotate now")).to_be_disabled()
    expect(running.filter(has_text=f"Deactivated {first}")).to_be_visible()
    expect(latest.filter(has_text="Running")).to_have_count(0)
    for step_done in (f"Deleted {first}", "Created", "Checked", "Published"):
        expect(latest.get_by_role("listitem").filter(has_text=step_done)).to_be_visible()
    stage.aws.control("DELETE", "/faults")

    after = api.published()["accessKeyId"]
    require(after not in (first, before), "a new key is published")
    require(stage.aws.keys("app").keys() == {before, after}, "the one before the last is gone")
    expect(key_row(visitor, after)).to_contain_text("Published")
    expect(key_row(visitor, before)).to_contain_text("Displaced")
    expect(visitor.page.get_by_role("img", name=re.compile("lives of [23] keys"))).to_be_visible()
    expect(what_to_do(visitor, "Rotate now")).to_be_enabled()
    require(stage.found(rotation)["rotationStatus"] == "success", "the rotation went well")


def rolled_back(stage):
    api, rotation, visitor = opened(stage)
    before = api.published()["accessKeyId"]
    api.rotate(rotation)
    visitor.go(f"/rotations/{rotation}")
    run(visitor, "Roll back", "Roll back to an earlier key")
    expect(key_row(visitor, before)).to_contain_text("Published")
    require(api.published()["accessKeyId"] == before, "the earlier key is published again")
    require(stage.aws.accepts(api.published()), "AWS accepts it")


def failed_and_mended(stage):
    api, rotation, visitor = opened(stage)
    before = api.published()["accessKeyId"]
    stage.aws.control("POST", "/faults", REFUSING)
    # What AWS refuses is answered so; the contract has it.
    visitor.expects(500, f"{ROTATIONS}/{rotation}/rotate-secrets")
    run(visitor, "Rotate now", "Rotate now")
    failure = visitor.page.get_by_role("region", name="Failure")
    expect(failure).to_contain_text("CreateAccessKey")
    expect(failure).to_contain_text("What to do")
    expect(run_of(visitor)).to_contain_text("Failed")
    require(api.published()["accessKeyId"] == before, "the published key stays")
    visitor.follow("Overview")
    expect(section(visitor, "Failing")).to_contain_text("rotate-app")

    stage.aws.control("DELETE", "/faults")
    visitor.page.get_by_role("main").get_by_role("link", name="rotate-app").first.click()
    run(visitor, "Rotate now", "Rotate now")
    expect(failure).to_be_hidden()
    expect(run_of(visitor)).to_contain_text("Published")
    require(api.published()["accessKeyId"] != before, "a new key is published")


def revealed(stage):
    api, rotation, visitor = opened(stage)
    pair, page = api.published(), visitor.page
    require(pair["secretAccessKey"] not in page.content(), "the page holds no secret")
    require(not asked_for_credentials(visitor), "the credentials are not even asked for")
    visitor.button("Show the credentials").click()
    expect(page.get_by_text(pair["secretAccessKey"])).to_be_visible()
    visitor.button("Hide").click()
    expect(page.get_by_text(pair["secretAccessKey"])).to_be_hidden()
    require(pair["secretAccessKey"] not in page.content(), "hidden is gone")
    visitor.follow("Audit log")
    entry = page.get_by_role("table", name="Audit log").get_by_role("row").filter(has_text=CREDENTIALS)
    expect(entry).to_have_count(1)
    expect(entry).to_contain_text(EMAIL)


def asked_for_credentials(visitor):
    return [path for _, path in visitor.requests if path.endswith(CREDENTIALS)]


def paused(stage):
    _, rotation, visitor = opened(stage)
    for now, then, is_on in (("Pause", "Resume", False), ("Resume", "Pause", True)):
        what_to_do(visitor, now).click()
        with visitor.dialog() as dialog:
            dialog.get_by_role("button", name=now, exact=True).click()
        expect(what_to_do(visitor, then)).to_be_visible()
        require(stage.found(rotation)["isAutoRotationEnabled"] is is_on, f"after {now!r} automatic rotation is {is_on}")


def deleted(stage):
    api, rotation, visitor = opened(stage)
    pair = api.published()
    what_to_do(visitor, "Delete").click()
    with visitor.dialog() as dialog:
        dead = dialog.get_by_text("Dead key")
        expect(dead).to_be_hidden()
        dialog.get_by_text("Delete them at AWS now").click()
        expect(dead).to_be_visible()
        dialog.get_by_text("Leave them at AWS").click()
        expect(dead).to_be_hidden()
        dialog.get_by_label("Type rotate-app to go on").fill("rotate-app")
        dialog.get_by_role("button", name="Delete the rotation").click()
    expect(visitor.heading("Rotations")).to_be_visible()
    until("the rotation is gone", lambda: api.call("GET", f"{ROTATIONS}/{rotation}")[0] == 404 or None)
    require(api.published() == pair, "its secrets are kept, as was chosen")
    require(stage.aws.accepts(pair), "its key is left at AWS, as was chosen")


STORIES = [
    ("from a connection to the published key, step by step", guided),
    ("a rotation is watched while it runs", watched),
    ("a rotation is rolled back", rolled_back),
    ("a failed rotation says why, and is mended", failed_and_mended),
    ("credentials are shown on a click only, and the audit log tells", revealed),
    ("a rotation is paused and resumed", paused),
    ("a rotation is deleted, and leaves what was chosen", deleted),
]

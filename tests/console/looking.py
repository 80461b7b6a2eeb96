"""Secrets, the audit log, and what is there when nothing is."""

import json

from playwright.sync_api import expect

from stage import section
from support import ROTATIONS, require

VALUE = "postgres://db.example/orders"


def secrets(stage):
    api = stage.set_up()
    rotation = stage.rotation("app")
    place = {"projectId": api.project, "environment": "dev", "secretPath": "/"}
    api.ok("POST", "/api/v4/secrets/DATABASE_URL", place | {"secretValue": VALUE})
    visitor = stage.signed_in()
    page = visitor.page
    visitor.follow("Secrets")
    rows = page.get_by_role("table", name="Secrets").get_by_role("row")
    for name in ("app_ID", "app_SECRET"):
        link = rows.filter(has_text=name).get_by_role("link", name="rotated")
        expect(link).to_have_attribute("href", f"/rotations/{rotation}")
    plain = rows.filter(has_text="DATABASE_URL")
    expect(plain.get_by_text("rotated")).to_have_count(0)
    require(VALUE not in page.content(), "no value is shown, or loaded, unless it is asked for")
    plain.get_by_role("button", name="Show the value of DATABASE_URL").click()
    expect(plain).to_contain_text(VALUE)
    plain.get_by_role("button", name="Hide the value of DATABASE_URL").click()
    expect(plain).not_to_contain_text(VALUE)


def back_and_forth(stage):
    """Not only in the topmost folder, which is where one gets anyway."""
    api = stage.set_up()
    api.ok("POST", "/api/v2/folders", {"projectId": api.project, "environment": "dev", "path": "/", "name": "workers"})
    rotation = stage.rotation("app", secretPath="/workers")
    visitor = stage.signed_in()
    visitor.go(f"/rotations/{rotation}")
    visitor.page.get_by_role("link", name="Development /workers").click()
    row = visitor.page.get_by_role("table", name="Secrets").get_by_role("row").filter(has_text="app_ID")
    row.get_by_role("link", name="rotated").click()
    expect(visitor.heading("rotate-app")).to_be_visible()


def retirement_default(stage):
    api = stage.set_up()
    before = stage.rotation("before")
    visitor = stage.signed_in()
    page = visitor.page
    visitor.follow("Settings")
    page.get_by_role("link", name="Retirement").click()
    expect(page.get_by_label("Hours active")).to_be_hidden()
    page.get_by_role("radio", name="After hours of its own").check()
    page.get_by_label("Hours active").fill("12")
    page.get_by_label("Hours inactive, then deleted").fill("36")
    visitor.button("Save").click()
    expect(page.get_by_text("New rotations begin with this")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Hours inactive, then deleted")).to_have_value("36")
    modes = [api.ok("GET", f"{ROTATIONS}/{one}/policy")["policy"]["retirement"] for one in (before, stage.rotation("after"))]
    wanted = [{"mode": "next-rotation"}, {"mode": "grace", "graceHours": 12, "quarantineHours": 36}]
    require(modes == wanted, f"it counts for rotations that are made later: {modes}")


def audit(stage):
    stage.set_up()
    stage.rotation("app")
    visitor = stage.signed_in()
    visitor.follow("Audit log")
    rows = visitor.page.get_by_role("table", name="Audit log").get_by_role("rowgroup").last.get_by_role("row")
    everything = rows.count()
    visitor.page.get_by_label("Events").fill("create-project")
    visitor.button("Filter").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("create-project")
    require(everything > 1, f"without a filter there is more: {everything}")
    require("eventType=create-project" in visitor.page.url, f"the address keeps the filter: {visitor.page.url}")
    visitor.expects(422, "/api/v1/organization/audit-logs")
    visitor.page.get_by_label("Events").fill("no-such-event")
    visitor.button("Filter").click()
    expect(visitor.page.get_by_text("There is no such event")).to_be_visible()
    with visitor.page.expect_download() as download:
        visitor.button("Export as JSON").click()
    entries = json.loads(download.value.path().read_text())
    require([entry["event"]["type"] for entry in entries] == ["create-project"], f"the export is what the filter found: {entries}")


def first_steps(stage):
    """Who has nothing yet is told what to do first, on each page."""
    api = stage.set_up()
    with api.as_administrator():
        api.ok("DELETE", f"/api/v1/projects/{api.project}")
    visitor = stage.signed_in()
    main = visitor.page.get_by_role("main")
    with visitor.dialog("1. Make a project") as dialog:
        dialog.get_by_label("Name").fill("Shop")
        visitor.button("Make the project").click()
    expect(main.get_by_role("link", name="1. Connect an AWS account")).to_be_visible()
    visitor.follow("Connections")
    expect(main.get_by_text("No connection yet")).to_be_visible()
    visitor.follow("Rotations")
    expect(main.get_by_text("No rotations yet")).to_be_visible()
    expect(section(visitor, "Failing")).to_be_hidden()


def missing(stage):
    stage.set_up()
    visitor = stage.signed_in()
    for path in ("/no/such/page", "/connections/%", "/rotations/%zz"):
        visitor.go(path)
        expect(visitor.page.get_by_role("alert")).to_contain_text("There is no such page")
    # A link that was damaged on its way is a link: what it is worth, the server says.
    visitor.go("/join#100%")
    expect(visitor.heading("Choose a password")).to_be_visible()
    visitor.expects(404, ".*")
    visitor.go("/rotations/00000000-0000-4000-8000-000000000000")
    expect(visitor.heading("Not found")).to_be_visible()


STORIES = [
    ("secrets show whose they are, and their value on demand", secrets),
    ("a rotation leads to its secrets, and they lead to it", back_and_forth),
    ("the audit log is filtered and exported", audit),
    ("an administrator sets how displaced keys go", retirement_default),
    ("who has nothing yet is told what to do first", first_steps),
    ("what does not exist is said to be missing", missing),
]

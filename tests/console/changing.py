"""A rotation that is there: changed, moved, looked at beforehand, and rid of its previous key."""

from playwright.sync_api import expect

from rotating import key_row, opened
from stage import run_of, section, what_to_do
from support import ROTATIONS, require

# Calls of AWS that change nothing begin so.
READING = ("Get", "List")


def edited(stage):
    api, rotation, visitor = opened(stage)
    pair, page = api.published(), visitor.page
    with visitor.dialog("Edit") as dialog:
        dialog.get_by_label("Name", exact=True).fill("orders")
        dialog.get_by_label("Days between rotations").fill("7")
        dialog.get_by_label("At (UTC)").fill("04:30")
        dialog.get_by_label("Secret of the access key id").fill("orders_ID")
        dialog.get_by_label("Secret of the secret access key").fill("orders_SECRET")
        dialog.get_by_role("button", name="Save").click()
    expect(visitor.heading("orders")).to_be_visible()
    expect(section(visitor, "Settings")).to_contain_text("every 7 days at 04:30 UTC")
    found = stage.found(rotation)
    require((found["name"], found["rotationInterval"]) == ("orders", 7), f"name and interval are kept: {found}")
    require(found["rotateAtUtc"] == {"hours": 4, "minutes": 30}, f"the time of day is kept: {found}")
    require(api.published("orders") == pair, "the secrets are found under the new names, with the same values")
    require(stage.aws.accepts(pair), "the key is the same")
    for name in ("app_ID", "app_SECRET"):
        require(absent(api, name), f"{name} is no more found under its old name")
    api.rotate(rotation)
    require(api.published("orders") != pair, "the next key is published under the new names")

    page.get_by_role("link", name="Development /").click()
    rows = page.get_by_role("table", name="Secrets").get_by_role("row")
    for name in ("orders_ID", "orders_SECRET"):
        expect(rows.filter(has_text=name).get_by_role("link", name="rotated")).to_be_visible()
    expect(rows.filter(has_text="app_")).to_have_count(0)


def absent(api, name, environment="dev", path="/"):
    query = f"workspaceId={api.project}&environment={environment}&secretPath={path}"
    return api.call("GET", f"/api/v3/secrets/raw/{name}?{query}")[0] == 404


def edit_refused(stage):
    api, rotation, visitor = opened(stage)
    stage.rotation("other")
    before = stage.found(rotation)
    visitor.expects(400, f"{ROTATIONS}/{rotation}")
    visitor.button("Edit").click()
    dialog = visitor.page.get_by_role("dialog")
    name = dialog.get_by_label("Name", exact=True)
    name.fill("rotate-other")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("rotate-other")).to_be_visible()
    name.fill("rotate-app")
    dialog.get_by_label("Secret of the access key id").fill("other_ID")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("other_ID")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    require(stage.found(rotation) == before, "what is refused changes nothing")


def moved(stage):
    api, rotation, visitor = opened(stage)
    pair = api.published()
    there = {"environment": "prod", "path": "/workers"}
    api.ok("POST", "/api/v2/folders", {"projectId": api.project, "environment": "prod", "path": "/", "name": "workers"})
    in_the_way = {"projectId": api.project, "environment": "prod", "secretPath": "/workers", "secretValue": "of somebody else"}
    api.ok("POST", "/api/v4/secrets/app_ID", in_the_way)
    what_to_do(visitor, "Move").click()
    visitor.expects(400, f"{ROTATIONS}/move/{rotation}")
    with visitor.dialog() as dialog:
        dialog.get_by_label("Environment").select_option("Production")
        dialog.get_by_label("Folder").fill("/workers")
        dialog.get_by_role("button", name="Move").click()
        expect(dialog.get_by_role("alert")).to_contain_text("app_ID")
        require(api.secret("app_ID", **there)["secretValue"] == "of somebody else", "what is there is not replaced unasked")
        require(api.published() == pair, "what is refused moves nothing")
        dialog.get_by_label("Replace secrets of the same names there").check()
        dialog.get_by_role("button", name="Move").click()
    expect(visitor.page.get_by_role("link", name="Production /workers")).to_be_visible()
    found = stage.found(rotation)
    require((found["environment"]["slug"], found["folder"]["path"]) == ("prod", "/workers"), f"it is there: {found}")
    for name, value in (("app_ID", pair["accessKeyId"]), ("app_SECRET", pair["secretAccessKey"])):
        require(api.secret(name, **there)["secretValue"] == value, f"{name} came along")
        require(absent(api, name), f"{name} is no more where it was")
    api.rotate(rotation)
    require(api.secret("app_ID", **there)["secretValue"] != pair["accessKeyId"], "the next key is published there")


def previewed(stage):
    api, rotation, visitor = opened(stage)
    first = api.published()["accessKeyId"]
    api.rotate(rotation)
    visitor.go(f"/rotations/{rotation}")
    visitor.settle()
    before, calls = standing(stage, api, rotation), len(stage.aws.calls())
    what_to_do(visitor, "Preview").click()
    with visitor.dialog() as dialog:
        expect(dialog.get_by_text("This would work")).to_be_visible()
        planned = dialog.get_by_role("listitem").filter(has_text="planned")
        for step in (f"Deactivate {first}", f"Delete {first}", "Create a new key", "Publish the new key as the two secrets"):
            expect(planned.filter(has_text=step)).to_be_visible()
        dialog.get_by_role("button", name="Close").click()
    visitor.settle()
    asked = [call["action"] for call in stage.aws.calls()[calls:]]
    require(asked and all(action.startswith(READING) for action in asked), f"AWS is asked, and only read: {asked}")
    require(standing(stage, api, rotation) == before, "nothing is changed")


def standing(stage, api, rotation):
    """All that a run would change."""
    runs = api.ok("GET", f"{ROTATIONS}/{rotation}/runs")["runs"]
    return stage.found(rotation), api.published(), stage.aws.keys("app"), [run["id"] for run in runs]


def barred(stage):
    api, rotation, visitor = opened(stage)
    foreign = stage.aws.control("POST", "/foreign", {"do": "createKey", "userName": "app"})["accessKey"]["accessKeyId"]
    what_to_do(visitor, "Rotate now").click()
    with visitor.dialog() as dialog:
        expect(dialog.get_by_text("This would fail", exact=True)).to_be_visible()
        expect(dialog).to_contain_text("What to do")
        expect(dialog.get_by_role("button", name="Rotate now")).to_be_disabled()
        dialog.get_by_role("button", name="Cancel").click()
    require(foreign in stage.aws.keys("app"), "what is not Keywheel's is left alone")


def retired(stage):
    api, rotation, visitor = opened(stage)
    previous = api.published()["accessKeyId"]
    api.rotate(rotation)
    published = api.published()
    visitor.go(f"/rotations/{rotation}")
    for answer in ("Cancel", "Retire it"):
        require(stage.aws.keys("app").get(previous) == "Active", "nothing happens before the dialog is agreed to")
        what_to_do(visitor, "Retire previous").click()
        with visitor.dialog() as dialog:
            expect(dialog).to_have_accessible_name("Retire the key now")
            expect(dialog).to_contain_text(f"{previous} is deactivated and deleted at AWS at once")
            expect(dialog).to_contain_text("This cannot be undone")
            expect(dialog.get_by_text("This would work")).to_be_visible()
            dialog.get_by_role("button", name=answer, exact=True).click()
    expect(what_to_do(visitor, "Retire previous")).to_have_count(0)
    expect(run_of(visitor)).to_contain_text("Retiring a key")
    expect(key_row(visitor, previous)).to_have_count(0)
    visitor.page.get_by_text("Ended keys (1)").click()
    ended = visitor.page.get_by_role("table", name="Ended keys").get_by_role("row")
    expect(ended.filter(has_text=previous)).to_contain_text("Deleted")
    require(stage.aws.keys("app").keys() == {published["accessKeyId"]}, "the previous key is gone at AWS")
    require(api.published() == published and stage.aws.accepts(published), "the published key is as it was")


STORIES = [
    ("an edited rotation's secrets are found under their new names", edited),
    ("an edit that is refused says why, and changes nothing", edit_refused),
    ("a rotation moves with its secrets, over others only if told", moved),
    ("a preview shows what would happen, and changes nothing", previewed),
    ("what would fail cannot be started, and the page says why", barred),
    ("the previous key is retired at once, after the dialog that says so", retired),
]

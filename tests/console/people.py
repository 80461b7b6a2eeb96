"""Who comes in, who stays out, and who is shown out."""

from playwright.sync_api import expect

from stage import COOKIE, code_of, fill_in, sign_in, what_to_do
from support import EMAIL, PASSWORD, ROTATIONS, require

FIRST = {"email": "first@keywheel.example", "password": "a wheel of many keys", "organization": "First Company"}
INVITED, THEIR_PASSWORD = "newcomer@keywheel.example", "five words for a door"
CURRENT, SESSIONS, JOIN = "/api/v1/sessions/current", "/api/v1/sessions", "/api/v1/accounts/join"
LEFT = "Left behind"
WRONG = "not the password"


def first_sign_in(stage):
    link = stage.setup_link()
    first = stage.visitor()
    set_up(first, link)
    expect(first.button("Sign out")).to_be_visible()
    first.complete()
    require("#" not in first.page.url and "setup" not in first.page.url, f"the link is out of sight: {first.page.url}")
    expect(first.page.get_by_text(FIRST["email"])).to_be_visible()
    expect(first.page.get_by_text(FIRST["organization"])).to_be_visible()

    again = stage.visitor()
    again.go(link)
    expect(again.heading("Already set up")).to_be_visible()
    expect(again.button("Sign out")).to_be_hidden()
    body = {**FIRST, "email": "second@keywheel.example", "setupToken": link.partition("#")[2]}
    status, answer = stage.as_visitor(again, "POST", "/api/v1/accounts/setup", body)
    require(status == 400, f"the link works once; again it is refused with 400, not {status}: {answer}")


def set_up(visitor, link):
    visitor.go(link)
    visitor.page.get_by_label("Organization").fill(FIRST["organization"])
    visitor.page.get_by_label("E-mail").fill(FIRST["email"])
    choose_password(visitor, FIRST["password"])
    visitor.button("Create the account").click()


def choose_password(visitor, password):
    visitor.page.get_by_label("Password", exact=True).fill(password)
    visitor.page.get_by_label("again").fill(password)


def wrong_password(stage):
    stage.set_up()
    stranger = stage.visitor()
    stranger.expects(401, SESSIONS)
    stranger.go("/")
    fill_in(stranger, password=WRONG)
    expect(stranger.page.get_by_role("alert")).to_contain_text("password")
    require(not stranger.cookies(), "who is refused gets no session")
    fill_in(stranger)
    expect(stranger.button("Sign out")).to_be_visible()


def sign_out(stage):
    stage.set_up()
    somebody = stage.signed_in()
    cookies = somebody.cookies()
    require(stage.as_visitor(somebody, "GET", CURRENT)[0] == 200, "the cookie is a session")
    somebody.button("Sign out").click()
    expect(somebody.button("Sign in")).to_be_visible()
    status, _ = stage.as_visitor(somebody, "GET", CURRENT, cookies=cookies)
    require(status == 401, f"a session that was signed out of is refused with 401, not {status}")


def hidden_cookie(stage):
    stage.set_up()
    somebody = stage.signed_in()
    cookie = next(cookie for cookie in somebody.context.cookies() if cookie["name"] == COOKIE)
    require(cookie["httpOnly"] and cookie["sameSite"] == "Strict" and cookie["path"] == "/", f"the cookie is guarded: {cookie}")
    require(COOKIE not in somebody.page.evaluate("document.cookie"), "no script sees it")
    kept = somebody.page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    require(cookie["value"] not in kept, "it is kept nowhere else")


def forged_request(stage):
    api = stage.set_up()
    somebody = stage.signed_in()
    body = {"projectName": "Forged"}
    for token in (None, "of somebody else"):
        status, answer = stage.as_visitor(somebody, "POST", "/api/v1/projects", body, token)
        require(status == 403, f"what changes something without the token of the session is refused with 403, not {status}: {answer}")
    with api.as_administrator():
        names = {project["name"] for project in api.ok("GET", "/api/v1/projects")["projects"]}
    require("Forged" not in names, "nothing came of it")
    _, answer = stage.as_visitor(somebody, "GET", CURRENT)
    status, answer = stage.as_visitor(somebody, "POST", "/api/v1/projects", body, answer["session"]["csrfToken"])
    require(status == 200, f"with the token it is done: {status} {answer}")


def revoked_session(stage):
    stage.set_up()
    here, there = stage.signed_in(), stage.signed_in()
    here.follow("Settings")
    here.page.get_by_role("link", name="Sessions", exact=True).click()
    sessions = here.page.get_by_role("table", name="Sessions").get_by_role("rowgroup").last.get_by_role("row")
    expect(sessions).to_have_count(2)
    sessions.get_by_role("button", name="Revoke").click()
    expect(sessions).to_have_count(1)
    expect(sessions).to_contain_text("this one")
    status, _ = stage.as_visitor(there, "GET", CURRENT)
    require(status == 401, f"the other session is over, not answered with {status}")
    require(stage.as_visitor(here, "GET", CURRENT)[0] == 200, "one's own goes on")
    there.expects(401, ".*")
    there.page.get_by_role("link", name="Rotations", exact=True).first.click()
    expect(there.button("Sign in")).to_be_visible()


def second_factor(stage):
    stage.set_up()
    somebody = stage.signed_in()
    somebody.expects(401, SESSIONS)
    secret = switch_on_second_factor(somebody)

    somebody.button("Sign out").click()
    expect(somebody.button("Sign in")).to_be_visible()
    fill_in(somebody)
    code = somebody.page.get_by_label("Code")
    expect(code).to_be_visible()
    right = {code_of(secret, steps) for steps in (-2, -1, 0, 1, 2)}
    code.fill(next(wrong for wrong in ("000000", "111111", "222222", "333333", "444444", "555555") if wrong not in right))
    somebody.button("Sign in").click()
    expect(somebody.page.get_by_role("alert")).not_to_be_empty()
    require(COOKIE not in somebody.cookies(), "a wrong code lets nobody in")
    # Not the one of before: each is good once.
    somebody.page.get_by_label("Code").fill(code_of(secret, 1))
    somebody.button("Sign in").click()
    expect(somebody.button("Sign out")).to_be_visible()


def switch_on_second_factor(visitor):
    """Sets it up with a code of now; its secret."""
    visitor.follow("Settings")
    with visitor.dialog("Set it up") as dialog:
        dialog.get_by_label("Password").fill(PASSWORD)
        dialog.get_by_role("button", name="Go on").click()
        expect(dialog.get_by_label("Code")).to_be_visible()
        secret = dialog.get_by_role("code").first.inner_text().replace(" ", "")
        dialog.get_by_label("Code").fill(code_of(secret))
        dialog.get_by_role("button", name="Switch it on").click()
    expect(visitor.button("Switch it off")).to_be_visible()
    return secret


def invited(stage):
    stage.set_up()
    administrator = stage.signed_in()
    link, row = invite(stage, administrator)
    expect(row).to_contain_text("invited")
    newcomer = stage.visitor()
    join(newcomer, link, THEIR_PASSWORD)
    expect(newcomer.button("Sign out")).to_be_visible()
    expect(newcomer.page.get_by_text(INVITED)).to_be_visible()
    require("#" not in newcomer.page.url and "join" not in newcomer.page.url, f"the link is out of sight: {newcomer.page.url}")

    again = stage.visitor()
    again.expects(401, JOIN)
    join(again, link, WRONG * 2)
    expect(again.page.get_by_role("alert")).not_to_be_empty()
    require(not again.cookies(), "the link works once")
    newcomer.button("Sign out").click()
    expect(newcomer.button("Sign in")).to_be_visible()
    sign_in(newcomer, THEIR_PASSWORD, INVITED)
    administrator.page.reload()
    expect(row).to_contain_text("password only")


def invite(stage, administrator, role="no-access"):
    """The path of the link that is handed over, and who it is for in the list of people."""
    administrator.follow("Access")
    with administrator.dialog("Invite somebody") as dialog:
        dialog.get_by_label("E-mail").fill(INVITED)
        chosen = dialog.get_by_label("Role in the organization")
        # To make projects, and rotations in them through all connections, is to be chosen and not to be overlooked.
        expect(chosen).to_have_value("no-access")
        chosen.select_option(role)
        dialog.get_by_role("button", name="Make the link").click()
    panel = administrator.page.get_by_role("group", name=f"One-time link for {INVITED}")
    link = panel.get_by_role("code").inner_text()
    require(link.startswith(stage.server.url + "/join#"), f"it leads to this server: {link}")
    people = administrator.page.get_by_role("table", name="People")
    return link.removeprefix(stage.server.url), people.get_by_role("row").filter(has_text=INVITED)


def join(visitor, link, password):
    visitor.go(link)
    choose_password(visitor, password)
    visitor.button("Save and sign in").click()


def newcomer_everywhere(stage):
    """No page asks for what they may not see: that would be a fault."""
    stage.set_up()
    stage.rotation("app")
    link, _ = invite(stage, stage.signed_in(), "member")
    newcomer = stage.visitor()
    join(newcomer, link, THEIR_PASSWORD)
    expect(newcomer.heading("Overview")).to_be_visible()
    main = newcomer.page.get_by_role("main")
    for page in ("Overview", "Rotations", "Connections", "Secrets", "Access", "Audit log", "Settings"):
        newcomer.follow(page)
        newcomer.settle()
        expect(main).not_to_contain_text("rotate-app")
        expect(newcomer.button("Try again")).to_have_count(0)


def role_changed(stage):
    api = stage.set_up()
    with api.as_administrator():
        link = api.ok("POST", "/api/v1/accounts", {"email": INVITED, "role": "admin"})["link"]["path"]
    join(stage.visitor(), link, THEIR_PASSWORD)
    administrator = stage.signed_in()
    administrator.follow("Access")
    people = administrator.page.get_by_role("table", name="People")
    people.get_by_role("row").filter(has_text=INVITED).get_by_role("link", name="admin").click()
    with administrator.dialog("Edit") as dialog:
        dialog.get_by_label("Role in the organization").select_option("member")
        dialog.get_by_role("button", name="Save").click()
    about = administrator.page.get_by_role("region", name="About")
    expect(about).to_contain_text("member")
    expect(administrator.button("Delete")).to_have_count(0)
    administrator.follow("Access")
    expect(people.get_by_role("row").filter(has_text=INVITED)).to_contain_text("member")


def left_behind(stage):
    """A project goes on without anybody in it, until an administrator enters it."""
    api = stage.set_up()
    administrator = stage.signed_in()
    rotation = leave_a_project(stage, administrator)
    administrator.follow("Access")
    with administrator.dialog(f"Remove {INVITED}") as dialog:
        expect(dialog).to_contain_text("1 project has no other member: what is in there stays, and 1 rotation goes on")
        dialog.get_by_role("button", name="Remove").click()
    require(api.call("GET", f"{ROTATIONS}/{rotation}")[0] == 403, "nobody who is left sees the rotation")
    told_of_uses(stage, administrator)
    administrator.follow("Access")
    administrator.page.get_by_role("link", name="Projects", exact=True).click()
    row = administrator.page.get_by_role("table", name="All projects").get_by_role("row").filter(has_text=LEFT)
    expect(row).to_contain_text("not in it")
    expect(row).to_contain_text("nobody")
    with administrator.dialog(f"Enter as administrator {LEFT}") as dialog:
        expect(dialog).to_contain_text("You become its administrator")
        dialog.get_by_role("button", name="Enter").click()
    expect(administrator.page.get_by_role("table", name=f"Members of {LEFT}")).to_contain_text(EMAIL)
    expect(row).to_contain_text("a member")
    expect(row.get_by_role("button")).to_have_count(0)

    administrator.follow("Rotations")
    administrator.page.get_by_role("link", name="rotate-app").click()
    what_to_do(administrator, "Pause").click()
    with administrator.dialog() as dialog:
        dialog.get_by_role("button", name="Pause").click()
    expect(what_to_do(administrator, "Resume")).to_be_visible()


def told_of_uses(stage, administrator):
    """Of rotations that they do not see too."""
    with stage.api.as_administrator():
        (connection,) = stage.api.ok("GET", "/api/v1/app-connections/aws")["appConnections"]
    administrator.go(f"/connections/{connection['id']}")
    administrator.expects(400, f"/api/v1/app-connections/aws/{connection['id']}")
    with administrator.dialog("Delete") as dialog:
        dialog.get_by_role("button", name="Delete").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Used by 1 rotation in 1 project")
        dialog.get_by_role("button", name="Cancel").click()


def leave_a_project(stage, administrator):
    """Somebody joins, makes a project and a rotation in it; the id of that."""
    link, _ = invite(stage, administrator, "member")
    leaver = stage.visitor()
    join(leaver, link, THEIR_PASSWORD)
    expect(leaver.button("Sign out")).to_be_visible()
    _, answer = stage.as_visitor(leaver, "GET", CURRENT)
    token = answer["session"]["csrfToken"]
    status, made = stage.as_visitor(leaver, "POST", "/api/v1/projects", {"projectName": LEFT}, token)
    require(status == 200, f"members make projects: {status} {made}")
    stage.aws.user("app")
    wanted = stage.api.rotation(stage.api.connect()["id"], projectId=made["project"]["id"])
    status, made = stage.as_visitor(leaver, "POST", ROTATIONS, wanted, token)
    require(status == 200, f"and rotations in them through a connection of the organization: {status} {made}")
    return made["secretRotation"]["id"]


def not_allowed(stage):
    """Who only some projects let in may not see the connections of the organization."""
    api = stage.set_up()
    with api.as_administrator():
        link = api.ok("POST", "/api/v1/accounts", {"email": INVITED, "role": "no-access"})["link"]["path"]
    visitor = stage.visitor()
    join(visitor, link, THEIR_PASSWORD)
    expect(visitor.button("Sign out")).to_be_visible()
    visitor.expects(403, "/api/v1/app-connections/aws")
    visitor.go("/connections")
    expect(visitor.heading("Not allowed")).to_be_visible()
    expect(visitor.page.get_by_text("ask an administrator")).to_be_visible()
    expect(visitor.button("Try again")).to_have_count(0)


STORIES = [
    ("the printed link makes the first account, once", first_sign_in),
    ("a wrong password is refused, and the page says so", wrong_password),
    ("signing out ends the session", sign_out),
    ("the session is a cookie that no script sees", hidden_cookie),
    ("a forged request of another site changes nothing", forged_request),
    ("sessions are listed, and another one can be ended", revoked_session),
    ("with a second factor, a password alone lets nobody in", second_factor),
    ("who is invited joins by the link, which works once", invited),
    ("who was only just invited can open every page", newcomer_everywhere),
    ("an administrator enters a project whose only member is gone, and pauses its rotation", left_behind),
    ("who may not see something is told whom to ask", not_allowed),
    ("an administrator changes what somebody may do", role_changed),
]

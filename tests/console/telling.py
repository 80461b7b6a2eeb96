"""Who is told what happens, and how somebody finds out that they were not."""

import http.server
import json
import socketserver
import threading

from playwright.sync_api import expect

from support import require, until

ADDRESS, SENDER = "ops@company.example", "keywheel@company.example"


def webhook(stage):
    api = stage.set_up()
    rotation = stage.rotation("app")
    with receiver() as (port, received, answers):
        address = f"http://127.0.0.1:{port}/hook"
        visitor = stage.signed_in()
        row = notification(visitor, "Address", address)
        tested(visitor, row)
        require([told["event"] for told in received] == ["test"], f"it is told that this is a test: {received}")
        delivered(visitor, row, "test", "success, 200")
        answers.append(503)
        api.rotate(rotation)
        untold(visitor, row, "The receiver answered with status 503")


def mail(stage):
    with mail_server() as (port, received, answers):
        stage.server.program.stop()
        stage.server.restart(
            KEYWHEEL_SMTP_URL=f"smtp://127.0.0.1:{port}", KEYWHEEL_SMTP_FROM=SENDER, KEYWHEEL_SMTP_ALLOW_PLAIN="true"
        )
        api = stage.set_up()
        rotation = stage.rotation("app")
        visitor = stage.signed_in()
        row = notification(visitor, "E-mail address", ADDRESS, kind="E-mail")
        tested(visitor, row)
        require(len(received) == 1 and f"To: {ADDRESS}" in received[0], f"one mail is sent, to them: {received}")
        delivered(visitor, row, "test", "success")
        answers.append("550 nobody has this name")
        api.rotate(rotation)
        untold(visitor, row, "The mail server refused it with code 550")


def notification(visitor, label, address, kind=None):
    """Makes it; its row."""
    visitor.follow("Settings")
    visitor.page.get_by_role("link", name="Notifications").click()
    with visitor.dialog("New notification") as dialog:
        if kind:
            dialog.get_by_label("Kind").select_option(kind)
        dialog.get_by_label(label, exact=True).fill(address)
        dialog.get_by_role("button", name="Make it").click()
    row = visitor.page.get_by_role("table", name="Notifications").get_by_role("row").filter(has_text=address)
    expect(row).to_contain_text("nothing sent yet")
    return row


def tested(visitor, row):
    row.get_by_role("button", name="Test").click()
    expect(visitor.page.get_by_text("The test is sent")).to_be_visible()
    expect(row).to_contain_text("success")


def untold(visitor, row, reason):
    """A delivery of what a rotation tells fails, and the page says why."""

    def attempt():
        visitor.page.reload()
        visitor.settle()
        return reason in row.inner_text() or None

    until("the list says why the last delivery failed", attempt)
    expect(row).to_contain_text("failed")
    delivered(visitor, row, "secrets.rotated", "failed", reason)
    delivered(visitor, row, "test", "success")


def delivered(visitor, row, event, *told):
    """The log of deliveries tells this of an event."""
    row.get_by_role("button", name="Deliveries").click()
    with visitor.dialog() as dialog:
        delivery = dialog.get_by_role("table", name="Deliveries").get_by_role("row").filter(has_text=event).last
        for text in told:
            expect(delivery).to_contain_text(text)
        dialog.get_by_role("button", name="Close").click()


class Listening:
    """A program on this machine that keeps what it is sent. The last of its answers is what it answers, if there is one."""

    handler = None

    def __enter__(self):
        received, answers = [], []
        handler = type("Handler", (self.handler,), {"received": received, "answers": answers})
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.server.server_address[1], received, answers

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class receiver(Listening):
    """Of webhooks."""

    class handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(self.answers[-1] if self.answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass


class mail_server(Listening):
    """Of mails, as RFC 5321 has it, without TLS."""

    class handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.say("220 mail.example")
            while command := self.rfile.readline().decode().strip().upper():
                if command == "DATA":
                    self.say("354 go on")
                    self.received.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                    self.say(self.answers[-1] if self.answers else "250 taken")
                else:
                    self.say("250 mail.example")

        def say(self, line):
            self.wfile.write(f"{line}\r\n".encode())


STORIES = [
    ("a webhook is tested, and the log says why it was not told", webhook),
    ("a notification by e-mail is tested, and the log says why it was refused", mail),
]

"""Mails go over TLS, and neither login nor mail goes to who cannot prove to be the mail server."""

import datetime
import functools

from smtp import HOST, Authority, MailServer
from support import Api, Sandbox, Server, require, until

WEBHOOKS = "/api/v1/webhooks"
LOGIN = ["keywheel", "planted-password"]
TO = "ops@company.example"
DISTRUSTED = "The certificate of the mail server is not one to trust"
INSECURE = "The mail server offers no TLS"


class Stage:
    """A server whose mails go to a mail server, and which trusts one authority."""

    def __init__(self, binary, folder, scheme):
        self.folder = folder
        self.told = 0
        self.authority = Authority(folder, "authority")
        self.mail_server = MailServer(scheme, self.authority.context())
        settings = {
            "KEYWHEEL_SMTP_URL": f"{scheme}://{':'.join(LOGIN)}@{HOST}:{self.mail_server.port}",
            "KEYWHEEL_SMTP_FROM": "keywheel@company.example",
            "SSL_CERT_FILE": str(self.authority.file),
        }
        self.api = Api(Server(binary, folder, Sandbox(binary, folder), settings))

    def tell(self):
        """Has a mail sent; what the log of deliveries says of it, and what the mail server heard."""
        self.mail_server.sessions.clear()
        # One of its own each time: an address is tested once in a minute.
        self.told += 1
        to = f"mailto:{self.told}.{TO}"
        wanted = {"projectId": self.api.project, "environment": "dev", "type": "email", "webhookUrl": to}
        webhook = self.api.ok("POST", WEBHOOKS, wanted)["webhook"]["id"]
        self.api.ok("POST", f"{WEBHOOKS}/{webhook}/test")
        path = f"{WEBHOOKS}/{webhook}/deliveries"
        (delivery,) = until("the log tells of it", lambda: self.api.ok("GET", path)["deliveries"] or None)
        sessions = self.mail_server.sessions
        require(len(sessions) == 1, f"the mail server is asked once, not {len(sessions)} times")
        (session,) = sessions
        until("the connection ends", lambda: session.is_over.is_set() or None)
        return delivery, session

    def is_taken(self):
        """A mail arrives, with the login before it, and the log says so; what the mail server heard."""
        delivery, session = self.tell()
        require((delivery["status"], delivery["message"]) == ("success", None), f"the log tells of it: {delivery}")
        require(session.login == LOGIN, f"the login arrives: {session.login}")
        for part in (f"To: {self.told}.{TO}\r\n", "A test of this webhook"):
            require(part in session.mail, f"so does the mail, with {part!r}: {session.mail}")
        verbs = verbs_of(session.sealed)
        require(verbs == ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"], f"all of it under TLS: {session.sealed}")
        return session

    def is_refused(self, case, reason):
        """Nothing goes to the mail server as it is now, and the log says why; the commands that came in the clear."""
        delivery, session = self.tell()
        require(delivery["status"] == "failed", f"{case}: the log tells of a failure: {delivery}")
        require(reason in delivery["message"], f"{case}: the log says {reason!r}: {delivery}")
        require(session.sealed == [], f"{case}: nothing is said under TLS: {session.sealed}")
        require((session.login, session.mail) == (None, None), f"{case}: no login, no mail: {session.clear}")
        return verbs_of(session.clear)


def verbs_of(lines):
    return [line.split()[0] for line in lines]


def tls_from_the_first_byte(binary, folder):
    session = Stage(binary, folder, "smtps").is_taken()
    require(session.clear == [], f"nothing is said in the clear: {session.clear}")


def starttls(binary, folder):
    session = Stage(binary, folder, "smtp").is_taken()
    require(verbs_of(session.clear) == ["EHLO", "STARTTLS"], f"no more is said in the clear: {session.clear}")


def distrusted(binary, folder, scheme, in_the_clear):
    stage = Stage(binary, folder, scheme)
    right, other = stage.authority, Authority(folder, "other")
    for case, context in (
        ("an unknown authority", other.context()),
        ("another host", right.context("mail.company.example")),
        ("expired", right.context(validity=-datetime.timedelta(hours=1))),
    ):
        stage.mail_server.context = context
        heard = stage.is_refused(case, DISTRUSTED)
        require(heard == in_the_clear, f"{case}: no more is said in the clear: {heard}")
    # It was the certificate, and nothing else.
    stage.mail_server.context = right.context()
    stage.is_taken()


def no_starttls(binary, folder):
    stage = Stage(binary, folder, "smtp")
    stage.mail_server.offers = False
    heard = stage.is_refused("no STARTTLS", INSECURE)
    require(set(heard) <= {"EHLO", "QUIT"}, f"no more is said in the clear: {heard}")
    stage.mail_server.offers = True
    stage.is_taken()


STORIES = [
    ("a mail goes over TLS from the first byte", tls_from_the_first_byte),
    ("a mail goes over STARTTLS and nothing before", starttls),
    (
        "a certificate that cannot be trusted gets no mail",
        functools.partial(distrusted, scheme="smtps", in_the_clear=[]),
    ),
    (
        "a certificate that cannot be trusted gets no mail over STARTTLS",
        functools.partial(distrusted, scheme="smtp", in_the_clear=["EHLO", "STARTTLS"]),
    ),
    ("a mail server without STARTTLS gets no mail", no_starttls),
]

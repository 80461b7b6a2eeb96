"""A mail server on loopback that keeps what it is told, and whether under TLS; and who signs its certificate."""

import base64
import contextlib
import datetime
import socket
import ssl
import threading

from support import require

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:  # the other stories do without
    x509 = None

# What clients know it by, and its certificate is of.
HOST = "localhost"
# No story waits longer for a client that says nothing.
SILENCE_SECONDS_MAX = 60
# Longer than any story goes on.
VALIDITY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates. Its own is in a file, as clients want it."""

    def __init__(self, folder, name):
        require(x509, "the package cryptography is there: run ./test, or take .python/moto/bin/python")
        self.folder, self.name = folder, name
        self.key = new_key()
        self.file = folder / f"{name}.crt"
        self.file.write_bytes(self.signed(name, self.key, VALIDITY, None))

    def context(self, host=HOST, validity=VALIDITY):
        """What speaks TLS as this host, with a certificate that is valid for so long from now on, or no more."""
        key = new_key()
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        chain = self.folder / "chain.pem"
        chain.write_bytes(key.private_bytes(*form) + self.signed(host, key, validity, host))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def signed(self, name, key, validity, host):
        """A certificate for a key: of this host, or, without one, of an authority."""
        now = datetime.datetime.now(datetime.timezone.utc)
        extension = x509.SubjectAlternativeName([x509.DNSName(host)]) if host else x509.BasicConstraints(True, None)
        made = x509.CertificateBuilder(named(self.name), named(name), key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now - VALIDITY).not_valid_after(now + validity).add_extension(extension, not host)
        return made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def named(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


class Session:
    """One connection: the lines that came in the clear, those under TLS, and the login and the mail of either."""

    def __init__(self):
        self.clear, self.sealed = [], []
        self.login = self.mail = None
        self.is_over = threading.Event()


class MailServer:
    """Takes every login and mail, over TLS from the first byte (`smtps`), or with STARTTLS if it `offers` that."""

    def __init__(self, scheme, context):
        self.scheme, self.context = scheme, context
        self.offers = True
        self.sessions = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            client.settimeout(SILENCE_SECONDS_MAX)
            session = Session()
            self.sessions.append(session)
            threading.Thread(target=self.serve, args=(client, session), daemon=True).start()

    def serve(self, client, session):
        # A client that goes away, or that does not trust the certificate, is an OSError.
        try:
            with contextlib.suppress(OSError), contextlib.ExitStack() as ends:
                if self.scheme == "smtps":
                    client = self.context.wrap_socket(client, server_side=True)
                ends.enter_context(client)
                client.sendall(b"220 ready\r\n")
                if self.converse(client, session) == "STARTTLS":
                    client = ends.enter_context(self.context.wrap_socket(client, server_side=True))
                    self.converse(client, session)
        finally:
            session.is_over.set()

    def converse(self, client, session):
        """Answers until the client wants TLS, or goes."""
        is_sealed = isinstance(client, ssl.SSLSocket)
        said = session.sealed if is_sealed else session.clear
        offer = b"" if is_sealed or not self.offers else b"250-STARTTLS\r\n"
        with client.makefile("rb") as lines:
            for line in lines:
                said.append(line.decode(errors="replace").strip())
                match said[-1].partition(" ")[0]:
                    case "EHLO":
                        client.sendall(b"250-stories\r\n" + offer + b"250 AUTH PLAIN\r\n")
                    case "STARTTLS":
                        client.sendall(b"220 go ahead\r\n")
                        return "STARTTLS"
                    case "AUTH":
                        session.login = base64.b64decode(said[-1].split()[-1]).decode().split("\0")[1:]
                        client.sendall(b"235 welcome\r\n")
                    case "DATA":
                        client.sendall(b"354 go on\r\n")
                        session.mail = b"".join(iter(lines.__next__, b".\r\n")).decode()
                        client.sendall(b"250 taken\r\n")
                    case "QUIT":
                        client.sendall(b"221 bye\r\n")
                    case _:
                        client.sendall(b"250 fine\r\n")
        return None

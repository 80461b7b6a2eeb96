"""TCP proxies that stand between a server and what it talks to, and harm the way between them."""

import contextlib
import re
import select
import socket
import struct
import threading

# `GetCallerIdentity` asks who the connection is, or, signed with the new key, whether that works.
VERIFY = "verify"
# What a read takes at most.
CHUNK = 65536


class Wire:
    """A proxy on loopback, threads for each connection. While nothing is wrong it passes everything on."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.lock = threading.Lock()
        self.ends = set()
        self.refusing = False
        self.passing = threading.Event()
        self.passing.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self):
        """Cuts every connection, as if a machine between the two had forgotten them."""
        with self.lock:
            for end in self.ends:
                reset(end)

    def refuse(self):
        """Cuts every connection, now and from now on."""
        self.refusing = True
        self.cut()

    def hang(self):
        """Swallows everything, new connections too: nobody hears anything, not even of an end."""
        self.passing.clear()

    def heal(self):
        """Passes everything on again, also what was on its way."""
        self.refusing = False
        self.passing.set()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError), client:
            if self.refusing:
                reset(client)
                return
            self.passing.wait()
            with socket.create_connection(self.target) as upstream:
                both = {client, upstream}
                for end in both:
                    # What comes in pieces leaves in pieces, at once.
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self.lock:
                    self.ends |= both
                try:
                    self.relay(client, upstream)
                finally:
                    with self.lock:
                        self.ends -= both

    def relay(self, client, upstream):
        """Serves one connection until it ends."""
        raise NotImplementedError


def reset(end):
    """Ends a connection without a good-bye, also for a thread that waits for it."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)


class AwsWire(Wire):
    """Loses answers of AWS. It understands just enough of HTTP to tell calls apart."""

    def __init__(self, aws):
        super().__init__(int(aws.url.rsplit(":", 1)[1]))
        self.aws = aws
        self.url = f"http://127.0.0.1:{self.port}"
        self.call, self.manner, self.left, self.lost = None, None, 0, 0
        self.unanswered = []

    def lose(self, call, manner, times):
        with self.lock:
            self.call, self.manner, self.left, self.lost = call, manner, times, 0

    def heal(self):
        self.lose(None, None, 0)
        super().heal()

    def relay(self, client, upstream):
        while request := message(client):
            self.passing.wait()
            call = self.name(request)
            upstream.sendall(request)
            self.unanswered.append(call)
            try:
                # What is sent while an answer is due can only be the end of the client.
                ready, _, _ = select.select([client, upstream], [], [])
                answer = message(upstream) if upstream in ready else None
            finally:
                self.unanswered.remove(call)
            if answer is None:
                return
            self.passing.wait()
            manner = self.harm(call)
            if not manner:
                client.sendall(answer)
                continue
            if manner == "half":
                client.sendall(answer[: len(answer) // 2])
            if manner == "silent":
                client.recv(1)  # until the client has given up
            return

    def name(self, request):
        action = re.search(rb"Action=(\w+)", request)[1].decode()
        by_connection = self.aws.connection["accessKeyId"].encode() in request
        return VERIFY if action == "GetCallerIdentity" and not by_connection else action

    def harm(self, call):
        with self.lock:
            if call != self.call or self.left == 0:
                return None
            self.left -= 1
            self.lost += 1
            return self.manner


def message(stream):
    """One request or answer of HTTP, head and body; empty if the other side has closed."""
    read = b""
    while b"\r\n\r\n" not in read:
        if not (more := stream.recv(CHUNK)):
            return b""
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0:
        if not (more := stream.recv(missing)):
            return b""
        read += more
        missing -= len(more)
    return read


class PostgresWire(Wire):
    """Harms the way to PostgreSQL at a chosen message. It understands just enough of its protocol, without TLS."""

    # A statement by itself, and the end of one with arguments.
    STATEMENTS = (b"Q", b"S")

    def __init__(self, port):
        super().__init__(port)
        self.statements, self.commits = 0, 0
        self.aim = None
        self.answering = threading.Event()
        self.answering.set()
        self.struck = threading.Event()
        self.released = threading.Event()

    def strike(self, at, number, how):
        """Harms the connection at the so-manyth statement or commit from now on: "before" it reaches the server,
        "after" the server has done it and before its answer comes back, or "hold" until it is released."""
        self.struck.clear()
        self.released.clear()
        with self.lock:
            self.aim = [at, number, how]

    def hold_answers(self):
        """The database does what it is told, and nobody hears of it until `heal`."""
        self.answering.clear()

    def heal(self):
        self.answering.set()
        super().heal()

    def spare(self):
        with self.lock:
            self.aim = None
        self.released.set()

    def relay(self, client, upstream):
        swallowing = threading.Event()
        answers = threading.Thread(target=self.answer, args=(client, upstream, swallowing), daemon=True)
        answers.start()
        try:
            is_first, waiting = True, b""
            while read := client.recv(CHUNK):
                waiting += read
                # The first message has no kind.
                while length := framed(waiting, 0 if is_first else 1):
                    sent, waiting = waiting[:length], waiting[length:]
                    how = None if is_first else self.harm(sent)
                    is_first = False
                    self.passing.wait()
                    if how == "before":
                        self.struck.set()
                        return
                    if how == "hold":
                        self.struck.set()
                        self.released.wait()
                    if how == "after":
                        swallowing.set()
                    upstream.sendall(sent)
        finally:
            if not swallowing.is_set():
                reset(client)
                reset(upstream)
            answers.join()

    def answer(self, client, upstream, swallowing):
        with contextlib.suppress(OSError):
            while read := upstream.recv(CHUNK):
                self.passing.wait()
                self.answering.wait()
                if swallowing.is_set():
                    self.struck.set()
                    break
                client.sendall(read)
        reset(client)
        reset(upstream)

    def harm(self, sent):
        kind = sent[:1]
        is_commit = sent[5:].rstrip(b"\0") == b"COMMIT"
        with self.lock:
            self.statements += kind in self.STATEMENTS
            self.commits += is_commit
            if not self.aim or not (is_commit if self.aim[0] == "commit" else kind in self.STATEMENTS):
                return None
            self.aim[1] -= 1
            if self.aim[1] > 0:
                return None
            how, self.aim = self.aim[2], None
            return how


def framed(read, kind):
    """The length of the message of PostgreSQL at the beginning, if all of it is there; before its own length it has a
    kind, or none."""
    if len(read) < kind + 4:
        return 0
    length = kind + struct.unpack_from("!I", read, kind)[0]
    return length if len(read) >= length else 0

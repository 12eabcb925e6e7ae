"""Client and server of the traffic tests: plain sockets, no knowledge of any mesh. Each connection begins with a line that says how it goes."""
import asyncio
import hashlib
import random
import socket
import socketserver
import struct
import sys
import threading
import time

BLOCK = 1 << 20


def blocks(seed, total):
    """Bytes that both ends can make again; no block like another, so that a swap or a loss changes the hash."""
    sent = 0
    while sent < total:
        block = random.Random(f"{seed}{sent}").randbytes(min(BLOCK, total - sent))
        sent += len(block)
        yield block


def digest(seed, total):
    hasher = hashlib.sha256()
    for block in blocks(seed, total):
        hasher.update(block)
    return hasher.hexdigest()


def read_hash(connection, total, stall):
    """Reads total bytes; nothing at all for the first while, so that every buffer on the way fills up."""
    time.sleep(stall)
    hasher, left = hashlib.sha256(), total
    while left:
        data = connection.recv(min(65536, left))
        if not data:
            return f"ended {left} bytes early"
        hasher.update(data)
        left -= len(data)
    return hasher.hexdigest()


def read_to_end(connection):
    count = 0
    while data := connection.recv(65536):
        count += len(data)
    return count


def reset(connection):
    """Linger 0: close sends RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Handler(socketserver.BaseRequestHandler):
    def setup(self):
        self.line = b""
        while not self.line.endswith(b"\n"):
            byte = self.request.recv(1)
            if not byte:
                break
            self.line += byte

    def handle(self):
        connection, words = self.request, self.line.decode().split()
        if not words:
            return
        try:
            getattr(self, "do_" + words[0].replace("-", "_"))(connection, *words[1:])
        except ConnectionResetError:
            say(f"{words[0]}: reset by peer")

    def do_name(self, connection):
        connection.sendall(NAME.encode() + b"\n")

    def do_hold(self, connection, text):
        connection.sendall(text.encode() + b"\n")
        read_to_end(connection)

    def do_count_then_answer(self, connection):
        connection.sendall(f"read {read_to_end(connection)}\n".encode())

    def do_speak_then_listen(self, connection):
        connection.sendall(b"spoken\n")
        connection.shutdown(socket.SHUT_WR)
        say(f"speak-then-listen: read {read_to_end(connection)} after the own end")

    def do_reset(self, connection):
        connection.sendall(b"now\n")
        connection.recv(1)
        reset(connection)

    def do_await_reset(self, connection):
        connection.sendall(b"go\n")
        say(f"await-reset: ended in order after {read_to_end(connection)}")

    def do_bulk(self, connection, total):
        total = int(total)
        sender = threading.Thread(target=lambda: [connection.sendall(b) for b in blocks("server", total)])
        sender.start()
        received = read_hash(connection, total, 1)
        sender.join()
        connection.sendall(received.encode())
        connection.shutdown(socket.SHUT_WR)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


def say(text):
    print(text, flush=True)


def dial(host, port, line):
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(line.encode() + b"\n")
    return connection


def serve(port, name):
    global NAME
    NAME = name
    Server(("0.0.0.0", int(port)), Handler).serve_forever()


def name(host, port):
    connection = dial(host, port, "name")
    say(connection.makefile().readline().strip())


def stay(host, port):
    """Says when the open connection ends, and how."""
    connection = dial(host, port, "hold here")
    connection.settimeout(None)
    say(connection.makefile().readline().strip())
    try:
        say("ended" if not connection.recv(1) else "data")
    except ConnectionResetError:
        say("reset")


def half_close_client(host, port):
    connection = dial(host, port, "count-then-answer")
    connection.sendall(b"x" * 5000)
    connection.shutdown(socket.SHUT_WR)
    say(connection.makefile().readline().strip())
    say(f"then {connection.recv(1)!r}")


def half_close_server(host, port):
    connection = dial(host, port, "speak-then-listen")
    stream = connection.makefile()
    say(stream.readline().strip())
    say(f"then {stream.read()!r}")
    connection.sendall(b"y" * 7000)
    connection.close()


def reset_by_server(host, port):
    connection = dial(host, port, "reset")
    say(connection.makefile().readline().strip())
    connection.sendall(b"!")
    try:
        say(f"ended in order {connection.recv(1)!r}")
    except ConnectionResetError:
        say("reset by peer")


def reset_by_client(host, port):
    connection = dial(host, port, "await-reset")
    say(connection.recv(3).decode().strip())
    reset(connection)


def bulk(host, port, total):
    total = int(total)
    connection = dial(host, port, f"bulk {total}")
    connection.settimeout(100)
    sender = threading.Thread(target=lambda: [connection.sendall(b) for b in blocks("client", total)])
    sender.start()
    down = read_hash(connection, total, 1)
    sender.join()
    up = b""
    while data := connection.recv(4096):
        up += data
    say(f"down {'intact' if down == digest('server', total) else down}")
    say(f"up {'intact' if up.decode() == digest('client', total) else up.decode()}")


def many(host, port, count):
    async def one(index, all_open):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"hold number-{index}\n".encode())
        answer = (await reader.readline()).decode().strip()
        await all_open.wait()
        writer.close()
        return answer == f"number-{index}"

    async def run():
        # All are open at the same moment: nobody leaves before the last one was answered.
        all_open = asyncio.Barrier(int(count))
        return await asyncio.gather(*(one(i, all_open) for i in range(int(count))), return_exceptions=True)

    results = asyncio.run(run())
    failures = {str(r) for r in results if r is not True}
    say(f"{sum(r is True for r in results)} of {count} answered {' '.join(sorted(failures))[:300]}".strip())


globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])

"""Processes that are ours: started in sessions of their own, and ended with whatever they have started."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

START_SECONDS_MAX = 30
END_SECONDS_MAX = 20
RUN_SECONDS_MAX = 1_800
SAID_CHARACTERS_MAX = 200


class Failure(Exception):
    """Something that was to be measured could not be; says why."""


def require(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise Failure(f"{', '.join(missing)} is not installed")


def run(*command: str, seconds_max: float = RUN_SECONDS_MAX, **options) -> str:
    """Standard output of a command that has to succeed."""
    with Process(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        try:
            output, complaint = process.popen.communicate(timeout=seconds_max)
        except subprocess.TimeoutExpired:
            raise Failure(f"{command[0]} did not end within {seconds_max} s") from None
    if process.popen.returncode != 0:
        said = complaint or output
        if isinstance(said, bytes):
            said = said.decode(errors="replace")
        raise Failure(f"{os.path.basename(command[0])}: {' '.join(said.split())[-SAID_CHARACTERS_MAX:]}")
    return output


class Process:
    """A child in a session of its own; ends with the block."""

    def __init__(self, *command: str, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
                   "text": True} | options
        self.popen = subprocess.Popen(command, start_new_session=True, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self) -> None:
        # The group is signalled before its leader is collected, so that its number cannot be another's by then.
        if self.popen.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                self.popen.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream:
                stream.close()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.popen.pid, number)
        except ProcessLookupError:
            pass


def free_port() -> int:
    """Whatever the system gives; free again when this returns."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(port: int, process: Process) -> None:
    """Until somebody listens there."""
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end and process.popen.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failure(f"{os.path.basename(process.popen.args[0])} does not listen on 127.0.0.1:{port}")


class CountingRelay:
    """Hands connections on to a port, and counts the bytes of both ways. Never under a clock."""

    CHUNK_BYTES = 1 << 16

    def __init__(self, port: int):
        self.bytes = 0
        self._target = port
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while chunk := source.recv(self.CHUNK_BYTES):
                with self._lock:
                    self.bytes += len(chunk)
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def allocated_bytes(path: str) -> int:
    """What a file or folder takes on the disk, in whole blocks."""
    if not os.path.isdir(path):
        return os.lstat(path).st_blocks * 512
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512
               for folder, _, names in os.walk(path) for name in names)


def certificate(folder: str) -> tuple[str, str]:
    """A key and a certificate for 127.0.0.1 that is its own authority: paths of certificate and key."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    files = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    if not os.path.exists(files[0]):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-keyout", files[1], "-out", files[0])
    return files

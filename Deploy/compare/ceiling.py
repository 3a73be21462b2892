"""What TLS 1.3 and HTTP/2 carry here where nothing is stored: nghttpd to h2load, one connection, one stream."""

import os
import re

import processes

FILE_BYTES = 64 << 20
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class Ceiling:
    key = "ceiling"
    name = "TLS 1.3 and HTTP/2, nothing stored"
    measured = ("`h2load` fetches files from `nghttpd` over one connection; its bytes a second, by Banjie's bytes an "
                "operation")
    unequal = "no operations: the bytes are random, and go nowhere"

    def __init__(self, scratch: str, files: int):
        self._folder = os.path.join(scratch, "ceiling")
        self._tls = os.path.join(scratch, "tls")
        self._files = files

    def version(self) -> str:
        processes.require("nghttpd", "h2load")
        return "nghttp2 " + processes.run("h2load", "--version").split("/")[-1].strip()

    def prepare(self, _: str) -> None:
        os.makedirs(self._folder)
        self._certificate, self._key = processes.certificate(self._tls)
        with open(os.path.join(self._folder, "file"), "wb") as file:
            file.write(os.urandom(FILE_BYTES))

    def bytes_per_second(self) -> float:
        port = processes.free_port()
        with processes.Process("nghttpd", "-a", "127.0.0.1", "-d", self._folder, "-w", "30", "-W", "30", str(port),
                               self._key, self._certificate) as server:
            processes.wait_for(port, server)
            said = processes.run("h2load", "-n", str(self._files), "-c", "1", "-m", "1", "-w", "30", "-W", "30",
                                 f"https://127.0.0.1:{port}/file")
        if "TLS Protocol: TLSv1.3" not in said or f" {self._files} succeeded" not in said:
            raise processes.Failure(f"h2load: {' '.join(said.split())[-processes.SAID_CHARACTERS_MAX:]}")
        time = re.search(r"finished in ([\d.]+)(us|ms|s|m),", said)
        if not time:
            raise processes.Failure("h2load says no time")
        return self._files * FILE_BYTES / (float(time[1]) * UNITS[time[2]])

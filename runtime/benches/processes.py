"""Starts a scheduler and workers of the binary on free ports."""

import json
import pathlib
import subprocess
import tempfile
import time
import urllib.request


class Cluster:
    """A scheduler and workers, stopped at the end of the `with` block."""

    def __init__(self, binary: pathlib.Path, workers: int, *flags: str) -> None:
        """Workers get one thread each, and these flags."""
        self.binary = binary
        self.count = workers
        self.flags = flags
        self.processes: list[subprocess.Popen] = []

    def __enter__(self) -> "Cluster":
        """Start the processes and wait until every worker has joined."""
        self.folder = tempfile.TemporaryDirectory()
        scheduler = self.start("scheduler", "--port", "0", "--http-port", "0")
        line = scheduler.stdout.readline()
        words = line.split()
        self.address = next(w for w in words if w.startswith("tcp://"))
        self.http = next(w for w in words if w.startswith("http://"))
        for i in range(self.count):
            self.start("worker", self.address, "--name", f"w{i}", "--threads", "1", "--http-port", "0", *self.flags)
        deadline = time.monotonic() + 20
        while self.workers() < self.count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.workers()} of {self.count} workers joined")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the processes."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        self.folder.cleanup()

    def start(self, *args: str) -> subprocess.Popen:
        """Start one process in the cluster's folder."""
        process = subprocess.Popen(
            [self.binary, *args], cwd=self.folder.name, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.processes.append(process)
        return process

    def workers(self) -> int:
        """How many workers have joined."""
        with urllib.request.urlopen(f"{self.http}/api/v1/get_workers") as reply:
            return json.load(reply)["num_workers"]

    def worker_peaks(self) -> list[int]:
        """The highest resident memory of each worker so far, in bytes."""
        peaks = []
        for process in self.processes[1:]:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peaks.append(int(status.split("VmHWM:")[1].split()[0]) * 1024)
        return peaks

"""A scheduler and two workers, started as the README says, give the bytes of `run`, whatever becomes of a worker."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

import distributed
import pytest
from conftest import BINARY, Engine
from processes import Cluster

SAMPLES = sorted((pathlib.Path(__file__).parents[3] / "manifests/samples").glob("*.yaml"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.stem)
def test_samples_give_the_same_bytes(engine: Engine, sample: pathlib.Path) -> None:
    """Every example document."""
    alone = engine.call("run", str(sample))
    assert alone.returncode == 0, alone.stderr
    with Cluster(BINARY, workers=2) as cluster:
        shared = engine.call("submit", str(sample), "--scheduler", cluster.address)
    assert shared.returncode == 0, shared.stderr
    assert shared.stdout == alone.stdout


DOCUMENT = {
    "version": 1,
    "arrays": {
        "x": {"random": {"seed": 1, "shape": [6000, 6000], "chunks": [300, 300]}},
        "y": "(x @ x.T)",
        "total": "y.sum(axis=0)",
    },
    "outputs": {"total": {"npy": "total.npy"}},
}


def test_a_killed_worker_changes_no_byte(engine: Engine) -> None:
    """A killed worker held results that others need: both had run tasks, and some are computed again."""
    (engine.folder / "graph.json").write_text(json.dumps(DOCUMENT))
    assert engine.call("run", "graph.json").returncode == 0
    alone = (engine.folder / "total.npy").read_bytes()
    (engine.folder / "total.npy").unlink()
    with Cluster(BINARY, workers=2) as cluster:
        command = [BINARY, "submit", "graph.json", "--scheduler", cluster.address, "--json"]
        submit = subprocess.Popen(command, cwd=engine.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while progress(cluster) < 0.4:
            assert submit.poll() is None, submit.communicate()
            time.sleep(0.002)
        os.kill(cluster.processes[1].pid, signal.SIGKILL)
        out, err = submit.communicate(timeout=120)
        assert submit.returncode == 0, err
    report = json.loads(out)
    assert sum(report["runs"].values()) > report["tasks"], "nothing was computed again"
    assert (engine.folder / "total.npy").read_bytes() == alone


def test_a_client_of_distributed_reads_what_to_do() -> None:
    """Not that the connection was closed, after a while."""
    with (
        Cluster(BINARY, workers=0) as cluster,
        pytest.raises(Exception, match=re.escape("does not speak the protocol of dask.distributed: in Python write")),
    ):
        # Not for others: what later tests compute by Dask would wait for it.
        distributed.Client(cluster.address, timeout=30, set_as_default=False)


def progress(cluster: Cluster) -> float:
    """The part of the job's tasks that is done."""
    with urllib.request.urlopen(f"{cluster.http}/api/v1/jobs") as reply:
        jobs = json.load(reply)["jobs"]
    return jobs[0]["done"] / jobs[0]["tasks"] if jobs and jobs[0]["tasks"] else 0.0

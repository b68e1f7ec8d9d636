"""What clients of clusters are told when something is wrong."""

import http.server
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import dask.array as da
import pytest
from dask_runtime import Client, Lock


@pytest.fixture(scope="module")
def cluster():
    with Client(n_workers=2, threads_per_worker=1) as client:
        yield client


def told(error, words):
    return pytest.raises(error, match=words)


def lock_of(x):
    return threading.Lock()


def test_what_cannot_be_pickled_is_named(cluster):
    with told(TypeError, r"object of type _thread.lock cannot be sent to another process.*make it inside the function"):
        cluster.submit(len, threading.Lock()).result()
    lock = threading.Lock()
    with told(TypeError, r"cannot be sent to another process: cannot pickle '_thread.lock' object"):
        cluster.submit(lambda: lock).result()
    with told(TypeError, r"cannot be sent to another process"):
        cluster.gather(cluster.map(lambda x: (x, lock), range(3)))
    with told(TypeError, r"cannot be sent to another process"):
        da.ones(4, chunks=2).map_blocks(lambda block: (block, lock)[0], dtype=float).compute()
    with told(TypeError, r"object of type _thread.lock cannot be sent to another process"):
        cluster.submit(lock_of, 1).result()
    # And it goes on.
    assert cluster.submit(sum, [1, 2]).result() == 3


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:8786", "tcp://"),
        ("tcp://127.0.0.1:port", "port"),
        ("", "tcp://"),
    ],
)
def test_addresses_that_are_none(address, words):
    with told(ValueError, words):
        Client(address)


def test_nobody_listens_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with told(OSError, rf"no scheduler can be reached at tcp://127.0.0.1:{port}: .*check the address"):
            Client(f"tcp://127.0.0.1:{port}", timeout=1)


@contextmanager
def server(answer):
    """Listens, and says something to whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connections = []
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_something_else_listens_there():
    words = "what listens at tcp://127.* is no scheduler of dask-runtime: it said .*220 mail"
    with server(b"220 mail.example ESMTP\r\n") as address, told(OSError, words):
        Client(address)
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address, told(OSError, "it is an HTTP server"):
        Client(address)
    with server(b"") as address, told(OSError, "no answer within 1.* s, as from a server of something else"):
        Client(address, timeout=1)


def test_an_http_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with told(OSError, "is an HTTP server|no answer within 1.* s, as from a server of something else"):
            Client(f"tcp://127.0.0.1:{server.server_port}", timeout=1)
    finally:
        server.shutdown()
        server.server_close()


DISTRIBUTED = """
import asyncio, sys
from distributed import Scheduler

async def main():
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address=":0") as scheduler:
        print(scheduler.address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


def test_a_scheduler_of_distributed():
    pytest.importorskip("distributed")
    command = [sys.executable, "-c", DISTRIBUTED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as scheduler:
        address = scheduler.stdout.readline().strip()
        words = "it speaks the protocol of dask.distributed; .*or dask.distributed's Client for Dask's own"
        with told(OSError, words):
            Client(address)
        scheduler.stdin.close()


def test_a_closed_client(cluster):
    with Client(cluster.cluster.scheduler_address, set_as_default=False) as client:
        future = client.submit(sum, [1])
        assert future.result() == 1
        lock = Lock("closed", client=client)
    for use in (lambda: client.submit(sum, [1]), lambda: client.get({"x": 1}, "x"), lambda: Lock(client=client)):
        with told(RuntimeError, "this client is closed; make another"):
            use()
    for use in (future.result, lock.acquire):
        with told(Exception, "client was closed"):
            use()


def test_the_cluster_goes():
    client = Client(n_workers=1, processes=True, threads_per_worker=1, set_as_default=False)
    slow = client.submit(time.sleep, 60)
    waits = []

    def wait():
        with pytest.raises(Exception, match="connection to the scheduler at tcp://.* is lost") as raised:
            Lock("lost", client=client).acquire()
        waits.append(raised.value)

    assert Lock("lost", client=client).acquire()
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    client.cluster.close()
    with told(Exception, "connection to the scheduler at tcp://.* is lost"):
        slow.result()
    thread.join(30)
    assert waits
    with told(Exception, "connection to the scheduler at tcp://.* is lost"):
        client.submit(sum, [1]).result()
    with told(Exception, "connection to the scheduler at tcp://.* is lost"):
        client.get({"x": (sum, [1])}, "x")
    client.close()

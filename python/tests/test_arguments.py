"""What the client and its methods take of distributed's arguments, and what they refuse."""

import datetime

import pytest
from dask_runtime import Client
from dask_runtime.arguments import memory, seconds


@pytest.mark.parametrize(
    "accepted",
    [
        {"processes": False},
        {"n_workers": 1, "threads_per_worker": 3, "dashboard_address": None},
        {"address": None, "security": None, "name": "mine", "silence_logs": False, "timeout": "5s"},
        {"memory_limit": "1 GiB"},
        {"memory_limit": None},
    ],
)
def test_what_is_so_anyway_is_accepted(accepted):
    with Client(**accepted) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        threads = accepted.get("threads_per_worker")
        assert threads is None or client.nthreads() == {"inproc://embedded": threads}


@pytest.mark.parametrize(
    ("argument", "value", "fix"),
    [
        ("n_workers", 0, "n_workers=1"),
        ("n_workers", 1.5, "n_workers=1"),
        ("threads_per_worker", 0, "from 1"),
        ("threads_per_worker", 2.5, "from 1"),
        ("threads_per_worker", 10**9, "from 1 to 1024"),
        ("memory_limit", "much", "'4 GiB'"),
        ("memory_limit", -1, "'4 GiB'"),
        ("dashboard_address", ":8787", "None"),
        ("scheduler_file", "here.json", "address='tcp://"),
        ("resources", {"GPU": 1}, "n_workers="),
        ("local_directory", "/tmp", "leave it out"),
    ],
)
def test_what_means_nothing_is_refused_by_name(argument, value, fix):
    with pytest.raises(ValueError) as refused:
        Client(**{argument: value})
    text = str(refused.value)
    assert text.startswith(f"{argument} is {value!r}") and fix in text


def test_what_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="n_workers is 4 and processes is False"):
        Client(n_workers=4, processes=False)
    with pytest.raises(ValueError, match=r"address is 'tcp://127.0.0.1:1' and 2 worker processes are asked for"):
        Client("tcp://127.0.0.1:1", n_workers=2)
    with pytest.raises(TypeError, match="address is 8786; use 'tcp://host:8786'"):
        Client(8786)
    with pytest.raises(ValueError, match="8786"):
        Client("http://localhost:8786", timeout=0.1)


def test_unknown_arguments_are_told():
    with pytest.raises(TypeError, match=r"Client\(\) got an unexpected keyword argument 'thread'"):
        Client(thread=2)


def test_memory_and_timeouts_as_distributed_takes_them():
    assert memory("1 GiB") == 2**30 and memory(1e9) == 10**9 and memory(None) == memory(0) == 0
    assert memory(0.5) == memory("auto") // 2
    assert seconds("200ms") == 0.2 and seconds(datetime.timedelta(minutes=1)) == 60
    assert seconds(3) == 3 and seconds(None) is None
    with pytest.raises(ValueError, match="timeout is 'soon'; use seconds as a number"):
        seconds("soon")


def test_arguments_of_submit(client):
    calls = []

    def unsteady(x):
        calls.append(x)
        if len(calls) < 3:
            raise OSError("not yet")
        return x

    with pytest.raises(OSError, match="not yet"):
        client.submit(unsteady, 1, retries=1).result()
    assert client.submit(unsteady, 2, retries=1, pure=False).result() == 2
    assert calls == [1, 1, 2]
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        client.compute(1, nonsense=True)
    assert client.submit(dict, priority=0, allow_other_workers=False, workers=None, a=1).result() == {"a": 1}


def test_unknown_arguments_of_methods_are_told(client):
    future = client.scatter([1], direct=True, timeout=3)
    assert client.gather(future, direct=True) == [1]
    for method, misspelt in ((client.scatter, "brodcast"), (client.gather, "error"), (client.cancel, "frce")):
        with pytest.raises(TypeError, match=rf"{method.__name__}\(\) got an unexpected keyword argument '{misspelt}'"):
            method([], **{misspelt: True})

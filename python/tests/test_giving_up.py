"""Futures that are given up, in this process and on worker processes: what does not run then, and what does."""

import time
from concurrent.futures import CancelledError
from operator import add

import pytest
from dask.delayed import delayed
from dask_runtime import Client, wait


@pytest.fixture(scope="module", params=["here", "processes"])
def client(request):
    workers = {"here": {}, "processes": {"n_workers": 2}}[request.param]
    with Client(threads_per_worker=1, **workers) as client:
        yield client


class Notes:
    """What ran, in a folder that all processes see."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, name, *inputs):
        (self.folder / str(name)).touch()
        return name

    def block(self, number):
        (self.folder / f"block-{number}").touch()
        until = time.monotonic() + 60
        while not (self.folder / "go").exists() and time.monotonic() < until:
            time.sleep(0.002)
        return number

    def ran(self):
        return {path.name for path in self.folder.iterdir() if not path.name.startswith(("block", "go"))}

    def go(self):
        # What was given up is told to workers, and what nobody refers to only a moment later.
        time.sleep(0.2)
        (self.folder / "go").touch()


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


@pytest.fixture
def blocks(client, notes):
    """A task on each thread, which runs until ``notes.go()``."""
    threads = sum(client.nthreads().values())
    blocks = client.map(notes.block, range(threads), priority=10)
    until(lambda: len(list(notes.folder.iterdir())) == threads)
    yield blocks
    notes.go()
    wait(blocks)


def test_one_of_a_map_is_cancelled_and_the_others_are_not(client, notes, blocks):
    futures = client.map(notes.run, range(40))
    futures[0].cancel()
    client.cancel(futures[10:20])
    assert [f.status for f in futures] == ["cancelled"] + ["pending"] * 9 + ["cancelled"] * 10 + ["pending"] * 20
    notes.go()
    left = [f for f in futures if not f.cancelled()]
    assert client.gather(left) == [*range(1, 10), *range(20, 40)]
    assert notes.ran() == {str(i) for i in [*range(1, 10), *range(20, 40)]}
    with pytest.raises(CancelledError, match="was cancelled"):
        futures[0].result()


def test_what_nobody_refers_to_any_more_does_not_start(client, notes, blocks):
    futures = client.map(notes.run, range(40))
    gone = futures[5:30]
    del futures[5:30], gone
    last = client.submit(notes.run, "last")
    notes.go()
    assert client.gather([*futures, last]) == [*range(5), *range(30, 40), "last"]
    assert notes.ran() == {*map(str, [*range(5), *range(30, 40)]), "last"}


def test_what_depends_on_a_cancelled_future_gets_its_value(client, notes, blocks):
    first, second = client.map(notes.run, ["first", "second"])
    after = client.submit(add, first, "!")
    client.cancel([first, second])
    assert (first.status, second.status, after.status) == ("cancelled", "cancelled", "pending")
    notes.go()
    assert after.result() == "first!" and first.status == "cancelled"
    assert notes.ran() == {"first"}


def test_the_inputs_of_what_is_cancelled_do_not_start_either(client, notes, blocks):
    run = delayed(notes.run)
    shared = run("shared")
    one, other = client.compute([run("one", shared, run("own")), run("other", shared)], optimize_graph=False)
    one.cancel()
    notes.go()
    assert other.result() == "other"
    assert notes.ran() == {"shared", "other"}
    third = client.compute(run("third", run("before")))
    assert third.result() == "third"


def test_nothing_of_what_is_given_up_as_a_whole_starts(client, notes, blocks):
    chain = delayed(notes.run)("one")
    for name in ["two", "three"]:
        chain = delayed(notes.run)(name, chain)
    future = client.compute(chain)
    client.cancel({"of": [future]})
    notes.go()
    wait(blocks)
    assert client.submit(notes.run, "last").result() == "last"
    assert notes.ran() == {"last"}


def test_what_runs_goes_on_and_its_result_is_dropped(client, notes, blocks):
    blocks[0].cancel()
    assert blocks[0].status == "cancelled"
    notes.go()
    with pytest.raises(CancelledError):
        blocks[0].result()
    assert client.gather(blocks[1:]) == list(range(1, len(blocks)))
    # The same call again is another future.
    again = client.submit(notes.block, 0)
    assert again is not blocks[0] and again.result() == 0


def test_a_cancelled_future_among_arguments_is_told(client, notes, blocks):
    future = client.submit(notes.run, "x")
    future.cancel()
    with pytest.raises(CancelledError, match="was cancelled"):
        client.submit(add, future, "y")
    with pytest.raises(CancelledError, match="was cancelled"):
        client.map(add, [future], ["y"])

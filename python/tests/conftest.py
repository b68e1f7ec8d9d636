import pytest
from dask_runtime import Client


@pytest.fixture
def client():
    with Client(threads_per_worker=2) as client:
        yield client

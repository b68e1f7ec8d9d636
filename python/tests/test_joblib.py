"""joblib and scikit-learn on the engine."""

import threading
import time

import joblib
import numpy as np
import pytest
from dask_runtime import Client
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV


def where():
    """A compute thread is not one that Python has made."""
    return type(threading.current_thread()).__name__


def test_calls_run_as_tasks(client):
    with parallel_config("dask_runtime"):
        assert set(Parallel()(delayed(where)() for _ in range(10))) == {"_DummyThread"}
        assert Parallel()(delayed(pow)(i, 2) for i in range(1000)) == [i * i for i in range(1000)]
    assert Parallel(n_jobs=2, backend="dask_runtime")(delayed(where)() for _ in range(2)) == ["_DummyThread"] * 2


def test_an_exception_ends_it(client):
    def fail(i):
        if i == 3:
            raise LookupError("three")
        return i

    with parallel_config("dask_runtime"):
        with pytest.raises(LookupError, match="three"):
            Parallel()(delayed(fail)(i) for i in range(100))
        with pytest.raises(TimeoutError):
            Parallel(timeout=0.05)(delayed(time.sleep)(0.5) for _ in range(4))
        assert Parallel()(delayed(fail)(i) for i in range(3)) == [0, 1, 2]


def test_nested_calls_do_not_wait_for_each_other(client):
    def outer(i):
        return sum(Parallel(n_jobs=2)(delayed(pow)(i, 2) for _ in range(5)))

    # More outer ones than threads, each waiting for its inner ones.
    with parallel_config("dask_runtime"):
        assert Parallel()(delayed(outer)(i) for i in range(10)) == [5 * i * i for i in range(10)]
    # In tasks of the client's own.
    futures = client.map(lambda i: Parallel(n_jobs=2, backend="dask_runtime")([delayed(outer)(i)] * 3), range(8))
    assert client.gather(futures) == [[5 * i * i] * 3 for i in range(8)]


def test_which_client(client):
    with Client(threads_per_worker=3, set_as_default=False) as other:
        with parallel_config("dask_runtime", client=client):
            assert joblib.effective_n_jobs() == 2
        with parallel_config("dask_runtime", client=other):
            assert joblib.effective_n_jobs() == 3 and joblib.effective_n_jobs(-2) == 2
            assert Parallel()(delayed(abs)(-i) for i in range(5)) == [0, 1, 2, 3, 4]


def test_without_a_client_it_says_so():
    with pytest.raises(ValueError, match="no client is open"), parallel_config("dask_runtime"):
        pass


def test_scikit_learn(client):
    x, y = make_classification(400, 12, random_state=0)
    forest = RandomForestClassifier(40, random_state=1, n_jobs=-1)
    expected = forest.fit(x, y).predict_proba(x)
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 0.1, 1.0, 10.0]}, cv=3)
    scores = search.fit(x, y).cv_results_["mean_test_score"]
    seen = set()

    class Watched(LogisticRegression):
        def fit(self, *args, **kwargs):
            seen.add(where())
            return super().fit(*args, **kwargs)

    with parallel_config("dask_runtime"):
        np.testing.assert_allclose(forest.fit(x, y).predict_proba(x), expected)
        on_engine = GridSearchCV(Watched(), {"C": [0.01, 0.1, 1.0, 10.0]}, cv=3, refit=False).fit(x, y)
        np.testing.assert_array_equal(on_engine.cv_results_["mean_test_score"], scores)
        nested = GridSearchCV(RandomForestClassifier(n_jobs=2, random_state=0), {"n_estimators": [5, 10, 20]}, cv=2)
        assert nested.fit(x, y).best_score_ > 0.8
    assert seen == {"_DummyThread"}

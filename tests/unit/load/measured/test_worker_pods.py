"""Plans and settings of a load that pods of a cluster make."""

from __future__ import annotations

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.load.measured.plan import Level, Plan
from proving_ground.load.measured.settings import LoadSettings

URL = "http://server:8000"


def plan(**changes: object) -> Plan:
    given = {"url": URL, "levels": (Level(value=4, seconds=10, warm_up=1),), "allowed": ("server",), **changes}
    return Plan.model_validate(given)


def test_parts_are_worker_pods_or_processes() -> None:
    assert [made.parts for made in (plan(), plan(processes=3), plan(worker_pods=5))] == [1, 3, 5]


def test_more_worker_pods_may_make_more_load() -> None:
    many = (Level(value=2500, seconds=10, warm_up=1),)
    with pytest.raises(ConfigurationError, match="up to 2000"):
        plan(levels=many, worker_pods=2).check()
    assert plan(levels=many, worker_pods=3).check().parts == 3
    fast = {"levels": (Level(value=9000, seconds=60, warm_up=1),), "arrivals": "constant"}
    assert plan(**fast, worker_pods=2).check().total_seconds == 61
    with pytest.raises(ConfigurationError, match="up to 5000"):
        plan(**fast).check()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"worker_pods": -1}, "worker pods from 0 to 100, found -1"),
        ({"worker_pods": 101}, "worker pods from 0 to 100, found 101"),
        ({"worker_pods": 2, "processes": 2}, "worker pods or processes, found 2 and 2"),
        ({"worker_pods": 2, "url": "http://127.0.0.1:8000"}, "127.0.0.1 is not reached from worker pods"),
        ({"worker_pods": 2, "url": "http://localhost"}, "localhost is not reached from worker pods"),
        ({"worker_pods": 2, "url": "http://other:1"}, "load is not sent to other"),
    ],
)
def test_what_pods_cannot_do_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        plan(**changes).check()


def test_pods_may_see_the_server_under_another_url() -> None:
    told = LoadSettings(worker_pods=2, worker_url=URL, hosts=("server",))
    made = told.plan("http://127.0.0.1:8000", "m")
    assert (made.url, made.worker_pods, made.processes) == (URL, 2, 1)
    # Where it is made here that URL means nothing.
    assert told.model_copy(update={"worker_pods": 0}).plan("http://127.0.0.1:8000", "m").url == "http://127.0.0.1:8000"


def test_an_image_of_pods_is_checked_before_they_are_made() -> None:
    told = LoadSettings(worker_pods=1, worker_image="No Image")
    with pytest.raises(ConfigurationError, match="expected an image"):
        told.plan(URL, "m", hosts=["server"])


def test_runs_are_compared_with_those_from_as_many_pods() -> None:
    here, pods = LoadSettings().compared, LoadSettings(worker_pods=2, worker_image="i:1").compared
    assert "worker_pods" not in here
    assert pods == {**here, "worker_pods": 2, "worker_url": ""}

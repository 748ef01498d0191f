"""Fixtures of asynchronous checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ground

pytest_plugins = ["pytester"]


def test_every_kind_of_fixture_is_resolved_and_torn_down_in_reverse(ground: Ground) -> None:
    ground.checks("""
        seen = []
        @pytest.fixture
        async def first():
            yield "first"
            seen.append("first gone")
        @pytest.fixture
        def second(first):
            yield first + " second"
            seen.append("second gone")
        @pytest.fixture
        async def third(second): return second + " third"
        @pytest.fixture
        def fourth(third, request):
            request.addfinalizer(lambda: seen.append("fourth gone"))
            return third + " fourth"
        async def test_all(fourth): assert fourth == "first second third fourth"
        def test_after(): assert seen == ["fourth gone", "second gone", "first gone"]
    """)
    ground.run().assert_outcomes(passed=2)


def test_a_fixture_of_wider_scope_is_made_once_and_torn_down_at_the_end_in_its_own_task(ground: Ground) -> None:
    ground.checks("""
        made, torn_down = [], []
        @pytest.fixture(scope="module")
        async def base():
            task = asyncio.current_task()
            made.append("base")
            await asyncio.sleep(0)
            yield "base"
            assert asyncio.current_task() is task
            torn_down.append("base")
        @pytest.fixture(scope="session")
        async def other():
            yield
            torn_down.append("other")
        @pytest.fixture(scope="module")
        def upper(base, other):
            yield base + "!"
            torn_down.append("upper")
        @pytest.mark.parametrize("n", range(4))
        async def test_use(n, upper):
            assert upper == "base!" and made == ["base"] and not torn_down
        def test_after(): assert torn_down == ["upper", "base", "other"] or torn_down == ["upper", "other", "base"]
    """)
    ground.run("--parallel=4").assert_outcomes(passed=5)


def test_parameters_of_fixtures_make_one_check_each(ground: Ground) -> None:
    ground.checks("""
        made = []
        @pytest.fixture(scope="module", params=["a", "b"])
        async def letter(request):
            made.append(request.param)
            return request.param
        @pytest.fixture(params=[1, 2])
        def number(request): return request.param
        async def test_pair(letter, number, request):
            assert request.node.name == f"test_pair[{letter}-{number}]"
        def test_after(): assert sorted(made) == ["a", "b"]
    """)
    ground.run().assert_outcomes(passed=5)


def test_fixtures_of_classes_overriding_and_automatic_ones_work(ground: Ground) -> None:
    ground.checks("""
        @pytest.fixture
        def colour(): return "red"
        log = []
        @pytest.fixture(autouse=True)
        async def automatic(): log.append(1)
        class TestThing:
            @pytest.fixture
            def colour(self, colour): return "dark " + colour
            async def test_colour(self, colour): assert colour == "dark red" and log
    """)
    ground.run().assert_outcomes(passed=1)


def test_pytests_own_temporary_folder_works(ground: Ground) -> None:
    ground.checks("""
        async def test_writes(tmp_path, record_property):
            (tmp_path / "x").write_text("x")
            record_property("a", "b")
    """)
    ground.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("async def test_a(monkeypatch): pass", "fixture 'monkeypatch' acts on the whole process"),
        ("async def test_a(unheard_of): pass", "fixture 'unheard_of' not found"),
        (
            """
@pytest.fixture
async def small(): pass
@pytest.fixture(scope='session')
async def big(small): pass
async def test_a(big): pass
""",
            "fixture 'big' of scope session asks for 'small' of the narrower scope function",
        ),
    ],
)
def test_fixtures_that_cannot_work_are_refused_at_collection(ground: Ground, function: str, said: str) -> None:
    ground.checks("")
    path = ground.path / "probe" / "test_probe.py"
    path.write_text(f"import pytest\n{function}\n")
    assert ground.run().ret == pytest.ExitCode.INTERRUPTED
    assert said in ground.events()[-1]["problem"]
    assert ground.events()[-1]["configuration"] is True


def test_what_request_does_not_offer_is_said(ground: Ground) -> None:
    ground.checks("""
        @pytest.fixture
        def lazy(request): return request.getfixturevalue("tmp_path")
        async def test_a(lazy): pass
    """)
    ground.run().assert_outcomes(errors=1)
    assert "request.getfixturevalue is not supported" in ground.ended("a")["message"]


def test_a_failing_shared_fixture_is_an_error_of_every_check_that_asks_for_it(ground: Ground) -> None:
    ground.checks("""
        made = []
        @pytest.fixture(scope="session")
        async def broken():
            made.append(1)
            raise ValueError("no")
        @pytest.mark.parametrize("n", range(3))
        async def test_use(n, broken): pass
        def test_after(): assert made == [1]
    """)
    ground.run().assert_outcomes(errors=3, passed=1)
    assert ground.ended("use[0]")["message"] == "ValueError: no"


def test_a_failing_assertion_in_the_clean_up_fails_the_check(ground: Ground) -> None:
    ground.checks("""
        @pytest.fixture
        async def leaves():
            yield
            assert False, "something is left"
        async def test_a(leaves): pass
    """)
    ground.run().assert_outcomes(passed=1, errors=1)
    assert ground.ended("a")["outcome"] == "failed"
    assert ground.ended("a")["message"].startswith("something is left")


def test_a_shared_fixture_that_fails_to_tear_down_fails_the_session(ground: Ground) -> None:
    ground.checks("""
        @pytest.fixture(scope="session")
        async def leaves():
            yield
            raise RuntimeError("stuck")
        async def test_a(leaves): pass
    """)
    result = ground.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "RuntimeError: stuck" in ground.events()[-1]["problem"]


def test_endpoints_are_found_by_name(ground: Ground) -> None:
    ground.platform(endpoints={"gateway": {"url": "http://127.0.0.1:1"}})
    ground.checks("""
        async def test_known(endpoint): assert endpoint("gateway").url == "http://127.0.0.1:1"
        async def test_unknown(endpoint): endpoint("door")
    """)
    ground.run().assert_outcomes(passed=1, failed=0, errors=1)
    assert "the platform has no endpoint 'door'" in ground.ended("unknown")["message"]


def test_a_cluster_that_is_not_there_is_an_infrastructure_error(ground: Ground) -> None:
    ground.checks("""
        async def test_a(cluster): pass
    """)
    ground.run().assert_outcomes(errors=1)
    assert ground.ended("a")["infrastructure"] is True

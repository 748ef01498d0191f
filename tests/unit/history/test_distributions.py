"""Values from published tables and closed forms."""

from __future__ import annotations

import math

import pytest

from proving_ground.history import distributions as d


@pytest.mark.parametrize(
    ("t", "degrees", "tail"),
    [(1.0, 1.0, 0.25), (2.0, 2.0, 0.5 - 1 / math.sqrt(6)), (2.228, 10, 0.025), (3.169, 10, 0.005), (1.96, 1e9, 0.025)],
)
def test_tails_of_students_t_are_those_of_the_tables(t: float, degrees: float, tail: float) -> None:
    assert d.t_tail(t, degrees) == pytest.approx(tail, rel=1e-3)


def test_the_tail_of_a_negative_t_is_what_is_missing_to_one() -> None:
    assert d.t_tail(-1.3, 7) == pytest.approx(1 - d.t_tail(1.3, 7))


def test_infinite_t_has_no_tail() -> None:
    assert (d.t_tail(math.inf, 3), d.t_tail(-math.inf, 3)) == (0.0, 1.0)


@pytest.mark.parametrize("degrees", [1.0, 2.5, 11, 400.0, 1e6])
@pytest.mark.parametrize("tail", [0.2, 0.01, 0.00025])
def test_a_quantile_has_its_tail(tail: float, degrees: float) -> None:
    assert d.t_tail(d.t_quantile(tail, degrees), degrees) == pytest.approx(tail, rel=1e-6)


def test_digamma_and_trigamma_have_their_closed_forms() -> None:
    euler = 0.5772156649015329
    assert d.digamma(1) == pytest.approx(-euler)
    assert d.digamma(0.5) == pytest.approx(-euler - 2 * math.log(2))
    assert d.trigamma(1) == pytest.approx(math.pi**2 / 6)
    assert d.trigamma(0.5) == pytest.approx(math.pi**2 / 2)


@pytest.mark.parametrize("x", [0.05, 0.7, 3, 50, 4000])
def test_trigamma_is_undone(x: float) -> None:
    assert d.trigamma_inverse(d.trigamma(x)) == pytest.approx(x, rel=1e-6)


def test_the_incomplete_beta_function_of_a_uniform_variable_is_its_argument() -> None:
    assert [d.incomplete_beta(1, 1, x) for x in (0.0, 0.3, 1.0)] == pytest.approx([0, 0.3, 1])

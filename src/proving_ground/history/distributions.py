"""Functions of mathematical statistics that Python's library lacks: Student's t, digamma, trigamma."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

NORMAL = NormalDist()

_LARGE_DEGREES = 1e5
"""From so many degrees of freedom on Student's t is the normal distribution, to five digits."""

_TINY = 1e-300
_PRECISION = 1e-14
_SHIFT = 8.0


def t_tail(t: float, degrees: float) -> float:
    """Return the probability that Student's t with these degrees of freedom exceeds ``t``.

    Source: M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 26.7.1.
    """
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    if degrees >= _LARGE_DEGREES:
        return normal_tail(t)
    half = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))
    return half if t >= 0 else 1.0 - half


@functools.lru_cache(maxsize=4096)
def t_quantile(tail: float, degrees: float) -> float:
    """Return the value that Student's t exceeds with probability ``tail``, which is below one half."""
    if degrees >= _LARGE_DEGREES:
        return -NORMAL.inv_cdf(tail)
    low, high = 0.0, 1.0
    while t_tail(high, degrees) > tail:
        low, high = high, high * 2
        if high > 1e12:  # noqa: PLR2004 - with so few degrees of freedom there is no useful number
            return high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, degrees) > tail else (low, middle)
    return (low + high) / 2


def normal_tail(z: float) -> float:
    """Return the probability that a standard normal variable exceeds ``z``, exact far out too."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), by its continued fraction.

    Source: Abramowitz and Stegun, 26.5.8; evaluated as W. J. Lentz proposed (Applied Optics 15, 1976).
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    numerator, denominator = 1.0, _away_from_zero(1.0 - (a + b) * x / (a + 1))
    denominator = 1.0 / denominator
    value = denominator
    for step in range(1, 500):
        for term in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            denominator = 1.0 / _away_from_zero(1.0 + term * denominator)
            numerator = _away_from_zero(1.0 + term / numerator)
            change = numerator * denominator
            value *= change
        if abs(change - 1.0) < _PRECISION:
            break
    return front * value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def digamma(x: float) -> float:
    """Return the digamma function of a positive number (Abramowitz and Stegun, 6.3.5 and 6.3.18)."""
    below = 0.0
    while x < _SHIFT:
        below -= 1.0 / x
        x += 1.0
    inverse = 1.0 / (x * x)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))))
    return below + math.log(x) - 0.5 / x - series


def trigamma(x: float) -> float:
    """Return the trigamma function of a positive number (Abramowitz and Stegun, 6.4.6 and 6.4.12)."""
    below = 0.0
    while x < _SHIFT:
        below += 1.0 / (x * x)
        x += 1.0
    inverse = 1.0 / (x * x)
    series = inverse * (1 / 6 - inverse * (1 / 30 - inverse * (1 / 42 - inverse / 30)))
    return below + 1.0 / x + inverse / 2 + series / x


def trigamma_inverse(y: float) -> float:
    """Return the positive number whose trigamma is ``y``, which is positive."""
    low, high = 1e-8, 1.0
    while trigamma(high) > y:
        low, high = high, high * 2
        if high > 1e9:  # noqa: PLR2004 - trigamma(x) is 1/x there
            return high
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if trigamma(middle) > y else (low, middle)
    return math.sqrt(low * high)

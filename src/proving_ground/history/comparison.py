"""Are a candidate's runs worse than the baseline's? One test over all metrics of a run together.

What is compared is one number of each run and metric (a median, a p99), never single requests: requests of one run
share that run's luck, and a test that takes them for independent calls every run a change. Latencies are skewed and
change by factors, so the numbers are compared as logarithms, where a run's median is near enough to normal.

- With ten runs against three, the spread of one metric alone is known badly. All metrics of a run are measured with
  much the same spread, so each is moved towards what they have in common: the moderated t statistic of G. K. Smyth,
  Linear Models and Empirical Bayes Methods for Assessing Differential Expression, SAGMB 3(1), 2004.
- Where one run's metrics rise and fall together (a slow day of the machine), that shared part is taken out as well,
  and each metric is tested with and without it, at half the level each. Whether it is done follows from the spread
  within both groups only, which says nothing of the difference between them, so the level of the test holds.
- Runs with bad luck are farther off than runs with good luck are. The skewness of all metrics' runs together bends
  the tail of the test accordingly, in the direction that finds less: P. Hall, On the Removal of Skewness by
  Transformation, J. R. Statist. Soc. B 54(1), 1992, of which the first term is used.
- Over all metrics: S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Statist. 6, 1979.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import TYPE_CHECKING

from proving_ground.history.distributions import digamma, t_tail, trigamma, trigamma_inverse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.history.records import Direction

LEAST_NOISE = 1e-3
"""Spread, as a share of the value, that every metric has at least: clocks and rounding."""

_METRICS_FOR_PRIOR = 5
_METRICS_FOR_SHARED = 8
_SHARED_FROM = 0.1
_SKEWED_FROM = 0.3
_BY_ITSELF = 0.05
"""A metric that is worse only once the shared part is taken out must still be worse as it stands, at this level."""

_FIXED_SPREAD = 1e6
"""Degrees of freedom of a spread that all metrics share exactly."""

_COMMON_FROM = 6.0
"""With fewer degrees of freedom metrics have next to nothing in common; some would be given too little spread."""

_FEWEST = 3


@dataclasses.dataclass(frozen=True)
class Sample:
    """One metric's number of each run; both sequences follow the order of the runs, None where a run lacks it."""

    direction: Direction
    baseline: Sequence[float | None]
    candidate: Sequence[float | None]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came of one metric.

    Attributes:
        before: Centre of the baseline, in the metric's unit: a geometric mean where all values are positive.
        after: The same of the candidate.
        worse: How much worse the candidate is, as a share of the baseline; negative: better.
        p_worse: How likely this metric would look so much worse by chance; see `holm` for several.
        p_better: The same for better.
        noise: Spread from run to run as it was used, as a share of the value (in the unit if ``logarithmic`` is false).
        degrees: Its degrees of freedom.
        runs: Runs of baseline and candidate that have the metric.
        logarithmic: Whether logarithms were compared; not where a value is zero or negative.
        shared: Share of the noise that all metrics of a run have in common, as far as it was taken out.
    """

    before: float
    after: float
    worse: float
    p_worse: float
    p_better: float
    noise: float
    degrees: float
    runs: tuple[int, int]
    logarithmic: bool = True
    shared: float = 0.0


@dataclasses.dataclass
class _Metric:
    """A sample with its sign turned so that more is worse, on the scale that it is compared on."""

    logarithmic: bool
    baseline: list[float | None]
    candidate: list[float | None]
    variance: float = 0.0
    degrees: float = 0.0
    skewness: float = 0.0

    def __post_init__(self) -> None:
        self.left = [value for value in self.baseline if value is not None]
        self.right = [value for value in self.candidate if value is not None]
        self.own = len(self.left) + len(self.right) - 2
        self.means = statistics.fmean(self.left), statistics.fmean(self.right)
        squares = sum((v - self.means[0]) ** 2 for v in self.left) + sum((v - self.means[1]) ** 2 for v in self.right)
        floor = LEAST_NOISE if self.logarithmic else LEAST_NOISE * max(abs(self.means[0]), abs(self.means[1]))
        self.own_variance = max(squares / self.own, floor * floor)

    @property
    def difference(self) -> float:
        return self.means[1] - self.means[0]

    @property
    def error(self) -> float:
        return math.sqrt(self.variance * (1 / len(self.left) + 1 / len(self.right)))

    def tails(self) -> tuple[float, float]:
        if not self.error:
            return (0.5, 0.5) if not self.difference else (float(self.difference < 0), float(self.difference > 0))
        t = self.difference / self.error
        before, after = 1 / len(self.left), 1 / len(self.right)
        bend = self.skewness * (after * after - before * before) / (before + after) ** 1.5 / 6
        return t_tail(_straightened(t, bend), self.degrees), t_tail(_straightened(-t, -bend), self.degrees)

    def residuals(self) -> list[float]:
        return [v - self.means[0] for v in self.left] + [v - self.means[1] for v in self.right]


def _straightened(t: float, bend: float) -> float:
    """Return the quantile of a symmetric distribution for one of a distribution whose upper tail is bent outwards."""
    if bend <= 0 or t <= 1:
        return t
    # t = z + bend (z^2 - 1), solved for z.
    return (math.sqrt(1 + 4 * bend * (t + bend)) - 1) / (2 * bend)


def compare(samples: Sequence[Sample]) -> list[Comparison | None]:
    """Compare all metrics of a candidate with a baseline's.

    Returns:
        What came of each sample, in their order; None where it has no value on one side, or fewer than three in all.
    """
    metrics = [_oriented(sample) for sample in samples]
    judged = [metric for metric in metrics if metric is not None]
    _moderate(judged)
    share = shared_noise(judged)
    raw = [metric.tails() for metric in judged]
    tails = _with_shared_part_taken_out(judged, raw) if share else raw
    found = iter(tails)
    return [
        None if metric is None else _result(sample, metric, *next(found), share)
        for sample, metric in zip(samples, metrics, strict=True)
    ]


def _result(sample: Sample, metric: _Metric, p_worse: float, p_better: float, share: float) -> Comparison:
    sign = 1.0 if sample.direction == "lower" else -1.0
    before, after = (sign * mean for mean in metric.means)
    if metric.logarithmic:
        before, after = math.exp(before), math.exp(after)
    change = after - before
    # From nothing to something is more than any share of it.
    relative = change / abs(before) if before else (math.copysign(math.inf, change) if change else 0.0)
    return Comparison(
        before=before,
        after=after,
        worse=sign * relative,
        p_worse=p_worse,
        p_better=p_better,
        noise=math.sqrt(metric.variance),
        degrees=metric.degrees,
        runs=(len(metric.left), len(metric.right)),
        logarithmic=metric.logarithmic,
        shared=share,
    )


def _oriented(sample: Sample) -> _Metric | None:
    left = [value for value in sample.baseline if value is not None]
    right = [value for value in sample.candidate if value is not None]
    if not left or not right or len(left) + len(right) < _FEWEST:
        return None
    logarithmic = min(*left, *right) > 0
    sign = 1.0 if sample.direction == "lower" else -1.0

    def scaled(value: float | None) -> float | None:
        if value is None:
            return None
        return sign * (math.log(value) if logarithmic else value)

    return _Metric(logarithmic, [scaled(v) for v in sample.baseline], [scaled(v) for v in sample.candidate])


def _moderate(metrics: Sequence[_Metric]) -> None:
    """Give each metric its moderated variance, and that variance's degrees of freedom."""
    common = [metric for metric in metrics if metric.logarithmic]
    prior_degrees, prior = prior_variance([(m.own_variance, m.own) for m in common])
    for metric in metrics:
        if metric.logarithmic and prior_degrees:
            weight = prior_degrees + metric.own
            metric.variance = (prior_degrees * prior + metric.own * metric.own_variance) / weight
            metric.degrees = weight
        else:
            metric.variance, metric.degrees = metric.own_variance, float(metric.own)
    skewness = _skewness(common)
    for metric in common:
        metric.skewness = skewness


def _skewness(metrics: Sequence[_Metric]) -> float:
    """Return the skewness of runs that metrics have in common; 0 where it is small or not known well."""
    if len(metrics) < _METRICS_FOR_SHARED:
        return 0.0
    cubes = weight = 0.0
    for metric in metrics:
        spread = math.sqrt(metric.variance)
        cubes += sum((residual / spread) ** 3 for residual in metric.residuals())
        weight += sum((len(g) - 1) * (len(g) - 2) / len(g) for g in (metric.left, metric.right))
    skewness = cubes / weight if weight else 0.0
    return skewness if abs(skewness) >= _SKEWED_FROM else 0.0


def prior_variance(found: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Return degrees of freedom and value of the variance that metrics have in common; 0 degrees: none that is known.

    Args:
        found: Variance and degrees of freedom of each metric.

    Source: Smyth 2004, section 6.2, moments of the logarithms of variances.
    """
    if len(found) < _METRICS_FOR_PRIOR:
        return 0.0, 0.0
    logs = [math.log(variance) - digamma(own / 2) + math.log(own / 2) for variance, own in found]
    centre = statistics.fmean(logs)
    excess = statistics.variance(logs, centre) - statistics.fmean(trigamma(own / 2) for _, own in found)
    if excess <= 0:
        return _FIXED_SPREAD, math.exp(centre)
    half = trigamma_inverse(excess)
    if 2 * half > _FIXED_SPREAD:
        return _FIXED_SPREAD, math.exp(centre)
    if 2 * half < _COMMON_FROM:
        return 0.0, 0.0
    return 2 * half, math.exp(centre + digamma(half) - math.log(half))


def _complete(metrics: Sequence[_Metric]) -> list[_Metric]:
    return [m for m in metrics if m.logarithmic and None not in m.baseline and None not in m.candidate]


def shared_noise(metrics: Sequence[_Metric]) -> float:
    """Return the share of noise that metrics of a run have in common, from 0 to 1; 0 where it is too small to use."""
    complete = _complete(metrics)
    if len(complete) < _METRICS_FOR_SHARED:
        return 0.0
    count, degrees = len(complete), complete[0].own
    runs = len(complete[0].left) + len(complete[0].right)
    factors = [0.0] * runs
    for metric in complete:
        spread = math.sqrt(metric.variance)
        for place, residual in enumerate(metric.residuals()):
            factors[place] += residual / spread / count
    variance = sum(factor * factor for factor in factors) / degrees
    share = (count * variance - 1) / (count - 1)
    return min(share, 1.0) if share >= _SHARED_FROM else 0.0


def _with_shared_part_taken_out(
    metrics: Sequence[_Metric], raw: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the tails of each metric by the better of two tests, each of which counts twice."""
    complete = _complete(metrics)
    runs = len(complete[0].baseline) + len(complete[0].candidate)
    shared = [
        statistics.median(((*m.left, *m.right)[run] - m.means[0]) / math.sqrt(m.variance) for m in complete)
        for run in range(runs)
    ]
    split = len(complete[0].baseline)
    rest = []
    for metric in complete:
        spread = math.sqrt(metric.variance)
        left: list[float | None] = [v - spread * f for v, f in zip(metric.left, shared[:split], strict=True)]
        right: list[float | None] = [v - spread * f for v, f in zip(metric.right, shared[split:], strict=True)]
        rest.append(_Metric(logarithmic=True, baseline=left, candidate=right))
    _moderate(rest)
    without = {id(metric): other.tails() for metric, other in zip(complete, rest, strict=True)}
    results = []
    for metric, tails in zip(metrics, raw, strict=True):
        others = without.get(id(metric), tails)
        pairs = zip(tails, others, strict=True)
        results.append(tuple(min(1.0, 2 * (min(p, q) if p <= _BY_ITSELF else p)) for p, q in pairs))
    return [(worse, better) for worse, better in results]


def holm(tails: Sequence[float]) -> list[float]:
    """Return probabilities adjusted for their number: any at most alpha holds with family-wise level alpha."""
    order = sorted(range(len(tails)), key=lambda place: tails[place])
    adjusted = [1.0] * len(tails)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, tails[place] * (len(tails) - rank)))
        adjusted[place] = largest
    return adjusted

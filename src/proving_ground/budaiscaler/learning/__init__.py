"""What a scaler learns of its target: patterns, the course of a week, and how good its own forecasts are."""

from __future__ import annotations

from proving_ground.budaiscaler.learning.learner import Learner, LearningSettings
from proving_ground.budaiscaler.learning.patterns import Pattern, PatternName
from proving_ground.budaiscaler.learning.samples import Sample

__all__ = ["Learner", "LearningSettings", "Pattern", "PatternName", "Sample"]

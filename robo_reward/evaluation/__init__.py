"""Is a reward to be trusted: metrics, negative controls, report."""

from robo_reward.evaluation.evaluation import Evaluation, EvaluationSettings, evaluate
from robo_reward.evaluation.value_order import OrderCorrelation, kendall_order_correlation, value_order_correlation

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "OrderCorrelation",
    "evaluate",
    "kendall_order_correlation",
    "value_order_correlation",
]

"""The protocols, one a file: `run(is_quick=...)` gives rows; the first line of the docstring says what is measured."""

NAMES = (
    "churn_events",
    "clv",
    "segments",
    "recommend",
    "recommend_speed",
    "tabular",
    "text",
    "scoring_speed",
    "scoring_tables",
    "training_speed",
    "start_up",
    "point_latency",
    "growth",
)
WITH_CASES = ("churn_events", "clv", "segments", "recommend", "tabular")
"""Those that can run some of their cases: `run(is_quick=..., only="telco")`."""
GROUPS = {
    "speed": (
        "scoring_speed",
        "scoring_tables",
        "training_speed",
        "recommend_speed",
        "start_up",
        "point_latency",
        "growth",
    )
}

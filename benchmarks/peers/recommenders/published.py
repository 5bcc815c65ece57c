"""Figures that others published, all items ranked, on the splits of `benchmarks/protocols/recommend.py`.

They are not refitted to the validation step: `sqlml, not refitted` compares with them.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.report import Row

BENCHMARK = "blondered/transformer_benchmark"
TOP_10, TOP_20 = ("hr@10", "ndcg@10"), ("recall@20", "mrr@20")
FIGURES: dict[str, tuple[tuple[str, str, tuple[str, str], tuple[float | None, float | None]], ...]] = {
    "amazon beauty": (
        ("SASRec", "as published", TOP_10, (0.0605, 0.0318)),
        ("TIGER", "as published", TOP_10, (0.0648, 0.0384)),
        ("HSTU", "as published", TOP_10, (0.0788, 0.0439)),
        ("SASRec, sampled softmax", BENCHMARK, TOP_10, (0.0921, 0.0531)),
        ("eSASRec", BENCHMARK, TOP_10, (0.0928, 0.0523)),
    ),
    "movielens 1m": (
        ("SASRec", "as published", TOP_10, (0.2392, 0.1259)),
        ("BERT4Rec", "as published", TOP_10, (0.2843, 0.1537)),
        ("gSASRec", "Petrov & Macdonald 2023", TOP_10, (0.3003, 0.1726)),
        ("SASRec, 3,000 negatives", "Klenitskiy & Vasilev 2023", TOP_10, (0.3159, 0.1857)),
    ),
    "yoochoose 1/64, sessions": (
        ("GRU4Rec", "as published", TOP_20, (0.606, 0.229)),
        ("NARM", "as published", TOP_20, (0.683, 0.286)),
        ("SR-GNN", "as published", TOP_20, (None, 0.309)),
    ),
}


def rows(case: str) -> Iterator[Row]:
    """Of a data set."""
    for method, source, metrics, values in FIGURES.get(case, ()):
        shown = dict(zip(metrics, values, strict=True))
        yield {"case": case, "method": f"{method} (published)", **shown, "note": f"not run here: {source}"}

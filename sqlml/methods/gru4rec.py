"""GRU4Rec: gated recurrent units over the history, with a sampled softmax (Hidasi & Karatzoglou 2018)."""

from __future__ import annotations

from sqlml.methods.sequence import NextItems
from sqlml.models.sequence import Recurrent

LEAST_EVENTS = 100_000
"""Of fewer events the closed forms are level or better, and take seconds."""

METHOD = NextItems(Recurrent, layers=1, least_events=LEAST_EVENTS)

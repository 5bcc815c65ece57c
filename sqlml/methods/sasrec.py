"""SASRec: self-attention over the history (Kang & McAuley 2018), with a sampled softmax (Klenitskiy & Vasilev 2023)."""

from __future__ import annotations

import math

from sqlml.methods.sequence import NextItems
from sqlml.models.sequence import Attention

METHOD = NextItems(Attention, layers=2, least_events=math.inf)
"""Never tried unasked: it does about twice the work of GRU4Rec for an event."""

"""Segments: sqlml against RFM quintiles and plain k-means with as many segments, by what came later and by stability.

`eta2_spend` and `eta2_orders` are the shares of the variance of spend and of orders, in a horizon that was withheld,
that lie between segments. Stability is the mean adjusted Rand index between fits on bootstrap samples of customers, on
all of them; `kept` the share of customers without an event in the last month who keep the number that a model had given
them a month earlier, after a retrain. Everyone gets sqlml's own features at `as_of`. RFM quintiles: the sum of the three
scores, cut into groups of equal size. Plain k-means: of scikit-learn, on standardised columns. The classic RFM segments
have a number of their own. A table of rows has no later: there are silhouette and stability alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, silhouette_score
from threadpoolctl import threadpool_limits

import sqlml
from benchmarks import bootstrap, cases, data, metrics, report
from benchmarks.cases import Case
from benchmarks.data import FOLDER
from benchmarks.peers import segments as peers
from benchmarks.report import Row
from sqlml import features, pipeline, rehearsal, segmentation
from sqlml.encoding import Arrays
from sqlml.methods import centers, kmeans, linear
from sqlml.options import BehaviorOptions, ModelOptions
from sqlml.queries import literal
from sqlml.transforms import Encoder

Labels = NDArray[np.int64]
Way = Callable[[Arrays, int, int], Callable[[NDArray[np.float32]], Labels]]
"""(examples, k, seed) → a function of inputs (n, columns) → segments (n,)."""
OURS = "sqlml"
MONTH = timedelta(days=30)
CASES = (Case("cdnow, 39 weeks", "cdnow", 273), Case("online retail, 90 days", "online_retail", 90, share=0.65))
QUICK_CASE = Case("shop, 90 days", data.SHOP, 90)

"""Run in an environment with RecTools: steps of customers as CSV in, what SASRec recommends to some of them as CSV out.

`python -I sasrec_fit.py STEPS ASKED LISTS RECORD N BUDGET`. STEPS has `user_id` and `item_id`, the steps of a customer
in order; ASKED has `user_id`. LISTS gets `user_id`, `item_id` and `rank`; RECORD a JSON object with the seconds of the
fit and of the lists, and how long was trained.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools.dataset import Dataset
from rectools.models import SASRecModel

SHORTEST, LONGEST, COVERED = 20, 100, 0.9
"""So many last steps are seen: the length that this share of the histories does not exceed, within these bounds."""
MODEL = {"n_blocks": 2, "n_heads": 2, "n_factors": 64, "dropout_rate": 0.2, "lr": 0.001, "batch_size": 128}
LOSS = {"loss": "sampled_softmax", "n_negatives": 64}
HELD_OUT, PATIENCE, MOST_EPOCHS = 1_000, 5, 200
THREADS = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


class Stop(Callback):  # type: ignore[misc]
    """Stops at the budget, or where the loss of the held-out steps grows; the weights are those of the best epoch."""

    def __init__(self, budget: float) -> None:
        self.end = time.process_time() + budget * THREADS
        self.least, self.best_epoch, self.epochs = np.inf, 0, 0
        self.weights: dict[str, torch.Tensor] = {}

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Keep the best weights."""
        if trainer.sanity_checking:
            return
        self.epochs += 1
        loss = float(trainer.callback_metrics["val_loss"])
        print(f"SASRec: epoch {self.epochs}, loss {loss:.4f}", file=sys.stderr, flush=True)
        if loss < self.least:
            self.least, self.best_epoch = loss, self.epochs
            self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop after this epoch."""
        trainer.should_stop = self.is_over or self.epochs >= self.best_epoch + PATIENCE

    def on_fit_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Go back to the best weights."""
        module.load_state_dict(self.weights)

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return time.process_time() > self.end

    @property
    def note(self) -> str:
        """How long was trained."""
        return f"{self.best_epoch} epochs" + (", stopped by its time budget" if self.is_over else "")


def main(steps: str, asked: str, lists: str, record: str, n: str, budget: str) -> None:
    """Fit to all steps but the last one of some customers, and recommend."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(THREADS)
    seed_everything(0, verbose=False)
    found = pd.read_csv(steps)
    found["datetime"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(found)), unit="s")
    found["weight"] = 1.0
    started = time.monotonic()
    data, model = Dataset.construct(found), _model(found, float(budget))
    model.fit(data)
    (stop,) = (each for each in model.fit_trainer.callbacks if isinstance(each, Stop))  # RecTools trains by a copy
    fitted = time.monotonic()
    customers = pd.read_csv(asked)["user_id"].to_numpy()
    best = model.recommend(customers, data, int(n), filter_viewed=True, on_unsupported_targets="ignore")
    best[["user_id", "item_id", "rank"]].to_csv(lists, index=False)
    said = {"fit": fitted - started, "score": time.monotonic() - fitted, "note": stop.note}
    Path(record).write_text(json.dumps(said), encoding="utf-8")


def _model(steps: pd.DataFrame, budget: float) -> SASRecModel:
    lengths = steps.groupby("user_id").size()
    held_out = lengths[lengths > 2].sample(min(HELD_OUT, int((lengths > 2).sum()) // 5), random_state=0).index

    def is_held_out(interactions: pd.DataFrame) -> np.ndarray:
        times = interactions.groupby("user_id")["datetime"]
        is_last = interactions["datetime"] == times.transform("max")
        return (is_last & interactions["user_id"].isin(held_out)).to_numpy()

    return SASRecModel(
        **MODEL,
        **LOSS,
        session_max_len=int(np.clip(lengths.quantile(COVERED), SHORTEST, LONGEST)),
        get_val_mask_func=is_held_out,
        get_trainer_func=lambda: Trainer(
            max_epochs=MOST_EPOCHS, callbacks=[Stop(budget)], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, devices=1,
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])

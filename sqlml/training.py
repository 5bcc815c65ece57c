"""The one training loop for Flax modules. It knows no database and does not ask which module it trains."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from sqlml import interruption
from sqlml.errors import TrainingError

Params = Any
Rows = NDArray[np.float32] | NDArray[np.int32]
Loss = Callable[[jax.Array, jax.Array], jax.Array]
Prepare = Callable[[jax.Array, Any], tuple[jax.Array, ...]]
Result = TypeVar("Result")
CHUNK = 2048
MAPS = Path("/proc/self/maps")
MOST_MAPS = 20_000
"""Maps of memory from which on compiled programs are forgotten; Linux allows a process 65,530 by default."""
MOST_TOGETHER = 4
"""Trainings side by side: each holds a copy of its rows."""
LOOK = 0.2
"""Seconds between two looks whether trainings side by side are to stop."""
STEPS = 32
"""Steps taken in one call of the compiled loop."""
EPOCH_ROWS = 131_072
"""An epoch is a pass over the rows, but over no more than this many, so that large data are stopped on in time."""
AVERAGING = 0.02
"""Weight of the newest parameters in the running average that is stopped on and returned (Polyak averaging)."""


def forget_compiled() -> None:
    """Forget compiled programs where there are very many: what is still needed is compiled again.

    XLA maps memory for each and never lets go of one; a process that trains models of ever new shapes would end in a
    segmentation fault when the system grants no more maps. Only Linux tells how many there are.
    """
    if MAPS.exists() and len(MAPS.read_bytes().splitlines()) > MOST_MAPS:
        jax.clear_caches()  # type: ignore[no-untyped-call]


class Watch(Protocol):
    """Called after every epoch, e.g. by a progress bar."""

    def __call__(self, epoch: int, epochs: int, loss: float) -> None:
        """Take note of an epoch and its loss."""
        ...


Stage = Callable[[str], Watch]
"""The name of a part of a training → what to call after its epochs."""


@dataclass(frozen=True)
class Settings:
    """How to train; see `ModelOptions` for the meaning of each."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int
    seed: int


@dataclass(frozen=True)
class Trained:
    """Averaged parameters of the best epoch (without a stopping set: the last), its number, (train, stop) losses.

    `apart` has, for each part of the stopping set, the parameters of the epoch that is best for the other parts.
    """

    params: Params
    epochs: int
    log: list[tuple[float, float]] = field(default_factory=list)
    apart: tuple[Params, ...] = ()


@dataclass
class _Best:
    """The best epoch so far by one set of rows."""

    params: Params
    epoch: int = 0
    loss: float = math.inf

    def see(self, params: Params, epoch: int, loss: float) -> None:
        if loss < self.loss or not self.epoch:
            self.params, self.epoch, self.loss = params, epoch, loss


def train(
    module: nn.Module,
    loss: Loss,
    inputs: Rows,
    labels: NDArray[np.float32],
    prepare: Prepare,
    context: object,
    settings: Settings,
    stop: Sequence[tuple[Rows, NDArray[np.float32]]] = (),
    watch: Watch = lambda epoch, epochs, loss: None,
    start: Params | None = None,
) -> Trained:
    """Fit `module(*prepare(inputs, context))` to `labels` by AdamW on mini-batches.

    Args:
        module: Its `__call__` takes what `prepare` gives, and `training`.
        loss: (outputs, labels) → loss of each row, shape (n,).
        inputs: Shape (n, columns), or of more axes where the module takes them.
        labels: Shape (n,), or (n, size) where the loss takes rows of them.
        prepare: (inputs, context) → arguments of the module; runs inside the compiled step.
        context: Arrays that `prepare` needs; others of equal shapes share a compilation.
        settings: Epochs, batch size and so on.
        stop: Parts of the rows to stop early on; the best epoch's parameters come back, for all of these rows and for
            each part by the other ones.
        watch: Called after each epoch.
        start: Parameters to go on from; default: drawn by chance.

    Raises:
        TrainingError: The loss is not finite.
    """
    rng = np.random.default_rng(settings.seed)
    key = jax.random.PRNGKey(settings.seed)
    batch = min(settings.batch_size, max(len(labels), 1), EPOCH_ROWS)
    context = jax.device_put(context)
    optimizer = _optimizer(settings.learning_rate, settings.weight_decay)
    state = _initial(key, inputs[:1], context, module, prepare, optimizer) if start is None else _from(start, optimizer)
    best, log = [_Best(state.average) for _ in range(1 + len(stop))], []
    for epoch in range(1, settings.epochs + 1):
        losses = []
        for rows in _groups(rng, len(labels), batch):
            interruption.check()
            padded = np.resize(rows, (STEPS, batch))
            data = inputs[padded], labels[padded]
            state, values = _steps(state, *data, np.int32(len(rows)), context, key, module, loss, prepare, optimizer)
            losses.append(values[: len(rows)])
        train_loss = float(np.mean(np.concatenate(losses)))
        sums = [_sum_of_losses(module, loss, state.average, *part, context, prepare) for part in stop]
        stop_loss = sum(sums) / sum(len(part[1]) for part in stop) if stop else math.nan
        log.append((train_loss, stop_loss))
        if not np.isfinite(train_loss):
            raise TrainingError(f"The loss is not finite at epoch {epoch}: lower learning_rate.")
        watch(epoch, settings.epochs, stop_loss if stop else train_loss)
        for each, reached in zip(best, [sum(sums), *(sum(sums) - own for own in sums)], strict=True):
            each.see(state.average, epoch, reached if stop else -epoch)
        if epoch - max(each.epoch for each in best) >= settings.patience:
            break
    whole, *apart = best
    return Trained(whole.params, whole.epoch, log, tuple(each.params for each in apart))


def together(jobs: Sequence[Callable[[Stage], Result]], stage: Stage) -> list[Result]:
    """Run trainings side by side, since one small net keeps little more than one core busy; results in their order.

    When one fails, or the user interrupts, the others stop after their epoch.
    """
    is_over = threading.Event()

    def guarded(name: str) -> Watch:
        watch = stage(name)

        def check(epoch: int, epochs: int, loss: float) -> None:
            if is_over.is_set():
                raise CancelledError
            watch(epoch, epochs, loss)

        return check

    with ThreadPoolExecutor(max(1, min(len(jobs), os.cpu_count() or 1, MOST_TOGETHER))) as pool:
        running = [pool.submit(copy_context().run, job, guarded) for job in jobs]
        try:
            while not all(job.done() for job in running):
                for job in wait(running, LOOK, FIRST_EXCEPTION).done:
                    job.result()
                interruption.check()
            return [job.result() for job in running]
        except BaseException:
            is_over.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def predict(
    apply: Callable[[Params, jax.Array], jax.Array], params: Params, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`apply(params, inputs)`, compiled once and run in chunks of one shape; the first axis is the rows."""
    chunks = []
    for start in range(0, len(inputs), CHUNK):
        chunk = inputs[start : start + CHUNK]
        padded = np.pad(chunk, ((0, CHUNK - len(chunk)), (0, 0)))
        chunks.append(np.asarray(_applied(apply, params, padded))[: len(chunk)])
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


@partial(jax.jit, static_argnums=0)
def _applied(apply: Callable[[Params, jax.Array], jax.Array], params: Params, inputs: jax.Array) -> jax.Array:
    return apply(params, inputs)


@lru_cache
def _optimizer(learning_rate: float, weight_decay: float) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(learning_rate, weight_decay=weight_decay))


def _groups(rng: np.random.Generator, rows: int, batch: int) -> Iterator[NDArray[np.int64]]:
    """A random order cut into full batches, in groups of at most STEPS: shape (steps, batch).

    One shape, one compilation; the few rows left over change every epoch.
    """
    order = rng.permutation(rows)[:EPOCH_ROWS]
    batches = order[: len(order) // batch * batch].reshape(-1, batch)
    for start in range(0, len(batches), STEPS):
        yield batches[start : start + STEPS]


class _State(NamedTuple):
    params: Params
    average: Params
    optimizer: optax.OptState
    step: jax.Array


@partial(jax.jit, static_argnames=("module", "prepare", "optimizer"))
def _initial(
    key: jax.Array,
    inputs: jax.Array,
    context: object,
    module: nn.Module,
    prepare: Prepare,
    optimizer: optax.GradientTransformation,
) -> _State:
    return _from(module.init(key, *prepare(inputs, context)), optimizer)


def _from(params: Params, optimizer: optax.GradientTransformation) -> _State:
    return _State(params, params, optimizer.init(params), jnp.zeros((), jnp.uint32))


@partial(jax.jit, static_argnames=("module", "loss", "prepare", "optimizer"))
def _steps(
    state: _State,
    inputs: jax.Array,
    labels: jax.Array,
    count: jax.Array,
    context: object,
    key: jax.Array,
    module: nn.Module,
    loss: Loss,
    prepare: Prepare,
    optimizer: optax.GradientTransformation,
) -> tuple[_State, jax.Array]:
    """Take `count` steps on batches (STEPS, batch, columns), those beyond are padding; the loss of each, (STEPS,)."""

    def body(i: jax.Array, carry: tuple[_State, jax.Array]) -> tuple[_State, jax.Array]:
        state, values = carry
        rngs = {"dropout": jax.random.fold_in(key, state.step)}

        def total(params: Params) -> jax.Array:
            outputs: Any = module.apply(params, *prepare(inputs[i], context), training=True, rngs=rngs)
            return loss(outputs, labels[i]).mean()

        value, gradients = jax.value_and_grad(total)(state.params)
        updates, optimizer_state = optimizer.update(gradients, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        average = optax.incremental_update(params, state.average, AVERAGING)
        return _State(params, average, optimizer_state, state.step + 1), values.at[i].set(value)

    return jax.lax.fori_loop(0, count, body, (state, jnp.zeros(STEPS)))


def _sum_of_losses(
    module: nn.Module,
    loss: Loss,
    params: Params,
    inputs: Rows,
    labels: NDArray[np.float32],
    context: object,
    prepare: Prepare,
) -> float:
    starts = range(0, len(labels), CHUNK)
    places = ((start + np.arange(CHUNK)) % len(labels) for start in starts)
    sizes = (min(CHUNK, len(labels) - start) for start in starts)
    sums = [
        _loss_of(params, inputs[rows], labels[rows], np.int32(size), context, module, loss, prepare)
        for rows, size in zip(places, sizes, strict=True)
    ]
    return float(np.sum(jax.device_get(sums)))


@partial(jax.jit, static_argnames=("module", "loss", "prepare"))
def _loss_of(
    params: Params,
    inputs: jax.Array,
    labels: jax.Array,
    size: jax.Array,
    context: object,
    module: nn.Module,
    loss: Loss,
    prepare: Prepare,
) -> jax.Array:
    """The loss of the first `size` rows together."""
    outputs: Any = module.apply(params, *prepare(inputs, context))
    return jnp.where(jnp.arange(len(labels)) < size, loss(outputs, labels), 0.0).sum()

"""Fit, train one epoch, validate: plain functions on one state."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.core.errors import InputError
from engine.core.files import replacing
from engine.core.jobs import CancelToken, Reporter, silent
from engine.core.records.events import Ended, Paused, Resumed, Sink, Stepped, Validation
from engine.core.types import Kind
from engine.datasets.examples import Example
from engine.evaluation.score import score
from engine.losses import LOSSES, LossInput
from engine.losses.kspace import predicted
from engine.models.parts.checkpointing import recomputing
from engine.training.config import OptimiserPart, TrainConfig
from engine.training.events import command
from engine.training.selfsupervised import split_lines
from engine.training.state import State, save_best, save_checkpoint
from engine.training.steps import predict, total

METRICS = ("psnr", "ssim", "nmse")
HELD = "held_db"  # the score without a truth
PAUSE_SECONDS = 0.2
REPORT_SECONDS = 0.2


class Stopped(Exception):
    """The run was told to stop or to discard; ``word`` says which."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def fit(state: State, sink: Sink) -> str:
    """Train until the steps, the minutes or the patience are used up, or somebody says stop.

    Returns
    -------
    str
        Why it ended: ``steps``, ``minutes``, ``patience``, ``stop`` or ``discard``.

    Raises
    ------
    InputError
        The loss or its gradient is not finite; the cause is named and the last checkpoint is kept.
    DeviceMemoryError, OutputError
        No memory, full disk.
    """
    state.ended = ended = ""
    began, before = time.monotonic(), state.spent_seconds
    if not state.history:
        validate(state, sink)
        checkpoint(state)
    while not ended:
        try:
            train_epoch(state, sink, before, began)
        except Stopped as stopped:
            ended = stopped.word
        state.spent_seconds = before + time.monotonic() - began
        # Told to stop, it keeps the best there is; what was never scored but at its beginning is scored now.
        if not ended or (ended == "stop" and len(state.history) == 1 and state.step > 0):
            validate(state, sink)
        ended = ended or state.agree(_finished(state))
        state.ended = ended
        if ended != "discard":
            checkpoint(state)
    sink(Ended(state.step, ended, state.best, state.best_step, round(state.spent_seconds, 2)))
    return ended


def _finished(state: State) -> str:
    run = state.config.run
    if state.step >= run.steps:
        return "steps"
    if run.minutes > 0 and state.spent_seconds >= 60 * run.minutes:
        return "minutes"
    if 0 < run.patience <= state.waited:
        return "patience"
    return ""


def train_epoch(state: State, sink: Sink, spent_before: float = 0.0, began: float | None = None) -> None:
    """Train to the next multiple of ``run.epoch`` steps (or the last step)."""
    run, optimiser = state.config.run, state.config.optimiser
    began = time.monotonic() if began is None else began
    last = min(run.steps, (state.step // run.epoch + 1) * run.epoch)
    shares = range(state.rank, optimiser.batch, state.world)
    numbers = [step * optimiser.batch + n for step in range(state.step, last) for n in shares]
    state.module.train()
    told = 0.0
    with _examples(state, numbers) as examples:
        while state.step < last:
            if _listen(state, spent_before + time.monotonic() - began, sink):
                return
            rate = learning_rate(optimiser, state.step, run.steps)
            for group in state.optimiser.param_groups:
                group["lr"] = rate * group["factor"]
            # Random parts of a network depend on seed and step, so that a resumed run goes the same way.
            torch.manual_seed((run.seed * 1_000_003 + state.step) % (1 << 63))
            loss, terms = _step(state, examples, len(shares))
            state.step += 1
            now = time.monotonic()
            if now - told >= REPORT_SECONDS or state.step == last:
                told = now
                seconds = spent_before + now - began
                sink(Stepped(state.step, run.steps, loss, rate, round(seconds, 2), terms))
            if state.step % run.checkpoint_steps == 0 and state.step < last:
                state.spent_seconds = spent_before + now - began
                checkpoint(state)


def _step(state: State, examples: Iterator[Example], count: int) -> tuple[float, dict[str, float]]:
    """Take one optimiser step over ``count`` examples of this process."""
    config = state.config
    loss, terms = 0.0, dict.fromkeys(config.losses, 0.0)
    state.optimiser.zero_grad(set_to_none=True)
    for n in range(count):
        example = next(examples).to(state.device)
        # Gradients are exchanged after the last one only.
        waiting = state.parallel if n < count - 1 else None
        with contextlib.nullcontext() if waiting is None else waiting.no_sync():
            value, parts = _loss(state, example)
            # Several processes average their gradients; one process sums its own.
            share = value * state.world / config.optimiser.batch
            (share if state.scaler is None else state.scaler.scale(share)).backward()
        loss += float(value.detach()) / count
        terms = {name: terms[name] + part / count for name, part in parts.items()}
    if not math.isfinite(loss):
        raise _not_finite(state, f"the loss is {loss}", terms)
    _update(state, terms)
    return loss, terms


def _update(state: State, terms: Mapping[str, float]) -> None:
    """Move the weights along the gradient, and their moving average after them."""
    part = state.config.optimiser
    if state.scaler is not None:
        state.scaler.unscale_(state.optimiser)
    trained = [p for p in state.module.parameters() if p.requires_grad]
    norm = float(nn.utils.clip_grad_norm_(trained, part.clip if part.clip > 0 else math.inf))
    if state.scaler is None:
        if not math.isfinite(norm):
            raise _not_finite(state, f"the gradient's norm is {norm}", terms)
        state.optimiser.step()
    else:
        state.scaler.step(state.optimiser)  # leaves out a step whose gradients left float16's range, and lowers the scale
        state.scaler.update()
    if state.ema is not None:
        # The average follows quickly at first: it would remember the start for a long time otherwise.
        decay = min(part.ema, (1 + state.step) / (10 + state.step))
        with torch.no_grad():
            for name, parameter in state.module.named_parameters():
                if name in state.ema:
                    state.ema[name].lerp_(parameter.detach(), 1 - decay)


def _not_finite(state: State, what: str, terms: Mapping[str, float]) -> InputError:
    listed = ", ".join(f"{name} {value:g}" for name, value in terms.items())
    return InputError(
        f"{what} at step {state.step + 1} (expected a finite number; terms: {listed})",
        'Lower optimiser.learning_rate or optimiser.clip, or use run.precision = "float32"; the last checkpoint is kept.',
    )


def _loss(state: State, example: Example) -> tuple[Tensor, dict[str, float]]:
    config = state.config
    shown = held = None
    if config.data.mode == "self":
        rng = np.random.default_rng((config.run.seed, 3, state.step))
        shown, held = split_lines(example.mask, example.acs, rng)
    with recomputing(config.run.checkpointing):
        _, data = predict(
            state.runner,
            state.spec,
            example,
            config.run.precision,
            input_mask=shown,
            mapping=state.mapping,
            report=Reporter(None, WordToken(state)),
            stages=reads_stages(config),
        )
    if held is not None:
        data = split_loss_input(data, held)
    return total(config.losses, data, config.cascades)


def reads_stages(config: TrainConfig) -> bool:
    """Return whether a term of the loss reads what cascades report; it is not kept otherwise."""
    return config.cascades != "last" or any(not LOSSES.get(name).of_image for name in config.losses)


def split_loss_input(data: LossInput, held: Tensor) -> LossInput:
    """Return loss input that compares k-space only where ``held`` is true: samples the network did not see."""
    return dataclasses.replace(data, target=None, measured=held)


class WordToken(CancelToken):
    """Lets the words stop and discard be heard within a step, of one process; several would wait for each other for ever."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state, self._asked = state, time.monotonic()

    def check(self) -> None:
        """Raise ``Stopped`` if the run was told to stop or discard; the folder is looked at a few times a second."""
        super().check()
        now = time.monotonic()
        if self._state.world == 1 and now - self._asked > PAUSE_SECONDS:
            self._asked = now
            word = command(self._state.folder)
            if word in ("stop", "discard"):
                raise Stopped(word)


@contextlib.contextmanager
def _examples(state: State, numbers: list[int]) -> Iterator[Iterator[Example]]:
    """Yield examples in order, each made in a thread while the one before is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="examples") as pool:

        def ahead() -> Iterator[Example]:
            waiting: Future[Example] | None = pool.submit(state.stream.__getitem__, numbers[0]) if numbers else None
            for following in [*numbers[1:], None]:
                assert waiting is not None
                example = waiting.result()
                waiting = None if following is None else pool.submit(state.stream.__getitem__, following)
                yield example

        try:
            yield ahead()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _listen(state: State, seconds: float, sink: Sink) -> bool:
    """Do what the run was told: wait while paused, raise to stop; return whether its minutes are used up."""
    minutes = state.config.run.minutes
    word = "go"
    if state.rank == 0:
        word = command(state.folder)
        if word == "pause":
            sink(Paused(state.step))
            while (word := command(state.folder)) == "pause":
                time.sleep(PAUSE_SECONDS)
            sink(Resumed(state.step))
        if word == "go" and minutes > 0 and seconds >= 60 * minutes:
            word = "minutes"
    word = state.agree(word)
    if word in ("stop", "discard"):
        raise Stopped(word)
    return word == "minutes"


def validate(state: State, sink: Sink) -> dict[str, float]:
    """Score the kept weights on the validation examples; several processes do the same work once, in the first of them.

    The score, higher is better, decides what is best: the mean PSNR of whole magnitude series; where an example was never fully
    sampled, the signal-to-error ratio in dB of samples that the network was not shown (PSNR against a zero-filled image would
    reward doing nothing).
    """
    if state.rank != 0:
        return {}
    began = time.monotonic()
    current = {name: value.detach().clone() for name, value in state.module.state_dict().items()}
    state.module.load_state_dict(state.weights())
    state.module.eval()
    blind = any(example.target is None for example in state.validation)
    values: dict[str, list[float]] = {}
    preview: Tensor | None = None
    try:
        with torch.inference_mode():
            for number, example in enumerate(state.validation):
                image, found = _scored(state, example.to(state.device), number, blind)
                for name, value in found.items():
                    values.setdefault(name, []).append(value)
                preview = image if preview is None else preview
    finally:
        state.module.load_state_dict(current)
        state.module.train()
    means = {name: float(np.mean(value)) for name, value in values.items()}
    _note(state, sink, means, HELD if blind else METRICS[0], preview, time.monotonic() - began)
    return means


def _scored(state: State, example: Example, number: int, blind: bool) -> tuple[Tensor, dict[str, float]]:
    """Return the image of one example and its scores by name."""
    config = state.config
    if blind:
        rng = np.random.default_rng((config.run.seed, 6, number))
        shown, held = split_lines(example.mask, example.acs, rng)
        image, data = predict(state.module, state.spec, example, config.run.precision, shown, stages=False)
        error = ((predicted(data) - data.full) * held).abs().square().sum()
        power = (data.full * held).abs().square().sum()
        return image, {HELD: float(10 * torch.log10(power / error))}
    image, data = predict(state.module, state.spec, example, config.run.precision, stages=False)
    scores = score(_numpy(image), _numpy(data.truth), METRICS, None, "myoscope", silent(), Kind.UNKNOWN)
    found: dict[str, list[float]] = {}
    for one in scores:
        found.setdefault(one.metric, []).append(one.value)
    return image, {name: float(np.mean(value)) for name, value in found.items()}


def _note(state: State, sink: Sink, means: dict[str, float], metric: str, preview: Tensor | None, seconds: float) -> None:
    """Keep the weights if they are the best so far; tell the scores."""
    found = means[metric]
    improved = state.best is None or found > state.best
    state.waited = 0 if improved else state.waited + 1
    if improved:
        state.best, state.best_step = found, state.step
        save_best(state)
    told = Validation(state.step, means, found, metric, improved, round(seconds, 2))
    state.history.append(told)
    sink(told if preview is None else replace(told, preview=str(save_preview(state, preview))))


def _numpy(image: Tensor) -> Any:
    return image.to("cpu", torch.complex64).numpy()


def save_preview(state: State, image: Tensor) -> Path:
    """Write the first validation example as it is now: ``preview-STEP.npy``, float32 (frame, y, x), magnitudes.

    Of earlier ones the first stays, and the one before, which a window may be about to read.
    """
    path = state.folder / f"preview-{state.step:07d}.npy"
    with replacing(path) as temporary:
        np.save(temporary, image[0].abs().float().cpu().numpy())
    for old in sorted(state.folder.glob("preview-*.npy"))[1:-2]:
        old.unlink(missing_ok=True)
    return path


def checkpoint(state: State) -> None:
    """Write the last state; one process of several does."""
    if state.rank == 0:
        save_checkpoint(state)


def learning_rate(part: OptimiserPart, step: int, steps: int) -> float:
    """Return the learning rate of ``step`` (from 0) of a run of ``steps``."""
    if step < part.warm_up:
        return part.learning_rate * (step + 1) / part.warm_up
    done = (step - part.warm_up) / max(1, steps - part.warm_up)
    if part.schedule == "cosine":
        share = part.lowest + (1 - part.lowest) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    elif part.schedule == "wsd":
        fallen = 1 - (steps - step) / max(1.0, part.decay * steps)  # Hu et al., MiniCPM, 2024, section 4: cosine at its end
        share = part.lowest + (1 - part.lowest) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, fallen))))
    elif part.schedule == "poly":
        share = part.lowest + (1 - part.lowest) * (1 - min(1.0, done)) ** part.decay
    elif part.schedule == "step":
        share = part.decay ** ((step - part.warm_up) // part.decay_steps)
    else:
        share = 1.0
    return part.learning_rate * share

"""Batches of real lengths: what is packed, what is padded, and that no example sees another."""

from itertools import islice

import pytest

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from roi.estimate.training.plan import TrainingPlan
from roi.facts.environment import Environment
from roi.facts.profiles import MemoryReading
from roi.profiling.board import NO_DRAW
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.profiling.train.batches import IGNORED, drawn_rows, pack
from roi.profiling.train.real_model import build_model, prepare_training
from roi.profiling.train.train_point import PointRun, try_size
from roi.profiling.train.training_steps import Step, TrainingSetup, make_batches, run_steps

LLAMA = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 256, "max_position_embeddings": 256,
}  # fmt: skip
torch.set_num_threads(1)


def test_rows_take_the_longest_first_and_each_goes_where_least_is_left():
    """5, 4 and 3 open rows of 6; 2 fills the one of 4, 1 the one of 5."""
    assert pack([1, 2, 3, 4, 5], 6) == [(5, 1), (4, 2), (3,)]
    assert pack([6, 6], 6) == [(6,), (6,)]
    assert pack([2, 2, 2], 6) == [(2, 2, 2)]


def drawn(lengths, micro_batch, most, *, packed=False, flat=False):
    return drawn_rows(lengths, micro_batch, most, 256, seed=0, packed=packed, flat=flat)


def test_padding_is_masked_has_no_label_and_is_no_token_of_an_example():
    """3 and 5 tokens: rows of 5, 8 tokens in 10 places."""
    batch = next(drawn([3, 5], 2, 16))
    assert (batch.tokens, batch.slots, batch.inputs["input_ids"].shape) == (8, 10, (2, 5))
    short = int((batch.inputs["attention_mask"].sum(1) == 3).nonzero())
    assert batch.inputs["attention_mask"][short].tolist() == [1, 1, 1, 0, 0]
    assert batch.inputs["labels"][short, 3:].tolist() == [IGNORED] * 2
    assert "position_ids" not in batch.inputs


def test_a_packed_row_begins_each_example_at_0_and_predicts_none_from_the_one_before():
    """Rows of 3 + 2 and 4, padded to 5: padding is an example of its own."""
    batch = next(drawn([2, 3, 4], 2, 5, packed=True))
    assert (batch.tokens, batch.slots) == (9, 10)
    rows = {tuple(row): [i for i, label in enumerate(labels) if label == IGNORED]
            for row, labels in zip(batch.inputs["position_ids"].tolist(), batch.inputs["labels"].tolist(), strict=True)}
    assert rows == {(0, 1, 2, 0, 1): [0, 3], (0, 1, 2, 3, 0): [0, 4]}
    flat = next(drawn([2, 3, 4], 2, 5, packed=True, flat=True))
    assert (flat.tokens, flat.slots, flat.inputs["input_ids"].shape) == (9, 9, (1, 9))


def test_examples_are_cut_at_the_longest_row_and_come_again_when_all_have_come():
    """Of 1, 7 and 40 tokens at most 10: 2 (one to read, one to predict), 7 and 10; each once in three batches."""
    took = [batch.tokens for batch in islice(drawn([1, 7, 40], 1, 10), 6)]
    assert sorted(took[:3]) == sorted(took[3:]) == [2, 7, 10]
    again = [batch.tokens for batch in islice(drawn([1, 7, 40], 1, 10), 6)]
    assert again == took


def setup_for(lengths=(), **rest):
    plan = TrainingPlan(method="lora", dtype="fp32", rank=8, seq=32, **rest)
    model = prepare_training(build_model(LLAMA, plan, "cpu", seed=1), plan)
    return TrainingSetup(model, plan, "cpu", 256, learning_rate=1e-2, seed=3, lengths=tuple(lengths))


@pytest.mark.parametrize("packed", [True, False])
def test_an_example_in_a_row_with_others_is_computed_as_if_it_were_alone(packed):
    setup = setup_for([3, 5, 6], packed=packed, padded=not packed, checkpointing=False)
    setup.model.eval()
    batch = next(make_batches(setup, 2, 8))
    with torch.no_grad():
        together = setup.model(**{k: v for k, v in batch.inputs.items() if k != "labels"}).logits
        for number, ids in enumerate(batch.inputs["input_ids"]):
            if packed:
                starts = (batch.inputs["position_ids"][number] == 0).nonzero().flatten().tolist()
                spans = list(zip(starts, [*starts[1:], len(ids)], strict=True))
            else:
                spans = [(0, int(batch.inputs["attention_mask"][number].sum()))]
            for start, end in spans:
                alone = setup.model(input_ids=ids[None, start:end]).logits[0]
                assert torch.allclose(together[number, start:end], alone, atol=1e-5)


@pytest.mark.parametrize("trainer", ["plain", pytest.param("hf", marks=pytest.mark.full)])
@pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning:torch")
def test_each_step_is_told_with_the_tokens_of_its_own_batches(trainer):
    """Two micro-steps a step: the sums of pairs of batches, in the order in which they are drawn."""
    setup, steps = setup_for([3, 9, 14, 20], trainer=trainer, accumulation=2), []
    run_steps(setup, 2, 16, lambda step: bool(steps.append(step)) or len(steps) < 3)
    wanted = list(islice(make_batches(setup, 2, 16), 6))
    assert [step.tokens for step in steps] == [wanted[i].tokens + wanted[i + 1].tokens for i in (0, 2, 4)]
    assert [step.slots for step in steps] == [wanted[i].slots + wanted[i + 1].slots for i in (0, 2, 4)]


@pytest.mark.full
def test_the_largest_micro_batch_is_tried_on_full_rows():
    """What must fit is the batch whose examples are all as long as a row may be."""
    setup, seen = setup_for([3, 5]), []
    inner = setup.model.get_base_model().model.embed_tokens
    inner.register_forward_hook(lambda _, given, __: seen.append(tuple(given[0].shape)))
    assert try_size(setup, 3, 32)
    assert set(seen) == {(3, 32)}


def test_a_point_of_drawn_rows_keeps_tokens_and_places_of_a_micro_step_and_its_widest_row():
    run = PointRun(2, 32, 9.0, Session(Environment(device="cpu", versions={}), 60.0), micro_steps=2, drawn=True)
    for tokens, slots in ((30, 40), (20, 24), (28, 44), (16, 16), (40, 64)):
        run.take(Step(0.5, 5.0, tokens, slots))
    point = run.point(MemoryReading(), NO_DRAW, None)
    assert (point.tokens[-1], point.slots[-1], run.widest) == (20.0, 32.0, 16)
    assert (point.mean_tokens, point.mean_slots) == (14.0, 20.0)  # of the two timed steps
    assert point.typical_s == 0.25

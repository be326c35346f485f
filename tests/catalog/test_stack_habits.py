"""What a stack of its own does where the user says nothing."""

from roi.catalog.efficiencies.stack_defaults import as_stack_does
from roi.estimate.training.plan import TrainingPlan


def test_a_stack_runs_its_own_loop_and_what_is_stated_stays():
    """torchtune: logits let go, one type throughout, a fused optimizer, the loss in chunks of whole logits, no dropout."""
    asked = TrainingPlan(method="lora", stack="torchtune", trainer="hf", autocast=True, dropout=0.1)
    does = as_stack_does(asked, ())
    assert (does.trainer, does.logits_kept, does.autocast) == ("plain", False, False)
    assert (does.optimizer, does.loss, does.dropout) == ("adamw-fused", "split", 0.0)
    stated = as_stack_does(asked, {"dropout", "loss"})
    assert (stated.dropout, stated.loss, stated.optimizer) == (0.1, asked.loss, "adamw-fused")


def test_litgpt_drops_out_but_in_full_training():
    assert as_stack_does(TrainingPlan(method="lora", stack="litgpt"), ()).dropout == 0.05
    assert as_stack_does(TrainingPlan(method="full", stack="litgpt"), ()).dropout == TrainingPlan(method="full").dropout


def test_transformers_is_left_as_it_is():
    plan = TrainingPlan(method="qlora")
    assert as_stack_does(plan, ()) is plan


def test_torchtitans_adapters_drop_nothing_out():
    assert as_stack_does(TrainingPlan(method="lora", stack="torchtitan", dropout=0.1), ()).dropout == 0.0

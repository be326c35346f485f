"""Questions about the task that can rule training out. An unknown gate does not block; it is listed."""

from dataclasses import dataclass

from roi.facts.case import Values

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"

QUESTIONS = {
    "one_task_type": "one task type, not a general assistant",
    "learnable_from_examples": "learnable from examples: one right answer each",
    "evaluation_set": "an evaluation set with known answers exists",
    "facts_are_stable": "the facts it needs do not change week by week",
    "prompt_engineering_tried": "prompt engineering was tried first",
    "vendor_allows_training_on_outputs": "legal: the vendor's outputs may train another model",
}


@dataclass(frozen=True)
class Gate:
    """One question and its answer."""

    name: str
    question: str
    status: str
    """pass, fail or unknown."""
    blocks: bool
    """True where the answer rules options that train out."""


def read_gates(values: Values) -> tuple[Gate, ...]:
    """The gates of a Case. The legal one blocks only where the labels are the vendor's outputs."""
    status = {"yes": PASS, "no": FAIL}
    from_vendor = values.get("training.labels_from") == "incumbent"
    gates = []
    for name, question in QUESTIONS.items():
        answer = status.get(str(values.get(f"gates.{name}", "unknown")), UNKNOWN)
        matters = name != "vendor_allows_training_on_outputs" or from_vendor
        gates.append(Gate(name, question, answer, answer == FAIL and matters))
    return tuple(gates)

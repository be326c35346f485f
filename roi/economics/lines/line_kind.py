"""What a cost line pays for: told where the line is made, so that no reader goes by its name, which may be a user's own."""

from enum import StrEnum
from typing import Final


class LineKind(StrEnum):
    """What a cost line pays for."""

    API = "api"
    """Tokens that the option's own model bills: input, cache reads and writes, output, batch."""
    PROVISIONED = "provisioned"
    """Units of provisioned throughput, by the month."""
    PROVISIONED_LEFT = "provisioned-beyond-horizon"
    """What their commitment asks after the horizon."""
    HOSTING = "hosting"
    """A vendor's monthly fee for hosting a tuned model."""
    INCUMBENT = "incumbent"
    """The model in use, until the option is live and in parallel."""
    ESCALATED = "escalated"
    """Requests that the option answers first and hands on."""
    SPILLED = "spilled"
    """Requests above what the option's own fleet holds."""
    JUDGE = "judge"
    """What decides which requests are escalated."""
    COMMITMENT = "commitment"
    """The incumbent's commitment, beyond what is spent with it."""
    OWN_COMMITMENT = "own-commitment"
    """The same of a commitment that the option brings."""
    RENT = "rent"
    """GPUs by the hour, spares too."""
    RENT_LEFT = "rent-beyond-horizon"
    """What a commitment to rented GPUs asks after the horizon."""
    HARDWARE = "hardware"
    """Own cards: purchase or what selling them would bring, installation, power, space, resale."""
    PLATFORM = "platform"
    """What own serving takes besides cards: balancer, logs, staging, storage, egress, monitoring."""
    SET_UP = "set-up"
    """Engineer hours and an evaluation before the change."""
    OPERATION = "operation"
    """Hours of on-call and operation."""
    TRAINING = "training"
    """Runs and labels before the change."""
    RETRAINING = "retraining"
    """The same again while the option is in use."""
    MIGRATION = "migration"
    """Moves that ends of the option's own model ask for, or of one that it hands on to."""
    INCUMBENT_MIGRATION = "incumbent-migration"
    """Moves that ends of the model in use ask for."""
    OWN = "own"
    """A cost that the user states, under a name of the user's."""
    ERRORS = "wrong-answers"
    """What wrong answers cost, which is no cash."""


UNUSED: Final = frozenset({LineKind.COMMITMENT, LineKind.OWN_COMMITMENT})
"""What commitments cost beyond what is spent."""
MIGRATIONS: Final = frozenset({LineKind.MIGRATION, LineKind.INCUMBENT_MIGRATION})
"""Moves that vendors force."""

"""One matrix product of a model and how often it occurs."""

from typing import NamedTuple


class Linear(NamedTuple):
    """A linear layer of shape (inputs, outputs), repeated over layers and experts."""

    name: str
    """Module name as LoRA targets spell it: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj ..."""
    inputs: int
    outputs: int
    layers: int
    """Layers that hold it."""
    experts: int = 1
    """Copies in one layer."""
    active: int = 1
    """Copies that one token passes through."""
    bias: bool = False

    @property
    def parameters_each(self) -> int:
        """Parameters of one copy."""
        return self.inputs * self.outputs + (self.outputs if self.bias else 0)

    @property
    def parameters(self) -> int:
        """Parameters of all copies in all layers."""
        return self.parameters_each * self.layers * self.experts

    @property
    def active_parameters(self) -> int:
        """Parameters of the copies that one token passes through."""
        return self.parameters_each * self.layers * self.active

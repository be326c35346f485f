"""The shape of a decoder-only language model: enough to count parameters, FLOPs, bytes and KV cache exactly.

A model is a stack of layers. Each layer mixes tokens (one of `Attention`'s kinds) and then applies an MLP (dense or
mixture of experts). Kinds are listed with the number of layers that use them, so a hybrid is two entries:

    attention = [full x 8, sliding x 40]      mlp = [dense x 48]
"""

from collections.abc import Iterator
from datetime import date as Date
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import NonNegativeInt, PositiveInt, model_validator

from roi.facts.records import DatedRow, Record
from roi.numerics.arrays import Array


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


Number = float | Array


class Attention(Record):
    """One kind of token mixing and the number of layers that use it."""

    kind: Literal["full", "sliding", "latent", "linear"] = "full"
    """full; sliding (a window of tokens); latent (MLA: one compressed vector a token); linear (a fixed state)."""
    layers: PositiveInt
    """How many layers mix tokens this way."""
    passes: PositiveInt = 1
    """Times that a token passes through each of these layers: above 1 where a model loops, or where many share one block."""
    heads: PositiveInt
    """Query heads; linear: value heads."""
    kv_heads: PositiveInt
    """Key and value heads (1 = multi-query, heads = multi-head); linear: query and key heads."""
    head_dim: PositiveInt
    """Width of a query and key head."""
    value_dim: PositiveInt | None = None
    """Width of a value head where it differs from head_dim."""
    window: PositiveInt | None = None
    """sliding: tokens that a layer keeps."""
    qkv_bias: bool = False
    """Bias on query, key and value."""
    o_bias: bool = False
    """Bias on the output projection."""
    norm_parameters: NonNegativeInt = 0
    """Query/key norm, convolution and similar vectors inside one layer, parameters."""
    shared_kv: bool = False
    """True where value is the key (Gemma 4 full-attention layers): no value projection, the cache still holds both."""
    gated: bool = False
    """True where the query projection also makes an output gate (twice as wide; Qwen3-Next, Qwen3.5)."""
    kv_reused_layers: NonNegativeInt = 0
    """Layers of this kind that read another layer's keys and values and hold none (Gemma 3n/4 small)."""
    q_rank: PositiveInt | None = None
    """latent: rank of the query compression; None = queries are not compressed."""
    kv_rank: PositiveInt | None = None
    """latent: width of the compressed key-value vector that the cache holds."""
    rope_dim: NonNegativeInt = 0
    """latent: width of the shared rotary key that the cache holds too; part of head_dim."""
    sinks: bool = False
    """A learned sink per query head (gpt-oss)."""
    conv_kernel: PositiveInt = 1
    """linear: width of the causal convolution over queries, keys and values, tokens."""
    products: tuple[tuple[str, PositiveInt, PositiveInt, bool], ...] = ()
    """Matrix products of one layer where they are not the kind's own: name, inputs, outputs, bias."""
    state_bytes_per_element: float = 4.0
    """linear: bytes of one element of the recurrent state; it stays float32 when the KV cache is quantised."""

    @property
    def value_width(self) -> int:
        """Width of a value head."""
        return self.value_dim or self.head_dim

    @property
    def state_elements(self) -> int:
        """linear: elements of the recurrent state that one sequence holds in one layer; 0 for other kinds."""
        return self.heads * self.head_dim * self.value_width if self.kind == "linear" else 0

    @property
    def conv_width(self) -> int:
        """linear: channels of the convolution."""
        return 2 * self.kv_heads * self.head_dim + self.heads * self.value_width

    def cache_elements(self, tokens: Number) -> Number:
        """Elements that one sequence of `tokens` tokens keeps over all layers of this kind; broadcasts.

        linear: the recurrent state, and the convolution's last conv_kernel - 1 tokens.
        """
        if self.kind == "linear":
            return tokens * 0.0 + self.layers * self.passes * (
                self.state_elements + (self.conv_kernel - 1) * self.conv_width)
        kept = np.minimum(tokens, self.window) if self.window else tokens
        full = self.kv_heads * (self.head_dim + self.value_width)
        each = (self.kv_rank or 0) + self.rope_dim if self.kind == "latent" else full
        return (self.layers * self.passes - self.kv_reused_layers) * each * kept

    def cache_bytes(self, tokens: Number, bytes_per_element: float) -> Number:
        """Bytes of `cache_elements`, the recurrent state at its own precision; broadcasts."""
        state = self.layers * self.passes * self.state_elements
        return (self.cache_elements(tokens) - state) * bytes_per_element + state * self.state_bytes_per_element

    def flops(self, context: Number) -> Number:
        """Forward FLOPs of one token's mixing with `context` earlier tokens, all layers of this kind; broadcasts.

        2 FLOPs for each multiply-add, once for scores (head_dim) and once for values; a window caps the context.
        latent: in the expanded form (head_dim, value_dim), not the absorbed one that some servers use for decode.
        linear: 7 for each state element (decay 1, prediction 2, update 2, read-out 2), whatever the context.
        """
        if self.kind == "linear":
            return context * 0.0 + 7.0 * self.layers * self.passes * self.state_elements
        seen = np.minimum(context, self.window) if self.window else context
        return 2.0 * self.layers * self.passes * self.heads * (self.head_dim + self.value_width) * seen

    def linears(self, hidden: int) -> Iterator[Linear]:
        """The matrix products of this kind, by their usual names."""
        n, own = self.layers, self.layers - self.kv_reused_layers
        value = self.value_width
        if self.products:
            yield from (Linear(name, inputs, outputs, n, bias=bias) for name, inputs, outputs, bias in self.products)
            return
        if self.kind == "linear":
            widths = {"qkv": self.conv_width, "z": self.heads * value, "b": self.heads, "a": self.heads}
            yield from (Linear(f"in_proj_{name}", hidden, width, n) for name, width in widths.items())
            yield Linear("out_proj", self.heads * value, hidden, n)
            return
        if self.kind == "latent":
            rank = self.kv_rank or 0
            if self.q_rank:
                yield Linear("q_a_proj", hidden, self.q_rank, n)
                yield Linear("q_b_proj", self.q_rank, self.heads * self.head_dim, n)
            else:
                yield Linear("q_proj", hidden, self.heads * self.head_dim, n)
            yield Linear("kv_a_proj_with_mqa", hidden, rank + self.rope_dim, n)
            yield Linear("kv_b_proj", rank, self.heads * (self.head_dim - self.rope_dim + value), n)
            yield Linear("o_proj", self.heads * value, hidden, n, bias=self.o_bias)
            return
        yield Linear("q_proj", hidden, self.heads * self.head_dim * (2 if self.gated else 1), n, bias=self.qkv_bias)
        yield Linear("k_proj", hidden, self.kv_heads * self.head_dim, own, bias=self.qkv_bias)
        if not self.shared_kv:
            yield Linear("v_proj", hidden, self.kv_heads * value, own, bias=self.qkv_bias)
        yield Linear("o_proj", self.heads * value, hidden, n, bias=self.o_bias)


class Mlp(Record):
    """One kind of MLP and the number of layers that use it."""

    layers: PositiveInt
    """How many layers use it."""
    passes: PositiveInt = 1
    """Times that a token passes through each of these layers."""
    intermediate: PositiveInt
    """Inner width of the MLP, or of one expert."""
    gated: bool = True
    """Three matrices (gate, up, down) if True, else two (up, down)."""
    bias: bool = False
    """Bias on every matrix."""
    experts: PositiveInt = 1
    """Experts in a layer; 1 = dense."""
    experts_per_token: PositiveInt = 1
    """Experts that a token passes through."""
    shared_intermediate: NonNegativeInt = 0
    """Inner width of the always-active shared expert(s), all together."""
    shared_gate: bool = False
    """A learned scalar gate on the shared expert (Qwen2-MoE, Qwen3-Next)."""
    router: str = "router"
    """What the router is called: this, where it is a parameter; its path, where it is a linear layer (router.proj)."""
    router_bias: bool = False
    """Bias (or score correction) per expert in the router."""

    def linears(self, hidden: int) -> Iterator[Linear]:
        """The matrix products of this kind, by their usual names."""
        n, e, k = self.layers, self.experts, self.experts_per_token
        if self.experts > 1:
            yield Linear(self.router, hidden, e, n, bias=self.router_bias)
        routed, shared = ("", self.intermediate, e, k, self.bias), ("shared_", self.shared_intermediate, 1, 1, False)
        for prefix, width, copies, active, bias in (routed, shared) if self.shared_intermediate else (routed,):
            if self.gated:
                yield Linear(f"{prefix}gate_proj", hidden, width, n, copies, active, bias)
            yield Linear(f"{prefix}up_proj", hidden, width, n, copies, active, bias)
            yield Linear(f"{prefix}down_proj", width, hidden, n, copies, active, bias)
        if self.shared_gate:
            yield Linear("shared_expert_gate", hidden, 1, n)


class ModelShape(DatedRow):
    """Architecture of one open-weight model, from its published configuration; `date` is when that was read."""

    id: str
    """Lower-case name in this catalog, for example llama-3.1-8b."""
    aliases: tuple[str, ...] = ()
    """Hub ids of the same shape, for example meta-llama/Llama-3.1-8B-Instruct."""
    family: str
    """Architecture as transformers names it, for example llama, qwen3, gemma3_text."""
    licence: str
    """SPDX id, or the licence's own name."""
    context_tokens: PositiveInt
    """Longest sequence the publisher states."""
    release_contexts: tuple[tuple[str, PositiveInt], ...] = ()
    """Longest sequence, tokens, of each release of this shape that takes more than `context_tokens`, by the release's alias."""
    hidden: PositiveInt
    """Width of the residual stream."""
    vocab: PositiveInt
    """Rows of the embedding, padding rows included."""
    tied: bool = False
    """True where the output head is the embedding."""
    head_bias: bool = False
    """Bias on the output head."""
    positions: NonNegativeInt = 0
    """Rows of a learned position embedding."""
    norm_bias: bool = False
    """LayerNorm (weight and bias) if True, RMSNorm (weight) if False."""
    norms_per_layer: NonNegativeInt = 2
    """Norms of width `hidden` in one layer."""
    final_norm: bool = True
    """A norm before the output head."""
    dropped: tuple[Literal["scores", "stream"], ...] = ()
    """What training drops as the configuration says: attention's scores, what both blocks add to the residual stream."""
    attention: tuple[Attention, ...]
    """Token mixing, kind by kind."""
    mlp: tuple[Mlp, ...]
    """MLPs, kind by kind."""
    products: tuple[tuple[str, PositiveInt, PositiveInt], ...] = ()
    """Matrix products outside the layers, beside embedding and head: name, inputs, outputs."""
    module_names: tuple[tuple[str, ...], ...] = ()
    """Modules of the checkpoint that are named otherwise or fused: its name, then the usual names that it holds."""
    extra_parameters: int = 0
    """Parameters that the rules above do not count (per-layer embeddings, scalars), less those that they count too many."""
    extra_active_parameters: NonNegativeInt = 0
    """The part of extra_parameters that every token multiplies with."""
    published_parameters: PositiveInt
    """Count that the publisher states (or that transformers counts from the configuration)."""
    published_dtype: Literal["mxfp4"] | None = None
    """Format of the publisher's own weights where it is 4 bit (quant_method of its config.json); None = any other."""
    published_active_parameters: PositiveInt | None = None
    """Active count that the publisher states, for mixtures of experts."""
    released: Date | None = None
    """Day of release."""

    @model_validator(mode="after")
    def _layers_agree(self) -> Self:
        mixing, mlps = sum(a.layers for a in self.attention), sum(m.layers for m in self.mlp)
        if mixing < mlps or not mixing:
            raise ValueError(f"{self.id}: {mixing} attention layers but {mlps} MLP layers")
        return self

    @property
    def layers(self) -> int:
        """Number of layers."""
        return sum(a.layers for a in self.attention)

    @property
    def mixture(self) -> bool:
        """True where a layer routes tokens to experts."""
        return any(k.experts > 1 for k in self.mlp)

    @cached_property
    def unrolled(self) -> "ModelShape":
        """The layers that a token passes through, one after the other: what work and activations follow.

        The same shape unless layers are passed more than once; its parameters are not the model's, who keeps one of each.
        """
        if all(a.passes == 1 for a in self.attention) and all(m.passes == 1 for m in self.mlp):
            return self
        mixing = tuple(a.model_copy(update={"layers": a.layers * a.passes, "passes": 1}) for a in self.attention)
        mlps = tuple(m.model_copy(update={"layers": m.layers * m.passes, "passes": 1}) for m in self.mlp)
        # a cached property would be copied with the rest, so the shape is made anew
        return ModelShape.model_construct(**{**dict(self), "attention": mixing, "mlp": mlps})

    @cached_property
    def linears(self) -> tuple[Linear, ...]:
        """Every matrix product but embedding and head, by name and kind."""
        parts: list[Any] = [*self.attention, *self.mlp]
        inside = (linear._replace(active=linear.active * part.passes)
                  for part in parts for linear in part.linears(self.hidden))
        return (*inside, *(Linear(*product, layers=1) for product in self.products))

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the token embedding."""
        return self.vocab * self.hidden

    @property
    def head_parameters(self) -> int:
        """Parameters of the output head, counted whether tied or not."""
        return self.vocab * self.hidden + (self.vocab if self.head_bias else 0)

    @property
    def stream_norm_parameters(self) -> int:
        """Parameters of the norms of the residual stream, the last one included."""
        width = self.hidden * (2 if self.norm_bias else 1)
        return width * (self.norms_per_layer * self.layers + int(self.final_norm))

    @property
    def norm_parameters(self) -> int:
        """Parameters of all norms, query/key norms and sinks included."""
        inside = sum(a.layers * (a.norm_parameters + (a.heads if a.sinks else 0)) for a in self.attention)
        return self.stream_norm_parameters + inside

    @cached_property
    def parameters(self) -> int:
        """All parameters; a tied head counts once."""
        head = 0 if self.tied else self.head_parameters
        stack = sum(linear.parameters for linear in self.linears)
        inside = stack + self.norm_parameters + self.extra_parameters
        return self.embedding_parameters + head + self.positions * self.hidden + inside

    @cached_property
    def active_parameters(self) -> int:
        """Matrix parameters that one token multiplies with: the active experts and the output head.

        Without the embedding look-up and the norms. The matrix FLOPs of one token are 2 x this number, forward
        (`attention_flops` comes on top).
        """
        stack = sum(linear.active_parameters for linear in self.linears)
        return stack + self.head_parameters + self.extra_active_parameters

    def cache_bytes(self, tokens: Number, bytes_per_element: float = 2.0) -> Number:
        """Bytes of KV cache (and linear-attention state) that one sequence of `tokens` tokens holds; broadcasts.

        Windows cap what sliding layers keep; linear layers hold a state of fixed size from the first token on.
        """
        return sum((a.cache_bytes(tokens, bytes_per_element) for a in self.attention), 0.0)

    def attention_flops(self, context: Number) -> Number:
        """Forward FLOPs of one token's mixing with `context` earlier tokens, all layers; broadcasts."""
        return sum((a.flops(context) for a in self.attention), 0.0)

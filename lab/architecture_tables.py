"""How a type gets into architectures.json: tables read off the classes of transformers 5.25, in short for their rules.

    python lab/architecture_tables.py

The file's other tables stay as they are. They were found by a search over configurations that transformers built without
storage; the types here are those that it did not reach: sizes that hold together (heads x width = expand x hidden), so that no
entry moves alone, and classes that make other entries of those that are given, as roi/catalog/models/rewritten.py does.
tests/catalog/test_config_shapes.py holds every table of the file, at several sizes, to what transformers builds.
"""

import json
from pathlib import Path

FILE = Path(__file__).parents[1] / "roi" / "catalog" / "models" / "architectures.json"
M = "model.layers.L."


def linear(path, outputs, inputs, bias="", when=""):
    """A linear layer: its weight, and its bias where `bias` says on which condition ("always" is every time)."""
    cond = [f" ? {when}" if when else ""]
    rules = [f"{path}.weight: 1 {outputs} {inputs}{cond[0]}"]
    if bias:
        both = [c for c in (bias if bias != "always" else "", when) if c]
        rules.append(f"{path}.bias: 1 {outputs}" + (f" ? {' & '.join(both)}" if both else ""))
    return rules


def vector(path, size, when=""):
    """One tensor of a size."""
    return [f"{path}: 1 {size}" + (f" ? {when}" if when else "")]


def attention(at, q, kv, *, inputs="hidden_size", out="o_proj", bias="", when="", hidden="hidden_size"):
    """Queries, keys, values and output by their widths."""
    return [
        *linear(f"{at}q_proj", q, inputs, bias, when), *linear(f"{at}k_proj", kv, inputs, bias, when),
        *linear(f"{at}v_proj", kv, inputs, bias, when), *linear(f"{at}{out}", hidden, q, bias, when),
    ]  # fmt: skip


def gated(at, width, *, bias="", when="", names=("gate_proj", "up_proj", "down_proj")):
    """An MLP of three products."""
    first, second, last = names
    return [
        *linear(at + first, width, "hidden_size", bias, when), *linear(at + second, width, "hidden_size", bias, when),
        *linear(at + last, "hidden_size", width, bias, when),
    ]  # fmt: skip


def ends(norm="model.norm.weight", table="model.embed_tokens.weight", tie=True):
    """Embedding, last norm and head."""
    return [*vector(table, "vocab_size hidden_size"), *vector(norm, "hidden_size"),
            *vector("lm_head.weight", "vocab_size hidden_size", "not tie_word_embeddings" if tie else "")]


def mamba2(at, inner, heads, groups, state, kernel, *, bias="", conv_bias, norm="always", when="", out_bias=None):
    """Mamba 2's mixer: gate and stream, B and C by group, a step a head."""
    wide = f"{inner}+2*{groups}*{state}"
    given = lambda c: " & ".join(x for x in (c if c != "always" else "", when) if x)  # noqa: E731
    return [
        *vector(f"{at}dt_bias", heads, when), *vector(f"{at}A_log", heads, when), *vector(f"{at}D", heads, when),
        *vector(f"{at}conv1d.weight", f"{wide} 1 {kernel}", when), *vector(f"{at}conv1d.bias", wide, given(conv_bias)),
        *vector(f"{at}norm.weight", inner, given(norm)),
        *linear(f"{at}in_proj", f"{inner}+{wide}+{heads}", "hidden_size", bias, when),
        *linear(f"{at}out_proj", "hidden_size", inner, bias if out_bias is None else out_bias, when),
    ]  # fmt: skip


def table(entries, tensors, *, layers="num_hidden_layers", derived=None, lists=(), pinned=None, aliases=None, passes=()):
    """A type's table, as the file holds it."""
    derived = derived or {}
    return {"layers": layers, "entries": entries, "derived": derived, "filled": sorted(derived), "aliases": aliases or {},
            "lists": list(lists), "pinned": pinned or {}, "passes": list(passes), "tensors": tensors}


ADAPTED = "use_shared_attention_adapter & layer_types[i]=hybrid"
BIAS = "attention_bias"
HEADS, KV = "num_attention_heads*head_dim", "num_key_value_heads*head_dim"
DIM = {"head_dim": "hidden_size//num_attention_heads"}
KEYS = {"num_key_value_heads": "num_attention_heads"}
NORMS = [*vector(M + "input_layernorm.weight", "hidden_size"), *vector(M + "post_attention_layernorm.weight", "hidden_size")]
ON_HEADS = [*vector(M + "self_attn.q_norm.weight", "head_dim"), *vector(M + "self_attn.k_norm.weight", "head_dim")]

TYPES = {
    "doge": table(
        dict(vocab_size=32768, hidden_size=1024, intermediate_size=2048, num_hidden_layers=32, tie_word_embeddings=False,
             max_position_embeddings=2048, num_attention_heads=8, attention_bias=False, mlp_bias=False, sliding_window=None,
             is_moe=False),
        [*ends(), *NORMS, *ON_HEADS, *attention(M + "self_attn.", HEADS, KV, bias=BIAS),
         *linear(M + "self_attn.dt_proj", "num_key_value_heads", KV, BIAS), *vector(M + "self_attn.A", "num_key_value_heads"),
         *vector(M + "input_residual", "hidden_size"), *vector(M + "post_attention_residual", "hidden_size"),
         *gated(M + "mlp.", "intermediate_size", bias="mlp_bias")],
        derived={**KEYS, **DIM}, pinned={"is_moe": False}),  # experts lie on a grid of square-root keys
    "flint": table(
        dict(vocab_size=150144, hidden_size=2048, intermediate_size=6144, num_hidden_layers=49, num_attention_heads=32,
             num_key_value_heads=4, max_position_embeddings=262144, tie_word_embeddings=False, sliding_window=513,
             decoder_sparse_step=1, moe_intermediate_size=512, shared_expert_intermediate_size=1024, num_experts_per_tok=6,
             num_experts=256, mlp_only_layers=[0, 1], head_dim=128, attention_bias=False),
        [*ends(), *NORMS, *ON_HEADS, *attention(M + "self_attn.", HEADS, KV, bias=BIAS),
         *vector(M + "self_attn.sinks", "num_attention_heads"),
         *gated(M + "mlp.", "intermediate_size", when="i in mlp_only_layers|num_experts<1|(i+1)%decoder_sparse_step!=0"),
         *vector(M + "mlp.experts.gate_up_proj", "num_experts 2*moe_intermediate_size hidden_size", SPARSE := (
             "i not in mlp_only_layers & num_experts>0 & (i+1)%decoder_sparse_step=0")),
         *vector(M + "mlp.experts.down_proj", "num_experts hidden_size moe_intermediate_size", SPARSE),
         *vector(M + "mlp.gate.weight", "num_experts hidden_size", SPARSE),
         *gated(M + "mlp.shared_expert.", "shared_expert_intermediate_size", when=SPARSE)],
        derived={"layer_types": [["full_attention", "i<2|i%4=1|i=L-1"], ["sliding_attention", ""]]}, lists=["layer_types"]),
    "hy_v3": table(
        dict(vocab_size=120832, hidden_size=4096, intermediate_size=13312, num_hidden_layers=80, num_attention_heads=64,
             num_key_value_heads=8, head_dim=128, max_position_embeddings=131072, tie_word_embeddings=False,
             attention_bias=False, mlp_bias=False, num_local_experts=192, num_experts_per_tok=8, num_shared_experts=1,
             moe_intermediate_size=1536),
        [*ends(), *NORMS, *ON_HEADS, *attention(M + "self_attn.", HEADS, KV, bias=BIAS),
         *gated(M + "mlp.", "intermediate_size", bias="mlp_bias", when="mlp_layer_types[i]!=sparse"),
         *vector(M + "mlp.gate.weight", "num_local_experts hidden_size", "mlp_layer_types[i]=sparse"),
         *vector(M + "mlp.experts.gate_up_proj", "num_local_experts 2*moe_intermediate_size hidden_size",
                 "mlp_layer_types[i]=sparse"),
         *vector(M + "mlp.experts.down_proj", "num_local_experts hidden_size moe_intermediate_size",
                 "mlp_layer_types[i]=sparse"),
         # an MLP of width 0 takes the dense one's (HYV3MLP: intermediate_size or config.intermediate_size)
         *gated(M + "mlp.shared_experts.", "num_shared_experts*moe_intermediate_size", bias="mlp_bias",
                when="num_shared_experts>0 & mlp_layer_types[i]=sparse"),
         *gated(M + "mlp.shared_experts.", "intermediate_size", bias="mlp_bias",
                when="num_shared_experts<1 & mlp_layer_types[i]=sparse")],
        derived={"mlp_layer_types": [["dense", "i=0"], ["sparse", ""]]}, lists=["mlp_layer_types"],
        aliases={"num_experts": "num_local_experts"}),
    "lfm2": table(
        dict(vocab_size=65536, hidden_size=2560, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
             max_position_embeddings=128000, tie_word_embeddings=True, conv_bias=False, conv_L_cache=3, head_dim=None),
        [*ends("model.embedding_norm.weight"), *vector(M + "operator_norm.weight", "hidden_size"),
         *vector(M + "ffn_norm.weight", "hidden_size"),
         *attention(M + "self_attn.", HEADS, KV, out="out_proj", when="layer_types[i]=full_attention"),
         *vector(M + "self_attn.q_layernorm.weight", "head_dim", "layer_types[i]=full_attention"),
         *vector(M + "self_attn.k_layernorm.weight", "head_dim", "layer_types[i]=full_attention"),
         *vector(M + "conv.conv.weight", "hidden_size 1 conv_L_cache", "layer_types[i]!=full_attention"),
         *vector(M + "conv.conv.bias", "hidden_size", "conv_bias & layer_types[i]!=full_attention"),
         *linear(M + "conv.in_proj", "3*hidden_size", "hidden_size", "conv_bias", "layer_types[i]!=full_attention"),
         *linear(M + "conv.out_proj", "hidden_size", "hidden_size", "conv_bias", "layer_types[i]!=full_attention"),
         *gated(M + "feed_forward.", "intermediate_size", names=("w1", "w3", "w2"))],
        derived=dict(DIM), lists=["layer_types"]),
    "nemotron_h": table(
        dict(vocab_size=131072, hidden_size=4096, tie_word_embeddings=False, num_attention_heads=32, num_key_value_heads=8,
             head_dim=128, max_position_embeddings=4096, intermediate_size=21504, mlp_bias=False, ssm_state_size=128,
             mamba_num_heads=128, mamba_head_dim=64, n_groups=8, conv_kernel=4, use_conv_bias=True, n_routed_experts=8,
             moe_intermediate_size=7688, moe_shared_expert_intermediate_size=7688, moe_latent_size=None,
             num_experts_per_tok=2, use_bias=False, sliding_window=None),
        [*ends("model.norm_f.weight", "model.embeddings.weight"), *vector(M + "norm.weight", "hidden_size"),
         *mamba2(M + "mixer.", "mamba_num_heads*mamba_head_dim", "mamba_num_heads", "n_groups", "ssm_state_size",
                 "conv_kernel", bias="use_bias", conv_bias="use_conv_bias", when="layer_types[i]=linear_attention"),
         *attention(M + "mixer.", HEADS, KV, when="layer_types[i]=full_attention"),
         *linear(M + "mixer.mlp.up_proj", "intermediate_size", "hidden_size", "mlp_bias", "layer_types[i]=mlp"),
         *linear(M + "mixer.mlp.down_proj", "hidden_size", "intermediate_size", "mlp_bias", "layer_types[i]=mlp"),
         *vector(M + "mixer.experts.up_proj", "n_routed_experts moe_intermediate_size hidden_size",
                 "layer_types[i]=moe & not moe_latent_size"),
         *vector(M + "mixer.experts.down_proj", "n_routed_experts hidden_size moe_intermediate_size",
                 "layer_types[i]=moe & not moe_latent_size"),
         *vector(M + "mixer.experts.up_proj", "n_routed_experts moe_intermediate_size moe_latent_size",
                 "layer_types[i]=moe & moe_latent_size"),
         *vector(M + "mixer.experts.down_proj", "n_routed_experts moe_latent_size moe_intermediate_size",
                 "layer_types[i]=moe & moe_latent_size"),
         *linear(M + "mixer.shared_latent.fc1", "moe_latent_size", "hidden_size", "mlp_bias",
                 "layer_types[i]=moe & moe_latent_size"),
         *linear(M + "mixer.shared_latent.fc2", "hidden_size", "moe_latent_size", "mlp_bias",
                 "layer_types[i]=moe & moe_latent_size"),
         *vector(M + "mixer.moe.gate.weight", "n_routed_experts hidden_size", "layer_types[i]=moe"),
         *linear(M + "mixer.shared_experts.up_proj", "moe_shared_expert_intermediate_size", "hidden_size", "mlp_bias",
                 "layer_types[i]=moe"),
         *linear(M + "mixer.shared_experts.down_proj", "hidden_size", "moe_shared_expert_intermediate_size", "mlp_bias",
                 "layer_types[i]=moe")],
        lists=["layer_types"], aliases={"layers_block_type": "layer_types", "mamba_n_groups": "n_groups",
                                        "mamba_d_conv": "conv_kernel", "mamba_conv_bias": "use_conv_bias"}),
    "moshi": table(
        dict(vocab_size=32000, hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, max_position_embeddings=3000,
             sliding_window=3000, ffn_dim=22528, tie_word_embeddings=False),
        [*vector("model.embed_tokens.weight", "vocab_size+1 hidden_size"), *ends()[1:], *NORMS,
         *attention(M + "self_attn.", HEADS, KV),
         *linear(M + "mlp.fc1", "ffn_dim", "hidden_size"), *linear(M + "mlp.fc2", "hidden_size", "ffn_dim//2")],
        derived={**KEYS, **DIM}),
    "dory": table(
        dict(vocab_size=131072, hidden_size=2560, intermediate_size=7168, num_hidden_layers=36, num_attention_heads=16,
             num_key_value_heads=4, head_dim=256, max_position_embeddings=8192, tie_word_embeddings=False,
             attention_bias=False, mlp_bias=False, sliding_window=1024, n_input_layers=8, n_output_layers=8,
             n_recurrent_loops=2),
        [*vector("model.embed_tokens.weight", "vocab_size hidden_size"),
         *vector("lm_head.weight", "vocab_size hidden_size", "not tie_word_embeddings"),
         *vector("lm_head.logit_scale", "vocab_size"), *vector(M + "lambda_1", "hidden_size"),
         *vector(M + "lambda_2", "hidden_size"), *attention(M + "self_attn.", HEADS, KV, bias=BIAS),
         *linear(M + "self_attn.gate_proj", HEADS, "hidden_size"), *vector(M + "self_attn.sqk", HEADS),
         *vector(M + "self_attn.s_gate", HEADS), *vector(M + "mlp.suv_gate", "intermediate_size"),
         *vector(M + "mlp.suv_up", "intermediate_size"), *gated(M + "mlp.", "intermediate_size", bias="mlp_bias")],
        derived={"layer_types": [["full_attention", "(i+1)%4=0"], ["sliding_attention", ""]]}, lists=["layer_types"],
        passes=[["i>=n_input_layers & i<L-n_output_layers", "n_recurrent_loops"]]),
    "hrm_text": table(
        dict(vocab_size=151808, hidden_size=1536, intermediate_size=4096, num_attention_heads=12,
             max_position_embeddings=2048, tie_word_embeddings=False, attention_bias=False, mlp_bias=False, head_dim=128,
             H_cycles=2, L_cycles=3),
        # the second half of the layers is the high module, which runs once a cycle
        [*vector("model.embed_tokens.weight", "vocab_size hidden_size"),
         *vector("lm_head.weight", "vocab_size hidden_size", "not tie_word_embeddings"),
         *vector("model.z_L_init", "hidden_size"), *attention(M + "self_attn.", HEADS, HEADS, bias=BIAS),
         *linear(M + "self_attn.gate_proj", HEADS, "hidden_size", BIAS),
         *gated(M + "mlp.", "intermediate_size", bias="mlp_bias")],
        layers="stacked_layers", passes=[["i<num_layers_per_stack", "H_cycles*L_cycles"], ["", "H_cycles"]]),
    "zamba": table(
        dict(vocab_size=32000, tie_word_embeddings=True, hidden_size=3712, intermediate_size=14848, num_attention_heads=16,
             num_key_value_heads=16, n_mamba_heads=2, max_position_embeddings=4096, mamba_d_state=16, mamba_d_conv=4,
             mamba_expand=2, mamba_conv_bias=True, mamba_proj_bias=False),
        # layer 0 is the block that every hybrid layer runs
        [*ends("model.final_layernorm.weight"),
         *attention(M + "self_attn.", "num_attention_heads*attention_head_dim", "num_key_value_heads*attention_head_dim",
                    inputs="attention_hidden_size", when="i=0"),
         *gated(M + "feed_forward.", "intermediate_size", when="i=0"),
         *vector(M + "attention_layernorm.weight", "attention_hidden_size", "i=0"),
         *vector(M + "pre_ff_layernorm.weight", "hidden_size", "i=0"),
         *linear(M + "linear", "hidden_size", "hidden_size", when="layer_types[i]=hybrid"),
         *vector(M + "mamba.x_proj_weight",
                 "n_mamba_heads mamba_dt_rank+2*mamba_d_state mamba_expand.hidden_size//n_mamba_heads",
                 "i>=1"),
         *vector(M + "mamba.dt_proj_weight", "n_mamba_heads mamba_expand.hidden_size//n_mamba_heads mamba_dt_rank", "i>=1"),
         *vector(M + "mamba.dt_proj_bias", "n_mamba_heads mamba_expand.hidden_size//n_mamba_heads", "i>=1"),
         *vector(M + "mamba.A_log", "n_mamba_heads mamba_expand.hidden_size//n_mamba_heads mamba_d_state", "i>=1"),
         *vector(M + "mamba.D", "n_mamba_heads mamba_expand.hidden_size//n_mamba_heads", "i>=1"),
         *vector(M + "mamba.conv1d.weight", "mamba_expand*hidden_size 1 mamba_d_conv", "i>=1"),
         *vector(M + "mamba.conv1d.bias", "mamba_expand*hidden_size", "mamba_conv_bias & i>=1"),
         *linear(M + "mamba.in_proj", "2*mamba_expand*hidden_size", "hidden_size", "mamba_proj_bias", "i>=1"),
         *linear(M + "mamba.out_proj", "hidden_size", "mamba_expand*hidden_size", "mamba_proj_bias", "i>=1"),
         *vector(M + "input_layernorm.weight", "hidden_size", "i>=1")],
        derived={"attention_hidden_size": "2*hidden_size", "attention_head_dim": "2.hidden_size//num_attention_heads"},
        layers="stacked_layers", lists=["layer_types"], passes=[["i=0", "hybrid_layers"], ["", "1"]]),
    "zamba2": table(
        dict(vocab_size=32000, max_position_embeddings=4096, hidden_size=2560, mamba_d_state=64, mamba_d_conv=4,
             mamba_expand=2, mamba_ngroups=1, n_mamba_heads=8, add_bias_linear=False, num_attention_heads=32,
             num_mem_blocks=1, use_shared_attention_adapter=False, adapter_rank=128, tie_word_embeddings=True),
        # layers before num_mem_blocks are the blocks that hybrid layers run in turn
        [*ends("model.final_layernorm.weight"),
         *attention(M + "self_attn.", "num_attention_heads*attention_head_dim", "num_key_value_heads*attention_head_dim",
                    inputs="attention_hidden_size", when="i<num_mem_blocks"),
         *linear(M + "feed_forward.gate_up_proj", "2*intermediate_size", "hidden_size", "add_bias_linear",
                 "i<num_mem_blocks"),
         *linear(M + "feed_forward.down_proj", "hidden_size", "intermediate_size", "add_bias_linear", "i<num_mem_blocks"),
         *vector(M + "attention_layernorm.weight", "attention_hidden_size", "i<num_mem_blocks"),
         *vector(M + "pre_ff_layernorm.weight", "hidden_size", "i<num_mem_blocks"),
         *(rule for which in "qkv" for rule in (
             f"{M}{which}_adapter_in: 1 adapter_rank attention_hidden_size ? {ADAPTED}",
             f"{M}{which}_adapter_out: 1 attention_hidden_size adapter_rank ? {ADAPTED}")),
         f"{M}feed_forward.adapter_in: 1 adapter_rank hidden_size ? layer_types[i]=hybrid",
         f"{M}feed_forward.adapter_out: 1 2*intermediate_size adapter_rank ? layer_types[i]=hybrid",
         *linear(M + "linear", "hidden_size", "hidden_size", when="layer_types[i]=hybrid"),
         *mamba2(M + "mamba.", "mamba_expand*hidden_size", "n_mamba_heads", "mamba_ngroups", "mamba_d_state", "mamba_d_conv",
                 bias="add_bias_linear", conv_bias="always", when="i>=num_mem_blocks"),
         *vector(M + "input_layernorm.weight", "hidden_size", "i>=num_mem_blocks")],
        derived={"intermediate_size": "4*hidden_size", "attention_hidden_size": "2*hidden_size", **KEYS,
                 "attention_head_dim": "2.hidden_size//num_attention_heads"},
        layers="stacked_layers", lists=["layer_types"],
        passes=[["i<num_mem_blocks", "hybrid_layers//num_mem_blocks"], ["", "1"]]),
    "mamba2": table(
        dict(num_heads=128, head_dim=64, vocab_size=32768, hidden_size=4096, state_size=128, num_hidden_layers=64, expand=2,
             conv_kernel=4, n_groups=8, use_bias=False, use_conv_bias=True, tie_word_embeddings=False),
        [*ends("backbone.norm_f.weight", "backbone.embeddings.weight"), *vector("backbone.layers.L.norm.weight", "hidden_size"),
         *mamba2("backbone.layers.L.mixer.", "expand*hidden_size", "num_heads", "n_groups", "state_size", "conv_kernel",
                 bias="use_bias", conv_bias="use_conv_bias")]),
}

MAMBA = dict(mamba_n_heads=128, mamba_n_groups=1, mamba_d_state=256, mamba_d_conv=4, mamba_expand=2, mamba_conv_bias=True,
             mamba_proj_bias=False)
MIXER = {"bias": "mamba_proj_bias", "conv_bias": "mamba_conv_bias"}
LINEAR, FULL = "layer_types[i]=linear_attention", "layer_types[i]!=linear_attention"

TYPES |= {
    "bamba": table(
        dict(vocab_size=128000, tie_word_embeddings=False, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
             num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=262144, attention_bias=False,
             mlp_bias=False,
             **MAMBA),
        [*ends("model.final_layernorm.weight"), *vector(M + "input_layernorm.weight", "hidden_size"),
         *vector(M + "pre_ff_layernorm.weight", "hidden_size"),
         *gated(M + "feed_forward.", "intermediate_size", bias="mlp_bias"),
         *attention(M + "self_attn.", HEADS, KV, bias=BIAS, when=FULL),
         *mamba2(M + "mamba.", "mamba_expand*hidden_size", "mamba_n_heads", "mamba_n_groups", "mamba_d_state", "mamba_d_conv",
                 when=LINEAR, **MIXER)],
        derived={**KEYS, **DIM, "layer_types": [["full_attention", "i in attn_layer_indices"], ["linear_attention", ""]]},
        lists=["layer_types"]),
    "granitemoehybrid": table(
        dict(vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
             max_position_embeddings=2048, tie_word_embeddings=False, attention_bias=False, num_local_experts=8,
             num_experts_per_tok=2, shared_intermediate_size=1024, **MAMBA),
        [*ends(), *NORMS, *attention(M + "self_attn.", HEADS, KV, bias=BIAS, when=FULL),
         *vector(M + "block_sparse_moe.router.weight", "num_local_experts hidden_size", "num_local_experts>0"),
         *vector(M + "block_sparse_moe.experts.gate_up_proj", "num_local_experts 2*intermediate_size hidden_size",
                 "num_local_experts>0"),
         *vector(M + "block_sparse_moe.experts.down_proj", "num_local_experts hidden_size intermediate_size",
                 "num_local_experts>0"),
         *linear(M + "shared_mlp.input_linear", "2*shared_intermediate_size", "hidden_size"),
         *linear(M + "shared_mlp.output_linear", "hidden_size", "shared_intermediate_size"),
         *mamba2(M + "mamba.", "mamba_expand*hidden_size", "mamba_n_heads", "mamba_n_groups", "mamba_d_state", "mamba_d_conv",
                 when=LINEAR, **MIXER)],
        derived={**KEYS, **DIM, "layer_types": [["linear_attention", ""]]}, lists=["layer_types"],
        aliases={"layers_block_type": "layer_types"}),
}

SPARSE_MLP, DENSE_MLP = "mlp_layer_types[i]=sparse", "mlp_layer_types[i]!=sparse"


def routed(experts, when, *, shared):
    """Gated experts in two stacks, their router, and the expert of all tokens."""
    return [
        *vector(M + "mlp.experts.gate_up_proj", f"{experts} 2*moe_intermediate_size hidden_size", when),
        *vector(M + "mlp.experts.down_proj", f"{experts} hidden_size moe_intermediate_size", when),
        *vector(M + "mlp.gate.weight", f"{experts} hidden_size", when), *gated(M + "mlp.shared_experts.", shared, when=when),
    ]  # fmt: skip


def ungated(at, width, when):
    """An MLP of two products."""
    return linear(at + "up_proj", width, "hidden_size", when=when) + linear(at + "down_proj", "hidden_size", width, when=when)


TYPES |= {
    "minicpm5_moe": table(
        dict(vocab_size=130560, hidden_size=2048, intermediate_size=8192, num_hidden_layers=28, num_attention_heads=32,
             num_key_value_heads=2, head_dim=128, max_position_embeddings=524288, tie_word_embeddings=False,
             attention_bias=False, moe_intermediate_size=512, num_experts_per_tok=16, n_shared_experts=1, n_routed_experts=160,
             topk_group=1, norm_topk_prob=True, first_k_dense_replace=1),
        [*ends(), *NORMS, *linear(M + "self_attn.q_gate_proj", "2*" + HEADS, "hidden_size", BIAS),
         *linear(M + "self_attn.k_proj", KV, "hidden_size", BIAS), *linear(M + "self_attn.v_proj", KV, "hidden_size", BIAS),
         *linear(M + "self_attn.o_proj", "hidden_size", HEADS, BIAS), *gated(M + "mlp.", "intermediate_size", when=DENSE_MLP),
         *routed("n_routed_experts", SPARSE_MLP, shared="moe_intermediate_size*n_shared_experts")],
        derived={**KEYS, **DIM, "mlp_layer_types": [["dense", "i<first_k_dense_replace"], ["sparse", ""]]},
        lists=["mlp_layer_types"], aliases={"num_local_experts": "n_routed_experts"}),
    "kolibri1_1": table(
        dict(vocab_size=128000, hidden_size=2560, num_hidden_layers=50, num_attention_heads=48, num_key_value_heads=4,
             head_dim=128, max_position_embeddings=262144, tie_word_embeddings=False, sliding_window=513,
             moe_intermediate_size=512, num_experts_per_tok=6, num_local_experts=384, norm_topk_prob=False,
             shared_expert_intermediate_size=512, mlp_only_layers=[0, 1], mlp_only_intermediate_size=3584),
        [*ends(), *NORMS, *vector(M + "post_self_attn_layernorm.weight", "hidden_size"),
         *vector(M + "post_mlp_layernorm.weight", "hidden_size"), *vector(M + "self_attn.q_norm.weight", "head_dim"),
         *vector(M + "self_attn.k_norm.weight", "head_dim", "own_keys[i]=True"),
         *linear(M + "self_attn.q_proj", HEADS, "hidden_size"), *linear(M + "self_attn.o_proj", "hidden_size", HEADS),
         *linear(M + "self_attn.k_proj", KV, "hidden_size", when="own_keys[i]=True"),
         *linear(M + "self_attn.v_proj", KV, "hidden_size", when="own_keys[i]=True"),
         *gated(M + "mlp.", "mlp_only_intermediate_size", when="i in mlp_only_layers"),
         *routed("num_local_experts", "i not in mlp_only_layers", shared="shared_expert_intermediate_size")],
        lists=["layer_types", "own_keys"], aliases={"num_experts": "num_local_experts"}),
    "ergo": table(
        dict(vocab_size=262144, hidden_size=8192, num_hidden_layers=64, num_attention_heads=64, num_key_value_heads=8,
             first_dense_intermediate_size=32768, num_dense_blocks=1, moe_intermediate_size=4096,
             shared_intermediate_size=8192, num_experts=256, num_experts_per_tok=8, max_position_embeddings=524288,
             sliding_window=512, global_attention_every_n_layers=4),
        # the class ties nothing; each expert has a norm, and each of a layer's two additions a gate
        [*ends(tie=False), *NORMS, *ON_HEADS, *vector(M + "pre_feedforward_layernorm.weight", "hidden_size"),
         *vector(M + "post_feedforward_layernorm.weight", "hidden_size"),
         *vector(M + "attention_residual_gate.weight", "hidden_size"),
         *vector(M + "feedforward_residual_gate.weight", "hidden_size"),
         *linear(M + "self_attn.qkv_proj", f"{HEADS}+2*{KV}", "hidden_size"),
         *linear(M + "self_attn.o_proj", "hidden_size", HEADS),
         *ungated(M + "mlp.", "first_dense_intermediate_size", DENSE_MLP),
         *ungated(M + "mlp.shared_experts.", "shared_intermediate_size", SPARSE_MLP),
         *vector(M + "mlp.shared_experts.norm.weight", "hidden_size", SPARSE_MLP),
         *vector(M + "mlp.experts.up_proj", "num_experts hidden_size moe_intermediate_size", SPARSE_MLP),
         *vector(M + "mlp.experts.down_proj", "num_experts moe_intermediate_size hidden_size", SPARSE_MLP),
         *vector(M + "mlp.experts.post_expert_norm.weight", "num_experts hidden_size", SPARSE_MLP),
         *linear(M + "mlp.gate.linear", "num_experts", "hidden_size", when=SPARSE_MLP)],
        derived={**DIM, "mlp_layer_types": [["dense", "i<num_dense_blocks"], ["sparse", ""]],
                 "layer_types": [["full_attention", "(i+1)%global_attention_every_n_layers=0"], ["sliding_attention", ""]]},
        lists=["layer_types", "mlp_layer_types"], aliases={"local_attention_window": "sliding_window"}),
}


def main() -> None:
    """Write the tables into architectures.json, in place of what was there for their types."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    types = {kind: {**t, "tensors": [kept["rules"][n] for n in t["tensors"]]} for kind, t in kept["types"].items()}
    types |= TYPES
    parallel = types["falcon_h1"]  # of the search, but for the mixer, whose sizes hold together
    parallel["entries"]["mamba_d_ssm"] = 1024
    parallel["tensors"] = [r for r in parallel["tensors"] if ".mamba." not in r] + mamba2(
        M + "mamba.", "mamba_d_ssm", "mamba_n_heads", "mamba_n_groups", "mamba_d_state", "mamba_d_conv",
        norm="mamba_rms_norm", out_bias="projectors_bias", **MIXER)
    like = types["sarvam_moe"]  # GLM-4-MoE's class too
    types["param2moe"] = {**like, "entries": {**like["entries"], **PARAM2}}
    opt = types["opt"]
    opt["entries"]["projected"] = False
    opt["tensors"] = [r for r in opt["tensors"] if ".project_" not in r] + [
        *vector("model.decoder.project_in.weight", "hidden_size word_embed_proj_dim", "projected"),
        *vector("model.decoder.project_out.weight", "word_embed_proj_dim hidden_size", "projected")]
    for kind, names in PINNED.items():
        types[kind]["pinned"] |= names
        types[kind]["entries"] |= names
    write(kept, types)


PARAM2 = dict(vocab_size=128000, hidden_size=2048, intermediate_size=9216, num_hidden_layers=21, num_attention_heads=32,
              num_key_value_heads=8, head_dim=64, max_position_embeddings=32768, tie_word_embeddings=True,
              moe_intermediate_size=2048, num_experts_per_tok=6, n_shared_experts=2, n_routed_experts=64, n_group=1,
              topk_group=1, use_qk_norm=True, attention_bias=False)

PINNED = {
    "cosmos3_edge_text": {"head_dim": 128},
    "dots3_note_text": {"num_attention_heads": 128, "num_key_value_heads": 128, "qk_rope_head_dim": 64},
    "glm5_next_text": {"num_attention_heads": 64, "num_key_value_heads": 64, "qk_rope_head_dim": 0},
    "hy_v4_vl_text": {"qk_rope_head_dim": 64},
}
"""Entries that the class refuses to move alone, so that a rule has their default as a number: another value is refused."""


def write(kept, types) -> None:
    """architectures.json with every rule once."""
    rules = sorted({rule for t in types.values() for rule in t["tensors"]})
    number = {rule: n for n, rule in enumerate(rules)}
    lines = {kind: {**t, "tensors": [number[rule] for rule in t["tensors"]]} for kind, t in sorted(types.items())}

    def rows(name, found):
        return f'"{name}": {{\n' + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in found.items()) + "\n}"

    FILE.write_text(
        '{\n"note": ' + json.dumps(kept["note"]) + ',\n"transformers": ' + json.dumps(kept["transformers"]) + ",\n"
        + rows("wrappers", kept["wrappers"]) + ',\n"rules": [\n' + ",\n".join(" " + json.dumps(r) for r in rules) + "\n],\n"
        + rows("types", lines) + "\n}\n", encoding="utf-8")  # fmt: skip


if __name__ == "__main__":
    main()

"""The text decoders of transformers' models with vision or audio: wrapped.json, read by derive.py and emit.py."""
import json, warnings, sys
warnings.simplefilter("ignore")
import torch, transformers
import derive
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as V, MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES as M, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as C
from transformers import AutoModelForImageTextToText, AutoModelForMultimodalLM, AutoModelForCausalLM
out, own = {}, {}
extra = [t for t in C if t not in derive.ENCODERS]
for t in sorted(set(V)|set(M)|set(extra)):
    try:
        cfg = AutoConfig.for_model(t); d = cfg.to_dict()
        has = [k for k, v in d.items() if isinstance(v, dict) and v.get("model_type") and "vision" not in k and "audio" not in k and ("text" in k or "llm" in k or "language" in k or "thinker" in k)]
        if t in extra and t not in V and t not in M and not has: continue
        with torch.device("meta"):
            if t in V: m = AutoModelForImageTextToText.from_config(cfg)
            elif t in M: m = AutoModelForMultimodalLM.from_config(cfg)
            else: m = AutoModelForCausalLM.from_config(cfg)
        m.tie_weights()
        dec = m.get_decoder()
        inner = dec.config
        path = []
        if inner is not m.config and inner.model_type != t:
            for k in has:
                if d[k].get("model_type") == inner.model_type: path = [k]; break
                for k2, v2 in d[k].items():
                    if isinstance(v2, dict) and v2.get("model_type") == inner.model_type: path = [k, k2]
        head = m.get_output_embeddings(); emb = dec.get_input_embeddings()
        tied = head is not None and head.weight is emb.weight
        n = sum(p.numel() for p in dec.parameters()) + (0 if head is None or tied else sum(p.numel() for p in head.parameters()))
        out[t] = dict(path=path, type=inner.model_type, tied=bool(tied), count=n, cls=type(dec).__name__, mod=type(dec).__module__, cfg=type(inner).__name__, cfgmod=type(inner).__module__, head=None if head is None else [list(p.shape) for p in head.parameters()], incausal=inner.model_type in C, outer_tie=d.get("tie_word_embeddings"), config=d)
        o = out[t]; print(t, o["path"], o["type"], o["incausal"], "tied", o["tied"], o["outer_tie"], n, o["cls"], o["head"], flush=True)
    except Exception as e:
        print(t, "ERR", type(e).__name__, " ".join(str(e).split())[:140], flush=True)
json.dump(out, open("wrapped.json", "w"), default=str)

BY_HAND = [('aya_vision', ['text_config'], 'cohere2'), ('cohere_compass', ['text_config'], 'cohere_compass_text'),
           ('deepseek_ocr2', ['text_config'], 'deepseek_ocr2_text'), ('diffusion_gemma', ['text_config'], 'diffusion_gemma_text'),
           ('emu3', ['text_config'], 'emu3_text_model'), ('fast_vlm', ['text_config'], 'qwen2'), ('gemma3n', ['text_config'], 'gemma3n_text'),
           ('granite4_vision', ['text_config'], 'granite4_vision_text'), ('hunyuan_vl', ['text_config'], 'hunyuan_vl_text'),
           ('perception_lm', ['text_config'], 'llama'), ('qwen2_5_omni', ['thinker_config', 'text_config'], 'qwen2_5_omni_text'),
           ('qwen3_omni_moe', ['thinker_config', 'text_config'], 'qwen3_omni_moe_text'), ('qwen4_exp', ['text_config'], 'qwen4_exp_text'),
           ('evolla', [], 'evolla')]  # do not build with their defaults, or without a package
ENCODERS = ('bart', 'bert', 'git', 'pi0', 'udop', 'pix2struct_text_model', 't5gemma2_decoder')
wr = {t: dict(path=o['path'], type=o['type'], tied=o['outer_tie']) for t, o in out.items() if (t != o['type'] or o['path']) and o['type'] not in ENCODERS}
wr |= {t: dict(path=p, type=kind, tied=None) for t, p, kind in BY_HAND}
wr["internvl_chat"] = dict(path=["llm_config"], type="qwen2", tied=False)  # InternVL's own class; its decoder alone says what is tied
json.dump(wr, open('wrappers.json', 'w'))

"""roi/catalog/models/architectures.json from out/*.json: defaults, entries that follow others, and a check of every default."""
import glob, inspect, json, os, re, sys, itertools
from pathlib import Path
import derive
ROOT = Path(__file__).parents[2]
from derive import config_of, SKIP, LAYERS, fit_poly, evaluate, Kind
SEMANTIC = re.compile(r"(experts_per_tok|top_?k|moe_k|sliding|window|layer_types|max_position|n_positions|max_seq|seq_length|^num_attention_heads$|n_head|head_dim|num_key_value_heads|num_kv_heads|multi_query|chunk_size|attention_chunk|parallel|state|d_conv|conv|expand|hidden_size|d_model|n_embd|d_kv|dim_head)")
def names_in(rules, lists):
    used = set()
    for pat, exprs, cond in rules:
        for w in re.findall(r"[A-Za-z_]\w*", " ".join(exprs)): used.add(w)
        for part in re.split(r" & |\|", cond):
            for w in re.findall(r"[A-Za-z_]\w*", part): used.add(w)
    return used - {"not", "in", "i", "L", "True", "False"}

def emit(t):
    d = json.load(open(f"out/{t}.json"))
    base = d["base"]; L = d["L"]; fixed = {k: v for k, v in d["fixed"].items() if k != L}
    rules = [r for r in d["rules"] if r[2] != "never"]
    used = {n for n in names_in(rules, d["lists"]) if n in base}
    used |= {n for n in base if SEMANTIC.search(n)}
    if L: used.add(L)
    cls = type(config_of(t, fixed))
    full = config_of(t, fixed).to_dict()
    if 'per_layer_config' in full: full.pop('per_layer_config'); full['global_head_dim'] = 512; full['num_global_key_value_heads'] = None
    aliases = {k: v for k, v in (getattr(cls, "attribute_map", {}) or {}).items()}
    entries, derived, filled = {}, {}, []
    used_more = set()
    for n in d["ghosts"]: 
        if n in used: entries[n] = None
    try: legacy = {k: (int(v) if v.isdigit() else None) for k, v in re.findall(r'kwargs\.(?:pop|get)\(\s*"(\w+)"(?:,\s*(\w+))?', inspect.getsource(cls))}
    except Exception: legacy = {}
    def try_value(n, change):
        try: return config_of(t, {**fixed, **change}).to_dict().get(n)
        except Exception: return "ERR"
    for n in sorted(used):
        if n in d["ghosts"] or n not in full: 
            if n not in entries and n in base: entries[n] = base[n] if n not in full else full.get(n)
            continue
        v = full[n]
        if isinstance(v, float) or isinstance(v, dict): continue
        if isinstance(v, list) and L and len(v) == full[L]:
            got = derive_list(t, n, full, L, fixed, legacy)
            derived[n] = got if got is not None else {'items': v}
            if got: entries |= {w: legacy[w] for _, c in got for w in re.findall(r'[A-Za-z_]\w*', c) if w in legacy and w not in full}
            if got: used_more |= {w for _, c in got for w in re.findall(r'[A-Za-z_]\w*', c) if w in full}
            filled.append(n)
            continue
        entries[n] = v
        if isinstance(v, bool) or not isinstance(v, int):
            # null that the class fills
            continue
        if try_value(n, {n: None}) not in (None, "ERR"): filled.append(n)
        # does it follow others?
        movers = []
        for m in used | set(legacy):
            if m == n or not isinstance(full.get(m), int) or isinstance(full.get(m), bool) or full[m] <= 0: continue
            y = try_value(n, {m: 2 * full[m]})
            if y not in (v, "ERR") and isinstance(y, int): movers.append(m)
        if movers:
            pts = []
            for combo in itertools.product(*[[full[m], 2 * full[m], 4 * full[m]] for m in movers]):
                ch = dict(zip(movers, combo)); y = try_value(n, {m: x for m, x in ch.items() if x != full[m]})
                if isinstance(y, int): pts.append((ch, y))
            found = None
            cands = [fit_poly(pts, movers)]
            for a in movers:
                for b in [m for m in movers if m != a] + [str(c) for c in range(2, 65)]:
                    for mult in ("", *[f"*{m}" for m in movers]): cands.append(f"{a}//{b}{mult}")
            for c in cands:
                try:
                    if all(evaluate(c, {**full, **p}) == y for p, y in pts): found = c; break
                except Exception: pass
            if found: derived[n] = found; entries.pop(n)
            else: print("  !", t, n, "follows", movers, pts[:4])
    for n in fixed:
        if n in entries: entries[n] = None
        derived.pop(n, None)
    for n in used_more:
        if n not in entries and n not in derived: entries[n] = full[n]
    pinned = {n: full.get(n) for n in d["pinned"] if n in full}
    if base.get("hidden_act") == "xielu": pinned["hidden_act"] = "xielu"
    return dict(layers=L or "", entries=entries, derived=derived, filled=sorted(set(filled) | set(derived)), aliases=aliases,
                lists=[n for n in d["lists"] if n in used], pinned=pinned,
                tensors=[f"{p}: {' '.join(x)}" + (f" ? {c}" if c else "") for p, x, c in rules])

def patch(types):
    """What toggling entries one by one does not show."""
    t = types.get("llama4_text")
    if t: t["entries"].pop("moe_layers", None); t["entries"]["interleave_moe_layer_step"] = t["entries"].get("interleave_moe_layer_step", 1); t["derived"]["moe_layers"] = {"where": "(i+1)%interleave_moe_layer_step=0"}; t["filled"] = sorted({*t["filled"], "moe_layers"})
    if t:
        t["entries"].setdefault("intermediate_size_mlp", 16384)
        t["tensors"] = [r + " ? i in moe_layers" if ".feed_forward." in r and " ? " not in r else r for r in t["tensors"]]
        t["tensors"] += ["model.layers.L.feed_forward.%s.weight: 1 %s ? i not in moe_layers" % (n, d) for n, d in (("gate_proj", "intermediate_size_mlp hidden_size"), ("up_proj", "intermediate_size_mlp hidden_size"), ("down_proj", "hidden_size intermediate_size_mlp"))]
    t = types.get("falcon")
    if t: t["entries"].pop("num_ln_in_parallel_attn", None); t["derived"]["num_ln_in_parallel_attn"] = "2*new_decoder_architecture"; t["filled"] = sorted({*t["filled"], "num_ln_in_parallel_attn"})
    t = types.get("gemma4_text")
    if t:
        t["entries"].setdefault("use_double_wide_mlp", False)
        out = []
        for r in t["tensors"]:
            if ".mlp." in r and "intermediate_size" in r and " ? " not in r:
                out += [r + " ? not use_double_wide_mlp|i<L-num_kv_shared_layers", r.replace("intermediate_size", "2*intermediate_size") + " ? use_double_wide_mlp & i>=L-num_kv_shared_layers"]
            else: out.append(r)
        t["tensors"] = out
    for k in derive.OWN:
        t = types.get(k)
        if t and "lm_head.weight" in " ".join(t["tensors"]) and not any(r.startswith("lm_head.weight") and " ? " in r for r in t["tensors"]):
            t["entries"].setdefault("tie_word_embeddings", False)
            t["tensors"] = [r + " ? not tie_word_embeddings" if r.startswith("lm_head.weight") else r for r in t["tensors"]]

def derive_list(t, n, full, L, fixed, legacy):
    samples = []
    ints = {m: full[m] for m in full if isinstance(full[m], int) and not isinstance(full[m], bool) and m != L and re.search(r"period|offset|interval|step|freq|pattern|every|first|dense|start|layers|window|share", m)}
    changes = [{}] + [{L: v} for v in (3, 7, 11, 13, 24)]
    for m in ints: changes += [{m: v, L: 13} for v in (1, 2, 3, 5)]
    for m in legacy: changes += [{m: v, L: 13} for v in (1, 2, 3, 4)]
    for m in full:
        if isinstance(full[m], bool): changes.append({m: not full[m], L: 13})
    for ch in changes:
        try: c = config_of(t, {**fixed, **ch}).to_dict()
        except Exception: continue
        if isinstance(c.get(n), list) and len(c[n]) == c[L]: samples.append(({**legacy, **c, **ch}, c[n]))
    values = []
    for _, v in samples:
        for x in v:
            if x not in values and not isinstance(x, (list, dict)): values.append(x)
    if len(values) == 1: return [[values[0], ""]]
    class Fake: pass
    K = Fake(); K.base = {**full, **{m: 1 for m in legacy}}; K.L = L; K.cache = {}
    fl, lay = derive.atoms_of(K, {m: [1] for m in [*ints, *legacy]}, {m: [] for m in full if isinstance(full[m], bool)}, [])
    for m in full:
        if isinstance(full[m], bool):
            fl[m] = lambda e, i, m=m: bool(e.get(m)); fl[f"not {m}"] = lambda e, i, m=m: not e.get(m)
    import numpy as np
    values.sort(key=lambda x: sum(v.count(x) for _, v in samples))
    out = []
    S = [(e, i, x) for e, v in samples for i, x in enumerate(v)]
    for v in values[:-1]:
        Y = np.array([x == v for _, _, x in S]); alive = np.array([x not in [o[0] for o in out] for _, _, x in S])
        cols = {}
        for name, f in {**fl, **lay}.items():
            col = []
            for e, i, x in S:
                try: col.append(bool(f(e, i)))
                except Exception: col.append(False)
            cols[name] = np.array(col)
        conj, left = derive.conjunction(cols, Y, ~Y & alive)
        if left.any():
            print("  !", t, n, "list", v, conj[:3], int(left.sum()), "literal")
            return None
        out.append([v, " & ".join(conj)])
    out.append([values[-1], ""])
    return out

if __name__ == "__main__":
    derive.load_own()
    types = {}
    for f in sorted(glob.glob("out/*.json")):
        t = os.path.basename(f)[:-5]
        try: types[t] = emit(t)
        except Exception as err: print(t, "EMIT", type(err).__name__, str(err)[:200])
    import transformers
    sys.path.insert(0, str(ROOT))
    wr = json.load(open("wrappers.json"))
    for t in list(types):
        if t in wr and wr[t]["path"]: types.pop(t)
    truth = {}
    for t in types:
        try:
            found, full = derive.build(t, derive.FIXED.get(t, {}))
            import numpy as np
            truth[t] = (full, sum(int(np.prod(x, dtype=object)) for x in found.values()))
        except Exception as err: print("truth", t, err)
    patch(types)
    rules = sorted({r for v in types.values() for r in v["tensors"]})
    number = {r: i for i, r in enumerate(rules)}
    for v in types.values(): v["tensors"] = [number[r] for r in v["tensors"]]
    out = {"note": "Written by lab/architectures/emit.py from models that transformers builds without storage.", "transformers": transformers.__version__, "wrappers": wr, "rules": rules, "types": types}
    json.dump(out, open(ROOT / "roi/catalog/models/architectures.json", "w"))
    from roi.catalog.models.architectures import read_architecture
    bad = []
    for t in types:
        if t not in truth: bad.append(t); continue
        try: n = read_architecture(t, {k: v for k, v in truth[t][0].items()}).parameters
        except Exception as err: n = repr(err)[:150]
        if n != truth[t][1]: bad.append(t); print("drop", t, n, truth[t][1])
    for t in bad: types.pop(t)
    used = sorted({i for v in types.values() for i in v["tensors"]}); again = {i: j for j, i in enumerate(used)}
    for v in types.values(): v["tensors"] = [again[i] for i in v["tensors"]]
    out["rules"] = [rules[i] for i in used]
    with open(ROOT / "roi/catalog/models/architectures.json", "w") as f:
        f.write('{\n"note": ' + json.dumps(out["note"]) + ',\n"transformers": ' + json.dumps(out["transformers"]) + ',\n"wrappers": {\n' + ",\n".join(f' {json.dumps(k)}: {json.dumps(v)}' for k, v in wr.items()) + '\n},\n"rules": [\n' + ",\n".join(" " + json.dumps(r) for r in out["rules"]) + '\n],\n"types": {\n' + ",\n".join(f' {json.dumps(k)}: {json.dumps(v)}' for k, v in sorted(types.items())) + '\n}\n}\n')
    print(len(types), len(out["rules"]), os.path.getsize(ROOT / "roi/catalog/models/architectures.json"))

"""Rules of every parameter tensor of transformers' decoders, found by building them without storage.

    cd SOME_EMPTY_FOLDER
    python lab/architectures/wrappers.py       # text decoders inside models with vision or audio: wrapped.json
    python lab/architectures/derive.py @0/1    # every type of AutoModelForCausalLM: out/TYPE.json, resumable
    python lab/architectures/derive.py own     # text decoders that are no such type
    python lab/architectures/emit.py           # roi/catalog/models/architectures.json

Every whole number, flag and list of a configuration is changed, alone and in pairs. A dimension is fitted as a sum of products of
the entries that move it; a condition as the fewest tests that are true wherever a tensor is and false wherever it is not. Random
configurations then hold the count; one that does not agree goes back into the search.
"""
import itertools, json, re, sys, time, warnings, random
from collections import defaultdict
from fractions import Fraction
warnings.simplefilter("ignore")
import numpy as np, torch, transformers
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as C
transformers.logging.set_verbosity_error()

from transformers import PreTrainedModel
PreTrainedModel.init_weights = lambda self, *a, **k: None
for _n in ("kaiming_uniform_","uniform_","normal_","ones_","zeros_","xavier_uniform_","constant_","trunc_normal_"): setattr(torch.nn.init, _n, lambda *a,**k: (a[0] if a else k.get('tensor')))
for _c in (torch.nn.Linear, torch.nn.Embedding, torch.nn.LayerNorm, torch.nn.Conv1d): _c.reset_parameters = lambda self: None
LAYERS = ("num_hidden_layers", "layers", "n_layer", "n_layers", "num_layers")
SKIP = {"bos_token_id","eos_token_id","pad_token_id","sep_token_id","cls_token_id","unk_token_id","mask_token_id","model_type","transformers_version","architectures","dtype","torch_dtype","_name_or_path","id2label","label2id","problem_type","output_hidden_states","return_dict","output_attentions","chunk_size_feed_forward","is_encoder_decoder","use_cache","_attn_implementation","attn_implementation","initializer_range","is_decoder","add_cross_attention","cross_attention_hidden_size","decoder_start_token_id","tie_encoder_decoder","rope_parameters","rope_theta","rms_norm_eps","layer_norm_eps","layer_norm_epsilon","norm_eps","norm_epsilon"}
OWN = {}   # text types without causal class: type -> (decoder class, tied default)

def load_own():
    import importlib, os
    if not os.path.exists("wrapped.json"): return
    for t, o in json.load(open("wrapped.json")).items():
        if o["incausal"] or o["type"] in OWN or o["type"] in ("git", "pi0", "pix2struct_text_model", "t5gemma2_decoder", "udop", "bert"): continue
        try: OWN[o["type"]] = (getattr(importlib.import_module(o["mod"]), o["cls"]), getattr(importlib.import_module(o["cfgmod"]), o["cfg"]), o["head"] is not None)
        except Exception as err: print("own", t, err)
def config_of(kind, entries):
    entries = {k: v for k, v in entries.items() if k not in ("model_type", "transformers_version","architectures","dtype")}
    if kind in OWN: return OWN[kind][1](**entries)
    return AutoConfig.for_model(kind, **entries)

def build(kind, entries):
    cfg = config_of(kind, entries)
    with torch.device("meta"):
        if kind in OWN:
            m = OWN[kind][0](cfg)
            m.tie_weights()
            found = {"model." + n: tuple(p.shape) for n, p in m.named_parameters()}
            tied = getattr(cfg, "tie_word_embeddings", False)
            if not tied and OWN[kind][2] : found["lm_head.weight"] = (cfg.vocab_size, cfg.hidden_size)
            return found, cfg.to_dict()
        m = AutoModelForCausalLM.from_config(cfg)
    m.tie_weights()
    return {n: tuple(p.shape) for n, p in m.named_parameters()}, cfg.to_dict()

class Kind:
    def __init__(self, kind, fixed=None):
        self.kind = kind
        self.cache = {}; self.errors = []
        self.fixed = dict(fixed or {})
        found, full = build(kind, self.fixed)
        L = next((n for n in LAYERS if isinstance(full.get(n), int)), None)
        if L and full[L] > 8 and L not in self.fixed:
            try: found, full = build(kind, {**self.fixed, L: 8}); self.fixed[L] = 8
            except Exception: pass
        self.base = {k: v for k, v in full.items() if k not in SKIP and not isinstance(v, dict)}
        self.ghosts = set()
        if "per_layer_config" in full:
            self.base.pop("per_layer_config", None); full.pop("per_layer_config"); self.base["global_head_dim"] = 512; self.base["num_global_key_value_heads"] = self.fixed.get("num_global_key_value_heads"); self.base["num_kv_shared_layers"] = full.get("num_kv_shared_layers", 0)
        if "head_dim" not in self.base and any(n in self.base for n in ("num_attention_heads","n_head","n_heads")):
            self.base["head_dim"] = None; self.ghosts.add("head_dim")
        self.nested = {k: v for k, v in full.items() if isinstance(v, dict) and k not in SKIP}
        self.L = next((n for n in LAYERS if isinstance(self.base.get(n), int)), None)
        self.found = self.get({})
    def entries(self, change):
        e = {**self.nested, **self.fixed, **self.base, **change}
        for n in self.ghosts:
            if e.get(n) is None: e.pop(n, None)
        if self.L and self.L in change:
            old = self.base[self.L]; new = change[self.L]
            for k, v in self.base.items():
                if isinstance(v, list) and len(v) == old and k not in change:
                    e[k] = v[:new] if new <= old else v + v[:new-old]
        return e
    def get(self, change):
        key = json.dumps(change, sort_keys=True, default=str)
        if key not in self.cache:
            try:
                e = self.entries(change)
                found, full = build(self.kind, e)
                self.cache[key] = (change, group(found, self.L and e[self.L]), {**self.base, **e, **{k: full[k] for k in full if k in e or k in self.base}})
            except Exception as err:
                self.cache[key] = None
                self.errors.append((change, f"{type(err).__name__}: {' '.join(str(err).split())[:200]}"))
        return self.cache[key]

def group(found, L):
    """pattern -> {layer or None: dims (copies first)}"""
    out = defaultdict(lambda: defaultdict(list))
    heads = defaultdict(set)
    for path in found:
        parts = path.split(".")
        for i, p in enumerate(parts):
            if p.isdigit():
                heads[".".join(parts[:i])].add(int(p)); break
    layered = {h for h, s in heads.items() if L and (len(s) == L and s == set(range(L)))}
    for path, shape in found.items():
        parts = path.split(".")
        idx = next((i for i, p in enumerate(parts) if p.isdigit()), None)
        layer = None
        if idx is not None and ".".join(parts[:idx]) in layered:
            layer = int(parts[idx]); parts[idx] = "L"
        parts = ["*" if p.isdigit() else p for p in parts]
        out[".".join(parts)][layer].append(shape)
    res = {}
    for pat, by in out.items():
        res[pat] = {}
        for layer, shapes in by.items():
            kinds = sorted(set(shapes))
            for j, s in enumerate(kinds):  # same pattern, other shapes: told apart by order
                res.setdefault(pat if j == 0 else f"{pat}#{j}", {})[layer] = (shapes.count(s), *s)
    return res

def same(a, b): return a is not None and b is not None and a[1] == b[1]

def ints(base):
    return [k for k, v in base.items() if isinstance(v, int) and not isinstance(v, bool) and v > 0]

def variants_of(K, name):
    v = K.base[name]
    if name == K.L:
        return [x for x in (v // 2 if v > 3 else v + 1, v - 1, v + 2) if x > 0]
    if "vocab" in name: return [v + 64, v + 192]
    out = [2 * v, v // 2, 4 * v, 3 * v] if "head" in name and "dim" not in name else [2 * v, 3 * v, v + 1, v // 2, v + 64, 4 * v, v - 1]
    return [x for x in out if x > 0 and x != v]

def derive(kind, fixed=None):
    K = Kind(kind, fixed)
    base = K.base
    f0 = K.found
    if f0 is None: raise RuntimeError("base of to_dict does not build")
    # ints
    moves = {}
    for n in ints(base):
        got = []
        for v in variants_of(K, n):
            g = K.get({n: v})
            if g is not None:
                if g[1] == f0[1] and not got and v != variants_of(K, n)[-1] and len(got) == 0:
                    # irrelevant, or a variant that a modulus hides: one more try
                    got.append((v, False)); continue
                got.append((v, g[1] != f0[1]))
            if sum(1 for x in got if x[1]) >= 2 or len(got) >= 3: break
        good = [v for v, moved in got if moved]
        if good: moves[n] = good
    # flags: booleans, None, zeros, truthiness, of ints that matter
    flags = {}
    allvals = EXTRA
    for n, v in base.items():
        tries = []
        if isinstance(v, bool): tries = [not v]
        elif v is None: tries = [True] if n.startswith(("use_","is_","has_","tie")) else NONE_TRIES(K, n)
        elif isinstance(v, int) and v == 0: tries = [1, 2, 128]
        elif n in moves and n != K.L and "vocab" not in n and "hidden_size" != n: tries = [None, 0] if ZERO.search(n) else [None]
        for x in tries:
            g = K.get({n: x})
            if g is not None and g[1] != f0[1]:
                flags.setdefault(n, []).append(x)
    # lists of strings a layer
    lists = [n for n, v in base.items() if isinstance(v, list) and K.L and len(v) == base[K.L]]
    for n in lists:
        for x in allvals.get(n, ()):  # another kind of layer
            if x in base[n]: continue
            for places in ([0], [len(base[n]) - 1]):
                v = list(base[n]); 
                for p in places: v[p] = x
                g = K.get({n: v})
        if isinstance(base[n][0], (str, int, bool)):
            v = list(base[n]); v[0], v[-1] = v[-1], v[0]; K.get({n: v})
            v = base[n][1:] + base[n][:1]; K.get({n: v})
    # pinned: floats, strings, other lists
    pinned = []
    for n, v in base.items():
        tries = []
        if isinstance(v, float): tries = [v * 2, v / 2, v + 0.25]
        elif isinstance(v, str): tries = [s for s in STRINGS.get(n, ()) if s != v]
        elif isinstance(v, list) and n not in lists and v and all(isinstance(x, int) for x in v): tries = [v[:-1], [x + 1 for x in v]]
        for x in tries:
            g = K.get({n: x})
            if g is not None and g[1] != f0[1]: pinned.append(n); break
    return K, moves, flags, lists, sorted(set(pinned))

EXTRA = {}
ZERO = re.compile(r"expert|dense|first|layers|per_layer_input|shared")
STRINGS = {"position_embedding_type":["nope","rope","alibi","absolute"]}
def NONE_TRIES(K, n):
    b = K.base
    if "bias" in n or "norm" in n: return [True]
    if "head" in n or "size" in n or "rank" in n or "dim" in n or "inner" in n or "intermediate" in n or "num" in n or n.startswith("n_") or "layers" in n:
        return [64, 2, 4, 1]
    return [True, 2]

def evaluate(expr, e):
    """c*a*b+a//b*c+3"""
    total = 0
    for term in expr.split("+"):
        p = 1
        for f in term.split("*"):
            if "//" in f:
                a, b = f.split("//")
                up = 1
                for x in a.split("."): up *= int(x) if x.isdigit() else e[x]
                b = int(b) if b.isdigit() else e[b]
                p *= up // b
            elif re.fullmatch(r"-?\d+", f): p *= int(f)
            else: p *= int(e[f])
        total += p
    return total

def fit_poly(points, names):
    """points: list of (values by name, y); multilinear integer polynomial as a string, or None"""
    subsets = [c for r in range(len(names) + 1) for c in itertools.combinations(names, r)]
    rows = [[float(np.prod([p[n] for n in c])) if c else 1.0 for c in subsets] for p, _ in points]
    y = [float(v) for _, v in points]
    A = np.array(rows); scale = np.abs(A).max(0); scale[scale == 0] = 1
    sol, *_ = np.linalg.lstsq(A / scale, np.array(y), rcond=None)
    co = sol / scale
    terms = []
    for c, k in zip(subsets, co):
        for den in (1,):
            r = round(k * den)
        if abs(k) < 1e-4 / max(1.0, 1.0): r = 0
        if r == 0: continue
        terms.append("*".join(([str(r)] if r != 1 or not c else []) + list(c)))
    expr = "+".join(terms) or "0"
    return expr

ALLMOVES = {}
def fit_mono(points, subsets):
    A = np.array([[float(np.prod([p[n] for n in c])) if c else 1.0 for c in subsets] for p, _ in points])
    y = np.array([float(v) for _, v in points])
    scale = np.abs(A).max(0); scale[scale == 0] = 1
    sol, *_ = np.linalg.lstsq(A / scale, y, rcond=None)
    terms = []
    for c, k in zip(subsets, sol / scale):
        r = round(k)
        if r: terms.append("*".join(([str(r)] if r != 1 or not c else []) + list(c)))
    return "+".join(terms) or "0"

class Fail(Exception): pass

def fit_dim(K, state, moves, read, y0):
    """expression of one dimension on top of a state"""
    affecting = []
    if state:
        moves = {**{n: variants_of(K, n)[:2] for n in ints(K.base) if n != K.L or K.L in moves}, **moves}
    else: moves = dict(moves)
    for n, v in state.items():
        if isinstance(v, int) and not isinstance(v, bool) and v > 0:
            moves[n] = [2 * v, 3 * v]
    for n, vs in moves.items():
        for v in vs:
            y = read({**state, n: v})
            if y is not None and y != y0: affecting.append(n); break
    base = {**K.base, **state}
    for n in affecting:
        if n not in ALLMOVES.setdefault(id(K), {}): ALLMOVES[id(K)][n] = moves[n]
    if not affecting: return str(y0)
    if len(affecting) > 5: raise Fail(f"many {affecting}")
    pts = []
    grids = [[base[n], *(variants_of(K, n)[:5] if len(affecting) == 1 else moves[n][: (2 if len(affecting) <= 3 else 1)])] for n in affecting]
    for combo in itertools.product(*grids):
        ch = dict(zip(affecting, combo))
        y = read({**state, **{n: v for n, v in ch.items() if v != base[n]}})
        if y is not None: pts.append(({**{n: base[n] for n in moves}, **ch}, y))
    def good(expr):
        try: return all(evaluate(expr, p) == y for p, y in pts)
        except Exception: return False
    options = [affecting]
    expr = fit_poly(pts, affecting)
    if good(expr): return simplify(expr)
    for a in affecting:
        sq = f"{a}*{a}"
        rest = [n for n in affecting if n != a]
        pp = [({**p, sq: p[a] * p[a]}, y) for p, y in pts]
        for monos in ([sq, *rest], [sq, a, *rest]):
            for alone in (True, False):
                if alone and rest: continue
                expr = fit_mono(pp, [(), *[(m,) for m in monos]]) if alone else fit_poly(pp, monos)
                if good(expr): return simplify(expr)
    for a, b in itertools.permutations(affecting, 2):
        q = f"{a}//{b}"
        for rest in ([n for n in affecting if n not in (a, b)], [n for n in affecting if n != b], [n for n in affecting if n != a], affecting):
            pp = [({**p, q: p[a] // (p[b] or 1)}, y) for p, y in pts]
            expr = fit_poly(pp, [q, *rest])
            if good(expr): return simplify(expr)
    for a, b in itertools.combinations(affecting, 2):
        for c in [n for n in affecting if n not in (a, b)]:
            q = f"{a}.{b}//{c}"
            pp = [({**p, q: p[a] * p[b] // (p[c] or 1)}, y) for p, y in pts]
            for rest in ([n for n in affecting if n not in (a, b, c)], [n for n in affecting if n != c]):
                expr = fit_poly(pp, [q, *rest])
                if good(expr): return simplify(expr)
    for a in affecting:
        for c in range(2, 129):
            q = f"{a}//{c}"
            pp = [({**p, q: p[a] // c}, y) for p, y in pts]
            expr = fit_poly(pp, [q, *[n for n in affecting if n != a]])
            if good(expr): return simplify(expr)
    raise Fail(f"dim {y0} by {affecting}: {pts[:6]}")

def simplify(expr): return expr

def atoms_of(K, moves, flags, lists):
    """name -> function (entries, layer) -> bool"""
    out = {}
    L = K.L
    periods = [n for n in K.base if isinstance(K.base[n], int) and not isinstance(K.base[n], bool) and re.search(r"period|offset|interval|step|freq|pattern|every", n)]
    firsts = [n for n in K.base if isinstance(K.base[n], int) and not isinstance(K.base[n], bool) and re.search(r"layer|dense|first|start|share|mtp", n) and n != L]
    for n in [*flags]:
        out[f"{n}"] = lambda e, i, n=n: bool(e.get(n))
        out[f"not {n}"] = lambda e, i, n=n: not e.get(n)
        for v in flags[n]:
            if isinstance(v, (int, str)) and not isinstance(v, bool):
                out[f"{n}={v}"] = lambda e, i, n=n, v=v: e.get(n) == v
                out[f"{n}!={v}"] = lambda e, i, n=n, v=v: e.get(n) != v
    for n in [*moves]:
        if n not in flags and n != L:
            out[f"{n}"] = lambda e, i, n=n: bool(e.get(n))
            out[f"{n}>1"] = lambda e, i, n=n: (e.get(n) or 0) > 1
            out[f"{n}<2"] = lambda e, i, n=n: (e.get(n) or 0) < 2
    lay = {}
    for n in lists:
        vals = {x for g in K.cache.values() if g for x in (g[2].get(n) or []) if isinstance(x, (str, int, bool))}
        for v in sorted(map(str, vals)):
            lay[f"{n}[i]={v}"] = lambda e, i, n=n, v=v: i < len(e[n]) and str(e[n][i]) == v
            lay[f"{n}[i]!={v}"] = lambda e, i, n=n, v=v: not (i < len(e[n]) and str(e[n][i]) == v)
    for n in K.base:
        if isinstance(K.base[n], list) and n not in lists:
            lay[f"i in {n}"] = lambda e, i, n=n: i in (e[n] or [])
            lay[f"i not in {n}"] = lambda e, i, n=n: i not in (e[n] or [])
    for n in {*firsts}:
        lay[f"i<{n}"] = lambda e, i, n=n: i < (e[n] or 0)
        lay[f"i>={n}"] = lambda e, i, n=n: i >= (e[n] or 0)
        lay[f"i<L-{n}"] = lambda e, i, n=n: i < e[L] - (e[n] or 0)
        lay[f"i>=L-{n}"] = lambda e, i, n=n: i >= e[L] - (e[n] or 0)
    for n in {*periods}:
        for o in (0, 1):
            lay[f"(i+{o})%{n}=0"] = lambda e, i, n=n, o=o: e[n] and (i + o) % e[n] == 0
            lay[f"(i+{o})%{n}!=0"] = lambda e, i, n=n, o=o: e[n] and (i + o) % e[n] != 0
        for m in {*periods}:
            if m != n:
                lay[f"i%{n}={m}"] = lambda e, i, n=n, m=m: e[n] and i % e[n] == e[m]
                lay[f"i%{n}!={m}"] = lambda e, i, n=n, m=m: e[n] and i % e[n] != e[m]
    for n in {*periods}:
        for m in {*firsts} - {n}:
            lay[f"(i-{m})%{n}=0"] = lambda e, i, n=n, m=m: e[n] and (i - (e[m] or 0)) % e[n] == 0
            lay[f"(i-{m})%{n}!=0"] = lambda e, i, n=n, m=m: e[n] and (i - (e[m] or 0)) % e[n] != 0
    lay["i=0"] = lambda e, i: i == 0
    lay["i>=1"] = lambda e, i: i >= 1
    lay["i=L-1"] = lambda e, i: i == e[L] - 1
    lay["i<L-1"] = lambda e, i: i < e[L] - 1
    for c in (2, 3, 4, 5, 6, 8):
        for o in (0, 1):
            lay[f"(i+{o})%{c}=0"] = lambda e, i, c=c, o=o: (i + o) % c == 0
            lay[f"(i+{o})%{c}!=0"] = lambda e, i, c=c, o=o: (i + o) % c != 0
    return out, lay

def rules_of(K, moves, flags, lists):
    """list of [pattern, dims exprs]; found over the base and every state"""
    states = [{}]
    for n, vs in flags.items(): states += [{n: v} for v in vs]
    for g in list(K.cache.values()):
        if g and any(n in g[0] for n in lists): states.append(g[0])
    states += [g[0] for g in list(K.cache.values()) if g and len(g[0]) == 2 and all(n in flags for n in g[0])]
    rules = {}   # pattern -> list of exprs
    for s in states:
        g = K.get(s)
        if g is None: continue
        changed = s
        for pat, by in g[1].items():
            for layer, dims in by.items():
                known = rules.setdefault(pat, [])
                if any(len(x) == len(dims) and all(safe(ex, g[2]) == d for ex, d in zip(x, dims)) for x in known):
                    # agreement may be by chance: look at single moves too
                    ok = False
                    for x in known:
                        if all(agree(K, s, pat, layer, x, {n: moves[n][0]}) for n in moves if n not in s and n != K.L): ok = True; break
                    if ok: continue
                exprs = []
                for j in range(len(dims)):
                    def read(ch, j=j):
                        gg = K.get(ch)
                        if gg is None: return None
                        at = gg[1].get(pat, {}).get(layer)
                        return at[j] if at is not None and len(at) == len(dims) else None
                    exprs.append(fit_dim(K, s, {k: v for k, v in moves.items() if not (k == K.L and layer is not None)}, read, dims[j]))
                if exprs not in known: known.append(exprs)
    return [[pat, ex] for pat, xs in rules.items() for ex in xs]

def safe(ex, e):
    try: return evaluate(ex, e)
    except Exception: return None

def agree(K, s, pat, layer, exprs, ch):
    g = K.get({**s, **ch})
    if g is None: return True
    at = g[1].get(pat, {}).get(layer)
    if at is None: return True
    return len(at) == len(exprs) and all(safe(ex, g[2]) == d for ex, d in zip(exprs, at))

def conditions(K, rules, moves, flags, lists):
    fl, lay = atoms_of(K, moves, flags, lists)
    builds = [g for g in K.cache.values() if g]
    bypat = defaultdict(list)
    for r in rules: bypat[r[0]].append(r)
    done = []
    spots = {False: [(bi, None) for bi in range(len(builds))], True: [(bi, i) for bi, g in enumerate(builds) for i in range(g[2][K.L])] if K.L else []}
    where = {k: {x: j for j, x in enumerate(v)} for k, v in spots.items()}
    matrix = {}
    def columns(layered):
        if layered not in matrix:
            made = {}
            for name, f in fl.items():
                per = []
                for g in builds:
                    try: per.append(bool(f(g[2], None)))
                    except Exception: per.append(False)
                made[name] = np.array([per[bi] for bi, _ in spots[layered]], dtype=bool)
            if layered:
                for name, f in lay.items():
                    col = []
                    for bi, i in spots[True]:
                        try: col.append(bool(f(builds[bi][2], i)))
                        except Exception: col.append(False)
                    made[name] = np.array(col, dtype=bool)
            matrix[layered] = made
        return matrix[layered]
    for pat, exprs in rules:
        layered = pat.split(".").count("L") == 1 and any(k is not None for g in builds for k in g[1].get(pat, {}))
        S, Y = [], []
        for bi, g in enumerate(builds):
            e = g[2]
            want = tuple(safe(ex, e) for ex in exprs)
            others = any(tuple(safe(ex, e) for ex in r[1]) == want for r in bypat[pat] if r[1] is not exprs)
            here = g[1].get(pat, {})
            for i in (range(e[K.L]) if layered else [None]):
                y = here.get(i) == want
                if y and others: continue
                S.append((bi, i)); Y.append(bool(y))
        if not S: done.append([pat, exprs, "never"]); continue
        Y = np.array(Y)
        at = np.array([where[layered][x] for x in S])
        cols = {n: c[at] for n, c in columns(layered).items()}
        conj, left = conjunction(cols, Y, ~Y)
        if left.any():
            bad = [(builds[S[j][0]][0], S[j][1]) for j in np.flatnonzero(left)[:3]]
            raise Fail(f"condition of {pat} {exprs}: {conj}; {left.sum()} left, e.g. {bad}")
        done.append([pat, exprs, " & ".join(conj)])
    return done

def conjunction(cols, Y, left):
    """Conditions, or pairs of them joined by |, that all of Y meets and that shut out as much of `left` as any; what is left."""
    conj = []
    def cover(good, left):
        while left.any() and good:
            n = max(good, key=lambda n: ((left & ~good[n]).sum(), -len(n)))
            if not (left & ~good[n]).any(): break
            conj.append(n); left = left & good[n]
        return left
    left = cover({n: c for n, c in cols.items() if c[Y].all()}, left)
    if left.any():
        names = [n for n, c in cols.items() if not c.all() and c.any()]
        pairs = {f"{a}|{b}": cols[a] | cols[b] for a, b in itertools.combinations(names, 2)}
        left = cover({n: c for n, c in pairs.items() if c[Y].all() and not c.all()}, left)
    return conj, left

def count(table, e, L):
    total = 0
    fl, lay = table["atoms"]
    for pat, exprs, cond in table["rules"]:
        if cond == "never": continue
        layered = ".L." in "." + pat + "."
        k = 0
        for i in (range(e[L]) if layered else [None]):
            ok = all(any((fl.get(a) or lay.get(a))(e, i) for a in c.split("|")) for c in cond.split(" & ")) if cond else True
            k += ok
        if k: total += k * int(np.prod([evaluate(x, e) for x in exprs], dtype=object))
    return total

def check(K, table, moves, flags, n=14, seed=0):
    rng = random.Random(seed); bad = []; tried = 0
    for _ in range(n * 4):
        ch = {}
        for m in rng.sample(sorted(moves), min(len(moves), rng.randint(1, 5))): ch[m] = rng.choice(moves[m])
        for f in flags:
            if rng.random() < 0.3: ch[f] = rng.choice(flags[f])
        g = K.get(ch)
        if g is None: continue
        tried += 1
        real = sum(int(np.prod(d, dtype=object)) for by in g[1].values() for d in by.values())
        try: mine = count(table, g[2], K.L)
        except Exception as err: mine = repr(err)
        if mine != real: bad.append((ch, real, mine))
        if tried >= n: break
    return tried, bad

def run(t, fixed=None):
    K, moves, flags, lists, pinned = derive(t, fixed)
    for (a, va), (b, vb) in itertools.combinations(sorted(flags.items()), 2):
        for x in va[:2]:
            for y in vb[:2]: K.get({a: x, b: y})
    rules = rules_of(K, moves, flags, lists)
    every = {**moves, **{n: v for n, v in ALLMOVES.get(id(K), {}).items() if n not in flags}}
    for n, v in every.items():
        if n not in moves:
            for x in v: K.get({n: x})
    for turn in range(5):
        done = conditions(K, rules, moves, flags, lists)
        table = {"rules": done, "atoms": atoms_of(K, moves, flags, lists)}
        tried, bad = check(K, table, every, flags, seed=turn)
        if not bad: break
    return K, moves, flags, lists, pinned, done, tried, bad


G4 = {"num_experts": 8, "top_k_experts": 2, "moe_intermediate_size": 704, "num_global_key_value_heads": 2}
FIXED = {"gemma4_text": G4, "gemma4_unified_text": G4, "dots1": {"n_routed_experts": 8, "n_shared_experts": 2}, "hunyuan_v1_dense": {"head_dim": 128}, "hunyuan_v1_moe": {"head_dim": 128, "num_experts": 4, "moe_topk": 2}, "ministral": {"head_dim": 128}, "nemotron": {"num_key_value_heads": 8}, "lfm2_moe": {"num_hidden_layers": 8, "layer_types": ["conv", "conv", "full_attention", "conv"] * 2}}
ENCODERS = set("bart bert bert-generation big_bird bigbird_pegasus blenderbot blenderbot-small camembert data2vec-text electra ernie git marian mbart megatron-bert mvp pegasus plbart prophetnet reformer rembert roberta roberta-prelayernorm roc_bert roformer trocr whisper xlm xlm-roberta xlm-roberta-xl xlnet xmod musicgen musicgen_melody moshi".split())
if __name__ == "__main__":
    names = sys.argv[1:]
    if names and names[0].startswith("@"):
        part, parts = map(int, names[0][1:].split("/"))
        names = [t for t in C if t not in ENCODERS][part::parts]
    import os
    load_own()
    if names == ["own"]: names = list(OWN); sys.argv[1] = "@"
    for t in names:
        if "@" in sys.argv[1] and os.path.exists(f"out/{t}.json") and not json.load(open(f"out/{t}.json"))["bad"]: continue
        t0 = time.time()
        try:
            K, moves, flags, lists, pinned, done, tried, bad = run(t, FIXED.get(t))
        except Exception as err:
            print(t, "FAIL", type(err).__name__, " ".join(str(err).split())[:900], flush=True); continue
        print(t, "rules", len(done), "builds", len(K.cache), "tried", tried, "bad", len(bad), "pinned", pinned, round(time.time() - t0, 1), flush=True)
        for b in bad[:2]: print("   ", b, flush=True)
        os.makedirs("out", exist_ok=True)
        json.dump(dict(base=K.base, moves=moves, flags=flags, lists=lists, pinned=pinned, rules=done, bad=len(bad), L=K.L, fixed=K.fixed, ghosts=sorted(K.ghosts), errors=K.errors), open(f"out/{t}.json", "w"), default=str)
        if len(sys.argv) < 8 and "@" not in sys.argv[1]:
            for r in done: print("   ", r)

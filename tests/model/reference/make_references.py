#!/usr/bin/env python3
"""Makes the reference logits of tests/model/reference_test.cc with Hugging Face transformers.

One file per tiny model: the metadata of its GGUF file, the tensors as counters of random numbers (nothing of the weights is
stored), and float32 logits at some positions of a prompt of 600 tokens. `tests/model/tiny_reference.cc` makes the same weights,
byte for byte, and the same tokens.

    python3 -m venv venv && venv/bin/pip install -r tests/model/reference/requirements.txt
    venv/bin/python tests/model/reference/make_references.py [--check] [--gguf FOLDER]

--check compares with the stored files (all but logits equal, logits within 1e-6) and writes nothing; --gguf writes the models.
Each model also has mutants: one fact of its architecture changed on this side, which must move a logit by more than 1e-4 at a
stored position, or the fact would go untested.
"""
import argparse
import json
import math
import pathlib
import sys

import numpy as np
import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
TOKENS = 600
# Edges of pages (16), chunks, windows (24) and segments of attention (256).
POSITIONS = [0, 1, 2, 7, 14, 15, 16, 17, 22, 23, 24, 25, 26, 31, 32, 33, 47, 48, 63, 64, 127, 128, 254, 255, 256, 257, 280, 281,
             511, 512, 598, 599]
GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def mix(x):
    """The finaliser of SplitMix64, of an array of uint64."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def words(seed, stream, n):
    """n random words: a counter under (seed, stream)."""
    start = mix(np.array([(seed * GOLDEN + stream) & MASK], dtype=np.uint64))
    with np.errstate(over="ignore"):
        return mix(start + np.arange(n, dtype=np.uint64) * np.uint64(GOLDEN))


def values(seed, stream, n, scale, offset):
    """Float32 of 24 bits each, even in offset + [-scale, scale); one product and one sum, each rounded."""
    whole = (words(seed, stream, n) >> np.uint64(40)).astype(np.int64) - (1 << 23)
    return (whole.astype(np.float32) * np.float32(2.0**-23)) * np.float32(scale) + np.float32(offset)


def digest(arrays):
    """Of the float32 of all tensors, in order: the sum of mixed words under counters of (tensor, element)."""
    total = 0
    for stream, array in enumerate(arrays, 1):
        bits = array.reshape(-1).view(np.uint32).astype(np.uint64)
        with np.errstate(over="ignore"):
            counter = (np.uint64(stream << 32) + np.arange(bits.size, dtype=np.uint64)) * np.uint64(GOLDEN)
            total += int(mix(bits + counter).sum(dtype=np.uint64))
    return f"{total & MASK:016x}"


def spread(deviation):
    """The dyadic scale whose values have about this deviation."""
    return round(deviation * math.sqrt(3) * 256) / 256


class Tiny:
    """A tiny model: its GGUF metadata and tensors, and the transformers model of the same weights."""

    def __init__(self, name, arch, seed, *, width=64, heads=4, kv_heads=2, head_dim=16, hidden=96, layers=3, tied=True,
                 biases=(), head_norms=False, after_norms=False, base=10000.0, epsilon=1e-5, extra=(), factors=None, config=None,
                 mutants=()):
        self.name, self.arch, self.seed = name, arch, seed
        self.width, self.heads, self.kv_heads, self.head_dim, self.hidden, self.layers = width, heads, kv_heads, head_dim, hidden, layers
        self.tied, self.biases, self.head_norms, self.after_norms = tied, biases, head_norms, after_norms
        self.vocabulary, self.base, self.epsilon = 160, base, epsilon
        self.factors, self.config_of, self.mutants = factors, config, mutants
        self.tensors = []
        self.arrays = {}
        self.metadata = [["general.architecture", "string", arch], ["general.name", "string", name]]
        for key, kind, value in [("block_count", "u32", layers), ("context_length", "u32", 1024), ("embedding_length", "u32", width),
                                 ("feed_forward_length", "u32", hidden), ("attention.head_count", "u32", heads),
                                 ("attention.head_count_kv", "u32", kv_heads), ("attention.key_length", "u32", head_dim),
                                 ("attention.value_length", "u32", head_dim), ("attention.layer_norm_rms_epsilon", "f32", epsilon),
                                 ("rope.freq_base", "f32", base), *extra]:
            self.metadata.append([f"{arch}.{key}", kind, value])
        self.make_tensors()

    def add(self, name, dims, scale, offset=0.0):
        n = math.prod(dims)
        self.arrays[name] = values(self.seed, len(self.tensors) + 1, n, scale, offset).reshape(dims[::-1])
        self.tensors.append([name, dims, scale, offset])

    def make_tensors(self):
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        matrix = lambda name, k, rows, deviation: self.add(name, [k, rows], spread(deviation / math.sqrt(k)))
        norm = lambda name, n, around=1.0: self.add(name, [n], 0.25, around)
        matrix("token_embd.weight", self.width, self.vocabulary, 2.0 if self.tied else 8.0)
        norm("output_norm.weight", self.width)
        if not self.tied:
            matrix("output.weight", self.width, self.vocabulary, 2.0)
        if self.factors is not None:
            self.arrays["rope_freqs.weight"] = np.array(self.factors, dtype=np.float32)
            self.tensors.append(["rope_freqs.weight", [len(self.factors)], [float(x) for x in self.arrays["rope_freqs.weight"]]])
        for layer in range(self.layers):
            block = f"blk.{layer}."
            norm(block + "attn_norm.weight", self.width)
            matrix(block + "attn_q.weight", self.width, q, 1.5)
            matrix(block + "attn_k.weight", self.width, kv, 1.5)
            matrix(block + "attn_v.weight", self.width, kv, 1.0)
            matrix(block + "attn_output.weight", q, self.width, 1.0)
            for part in self.biases:
                self.add(block + part + ".bias", [{"attn_q": q, "attn_output": self.width}.get(part, kv)], 0.5)
            if self.head_norms:
                norm(block + "attn_q_norm.weight", self.head_dim, 1.5)
                norm(block + "attn_k_norm.weight", self.head_dim, 1.5)
            if self.after_norms:
                norm(block + "post_attention_norm.weight", self.width)
            norm(block + "ffn_norm.weight", self.width)
            matrix(block + "ffn_gate.weight", self.width, self.hidden, 1.5)
            matrix(block + "ffn_up.weight", self.width, self.hidden, 1.0)
            matrix(block + "ffn_down.weight", self.hidden, self.width, 1.0)
            if self.after_norms:
                norm(block + "post_ffw_norm.weight", self.width)

    def tokens(self):
        return [int(word % self.vocabulary) for word in words(self.seed, 0, TOKENS)]

    def state(self):
        """The weights by the names and in the order of transformers."""
        parts = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
                 "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
                 "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
                 "ffn_norm": "post_attention_layernorm"}
        if self.after_norms:
            parts |= {"post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
                      "post_ffw_norm": "post_feedforward_layernorm"}
        state = {}
        for name, array in self.arrays.items():
            if name == "rope_freqs.weight":
                continue  # computed by the model itself
            *block, part, kind = name.split(".")
            if self.arch == "llama" and part in ("attn_q", "attn_k"):  # stored with pairs side by side
                heads = self.heads if part == "attn_q" else self.kv_heads
                array = array.reshape(heads, self.head_dim // 2, 2, -1).swapaxes(1, 2).reshape(array.shape)
            if self.arch == "gemma3" and part.endswith("norm"):
                array = array - np.float32(1.0)
            if block:
                state[f"model.layers.{block[1]}.{parts[part]}.{kind}"] = array
            else:
                state[{"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
                       "output.weight": "lm_head.weight"}[name]] = array
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()}

    def logits(self, mutant=None):
        """Float32 [600, vocabulary]; `mutant` may change (config, state) before and returns what to call on the model, or None."""
        config, cls = self.config_of(self)
        state = self.state()
        after = mutant(config, state) if mutant is not None else None
        config._attn_implementation = "eager"
        model = cls(config).to(torch.float32).eval()
        missing, unexpected = model.load_state_dict(state, strict=False)
        missing = [name for name in missing if not (self.tied and name == "lm_head.weight")]
        if missing or unexpected:
            sys.exit(f"{self.name}: missing {missing}, unexpected {unexpected}")
        model.tie_weights()
        if after is not None:
            after(model)
        with torch.no_grad():
            return model(torch.tensor([self.tokens()]), use_cache=False).logits[0].numpy()

    def document(self, logits):
        return {"seed": self.seed, "vocabulary": self.vocabulary, "tokens": TOKENS, "metadata": self.metadata, "tensors": self.tensors,
                "digest": digest(self.arrays.values()),
                "positions": POSITIONS, "logits": [[float(f"{x:.8g}") for x in logits[p]] for p in POSITIONS]}

    def write_gguf(self, folder):
        import gguf
        writer = gguf.GGUFWriter(str(folder / f"{self.name}.gguf"), self.arch)
        for key, kind, value in self.metadata[1:]:
            {"string": writer.add_string, "u32": writer.add_uint32, "f32": writer.add_float32}[kind](key, value)
        for name, array in self.arrays.items():
            writer.add_tensor(name, array)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def shape_of(tiny):
    return dict(vocab_size=tiny.vocabulary, hidden_size=tiny.width, intermediate_size=tiny.hidden, num_hidden_layers=tiny.layers,
                num_attention_heads=tiny.heads, num_key_value_heads=tiny.kv_heads, head_dim=tiny.head_dim, max_position_embeddings=1024,
                rms_norm_eps=tiny.epsilon, tie_word_embeddings=tiny.tied)


def llama(**rope):
    def make(tiny):
        parameters = {"rope_type": "default", "rope_theta": tiny.base, **rope}
        return (transformers.LlamaConfig(**shape_of(tiny), rope_parameters=parameters, attention_bias=bool(tiny.biases)),
                transformers.LlamaForCausalLM)

    return make


def qwen(config, cls):
    def make(tiny):
        shape = shape_of(tiny)
        if cls is transformers.Qwen2ForCausalLM:
            del shape["head_dim"]  # always width / heads
        return config(**shape, rope_parameters={"rope_type": "default", "rope_theta": tiny.base}), cls

    return make


def gemma3(tiny):
    keys = {key.split(".", 1)[1]: value for key, _, value in tiny.metadata}
    rope = {"full_attention": {"rope_type": "linear", "factor": keys["rope.scaling.factor"], "rope_theta": tiny.base},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}
    return (transformers.Gemma3TextConfig(**shape_of(tiny), rope_parameters=rope, query_pre_attn_scalar=tiny.head_dim,
                                          sliding_window=keys["attention.sliding_window"],
                                          final_logit_softcapping=keys["final_logit_softcapping"]),
            transformers.Gemma3ForCausalLM)


LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=128)


def llama3_factors(base, dims):
    """What the tensor rope_freqs holds for the scaling of Llama 3.1."""
    low = LLAMA3["original_max_position_embeddings"] / LLAMA3["low_freq_factor"]
    high = LLAMA3["original_max_position_embeddings"] / LLAMA3["high_freq_factor"]
    factors = []
    for i in range(0, dims, 2):
        length = 2 * math.pi * base ** (i / dims)
        smooth = (LLAMA3["original_max_position_embeddings"] / length - LLAMA3["low_freq_factor"]) / (
            LLAMA3["high_freq_factor"] - LLAMA3["low_freq_factor"])
        factors.append(1.0 if length < high else LLAMA3["factor"] if length > low else 1.0 / ((1 - smooth) / LLAMA3["factor"] + smooth))
    return factors


# Mutants: facts that no change of a file can take away.
def gelu_for_silu(config, state):
    config.hidden_act = "gelu_pytorch_tanh"


def silu_for_gelu(config, state):
    config.hidden_activation = "silu"


def exact_gelu(config, state):
    config.hidden_activation = "gelu"


def no_head_norms(config, state):
    def after(model):
        for layer in model.model.layers:
            layer.self_attn.q_norm = layer.self_attn.k_norm = torch.nn.Identity()

    return after


def no_sqrt_of_width(config, state):
    def after(model):
        model.model.embed_tokens.embed_scale.fill_(1.0)

    return after


def norms_without_one(config, state):
    for name in state:
        if name.endswith("norm.weight") and "layernorm" in name:
            state[name] = state[name] - 1.0


def scaled_windows(config, state):
    config.rope_parameters["sliding_attention"] = dict(config.rope_parameters["full_attention"], rope_theta=10000.0)


def yarn_without_size(config, state):
    config.rope_parameters["attention_factor"] = 1.0


def other_scale(config, state):
    config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads + 1


YARN = [("rope.scaling.type", "string", "yarn"), ("rope.scaling.factor", "f32", 4.0),
        ("rope.scaling.original_context_length", "u32", 256)]
MODELS = [
    Tiny("llama", "llama", 11, config=llama(), mutants=[gelu_for_silu]),
    Tiny("llama-biased", "llama", 12, tied=False, biases=("attn_q", "attn_k", "attn_v", "attn_output"), config=llama()),
    Tiny("llama3", "llama", 13, factors=llama3_factors(10000.0, 16), config=llama(rope_type="llama3", **LLAMA3)),
    Tiny("llama-linear", "llama", 14, extra=[("rope.scaling.type", "string", "linear"), ("rope.scaling.factor", "f32", 4.0)],
         config=llama(rope_type="linear", factor=4.0)),
    Tiny("llama-yarn", "llama", 15, extra=YARN, config=llama(rope_type="yarn", factor=4.0, original_max_position_embeddings=256),
         mutants=[yarn_without_size]),
    Tiny("qwen2", "qwen2", 16, base=1e6, epsilon=1e-6, biases=("attn_q", "attn_k", "attn_v"),
         config=qwen(transformers.Qwen2Config, transformers.Qwen2ForCausalLM), mutants=[gelu_for_silu]),
    Tiny("qwen3", "qwen3", 17, base=1e6, epsilon=1e-6, head_dim=24, head_norms=True, tied=False,
         config=qwen(transformers.Qwen3Config, transformers.Qwen3ForCausalLM), mutants=[gelu_for_silu, no_head_norms]),
    Tiny("gemma3", "gemma3", 18, base=1e6, epsilon=1e-6, heads=4, kv_heads=1, layers=7, head_norms=True, after_norms=True,
         extra=[("attention.sliding_window", "u32", 24), ("rope.scaling.type", "string", "linear"), ("rope.scaling.factor", "f32", 8.0),
                ("final_logit_softcapping", "f32", 8.0)],
         config=gemma3, mutants=[silu_for_gelu, exact_gelu, no_head_norms, no_sqrt_of_width, norms_without_one, scaled_windows,
                                 other_scale]),
]


def check(path, document):
    """What differs from the stored file."""
    stored = json.loads(path.read_text())
    wrong = [key for key in document if key != "logits" and stored[key] != json.loads(json.dumps(document[key]))]
    worst = float(np.abs(np.array(stored["logits"]) - np.array(document["logits"])).max())
    return wrong + ([f"logits, by {worst}"] if worst > 1e-6 else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--gguf", type=pathlib.Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed = False
    for tiny in MODELS:
        logits = tiny.logits()
        document = tiny.document(logits)
        path = HERE / f"{tiny.name}.json"
        print(f"{tiny.name}: deviation of logits {logits.std():.2f}")
        for mutant in tiny.mutants:
            moved = float(np.abs(tiny.logits(mutant)[POSITIONS] - logits[POSITIONS]).max())
            print(f"  {mutant.__name__}: {moved:.2g}")
            failed |= not moved > 1e-4
        if options.gguf:
            tiny.write_gguf(options.gguf)
        if options.check:
            complaints = check(path, document)
            print("  as stored" if not complaints else f"  differs from {path.name}: {', '.join(complaints)}")
            failed |= bool(complaints)
        else:
            lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in document.items()]
            path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What the samplers must do on 1,000 random rows of logits, by a plain reading of model/logit_rules.h and model/sampler.h.

    sampler_reference.py > sampler_reference.txt      writes the expected values
    sampler_reference.py --check sampler_reference.txt

A line a row: FNV-1a of the bits of the logits after each rule alone and after all of them, then the token drawn with each sampler
alone and with all; "-" where rounding of the weights may decide. The random numbers are those of sampler_reference_test.cc.
"""
import math
import struct
import sys

ROWS = 1000
ENDS = (0, 2)          # end tokens of the tiny vocabulary
NEWLINE = 13           # its token of "\n", the one breaker
NEAR = 1e-5            # how near a border the rounding of weights may decide
RULES = ("repetition_penalty", "presence_penalty", "frequency_penalty", "logit_bias", "tokens_min", "dry")
CUTS = ("typical_p", "top_k", "top_p", "min_p", "temperature")


def f32(x):
    try:
        return struct.unpack("<f", struct.pack("<f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


class Random:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self.state >> 8) % n


def philox_uniform(seed, choice, index):
    counter, key = [index, choice, 0, 0], [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(p1 >> 32) ^ counter[1] ^ key[0], p1 & 0xFFFFFFFF, (p0 >> 32) ^ counter[3] ^ key[1], p0 & 0xFFFFFFFF]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return (counter[0] >> 8) * 2.0**-24


def make_row(number):
    random = Random(number * 2654435761 & 0xFFFFFFFF)
    size = 120 + random.below(160)
    coarse = random.below(4) == 0  # many ties
    logits = [(random.below(33) - 16) * 0.5 if coarse else (random.below(1 << 24) - (1 << 23)) * 2.0**-20 for _ in range(size)]
    token = lambda: NEWLINE if random.below(8) == 0 else 100 + random.below(10)
    prompt = [token() for _ in range(1 + random.below(20))]
    answer = [token() for _ in range(random.below(40))]
    ask = {
        "repetition_penalty": (32 + random.below(96)) / 64,
        "presence_penalty": (random.below(257) - 128) / 64,
        "frequency_penalty": (random.below(257) - 128) / 64,
        "logit_bias": [(random.below(size // 3) * 3 + k, (random.below(401) - 200) / 8) for k in range(3)],
        "tokens_min": random.below(60),
        "dry": ((1 + random.below(16)) / 8, 1 + random.below(64) / 32, random.below(4), random.below(2) * random.below(40)),
        "typical_p": (1 + random.below(63)) / 64,
        "top_k": 1 + random.below(20),
        "top_p": (1 + random.below(63)) / 64,
        "min_p": random.below(32) / 64,
        "temperature": (8 + random.below(56)) / 16,
    }
    return logits, prompt, answer, ask


def apply_dry(x, prompt, answer, multiplier, base, allowed, last):
    tokens = prompt + answer
    if last:
        tokens = tokens[-last:]
    runs = {}
    for at in range(1, len(tokens)):  # tokens[at] stood behind the run that ends before it
        run = 0
        while run < at and tokens[at - 1 - run] == tokens[-1 - run] and tokens[-1 - run] != NEWLINE:
            run += 1
        if run >= max(1, allowed) and tokens[at] != NEWLINE:
            runs[tokens[at]] = max(run, runs.get(tokens[at], 0))
    for token, run in runs.items():
        penalty = multiplier
        for _ in range(min(run - allowed, 255)):
            penalty *= base
        x[token] = f32(x[token] - min(penalty, 1e30))


def apply_rules(logits, prompt, answer, ask):
    x = list(logits)
    if len(answer) < ask.get("tokens_min", 0):
        for end in ENDS:
            x[end] = -math.inf
    for token, value in ask.get("logit_bias", ()):
        x[token] = f32(x[token] + value)
    for token in sorted(set(prompt + answer)):
        penalty = ask.get("repetition_penalty", 1.0)
        x[token] = f32(x[token] / penalty) if x[token] > 0 else f32(x[token] * penalty)
    for token in sorted(set(answer)):
        x[token] = f32(x[token] - f32(ask.get("frequency_penalty", 0.0) * answer.count(token)))
        x[token] = f32(x[token] - ask.get("presence_penalty", 0.0))
    if "dry" in ask:
        apply_dry(x, prompt, answer, *ask["dry"])
    return x


def keep_mass(kept, weight, share, order):
    """The first of `order` while the mass before them is below the share; and whether rounding may decide otherwise."""
    order = sorted(kept, key=lambda i: (order(i), i))
    total = sum(weight[i] for i in order)
    mass, count, near = 0.0, 0, False
    while count < len(order) and (count == 0 or mass < share * total):
        mass += weight[order[count]]
        count += 1
        near = near or abs(mass - share * total) < NEAR * total
    return order[:count], near, order


def draw(x, ask, u):
    temperature = ask.get("temperature", 1.0)
    most = max(x)
    distance = [(most - v) / temperature for v in x]
    weight = [math.exp(-d) for d in distance]
    near = False
    kept = [i for i in range(len(x)) if weight[i] > 0]
    if "min_p" in ask:
        near = near or any(abs(weight[i] - ask["min_p"]) < NEAR for i in kept)
        kept = [i for i in kept if weight[i] >= ask["min_p"]]
    if "top_k" in ask:
        kept = sorted(kept, key=lambda i: (-x[i], i))[: ask["top_k"]]
    if "typical_p" in ask:
        mean = sum(weight[i] * distance[i] for i in kept) / sum(weight[i] for i in kept)
        off = lambda i: abs(distance[i] - mean)
        chosen, close, order = keep_mass(kept, weight, ask["typical_p"], off)
        near = near or close
        # The mean is a sum of weights too: neighbours at the border may change places, unless they are the same logit.
        if len(chosen) < len(order):
            a, b = order[len(chosen) - 1], order[len(chosen)]
            near = near or (x[a] != x[b] and abs(off(a) - off(b)) < NEAR)
        kept = chosen
    if "top_p" in ask:
        kept, close, _ = keep_mass(kept, weight, ask["top_p"], lambda i: -x[i])
        near = near or close
    total, mass = sum(weight[i] for i in kept), 0.0
    token = None
    for i in sorted(kept):
        mass += weight[i]
        near = near or abs(mass - u * total) < NEAR * total
        if token is None and mass > u * total:
            token = i
    return "-" if near or token is None else str(token)


def fnv1a(hash_, values):
    for value in values:
        for byte in struct.pack("<f", value):
            hash_ = (hash_ ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return hash_


def line(number):
    logits, prompt, answer, ask = make_row(number)
    u = philox_uniform(number * 7919, 3, len(answer))
    hash_, drawn = 0xCBF29CE484222325, []
    for names in [(rule,) for rule in RULES] + [(cut,) for cut in CUTS] + [RULES + CUTS]:
        asked = {name: ask[name] for name in names}
        x = apply_rules(logits, prompt, answer, asked)
        hash_ = fnv1a(hash_, x)
        drawn.append(draw(x, asked, u))
    return f"{hash_:016x} " + " ".join(drawn)


def main():
    lines = [line(number) for number in range(ROWS)]
    if sys.argv[1:2] != ["--check"]:
        print("\n".join(lines))
        return 0
    with open(sys.argv[2], encoding="utf-8") as file:
        stored = file.read().splitlines()
    wrong = [number for number in range(max(len(lines), len(stored))) if lines[number : number + 1] != stored[number : number + 1]]
    print(f"{len(lines)} rows, {len(wrong)} of them stored otherwise" + (f", the first is row {wrong[0]}" if wrong else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

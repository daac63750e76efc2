"""Makes sim/VALIDATION.md and its plots: how far the simulator is from the truth, and what it is good for.

  scripts/validation.py [--spillway build/release/spillway] [--profiles DIR] [--parts truth,cluster,speed,moves] [--seeds 20]

`--profiles` is a folder with measured profiles and the real run beside them (RTX4090/, workload.jsonl); without it that part is
left as it was. Each part writes sim/validation/PART.json, and the document is made of all that are there, so that one part can be
made anew. Timings in it are of the machine that ran it.

`cluster` runs a real cluster for some 40 minutes; every run of it is kept in --work and not run again, so it may be interrupted.
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import validation_cluster  # noqa: E402, beside this file

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "sim" / "validation"
COLOURS = ["#2a6fbb", "#c8553d", "#3a8f5c", "#8a5fb0", "#b5892c", "#5f6b76", "#c26aa0"]
# 97.5 % quantiles of Student's t for 1 to 20 degrees of freedom
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
           2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]


def run_json(command):
    print("+", " ".join(str(word) for word in command), file=sys.stderr)
    done = subprocess.run([str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"validation: {command[0]} ended with {done.returncode}")
    return json.loads(done.stdout)


def write_part(name, value):
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def interval(values):
    """Mean and half of the 95 % interval."""
    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return mean, float("nan")
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    return mean, spread * (STUDENT[n - 2] if n - 2 < len(STUDENT) else 1.96)


# Plots: small SVG files, readable on light and dark pages.

def svg(title, x_name, y_name, series, width=640, height=320, bars=False):
    """series: [(name, [(x, y), ...])]; of bars x is a word."""
    left, right, top, bottom = 64, 150, 34, 44
    w, h = width - left - right, height - top - bottom
    ys = [y for _, points in series for _, y in points]
    y_max = max(ys + [0]) * 1.08 or 1
    words = []
    for _, points in series:
        for x, _ in points:
            if x not in words:
                words.append(x)
    if not bars:
        xs = [x for _, points in series for x, _ in points]
        x_min, x_max = min(xs), max(xs)
        x_max = x_max if x_max > x_min else x_min + 1
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="20" font-size="14" font-weight="bold" fill="#222">{title}</text>',
    ]
    for i in range(5):
        value = y_max * i / 4
        y = top + h - h * i / 4
        out.append(f'<line x1="{left}" x2="{left + w}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{value:.3g}</text>')
    out.append(f'<text x="14" y="{top + h / 2:.0f}" transform="rotate(-90 14 {top + h / 2:.0f})" text-anchor="middle" fill="#555">{y_name}</text>')
    out.append(f'<text x="{left + w / 2:.0f}" y="{height - 8}" text-anchor="middle" fill="#555">{x_name}</text>')
    for number, (name, points) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        if bars:
            slot = w / len(words)
            wide = slot * 0.8 / len(series)
            for x, y in points:
                at = left + words.index(x) * slot + slot * 0.1 + number * wide
                tall = h * y / y_max
                out.append(f'<rect x="{at:.1f}" y="{top + h - tall:.1f}" width="{wide * 0.92:.1f}" height="{tall:.1f}" fill="{colour}"/>')
        else:
            line = " ".join(f"{left + w * (x - x_min) / (x_max - x_min):.1f},{top + h - h * y / y_max:.1f}" for x, y in points)
            out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<rect x="{left + w + 14}" y="{top + 20 * number}" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{left + w + 30}" y="{top + 20 * number + 9}" fill="#333">{name}</text>')
    if bars:
        slot = w / len(words)
        for i, word in enumerate(words):
            out.append(f'<text x="{left + (i + 0.5) * slot:.1f}" y="{top + h + 16}" text-anchor="middle" fill="#555">{word}</text>')
    else:
        for i in range(5):
            value = x_min + (x_max - x_min) * i / 4
            out.append(f'<text x="{left + w * i / 4:.1f}" y="{top + h + 16}" text-anchor="middle" fill="#555">{value:.3g}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def plot(name, *args, **more):
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(svg(*args, **more))


# The parts.

def truth(options):
    profiles = pathlib.Path(options.profiles)
    workload = next(iter(sorted(profiles.glob("*.jsonl"))), None)
    folder = profiles / "RTX4090"
    if workload is None or not folder.is_dir():
        raise SystemExit(f"validation: {profiles}: want a folder RTX4090 and a workload *.jsonl beside it")
    write_part("truth", run_json([options.spillway, "sim", "validate", folder, "--workload", workload, "--json"]))


def speed(options):
    rows = []
    for nodes, seconds, warm_up in ((100, 120, 30), (1000, 60, 30), (10_000, 16, 11)):
        row = run_json([options.spillway, "sim", "speed", "--nodes", nodes, "--seconds", seconds, "--warm-up", warm_up, "--json"])
        row["nodes"] = nodes
        rows.append(row)
    write_part("speed", rows)


PLACEMENTS = ["additive", "round_robin", "least_requests", "power_of_two", "cache_aware", "dynamo", "preble"]
ROADS = {
    "no moves": "[spill]\nenabled = false\n",
    "recompute": "[spill]\nbandwidth = \"1kB/s\"\n",
    "moves": "",
}


def moves(options):
    """The burst scenario: every placement without moves, then the best of them with recomputing and with moves."""
    text = (ROOT / "sim/scenarios/burst-cluster.toml").read_text()
    rows = []
    with tempfile.TemporaryDirectory() as folder:

        def sweep(road, policies):
            file = pathlib.Path(folder) / (road.replace(" ", "-") + ".toml")
            file.write_text(text + "\n" + ROADS[road])
            told = run_json([options.spillway, "sim", "sweep", file, "--scenario", ROOT / "sim/scenarios/burst.toml", "--policy", ",".join(policies),
                             "--seeds", options.seeds, "--json"])
            for point in told["points"]:
                for seed, figures in enumerate(point["by_seed"], 1):
                    rows.append({"road": road, "policy": point["policy"], "seed": seed} |
                                {key: figures[key] for key in ("ttft_p99_ms", "tpot_p99_ms", "goodput_rps", "good_share", "moves", "moved_bytes")})
            return {point["policy"]: point["goodput_rps"]["mean"] for point in told["points"]}

        goodput = sweep("no moves", PLACEMENTS)
        best = max(PLACEMENTS, key=lambda policy: goodput[policy])
        for road in ("recompute", "moves"):
            sweep(road, [best])
    write_part("moves", {"best": best, "rows": rows})


def cluster(options):
    write_part("cluster", validation_cluster.run(options, ROOT))


PARTS = {"truth": truth, "cluster": cluster, "speed": speed, "moves": moves}


# The document.

def read_part(name):
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def truth_text(part):
    lines = ["| figure | real | simulated | difference | target |", "|---|---|---|---|---|"]
    bars = {"real": [], "simulated": []}
    for key, name in (("ttft_ms", "TTFT"), ("tpot_ms", "TPOT"), ("e2e_ms", "E2E")):
        for which in ("mean", "p50", "p90", "p99"):
            f = part[key][which]
            target = "within 2 %" if which == "mean" else ""
            lines.append(f"| {name} {which} (ms) | {f['real']:.1f} | {f['sim']:.1f} | {f['diff_percent']:+.2f} % | {target} |")
        bars["real"].append((name + " p99 / mean", part[key]["p99"]["real"] / part[key]["mean"]["real"]))
        bars["simulated"].append((name + " p99 / mean", part[key]["p99"]["sim"] / part[key]["mean"]["sim"]))
    lines.append(f"| E2E of each request, mean absolute error | | | {part['e2e_mape_percent']:.2f} % | within 2 % |")
    plot("truth", "Tails against means: a real engine and the simulator", "", "P99 / mean", list(bars.items()), bars=True)
    return ("## A real engine\n\nA run of vLLM 0.19 on an RTX 4090, 300 requests under heavy pressure on KV memory. The batcher of production, "
            "configured as that engine was, in virtual time; step times from measured tables. Of the real run only the arrivals are read.\n\n"
            + "\n".join(lines) + f"\n\n{part['preemptions']} preemptions, {part['steps']} steps.\n\n![tails](validation/truth.svg)\n")


def speed_text(part):
    lines = ["| nodes | requests a minute | of them loaded | peak memory | blocks allocated | prefix hits / lookups | reports | flows | steps | of them jumped | mean KV use |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in part:
        lines.append(f"| {row['nodes']} | {row['requests_per_minute']:,.0f} | {row['loaded_requests_per_minute']:,.0f} | {row['peak_rss_bytes'] / 2**30:.2f} GiB | {row['blocks_allocated']:,} | "
                     f"{row['prefix_hits']:,} / {row['prefix_lookups']:,} | {row['reports']:,} | {row['flows']:,} | {row['steps']:,} | {row['jumped']:,} | {row['kv_use_percent']:.0f} % |")
    thousand = max((row["requests_per_minute"] for row in part if row["nodes"] == 1000), default=0)
    verdict = "reached" if thousand >= 1e6 else "missed"
    memory = max((row["peak_rss_bytes"] for row in part if row["nodes"] == 10_000), default=0) / 1e9
    small = "not tried" if memory == 0 else f"{'reached' if memory < 4 else 'missed'}: {memory:.2f} GB"
    return ("## Speed\n\nOne core; blocks, prefix cache, reports and network on. Target: a million requests a minute at 1,000 nodes "
            f"({verdict}) with KV use of 65 to 75 %; 10,000 nodes in under 4 GB ({small}). KV use and the loaded pace "
            "are of the time between a warm-up (30 s; at 10,000 nodes 11 s) and the last arrival.\n\n" + "\n".join(lines) + "\n")


def moves_text(part):
    best, rows = part["best"], part["rows"]
    pick = lambda road, policy, key: [r[key] for r in sorted(rows, key=lambda r: r["seed"]) if r["road"] == road and r["policy"] == policy]
    mean = lambda road, policy, key: interval(pick(road, policy, key))[0]
    lines = ["| | TTFT P99 (ms) | goodput (requests/s) | within the objectives | moves |", "|---|---|---|---|---|"]
    policies = [p for p in PLACEMENTS if pick("no moves", p, "moves")]
    for road, policy in [("no moves", p) for p in policies] + [("recompute", best), ("moves", best)]:
        t, g = interval(pick(road, policy, "ttft_p99_ms")), interval(pick(road, policy, "goodput_rps"))
        lines.append(f"| {road}, {policy} | {t[0]:,.0f} ± {t[1]:,.0f} | {g[0]:.2f} ± {g[1]:.2f} | {mean(road, policy, 'good_share') * 100:.1f} % | "
                     f"{mean(road, policy, 'moves'):,.0f} |")
    lines += ["", "| moves against | TTFT P99 (ms) | goodput (requests/s) | interval excludes 0 |", "|---|---|---|---|"]
    quickest = min(policies, key=lambda policy: mean("no moves", policy, "ttft_p99_ms"))
    for road, policy in [("no moves", best)] + ([("no moves", quickest)] if quickest != best else []) + [("recompute", best)]:
        differences = {}
        for key in ("ttft_p99_ms", "goodput_rps"):
            differences[key] = interval([a - b for a, b in zip(pick("moves", best, key), pick(road, policy, key))])
        verdict = ", ".join(f"{name}: {'yes' if abs(d[0]) > d[1] else 'no'}" for name, d in
                            (("TTFT", differences["ttft_p99_ms"]), ("goodput", differences["goodput_rps"])))
        t, g = differences["ttft_p99_ms"], differences["goodput_rps"]
        lines.append(f"| {road} ({policy}) | {t[0]:+,.0f} ± {t[1]:,.0f} | {g[0]:+.2f} ± {g[1]:.2f} | {verdict} |")
    plot("moves", "A tenfold burst on one node: the slowest hundredth of first tokens", "", "TTFT P99 (ms)",
         [(road, [("mean of the seeds", mean(road, best, "ttft_p99_ms"))]) for road in ROADS], bars=True)
    seeds = len({r["seed"] for r in rows})
    return (f"## Moving\n\nSixteen nodes, one of which has ten times its share of running streams when a flood of requests begins "
            f"(`sim/scenarios/burst.toml`), {seeds} seeds, the same limits for all; differences are taken seed by seed. Of all placements without moves "
            f"`{best}` has the best goodput and `{quickest}` the least TTFT. \"Recompute\" is the planner with links too slow to carry anything: a stream that "
            "leaves is computed again elsewhere. Targets: moves are better than both, intervals without 0.\n\n"
            + "\n".join(lines) + "\n\n![burst](validation/moves.svg)\n")


def cluster_text(part):
    return validation_cluster.text(part, plot)


TEXTS = {"truth": truth_text, "cluster": cluster_text, "moves": moves_text, "speed": speed_text}


MISSING = {
    "truth": "the run of a real engine",
    "cluster": "our own cluster at 30, 55 and 80 % load against what is predicted for it",
    "moves": "a burst with and without moves",
    "speed": "requests simulated a minute",
}


def document():
    text = ("# How far the simulator is from the truth\n\nMade by `scripts/validation.py`; figures in `validation/`. Intervals are 95 %, by Student's t.\n\n")
    for name, write in TEXTS.items():
        part = read_part(name)
        if part is not None:
            text += write(part) + "\n"
    missing = [f"- {what}: `--parts {name}`\n" for name, what in MISSING.items() if read_part(name) is None]
    if missing:
        text += "## Not measured yet\n\n" + "".join(missing) + "\n"
    text += ("The closed forms of queueing (M/M/1, M/D/1, M/G/1, Little's law) are tests: `tests/sim/cluster_queue_test.cc`.\n")
    (ROOT / "sim" / "VALIDATION.md").write_text(text.rstrip() + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spillway", default=str(ROOT / "build/release/spillway"))
    parser.add_argument("--profiles", default=os.environ.get("SPILLWAY_PROFILES", ""))
    parser.add_argument("--parts", default="")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--work", default=str(ROOT / "build/validation"), help="folder of the runs of `cluster`")
    parser.add_argument("--fresh", action="store_true", help="run those again that are there")
    parser.add_argument("--nice", type=int, default=-10, help="of the processes that `cluster` measures, where that is allowed")
    parser.add_argument("--shrink", type=int, default=1, help="that many times fewer requests, to try `cluster`")
    options = parser.parse_args()
    wanted = [part for part in options.parts.split(",") if part] or [p for p in PARTS if p != "truth" or options.profiles]
    for part in wanted:
        if part not in PARTS:
            parser.error(f"{part} is no part: want some of {', '.join(PARTS)}")
        PARTS[part](options)
    document()


main()

"""The part `cluster` of scripts/validation.py: real processes on loopback with paced devices, against what the simulator says of them.

Every run is a folder of `--work`; one that is complete is not run again, so what was interrupted goes on where it ended. What is
simulated is made anew each time.
"""
import csv
import json
import math
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

POLICIES = ["additive", "cache_aware", "power_of_two", "round_robin"]
DEFAULT = POLICIES[0]
LOADS = [30, 55, 80]
REQUESTS = {30: 2300, 55: 3200, 80: 5000}
SATURATE = {"policy": "round_robin", "rate": 60.0, "requests": 2000}
WARM_UP_S = 10
FINISHED_MIN = 2000
SEED_A, SEED_B, SEED_SATURATE = 1, 2, 3
CALIBRATED_AT = 55
BATCHES = 20
STUDENT_19 = 2.093  # 97.5 %
ROUNDS = 5


def write_workload(path, seed, rate, count):
    """Poisson arrivals: chat in 24 groups with a long prompt in common, and captions in 6 languages with a glossary."""
    draw = random.Random(seed)
    at = 0.0
    with open(path, "w") as out:
        for _ in range(count):
            at += draw.expovariate(rate)
            if draw.random() < 0.6:
                row = {"tenant": "chat", "class": "interactive"}
                first, shared, own, answer = 1000 * draw.randrange(24), 40, draw.randint(20, 140), draw.randint(8, 32)
            else:
                row = {"tenant": "captions", "class": "live"}
                first, shared, own, answer = 1_000_000 + 1000 * draw.randrange(6), 8, draw.randint(20, 80), draw.randint(6, 18)
            row.update(arrival_ns=int(at * 1e9), input_tokens=16 * shared + own, output_tokens=answer, block_tokens=16,
                       blocks=list(range(first, first + shared)))
            out.write(json.dumps(row) + "\n")


class Bench:
    def __init__(self, options, root):
        self.spillway = pathlib.Path(options.spillway).resolve()
        self.cluster = (root / "sim/scenarios/loopback-cluster.toml").read_text()
        self.work = pathlib.Path(options.work).resolve()
        self.shrink = options.shrink
        self.nice = options.nice
        self.warm_up = WARM_UP_S if self.shrink == 1 else 1
        if options.fresh:
            shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True, exist_ok=True)

    def first(self):
        """Words before a command that is measured: before what else the machine does, where that is allowed."""
        return ["nice", "-n", str(self.nice)] if os.geteuid() == 0 and self.nice != 0 else []

    def prepare(self, name, policy, seed, rate, requests):
        folder = self.work / name
        folder.mkdir(exist_ok=True)
        count = max(60, requests // self.shrink)
        wanted = {"policy": policy, "seed": seed, "rate": rate, "requests": count, "cluster": self.cluster}
        asked = folder / "asked.json"
        if not asked.exists() or json.loads(asked.read_text()) != wanted:
            shutil.rmtree(folder)
            folder.mkdir()
            (folder / "cluster.toml").write_text(self.cluster + f'\n[placement]\npolicy = "{policy}"\n')
            write_workload(folder / "workload.jsonl", seed, rate, count)
            asked.write_text(json.dumps(wanted))
        return folder

    def measure(self, name, policy, seed, rate, requests, warm_up=None):
        """Runs it on the cluster. The folder of the run."""
        folder = self.prepare(name, policy, seed, rate, requests)
        warm_up = self.warm_up if warm_up is None else warm_up
        if (folder / "load.json").exists():
            return folder
        print(f"+ {name}: {requests // self.shrink} requests at {rate:.2f}/s", file=sys.stderr, flush=True)
        with open(folder / "up.log", "w") as log:
            up = subprocess.Popen(self.first() + [self.spillway, "up", folder / "cluster.toml", "--json"], stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                if '"ready"' not in up.stdout.readline():
                    raise SystemExit(f"validation: {name}: the cluster did not start: see {folder / 'up.log'}")
                time.sleep(1)
                load = subprocess.run(self.first() + [self.spillway, "load", folder / "workload.jsonl", "--config", folder / "cluster.toml", "--warm-up",
                                      str(warm_up), "--report", folder / "report", "--json"], stdout=subprocess.PIPE, stderr=log, text=True)
            finally:
                up.terminate()
                up.wait()
        if load.returncode != 0:
            raise SystemExit(f"validation: {name}: load ended with {load.returncode}: see {folder / 'up.log'}")
        told = json.loads(load.stdout)
        if not told["valid"]:
            raise SystemExit(f"validation: {name}: the sender was late, P99 {told['send_lag_ms']['p99']:.1f} ms: the machine does too much else; run it again")
        (folder / "load.json").write_text(load.stdout)
        return folder

    def simulate(self, folder, calibration):
        """The same requests in virtual time. Rows of requests."""
        scenario = folder / "calibration.toml"
        scenario.write_text("version = 1\n\n[network]\nclient_latency = \"%dus\"\n\n[[types]]\nnodes = [\"all\"]\nstep_overhead = \"%dus\"\n" % calibration)
        subprocess.run([self.spillway, "sim", "run", folder / "cluster.toml", "--scenario", scenario, "--trace", folder / "workload.jsonl", "--format",
                        "native", "--report", folder / "predicted", "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return self.rows(folder / "predicted")

    def rows(self, folder):
        """Requests of a run behind the warm-up: (arrival, finished, TTFT, TPOT or None), in ms."""
        rows = []
        with open(folder / "requests.csv") as lines:
            for row in csv.DictReader(lines):
                if float(row["arrival_ms"]) < self.warm_up * 1000:
                    continue
                if row["outcome"] != "finished":
                    rows.append((float(row["arrival_ms"]), False, None, None))
                    continue
                sent, first, end, out = (float(row[key]) for key in ("sent_ms", "first_token_ms", "end_ms", "output_tokens"))
                rows.append((float(row["arrival_ms"]), True, first - sent, (end - first) / (out - 1) if out > 1 else None))
        return sorted(rows)


def quantile(values, share):
    values = sorted(values)
    place = (len(values) - 1) * share
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def figures(rows):
    ttft = [row[2] for row in rows if row[1]]
    tpot = [row[3] for row in rows if row[3] is not None]
    # Means of 20 parts of the run, one after the other: what is near in time is alike, so single requests would promise too much.
    size = len(ttft) / BATCHES
    parts = [ttft[int(i * size):int((i + 1) * size)] for i in range(BATCHES)]
    means = [sum(part) / len(part) for part in parts]
    mean = sum(means) / BATCHES
    half = STUDENT_19 * math.sqrt(sum((m - mean) ** 2 for m in means) / (BATCHES - 1) / BATCHES)
    return {"finished": len(ttft), "unfinished": len(rows) - len(ttft), "ttft_mean": sum(ttft) / len(ttft), "ttft_low": mean - half, "ttft_high": mean + half,
            "ttft_p50": quantile(ttft, 0.5), "ttft_p99": quantile(ttft, 0.99), "tpot_p50": quantile(tpot, 0.5), "tpot_p99": quantile(tpot, 0.99)}


def calibrate(bench, folder):
    """Two numbers that no file tells, from the medians of run A: what a step takes besides the device, and the way of a client."""
    real = figures(bench.rows(folder / "report"))
    latency, overhead = 0.0, 0.0
    for _ in range(ROUNDS):
        told = figures(bench.simulate(folder, (round(latency), round(overhead))))
        overhead = max(0.0, overhead + (real["tpot_p50"] - told["tpot_p50"]) * 1000)
        latency = max(0.0, latency + (real["ttft_p50"] - told["ttft_p50"]) * 1000 / 2)
    return round(latency), round(overhead)


def capacity(folder):
    """Requests a second that are finished when more are sent than can be."""
    with open(folder / "report" / "requests.csv") as lines:
        rows = list(csv.DictReader(lines))
    ends = [float(row["end_ms"]) for row in rows if row["outcome"] == "finished"]
    return len(ends) / (max(ends) - min(float(row["arrival_ms"]) for row in rows)) * 1000


def run(options, root):
    bench = Bench(options, root)
    began = time.monotonic()
    saturated = bench.measure("saturation", SATURATE["policy"], SEED_SATURATE, SATURATE["rate"], SATURATE["requests"], 0)
    whole = capacity(saturated)
    rate = {load: round(whole * load / 100, 2) for load in LOADS}
    calibrated = bench.measure("run-a", DEFAULT, SEED_A, rate[CALIBRATED_AT], REQUESTS[CALIBRATED_AT])
    calibration = calibrate(bench, calibrated)
    runs, repeats = [], []
    for load in LOADS:
        for policy in POLICIES:
            folder = bench.measure(f"{policy}-{load}", policy, SEED_B, rate[load], REQUESTS[load])
            real = figures(bench.rows(folder / "report"))
            if real["finished"] < FINISHED_MIN and bench.shrink == 1:
                raise SystemExit(f"validation: {folder.name}: {real['finished']} requests finished behind the warm-up: want {FINISHED_MIN}")
            runs.append({"policy": policy, "load": load, "rate": rate[load], "measured": real, "predicted": figures(bench.simulate(folder, calibration)),
                         "send_lag_p99_ms": json.loads((folder / "load.json").read_text())["send_lag_ms"]["p99"]})
        # The same once more, of all policies at the highest load.
        for policy in POLICIES if load == LOADS[-1] else [DEFAULT]:
            folder = bench.measure(f"{policy}-{load}-again", policy, SEED_B, rate[load], REQUESTS[load])
            repeats.append({"load": load, "policy": policy,
                            "first": next(r["measured"] for r in runs if r["load"] == load and r["policy"] == policy),
                            "second": figures(bench.rows(folder / "report"))})
    print(f"+ took {(time.monotonic() - began) / 60:.0f} minutes, without what was there before", file=sys.stderr)
    return {"capacity_rps": whole, "client_latency_us": calibration[0], "step_overhead_us": calibration[1], "warm_up_s": bench.warm_up,
            "calibrated_at": CALIBRATED_AT, "runs": runs, "repeats": repeats}


FIGURES = [("ttft_p50", "TTFT P50"), ("ttft_p99", "TTFT P99"), ("tpot_p50", "TPOT P50"), ("tpot_p99", "TPOT P99")]


def off(real, told):
    return (told / real - 1) * 100


def pairs(runs, load):
    """(one, other, separated, simulator agrees) of the policies at this load."""
    at = [r for r in runs if r["load"] == load]
    for i, a in enumerate(at):
        for b in at[i + 1:]:
            low, high = (a, b) if a["measured"]["ttft_mean"] < b["measured"]["ttft_mean"] else (b, a)
            separated = low["measured"]["ttft_high"] < high["measured"]["ttft_low"]
            yield low["policy"], high["policy"], separated, low["predicted"]["ttft_mean"] < high["predicted"]["ttft_mean"]


def text(part, plot):
    runs = part["runs"]
    loads = sorted({r["load"] for r in runs})
    lines = ["| load | policy | finished | " + " | ".join(f"{name}, real (ms) | predicted" for _, name in FIGURES) + " |",
             "|" + "---|" * (3 + 2 * len(FIGURES))]
    within = {True: [0, 0], False: [0, 0]}
    worst = {True: 0.0, False: 0.0}
    for r in runs:
        default = r["policy"] == DEFAULT
        cells = []
        for key, _ in FIGURES:
            error = off(r["measured"][key], r["predicted"][key])
            within[default][0] += abs(error) <= 10
            within[default][1] += 1
            worst[default] = max(worst[default], abs(error))
            cells.append(f"{r['measured'][key]:.1f} | {r['predicted'][key]:.1f} ({error:+.1f} %)")
        lines.append(f"| {r['load']} % | {r['policy']} | {r['measured']['finished']} | " + " | ".join(cells) + " |")
    verdict = "reached" if within[True][0] == within[True][1] else "missed"
    again = ["| load | policy | TTFT P99 (ms) | again | TPOT P99 (ms) | again |", "|---|---|---|---|---|---|"]
    apart = {True: 0.0, False: 0.0}
    for r in part["repeats"]:
        cells = []
        for key in ("ttft_p99", "tpot_p99"):
            default = r["policy"] == DEFAULT
            apart[default] = max(apart[default], abs(off(r["first"][key], r["second"][key])))
            cells.append(f"{r['first'][key]:.1f} | {r['second'][key]:.1f} ({off(r['first'][key], r['second'][key]):+.1f} %)")
        again.append(f"| {r['load']} % | {r['policy']} | " + " | ".join(cells) + " |")
    order = ["| load | by mean TTFT (ms, interval), real | predicted | pairs apart | of them predicted in this order |", "|---|---|---|---|---|"]
    separated, agreed = 0, 0
    for load in loads:
        at = sorted((r for r in runs if r["load"] == load), key=lambda r: r["measured"]["ttft_mean"])
        told = sorted(at, key=lambda r: r["predicted"]["ttft_mean"])
        found = [agrees for _, _, is_apart, agrees in pairs(runs, load) if is_apart]
        separated += len(found)
        agreed += sum(found)
        order.append(f"| {load} % | " + ", ".join(f"{r['policy']} {r['measured']['ttft_mean']:.1f} [{r['measured']['ttft_low']:.1f}, {r['measured']['ttft_high']:.1f}]" for r in at) +
                     " | " + ", ".join(f"{r['policy']} {r['predicted']['ttft_mean']:.1f}" for r in told) + f" | {len(found)} of 6 | {sum(found)} |")
    plot("cluster", "First tokens of our own cluster: P99, real and predicted", "load (%)", "TTFT P99 (ms)",
         [(f"{policy}, {name}", [(r["load"], r[which]["ttft_p99"]) for r in runs if r["policy"] == policy])
          for policy in POLICIES for which, name in (("measured", "real"), ("predicted", "predicted"))], width=720)
    ranking = "reached" if separated >= 6 and agreed == separated else "missed"
    stable = "reached" if apart[True] <= 10 else "missed"
    return (f"## Our own cluster\n\nReal processes on one machine: a router and four workers with paced devices (`sim/scenarios/loopback-cluster.toml`), "
            f"sent to by `spillway load`, open loop. Saturated it finishes {part['capacity_rps']:.1f} requests a second; loads are parts of that. Two numbers are fitted to the "
            f"medians of run A ({DEFAULT}, {part['calibrated_at']} %, requests of its own): {part['step_overhead_us']} us a step besides the device, "
            f"{part['client_latency_us']} us between client and router. Run B has other requests, and nothing of it is read before it is predicted. "
            f"The first {part['warm_up_s']} s of each run are cut; every sender's P99 lag was below {max(r['send_lag_p99_ms'] for r in runs):.1f} ms.\n\n"
            + "\n".join(lines) +
            f"\n\nTarget: within 10 % with the placement that is the default ({verdict}: {within[True][0]} of {within[True][1]}, worst {worst[True]:.1f} %). "
            f"Of the other placements {within[False][0]} of {within[False][1]} figures are, worst {worst[False]:.1f} %.\n\n"
            f"The same run twice, target within 10 % at P99 ({stable}: {apart[True]:.1f} % at most with the default, {apart[False]:.1f} % with others):\n\n" + "\n".join(again) +
            "\n\nNo prediction can be nearer than two runs are to each other, and with `cache_aware` their tails are far apart."
            f"\n\nRanking of four policies by mean TTFT; intervals of 20 parts of a run. Target: at least 6 of 18 pairs apart, and those predicted in "
            f"their order ({ranking}: {separated} apart, {agreed} of them as predicted).\n\n" + "\n".join(order) + "\n\n![first tokens](validation/cluster.svg)\n")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of runs: text for a terminal, Markdown for a page."""
import json
import math
import os
import sys
import time

import methods
from figures import BUDGETS, Figures, quantile
from problem_sets import SETS
from trials import read

GOAL = ("optuna-tpe", 100)  # whose median result is how far the others must get
RATIOS = ("optuna-gp", "wandb-bayes")
BEGIN, END = "<!-- optimizer: begin -->", "<!-- optimizer: end -->"


def number(value):
    if value is None or value != value:
        return "-"
    return f"{value:.2g}" if math.isfinite(value) else "none"


class Table:
    def __init__(self, title, head):
        self.title, self.rows = title, [head]

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def text(self, markdown):
        if markdown:
            lines = ["| " + " | ".join(row) + " |" for row in self.rows]
            lines.insert(1, "|---" * len(self.rows[0]) + "|")
            return f"{self.title}\n\n" + "\n".join(lines) + "\n"
        widths = [max(len(row[column]) for row in self.rows) for column in range(len(self.rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in self.rows]
        return f"{self.title}\n" + "".join(f"    {line}\n" for line in lines)


def ordered(figures):
    """Methods, the best at the largest budget that it has with the lowest log10 first."""
    def key(method):
        full = [budget for budget in (100, 60, 30) if method in figures.complete(budget)]
        return (-full[0], figures.log10(method, full[0])) if full else (0, 0)
    return sorted(figures.methods, key=key)


def who_ran(runs, problems):
    """What each method was: versions, seeds and trials, when; and who is not there."""
    table = Table("What was run, and when:", ["method", "version", "seq: seeds × trials", "8 workers: seeds × trials", "dates",
                                               "ms a trial, wall / processor"])
    for name, method in methods.METHODS.items():
        own = [run for key, run in runs.items() if key[0] == name and key[1] in problems]
        if not own:
            missing = "installed, not run" if methods.command(name) else methods.why_missing(name)
            table.add(method.label, missing, "-", "-", "-", "-")
            continue
        timed = [run for run in own if run["cpu_s"] is not None]
        table.add(method.label, "; ".join(sorted({run["version"] for run in own})), how_much(own, problems, "seq"),
                  how_much(own, problems, "par8"), ", ".join(sorted({run["date"] for run in own})),
                  f"{milliseconds(timed, 'wall_s')} / {milliseconds(timed, 'cpu_s')}" if timed else "-")
    return table


def milliseconds(runs, field):
    value = 1000 * sum(run[field] for run in runs) / sum(run["trials"] for run in runs)
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def how_much(own, problems, mode):
    """`4 × 200, 6 × 100`, of the problem that has the fewest; a set that is not whole says so."""
    found = {}
    for run in own:
        if run["mode"] == mode:
            found.setdefault(run["problem"], []).append(run["trials"])
    if not found:
        return "-"
    fewest = min(found.values(), key=lambda trials: (len(trials), sum(trials)))
    text = ", ".join(f"{fewest.count(trials)} × {trials}" for trials in sorted(set(fewest), reverse=True))
    return text if len(found) == len(problems) else f"{text} ({len(found)} of {len(problems)} problems)"


def aggregate(figures):
    goal_method, goal_trial = GOAL
    goals = figures.goals(*GOAL) if goal_method in figures.complete(goal_trial) else None
    ranks = {budget: figures.mean_ranks(budget) for budget in BUDGETS}
    ranked = ", ".join(f"{len(ranks[budget])} at {budget}" for budget in BUDGETS if ranks[budget])
    table = Table(f"Mean rank and mean log10, {words(figures.mode)} (methods ranked: {ranked}):",
                  ["method", *(f"rank {b}" for b in BUDGETS), *(f"log10 {b}" for b in BUDGETS), "seeds",
                   f"trials to {methods.label(goal_method)} at {goal_trial}"])
    for method in ordered(figures):
        full = [budget for budget in BUDGETS if method in ranks[budget]]
        if not full:
            continue
        longest = max(full)
        reached = figures.trials_to(method, longest, goals) if goals else math.nan
        table.add(methods.label(method), *(f"{ranks[b][method]:.2f}" if b in full else "-" for b in BUDGETS),
                  *(f"{figures.log10(method, b):.2f}" if b in full else "-" for b in BUDGETS),
                  "/".join(str(figures.seeds(method, b)) for b in full),
                  "-" if reached != reached else f"over {longest}" if math.isinf(reached) else f"{reached:g}")
    return table


def words(mode):
    return "one trial after another" if mode == "seq" else f"{mode[3:]} asynchronous workers"


def regrets(figures, budget):
    names = [method for method in ordered(figures) if any(figures.of(method, problem, budget) for problem in figures.problems)]
    table = Table(f"Median regret [quartiles] after {budget} trials, {words(figures.mode)}:",
                  ["problem", *(methods.label(name) for name in names)])
    for problem in figures.problems:
        cells = []
        for name in names:
            values = figures.of(name, problem, budget)
            quartiles = [number(quantile(values, share)) for share in (0.5, 0.25, 0.75)] if values else None
            cells.append("{} [{} {}]".format(*quartiles) if values and len(values) > 1 else quartiles[0] if values else "-")
        table.add(problem, *cells)
    return table


def speed(path):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    found = {(line["method"], line["n"]): line for line in lines}  # the last of a kind
    sizes = sorted({line["n"] for line in lines})
    names = [name for name in methods.METHODS if any(key[0] == name for key in found)]
    dates = ", ".join(sorted({line["date"] for line in lines}))
    table = Table(f"Seconds of a processor for an ask and the tell after it when n results are known, median of "
                  f"{lines[-1]['rounds']} in turn ({lines[-1]['problem']}, one thread, {dates}):", ["method", *(f"n = {size}" for size in sizes)])
    for name in names:
        table.add(methods.label(name), *(seconds(found.get((name, size))) for size in sizes))
    for name in RATIOS:
        cells = [f"{found[name, size]['cpu_s'] / found['besom', size]['cpu_s']:.1f}"
                 if (name, size) in found and ("besom", size) in found else "-" for size in sizes]
        if any(cell != "-" for cell in cells):
            table.add(f"{methods.label(name)} / {methods.label('besom')}", *cells)
    return table


def seconds(line):
    if line is None:
        return "-"
    return f"{line['cpu_s']:.4f}" + (" (once)" if line["rounds"] == 1 else "")


def where():
    """Date and machine of the report; the runs have their own dates."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = {line.partition(":")[2].strip() for line in file if line.startswith("model name")}
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return f"Printed on {today} on {os.cpu_count()} processors ({', '.join(sorted(models)) or 'of unknown model'})."


def tables(options):
    runs = read(options.runs)
    for name in SETS if options.problems == "all" else (options.problems,):
        title, problems = SETS[name]
        if not any(key[1] in problems for key in runs):
            continue
        yield title
        problems = [problem for problem in problems if any(key[1] == problem for key in runs)]
        yield who_ran(runs, problems)
        for mode in sorted({key[2] for key in runs if key[1] in problems}, reverse=True):
            figures = Figures(runs, problems, mode)
            yield aggregate(figures)
            yield regrets(figures, max([b for b in (30, 60, 100) if figures.complete(b)], default=30))
    if options.speed and os.path.exists(options.speed):
        yield "Seconds for a suggestion"
        yield speed(options.speed)


def write(options):
    markdown = options.md or options.into
    parts = []
    for part in tables(options):
        parts.append((f"### {part}\n" if markdown else part.upper() + "\n") if isinstance(part, str) else part.text(markdown))
    text = "\n".join([where() + "\n", *parts])
    if not options.into:
        print(text, end="")
        return 0
    with open(options.into, encoding="utf-8") as file:
        page = file.read()
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        print(f"optimizer: {options.into} does not have one `{BEGIN}` and one `{END}`", file=sys.stderr)
        return 1
    head, _, rest = page.partition(BEGIN)
    with open(options.into, "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")
    return 0

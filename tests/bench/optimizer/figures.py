# SPDX-License-Identifier: GPL-3.0-or-later
"""What is reckoned from runs: regret after some trials, quartiles, ranks over all pairings of seeds, scores, trials to a goal."""
import math
import statistics

BUDGETS = (30, 60, 100, 200)
FLOOR = 1e-4  # a regret is scored as a share of random's, and no share counts as less


def regret_at(run, trial):
    """Infinite before anything succeeded."""
    found = math.inf
    for number, regret in run["regret"]:
        if number > trial:
            break
        found = regret
    return found


def first_at_most(run, goal):
    return next((number for number, regret in run["regret"] if regret <= goal), math.inf)


def quantile(values, share):
    """Linear between neighbours, as usual; infinite where a neighbour is."""
    values = sorted(values)
    place = share * (len(values) - 1)
    below = math.floor(place)
    if below + 1 == len(values) or place == below:
        return values[below]
    return values[below] + (place - below) * (values[below + 1] - values[below])


def chance_of_less(others, mine):
    """Of pairs (other, mine), the share in which the other is less; ties count half."""
    wins = sum((a < b) + (a == b) / 2 for b in mine for a in others)
    return wins / (len(others) * len(mine))


class Figures:
    """All of one set of problems and one mode. `of(method, problem, trial)` lists regrets, one a seed that got so far."""

    def __init__(self, runs, problems, mode):
        self.problems, self.mode = problems, mode
        self.runs = {}
        for (method, problem, its_mode, _), run in sorted(runs.items()):
            if its_mode == mode and problem in problems:
                self.runs.setdefault((method, problem), []).append(run)
        self.reference = {problem: statistics.median([regret_at(run, 30) for key, run in runs.items()
                                                      if key[0] == "random" and key[1] == problem] or [math.nan])
                          for problem in problems}
        self.methods = list(dict.fromkeys(method for method, _ in self.runs))

    def of(self, method, problem, trial):
        return [regret_at(run, trial) for run in self.runs.get((method, problem), []) if run["trials"] >= trial]

    def complete(self, trial):
        """The methods that have each problem with so many trials."""
        return [method for method in self.methods if all(self.of(method, problem, trial) for problem in self.problems)]

    def seeds(self, method, trial):
        return min(len(self.of(method, problem, trial)) for problem in self.problems)

    def mean_ranks(self, trial):
        """For each problem the rank expected when every method draws one of its seeds; the mean over problems."""
        methods, ranks = self.complete(trial), {}
        for method in methods:
            of_problems = [1 + sum(chance_of_less(self.of(other, problem, trial), self.of(method, problem, trial))
                                   for other in methods if other != method) for problem in self.problems]
            ranks[method] = statistics.mean(of_problems)
        return ranks

    def log10(self, method, trial):
        """Mean of log10(regret / random's median at 30), clipped to [-4, 0]."""
        return statistics.mean(
            statistics.mean(math.log10(min(1.0, max(FLOOR, regret / self.reference[problem])))
                            for regret in self.of(method, problem, trial)) for problem in self.problems)

    def trials_to(self, method, trial, goals):
        """Median over problems of the median trial at which a regret is at most the goal; of runs as long as `trial`."""
        medians = []
        for problem in self.problems:
            firsts = [first_at_most(run, goals[problem]) for run in self.runs[method, problem] if run["trials"] >= trial]
            medians.append(statistics.median(firsts))
        return statistics.median(medians)

    def goals(self, method, trial):
        return {problem: statistics.median(self.of(method, problem, trial)) for problem in self.problems}

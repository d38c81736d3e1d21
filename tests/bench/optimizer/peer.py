#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another optimiser behind the protocol of `besom-suggestion --stdio`, run by the Python that has it installed.

    peer.py NAME

One JSON object a line and one in answer: {"op": "init", "space": […], "sweep_config": {…}, "seed": S}, "ask", "tell",
"observe", "quit". Settings are each library's defaults, but for seeds and one thread of computation.
"""
import json
import math
import os
import random
import sys
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
sys.dont_write_bytecode = True
warnings.filterwarnings("ignore")

from spaces import draw_point  # noqa: E402


def version_of(*packages):
    from importlib.metadata import version
    return ", ".join(f"{package} {version(package)}" for package in packages)


class Random:
    version = "-"

    def __init__(self, request):
        self.space, self.random, self.count = request["space"], random.Random(request["seed"]), 0

    def ask(self):
        self.count += 1
        return self.count, draw_point(self.space, self.random)

    def tell(self, number, value):
        pass

    def observe(self, point, value):
        pass


class Optuna:
    """`ask` defines the whole space at once, as Optuna's ask-and-tell does with fixed distributions."""

    def __init__(self, request, sampler, **arguments):
        import optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.optuna, self.version = optuna, version_of("optuna")
        self.distributions = {entry["name"]: self.distribution(entry) for entry in request["space"]}
        chosen = getattr(optuna.samplers, sampler)(seed=request["seed"], **arguments)
        self.study = optuna.create_study(direction="minimize", sampler=chosen)
        self.open = {}

    def distribution(self, entry):
        if entry["type"] == "cat":
            return self.optuna.distributions.CategoricalDistribution(entry["choices"])
        kind = self.optuna.distributions.IntDistribution if entry["type"] == "int" else self.optuna.distributions.FloatDistribution
        return kind(entry["low"], entry["high"], log=entry["log"])

    def ask(self):
        trial = self.study.ask(self.distributions)
        self.open[trial.number] = trial
        return trial.number, trial.params

    def tell(self, number, value):
        trial = self.open.pop(number)
        if value is None:
            self.study.tell(trial, state=self.optuna.trial.TrialState.FAIL)
        else:
            self.study.tell(trial, value)

    def observe(self, point, value):
        state = self.optuna.trial.TrialState
        self.study.add_trial(self.optuna.trial.create_trial(
            params=point, distributions=self.distributions, value=value, state=state.FAIL if value is None else state.COMPLETE))


def optuna_gp(request):
    import torch
    torch.set_num_threads(1)
    return Optuna(request, "GPSampler")


class Wandb:
    """What W&B's server runs for `method: bayes`, its own library. It draws from numpy's one generator."""

    def __init__(self, request):
        import logging
        logging.disable(logging.WARNING)
        import numpy
        import sweeps
        numpy.random.seed(request["seed"] % 2 ** 32)
        random.seed(request["seed"])
        self.sweeps, self.version = sweeps, version_of("sweeps")
        self.file, self.runs = request["sweep_config"], []

    def ask(self):
        run = self.sweeps.next_run(self.file, self.runs)
        point = {key: entry["value"] for key, entry in run.config.items()}
        point = {key: value.item() if hasattr(value, "item") else value for key, value in point.items()}
        run.config = {key: {"value": value} for key, value in point.items()}
        run.state, run.name = self.sweeps.RunState.running, str(len(self.runs))
        self.runs.append(run)
        return len(self.runs) - 1, point

    def tell(self, number, value):
        self.end(self.runs[number], value)

    def end(self, run, value):
        if value is None:
            run.state = self.sweeps.RunState.failed
            return
        run.state, run.history, run.summary_metrics = self.sweeps.RunState.finished, [{"loss": value}], {"loss": value}

    def observe(self, point, value):
        run = self.sweeps.SweepRun(config={key: {"value": entry} for key, entry in point.items()})
        self.end(run, value)
        self.runs.append(run)


class Skopt:
    """Failures are told as the worst value so far, pending points as lies of the mean, since it knows neither."""

    def __init__(self, request):
        import skopt
        from skopt.space import Categorical, Integer, Real
        self.version, self.space = version_of("scikit-optimize"), request["space"]
        dimensions = []
        for entry in self.space:
            if entry["type"] == "cat":
                dimensions.append(Categorical(list(range(len(entry["choices"])))))
            else:
                kind = Integer if entry["type"] == "int" else Real
                dimensions.append(kind(entry["low"], entry["high"], prior="log-uniform" if entry["log"] else "uniform"))
        self.optimizer = skopt.Optimizer(dimensions, random_state=request["seed"] % 2 ** 32)
        self.open, self.values, self.news, self.count = {}, [], [], 0

    def point(self, x):
        return {entry["name"]: entry["choices"][int(v)] if entry["type"] == "cat" else int(v) if entry["type"] == "int" else float(v)
                for entry, v in zip(self.space, x)}

    def place(self, point):
        return [entry["choices"].index(point[entry["name"]]) if entry["type"] == "cat" else point[entry["name"]]
                for entry in self.space]

    def ask(self):
        if self.open and not self.values:
            return self.opened(self.optimizer.space.rvs(random_state=self.optimizer.rng)[0])
        if self.news:
            self.optimizer.tell(*map(list, zip(*self.news)), fit=not self.open)
            self.news = []
        if not self.open:
            return self.opened(self.optimizer.ask())
        optimizer = self.optimizer.copy(random_state=self.count)
        lie = sum(self.values) / len(self.values)
        optimizer.tell(list(self.open.values()), [lie] * len(self.open))
        return self.opened(optimizer.ask())

    def opened(self, x):
        self.count += 1
        self.open[self.count] = x
        return self.count, self.point(x)

    def tell(self, number, value):
        self.learn(self.open.pop(number), value)

    def learn(self, x, value):
        value = value if value is not None else max(self.values, default=0.0)
        self.values.append(value)
        self.news.append((x, value))

    def observe(self, point, value):
        self.learn(self.place(point), value)


class Hebo:
    """Knows neither pending points nor failures; it leaves out values that are no numbers by itself."""

    def __init__(self, request):
        import numpy
        import pandas
        import torch
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO
        torch.set_num_threads(1)
        numpy.random.seed(request["seed"] % 2 ** 32)
        torch.manual_seed(request["seed"])
        random.seed(request["seed"])
        self.numpy, self.pandas, self.version = numpy, pandas, version_of("HEBO")
        self.space, self.open, self.count = request["space"], {}, 0
        entries = []
        for entry in self.space:
            if entry["type"] == "cat":
                entries.append({"name": entry["name"], "type": "cat", "categories": list(range(len(entry["choices"])))})
            else:
                kind = {("int", False): "int", ("int", True): "pow_int", ("float", False): "num", ("float", True): "pow"}
                extra = {"base": 10} if entry["log"] else {}
                entries.append({"name": entry["name"], "type": kind[entry["type"], entry["log"]], "lb": entry["low"],
                                "ub": entry["high"], **extra})
        self.optimizer = HEBO(DesignSpace().parse(entries), scramble_seed=request["seed"] % 2 ** 31)

    def ask(self):
        row = self.optimizer.suggest(n_suggestions=1)
        self.count += 1
        self.open[self.count] = row
        values = row.iloc[0].to_dict()
        return self.count, {entry["name"]: entry["choices"][int(values[entry["name"]])] if entry["type"] == "cat"
                            else int(values[entry["name"]]) if entry["type"] == "int" else float(values[entry["name"]])
                            for entry in self.space}

    def tell(self, number, value):
        self.optimizer.observe(self.open.pop(number), self.numpy.array([[math.nan if value is None else value]]))

    def observe(self, point, value):
        row = {entry["name"]: entry["choices"].index(point[entry["name"]]) if entry["type"] == "cat" else point[entry["name"]]
               for entry in self.space}
        self.optimizer.observe(self.pandas.DataFrame([row]), self.numpy.array([[math.nan if value is None else value]]))


class Ax:
    def __init__(self, request):
        import logging
        import torch
        from ax.api.client import Client
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
        logging.disable(logging.ERROR)
        torch.set_num_threads(1)
        self.version = version_of("ax-platform", "botorch")
        self.client, self.space = Client(random_seed=request["seed"]), request["space"]
        entries = []
        for entry in self.space:
            if entry["type"] == "cat":
                entries.append(ChoiceParameterConfig(name=entry["name"], values=[str(c) for c in entry["choices"]],
                                                     parameter_type="str", is_ordered=False))
            else:
                entries.append(RangeParameterConfig(name=entry["name"], parameter_type=entry["type"],
                                                    bounds=(entry["low"], entry["high"]), scaling="log" if entry["log"] else "linear"))
        self.client.configure_experiment(parameters=entries)
        self.client.configure_optimization(objective="-loss")

    def ask(self):
        (number, point), = self.client.get_next_trials(max_trials=1).items()
        return number, {entry["name"]: entry["choices"][[str(c) for c in entry["choices"]].index(point[entry["name"]])]
                        if entry["type"] == "cat" else point[entry["name"]] for entry in self.space}

    def tell(self, number, value):
        if value is None:
            self.client.mark_trial_failed(trial_index=number)
        else:
            self.client.complete_trial(trial_index=number, raw_data={"loss": value})

    def observe(self, point, value):
        point = {entry["name"]: str(point[entry["name"]]) if entry["type"] == "cat" else point[entry["name"]] for entry in self.space}
        self.tell(self.client.attach_trial(parameters=point), value)


class Vizier:
    """The designer of its default algorithm, with the trials that are out at work."""

    def __init__(self, request):
        import logging
        logging.disable(logging.ERROR)
        import jax
        jax.config.update("jax_enable_x64", True)  # as its service does; in single precision it leaves the bounds
        from vizier import algorithms
        from vizier import pyvizier
        from vizier._src.algorithms.designers import gp_ucb_pe
        self.vizier, self.algorithms, self.version = pyvizier, algorithms, version_of("google-vizier")
        self.space, self.open, self.news, self.count = request["space"], {}, [], 0
        statement = pyvizier.ProblemStatement()
        root = statement.search_space.root
        for entry in self.space:
            scale = pyvizier.ScaleType.LOG if entry.get("log") else pyvizier.ScaleType.LINEAR
            if entry["type"] == "cat":
                root.add_categorical_param(entry["name"], [str(c) for c in entry["choices"]])
            elif entry["type"] == "int":
                root.add_int_param(entry["name"], entry["low"], entry["high"], scale_type=scale)
            else:
                root.add_float_param(entry["name"], entry["low"], entry["high"], scale_type=scale)
        statement.metric_information.append(pyvizier.MetricInformation(name="loss", goal=pyvizier.ObjectiveMetricGoal.MINIMIZE))
        self.designer = gp_ucb_pe.VizierGPUCBPEBandit(statement, rng=jax.random.PRNGKey(request["seed"]))

    def ask(self):
        self.designer.update(self.algorithms.CompletedTrials(self.news), self.algorithms.ActiveTrials(list(self.open.values())))
        self.news = []
        suggestion, = self.designer.suggest(1)
        self.count += 1
        self.open[self.count] = suggestion.to_trial(self.count)
        values = suggestion.parameters.as_dict()
        return self.count, {entry["name"]: entry["choices"][[str(c) for c in entry["choices"]].index(values[entry["name"]])]
                            if entry["type"] == "cat" else int(values[entry["name"]]) if entry["type"] == "int"
                            else float(values[entry["name"]]) for entry in self.space}

    def tell(self, number, value):
        trial = self.open.pop(number)
        if value is None:
            trial.complete(self.vizier.Measurement(), infeasibility_reason="failed")
        else:
            trial.complete(self.vizier.Measurement(metrics={"loss": value}))
        self.news.append(trial)

    def observe(self, point, value):
        self.count += 1
        values = {entry["name"]: str(point[entry["name"]]) if entry["type"] == "cat" else point[entry["name"]] for entry in self.space}
        self.open[self.count] = self.vizier.TrialSuggestion(values).to_trial(self.count)
        self.tell(self.count, value)


PEERS = {
    "random": Random,
    "optuna-tpe": lambda request: Optuna(request, "TPESampler"),
    "optuna-cmaes": lambda request: Optuna(request, "CmaEsSampler", warn_independent_sampling=False),
    "optuna-gp": optuna_gp,
    "wandb-bayes": Wandb,
    "skopt": Skopt,
    "hebo": Hebo,
    "ax": Ax,
    "vizier": Vizier,
}


def value_of(request):
    return request["value"] if request["state"] == "finished" else None


def serve(make, lines, out):
    peer = None
    for line in lines:
        request = json.loads(line)
        answer = {"ok": True}
        try:
            if request["op"] == "quit":
                return
            if request["op"] == "init":
                peer = make(request)
                answer["version"] = peer.version
            elif request["op"] == "ask":
                number, point = peer.ask()
                answer = {"id": number, "params": point}
            elif request["op"] == "tell":
                peer.tell(request["id"], value_of(request))
            else:
                peer.observe(request["params"], value_of(request))
        except Exception as error:  # whatever a library throws is told, and the run is given up
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to where it does no harm
    serve(PEERS[sys.argv[1]], sys.stdin, answers)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""`wandb.plot`: each function returns a table that names its chart; the numbers are kept with the run."""
from . import _arrays
from ._table import CustomChart, Table


def plot_table(vega_spec_name=None, data_table=None, fields=None, string_fields=None, split_table=False, **_):
    return CustomChart(data_table, vega_spec_name, fields, string_fields)


def _xy(preset, table, x, y, title):
    return CustomChart(table, preset, {"x": x, "y": y}, {"title": title})


def line(table, x, y, stroke=None, title=None, split_table=False):
    return _xy("line", table, x, y, title)


def scatter(table, x, y, title=None, split_table=False):
    return _xy("scatter", table, x, y, title)


def bar(table, label, value, title=None, split_table=False):
    return CustomChart(table, "bar", {"label": label, "value": value}, {"title": title})


def histogram(table, value, title=None, split_table=False):
    return CustomChart(table, "histogram", {"value": value}, {"title": title})


def line_series(xs, ys, keys=None, title=None, xname=None, split_table=False):
    xs, ys = _listed(xs), [_listed(y) for y in _listed(ys)]
    if keys is not None and len(keys) != len(ys):
        raise ValueError("Number of keys and ys must match")
    shared = not xs or not isinstance(xs[0], (list, tuple))
    rows = [[x, str(keys[index]) if keys is not None else f"key_{index}", y]
            for index, series in enumerate(ys) for x, y in zip(xs if shared else xs[index], series)]
    return CustomChart(Table(columns=["step", "lineKey", "lineVal"], data=rows), "line_series",
                       {"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"},
                       {"title": title, "xname": xname or "x"})


def _listed(values):
    return _arrays.to_lists(values) if _arrays.is_array(values) else list(values)


def _names(count, class_names):
    return [str(name) for name in class_names] if class_names is not None else [f"Class_{i + 1}" for i in range(count)]


def confusion_matrix(probs=None, y_true=None, preds=None, class_names=None, title=None, split_table=False):
    if (probs is None) == (preds is None):
        raise ValueError("Must provide probabilities or predictions but not both to confusion matrix")
    if probs is not None:
        preds = [max(range(len(row)), key=row.__getitem__) for row in _listed(probs)]
    preds, y_true = _listed(preds), _listed(y_true)
    if len(preds) != len(y_true):
        raise ValueError("Number of predictions and labels must match")
    if class_names is None:
        known = sorted(set(preds) | set(y_true))
        index = {value: number for number, value in enumerate(known)}
        preds, y_true, names = [index[v] for v in preds], [index[v] for v in y_true], _names(len(known), None)
    else:
        names = _names(0, class_names)
    counts = [[0] * len(names) for _ in names]
    for actual, predicted in zip(y_true, preds):
        counts[int(actual)][int(predicted)] += 1
    rows = [[names[i], names[j], counts[i][j]] for i in range(len(names)) for j in range(len(names))]
    return CustomChart(Table(columns=["Actual", "Predicted", "nPredictions"], data=rows), "confusion_matrix",
                       {"Actual": "Actual", "Predicted": "Predicted", "nPredictions": "nPredictions"},
                       {"title": title or "Confusion Matrix Curve"})


def _steps_of(scores, truth):
    """(score, true positives, false positives) at each distinct score, highest first."""
    pairs = sorted(zip(scores, truth), key=lambda pair: -pair[0])
    found = wrong = 0
    out = []
    for position, (score, is_true) in enumerate(pairs):
        found, wrong = found + bool(is_true), wrong + (not is_true)
        if position + 1 == len(pairs) or pairs[position + 1][0] != score:
            out.append((score, found, wrong))
    return out


def _curves(y_true, y_probas, labels, classes_to_plot, point):
    y_true, probas = _listed(y_true), _listed(y_probas)
    if probas and not isinstance(probas[0], (list, tuple)):
        probas = [[1 - p, p] for p in probas]
    classes = sorted(set(y_true))
    wanted = classes if classes_to_plot is None else [name for name in classes if name in _listed(classes_to_plot)]
    rows = []
    for name in wanted:
        column = classes.index(name)
        truth = [value == name for value in y_true]
        label = str(labels[column]) if labels is not None else name
        for step in _steps_of([row[column] for row in probas], truth):
            rows.append([label, *point(step, sum(truth), len(truth) - sum(truth))])
    return rows


def roc_curve(y_true=None, y_probas=None, labels=None, classes_to_plot=None, title=None, split_table=False):
    def point(step, positives, negatives):
        return [round(step[2] / max(negatives, 1), 3), round(step[1] / max(positives, 1), 3)]

    rows = _curves(y_true, y_probas, labels, classes_to_plot, point)
    return CustomChart(Table(columns=["class", "fpr", "tpr"], data=rows), "roc", {"x": "fpr", "y": "tpr"},
                       {"title": title or "ROC Curve"})


def pr_curve(y_true=None, y_probas=None, labels=None, classes_to_plot=None, interp_size=21, title=None,
             split_table=False):
    def point(step, positives, _):
        return [round(step[1] / max(step[1] + step[2], 1), 3), round(step[1] / max(positives, 1), 3)]

    rows = _curves(y_true, y_probas, labels, classes_to_plot, point)
    return CustomChart(Table(columns=["class", "precision", "recall"], data=rows), "pr",
                       {"x": "recall", "y": "precision"}, {"title": title or "Precision-Recall Curve"})


def visualize(id, value):
    return CustomChart(value, id)

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a small neural network on scikit-learn's handwritten digits.

Runs by itself (`python3 train.py --learning_rate 0.01`) and in a sweep. The only thing it knows of Besom is log().
"""

import argparse
import json
import os
import socket
import warnings

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

run_socket = None
if "BESOM_RUN_SOCKET" in os.environ:
    run_socket = socket.socket(socket.AF_UNIX)
    run_socket.connect(os.environ["BESOM_RUN_SOCKET"])


def log(step, **metrics):
    print(f"epoch {step}: " + "  ".join(f"{name} {value:.4f}" for name, value in metrics.items()), flush=True)
    if run_socket:
        run_socket.sendall(json.dumps({"log": metrics, "step": step}).encode() + b"\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--learning_rate", type=float, default=0.01)
    parser.add_argument("--alpha", type=float, default=1e-4, help="L2 regularisation")
    parser.add_argument("--hidden", type=int, default=32, help="units of the hidden layer")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("BESOM_RUN_SEED", 0)) % 2**32)
    return parser.parse_args()


def load_data():
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
    scaler = StandardScaler().fit(x_train)
    return scaler.transform(x_train), scaler.transform(x_test), y_train, y_test


def main():
    arguments = parse_arguments()
    x_train, x_test, y_train, y_test = load_data()
    model = MLPClassifier(
        hidden_layer_sizes=(arguments.hidden,),
        solver="sgd",
        momentum=0.9,
        learning_rate_init=arguments.learning_rate,
        alpha=arguments.alpha,
        batch_size=arguments.batch_size,
        random_state=arguments.seed,
    )
    for epoch in range(1, arguments.epochs + 1):
        try:
            model.partial_fit(x_train, y_train, classes=range(10))
        except ValueError as error:  # the learning rate was too large: that is a result, not a failure
            print(error)
            log(epoch, accuracy=0.0)
            return
        log(epoch, loss=float(model.loss_), accuracy=float(model.score(x_test, y_test)))


if __name__ == "__main__":
    warnings.simplefilter("ignore", RuntimeWarning)  # overflow on the way to divergence
    main()

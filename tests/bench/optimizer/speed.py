# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds for a suggestion after n results: every method is given the same n random points, then all take turns.

A suggestion is an `ask` with the `tell` after it, since some fit their model in the one and some in the other.
"""
import json
import random
import statistics
import sys
import time

from methods import METHODS, Failed, Process
from problem_sets import ALL
from spaces import draw_point


class Course:
    """One method on its way through the sizes."""

    def __init__(self, name, problem):
        self.name, self.problem, self.count, self.slow = name, problem, 0, False
        self.process, self.random = Process(name), random.Random(4)
        self.version = self.process.begin(problem, 1, 1)

    def grow(self, size):
        while self.count < size:
            point = draw_point(self.problem.space, self.random)
            self.process.call("observe", params=point, state="finished", value=self.problem.loss(point))
            self.count += 1

    def suggest(self):
        """Seconds, and seconds of a processor."""
        wall, processor = time.perf_counter(), self.process.seconds()
        answer = self.process.call("ask")
        self.process.call("tell", id=answer["id"], state="finished", value=self.problem.loss(answer["params"]))
        self.count += 1
        return time.perf_counter() - wall, self.process.seconds() - processor


def measure(courses, size, rounds, slow):
    """Rounds in which each method has a turn, after one that does not count: it is charged with what waited for it.

    A method that is slow has one turn alone, and that one counts.
    """
    times = {course.name: [] for course in courses}
    for number in range(-1, rounds):
        for course in courses:
            if course.slow:
                continue
            try:
                if number < 0:
                    course.grow(size)
                spent = course.suggest()
                if number >= 0 or spent[0] > slow:
                    times[course.name].append(spent)
                course.slow = spent[0] > slow
            except Failed as error:
                print(error, file=sys.stderr)
                course.slow = True
    return times


def run(names, options):
    problem = ALL[options.problem]
    courses = []
    for name in names:
        try:
            courses.append(Course(name, problem))
        except Failed as error:
            print(error, file=sys.stderr)
    with open(options.out, "a", encoding="utf-8") as file:
        for size in [int(text) for text in options.sizes.split(",")]:
            at_work = [course for course in courses
                       if not course.slow and (size <= options.peers_most or METHODS[course.name].optimizer)]
            for name, spent in measure(at_work, size, options.rounds, options.slow).items():
                if not spent:
                    continue
                version = next(course.version for course in courses if course.name == name)
                line = {"method": name, "version": version, "problem": problem.name, "n": size, "rounds": len(spent),
                        "wall_s": statistics.median(wall for wall, _ in spent), "cpu_s": statistics.median(cpu for _, cpu in spent),
                        "worst_s": max(wall for wall, _ in spent), "date": time.strftime("%Y-%m-%d", time.gmtime())}
                file.write(json.dumps(line) + "\n")
                file.flush()
                print("{method:14} n={n:<6} {wall_s:.4f} s, at worst {worst_s:.4f} s, {cpu_s:.4f} s of a processor".format(**line),
                      flush=True)
    for course in courses:
        course.process.close()

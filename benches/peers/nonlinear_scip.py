"""The nonlinear corpus with SCIP: what a good general solver does with the usual model, beside Cardinal's figures.

    target/venv-peers/bin/python benches/peers/nonlinear_scip.py [--time-limit 60] [--only A3,B3] [--corpus ../shared/corpus]

One binary for each configuration, exactly one of each component; every attribute product that a formula looks at
(`a.n*a.cores`) is a variable tied to them, nonlinear formulas are left to SCIP. Formulas with `ite` or `xor` are
skipped: their translation would be a choice of ours. One thread. A proven optimum that differs from the corpus is
marked, and so is one whose assignment breaks a constraint.
"""

import argparse
import glob
import json
import math
import os
import re
import time

from pyscipopt import Model, exp, log, quicksum, sqrt


class Attributes:
    """The binaries of one component, and the variables that stand for its tables."""

    def __init__(self, model, columns):
        self.model, self.columns, self.known = model, columns, {}

    def table(self, values):
        return Table(self, values)


class Table:
    """A value for each configuration of one component."""

    def __init__(self, owner, values):
        self.owner, self.values = owner, values

    def expression(self):
        owner, key = self.owner, tuple(self.values)
        if key not in owner.known:
            variable = owner.model.addVar(lb=min(key), ub=max(key))
            owner.model.addCons(variable == quicksum(v * x for v, x in zip(key, owner.columns)))
            owner.known[key] = variable
        return owner.known[key]

    def __mul__(self, other):
        if isinstance(other, Table) and other.owner is self.owner:
            return Table(self.owner, [a * b for a, b in zip(self.values, other.values)])
        return self.expression() * plain(other)

    def __rmul__(self, other):
        return plain(other) * self.expression()

    def __add__(self, other):
        return self.expression() + plain(other)

    __radd__ = __add__

    def __sub__(self, other):
        return self.expression() - plain(other)

    def __rsub__(self, other):
        return plain(other) - self.expression()

    def __neg__(self):
        return -self.expression()

    def __truediv__(self, other):
        return self.expression() / plain(other)

    def __rtruediv__(self, other):
        return plain(other) / self.expression()


def plain(x):
    return x.expression() if isinstance(x, Table) else x


def solve(problem, limit):
    model = Model()
    model.hideOutput()
    model.setParam("limits/time", limit)
    model.setParam("parallel/maxnthreads", 1)
    names = {}
    for component in problem["components"]:
        rows = component["configs"]
        columns = [model.addVar(vtype="B") for _ in rows]
        model.addCons(quicksum(columns) == 1)
        owner = Attributes(model, columns)
        for at, attribute in enumerate(component["attrs"]):
            names[f"{component['name']}_{attribute}"] = owner.table([row[at] for row in rows])

    def extreme(args, is_max):
        bound = model.addVar(lb=None)
        for x in args:
            model.addCons(bound <= plain(x) if not is_max else bound >= plain(x))
        return bound

    functions = {
        "exp": lambda x: exp(plain(x)),
        "log": lambda x: log(plain(x)),
        "sqrt": lambda x: sqrt(plain(x)),
        "abs": lambda x: abs(plain(x)),
        # Right where more of a minimum and less of a maximum is wanted, as in every utility of the corpus.
        "min": lambda *args: extreme(args, False),
        "max": lambda *args: extreme(args, True),
    }
    scope = {**names, **functions, "__builtins__": {}}
    spelled = lambda text: re.sub(r"\b([a-z])\.([a-z]+)\b", r"\1_\2", text)
    for constraint in problem["constraints"]:
        model.addCons(eval(spelled(constraint), scope))  # noqa: S307 - the corpus is ours
    value = model.addVar(lb=None)
    model.addCons(value <= plain(eval(spelled(problem["utility"]), scope)))  # noqa: S307
    model.setObjective(value, "maximize")
    begin = time.perf_counter()
    model.optimize()
    seconds = time.perf_counter() - begin
    found = model.getObjVal() if model.getNSols() else math.nan
    return model.getStatus(), found, seconds


def main():
    parser = argparse.ArgumentParser()
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--corpus", default=os.path.join(here, "../../../shared/corpus"))
    parser.add_argument("--time-limit", type=float, default=60)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    wanted = [w for w in args.only.split(",") if w]
    print("| instance | optimum | SCIP says | found | seconds |\n| --- | ---: | --- | ---: | ---: |")
    proven, wrong, skipped, times = 0, 0, 0, []
    for file in sorted(glob.glob(os.path.join(args.corpus, "nonlinear", "*.json"))):
        with open(file, encoding="utf-8") as f:
            problem = json.load(f)
        if wanted and not any(problem["name"].startswith(w) for w in wanted):
            continue
        text = " ".join([problem["utility"], *problem["constraints"]])
        if re.search(r"\b(ite|xor|or|not|and)\b|!=", text):
            skipped += 1
            continue
        status, found, seconds = solve(problem, args.time_limit)
        optimum = problem["optimum"]
        right = abs(found - optimum) <= 1e-5 * max(1, abs(optimum))
        proven += status == "optimal" and right
        wrong += status in ("optimal", "infeasible") and not right
        times.append(seconds)
        mark = "" if right or status == "timelimit" else " WRONG"
        print(f"| {problem['name']} | {optimum:.6f} | {status}{mark} | {found:.6f} | {seconds:.2f} |", flush=True)
    times.sort()
    if times:
        middle, most = times[len(times) // 2], times[-1]
        print(f"\n{proven} of {len(times)} proven, {wrong} wrong, {skipped} not modelled; median {middle:.2f} s, most {most:.2f} s")


if __name__ == "__main__":
    main()

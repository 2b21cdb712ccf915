"""The nonlinear corpus with SCIP: what a good general solver does with the usual model, row by row beside Cardinal's.

    target/venv-peers/bin/python benches/peers/nonlinear_scip.py [--beside TABLE] [--time-limit 60] [--only A3,B3]

One binary for each configuration, exactly one of each component; a sum of tables of configurations is linear in them
and becomes a variable, nonlinear formulas are left to SCIP. Comparisons inside of logic are binaries with the smallest
constants that the tables allow. One thread. `--beside` is what `cargo bench --bench nonlinear` has printed in the same
run: its times stand in the table too. A proven optimum that differs from the corpus is marked.
"""

import argparse
import ast
import glob
import json
import math
import os
import re
import time

from pyscipopt import Model, exp, log, quicksum, sqrt

# Sides of a strict comparison differ by at least this: tables are decimals of at most four places.
STEP = 1e-5


class Sum:
    """A constant and a table of values for each of some components: linear in the binaries."""

    def __init__(self, tables=None, constant=0.0):
        self.tables, self.constant = tables or {}, constant

    def plus(self, other, factor=1.0):
        tables = dict(self.tables)
        for name, values in other.tables.items():
            own = tables.get(name, [0.0] * len(values))
            tables[name] = [a + factor * b for a, b in zip(own, values)]
        return Sum(tables, self.constant + factor * other.constant)

    def times(self, factor):
        return Sum().plus(self, factor)

    def range(self):
        low = self.constant + sum(min(v) for v in self.tables.values())
        return low, self.constant + sum(max(v) for v in self.tables.values())


class Translation:
    """A problem as a SCIP model."""

    def __init__(self, problem):
        self.model = Model()
        self.model.hideOutput()
        self.attributes, self.columns, self.known = {}, {}, {}
        for component in problem["components"]:
            name, rows = component["name"], component["configs"]
            self.columns[name] = [self.model.addVar(vtype="B") for _ in rows]
            self.model.addCons(quicksum(self.columns[name]) == 1)
            for at, attribute in enumerate(component["attrs"]):
                self.attributes[name, attribute] = Sum({name: [float(row[at]) for row in rows]})
        for text in problem["constraints"]:
            self.require(self.parse(text))
        value = self.model.addVar(lb=None)
        self.model.addCons(value <= self.expression(self.number(self.parse(problem["utility"]))))
        self.model.setObjective(value, "maximize")

    @staticmethod
    def parse(text):
        return ast.parse(text, mode="eval").body

    def expression(self, x):
        """A sum as a variable that is tied to it; anything else is an expression already."""
        if not isinstance(x, Sum):
            return x
        if not x.tables:
            return x.constant
        key = (x.constant, tuple((name, tuple(values)) for name, values in sorted(x.tables.items())))
        if key not in self.known:
            low, high = x.range()
            variable = self.model.addVar(lb=low, ub=high)
            terms = [v * b for name, values in x.tables.items() for v, b in zip(values, self.columns[name])]
            self.model.addCons(variable == quicksum(terms) + x.constant)
            self.known[key] = variable
        return self.known[key]

    def number(self, node):
        if isinstance(node, ast.Constant):
            return Sum(constant=float(node.value))
        if isinstance(node, ast.Attribute):
            return self.attributes[node.value.id, node.attr]
        if isinstance(node, ast.UnaryOp):
            return self.multiplied(Sum(constant=-1.0), self.number(node.operand))
        if isinstance(node, ast.BinOp):
            return self.operation(node.op, self.number(node.left), self.number(node.right))
        return self.call(node.func.id, node.args)

    def operation(self, op, a, b):
        if isinstance(op, (ast.Add, ast.Sub)):
            factor = 1.0 if isinstance(op, ast.Add) else -1.0
            if isinstance(a, Sum) and isinstance(b, Sum):
                return a.plus(b, factor)
            return self.expression(a) + factor * self.expression(b)
        if isinstance(op, ast.Mult):
            return self.multiplied(a, b)
        if isinstance(op, ast.Div):
            if isinstance(b, Sum) and not b.tables:
                return self.multiplied(a, Sum(constant=1.0 / b.constant))
            return self.expression(a) / self.expression(b)
        assert isinstance(op, ast.Pow) and isinstance(b, Sum) and not b.tables
        return self.expression(a) ** b.constant

    def multiplied(self, a, b):
        for x, y in ((a, b), (b, a)):
            if isinstance(x, Sum) and not x.tables:
                return y.times(x.constant) if isinstance(y, Sum) else x.constant * y
        if isinstance(a, Sum) and isinstance(b, Sum) and len(a.tables) == len(b.tables) == 1:
            (name, first), (other, second) = *a.tables.items(), *b.tables.items()
            if name == other:
                return Sum({name: [(x + a.constant) * (y + b.constant) for x, y in zip(first, second)]})
        return self.expression(a) * self.expression(b)

    def call(self, name, args):
        if name == "ite":
            holds = self.truth(args[0])
            then, otherwise = (self.expression(self.number(arg)) for arg in args[1:])
            return holds * then + (1 - holds) * otherwise
        values = [self.expression(self.number(arg)) for arg in args]
        if name in ("min", "max"):
            # Right where more of a minimum and less of a maximum is wanted, as in every utility of the corpus.
            bound = self.model.addVar(lb=None)
            for x in values:
                self.model.addCons(bound <= x if name == "min" else bound >= x)
            return bound
        return {"exp": exp, "log": log, "sqrt": sqrt, "abs": abs}[name](*values)

    def require(self, node):
        """What must hold: rows for what is linear, otherwise a binary that is 1."""
        if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.NotEq):
            a, b = self.number(node.left), self.number(node.comparators[0])
            strict = STEP if isinstance(node.ops[0], (ast.Lt, ast.Gt)) else 0.0
            left, right = self.expression(a), self.expression(b)
            if isinstance(node.ops[0], (ast.GtE, ast.Gt)):
                self.model.addCons(left - right >= strict)
            elif isinstance(node.ops[0], (ast.LtE, ast.Lt)):
                self.model.addCons(right - left >= strict)
            else:
                self.model.addCons(left - right == 0)
            return
        self.model.addCons(self.truth(node) == 1)

    def truth(self, node):
        """A truth value as a binary."""
        if isinstance(node, ast.BoolOp):
            parts = [self.truth(value) for value in node.values]
            result = self.model.addVar(vtype="B")
            add = self.model.addConsOr if isinstance(node.op, ast.Or) else self.model.addConsAnd
            add(parts, result)
            return result
        if isinstance(node, ast.UnaryOp):
            result = self.model.addVar(vtype="B")
            self.model.addCons(result + self.truth(node.operand) == 1)
            return result
        if isinstance(node, ast.Call):
            assert node.func.id == "xor"
            a, b = (self.truth(arg) for arg in node.args)
            result, both = self.model.addVar(vtype="B"), self.model.addVar(vtype="B")
            self.model.addConsAnd([a, b], both)
            self.model.addCons(result == a + b - 2 * both)
            return result
        a, b = self.number(node.left), self.number(node.comparators[0])
        assert isinstance(a, Sum) and isinstance(b, Sum), "logic over sums of tables only"
        op, difference = node.ops[0], a.plus(b, -1.0)
        if isinstance(op, (ast.LtE, ast.Lt)):
            return self.at_least(difference.times(-1.0), STEP if isinstance(op, ast.Lt) else 0.0)
        if isinstance(op, (ast.GtE, ast.Gt)):
            return self.at_least(difference, STEP if isinstance(op, ast.Gt) else 0.0)
        above, below = self.at_least(difference, STEP), self.at_least(difference.times(-1.0), STEP)
        result = self.model.addVar(vtype="B")
        differs = above + below
        self.model.addCons(result == (differs if isinstance(op, ast.NotEq) else 1 - differs))
        return result

    def at_least(self, difference, least):
        """The binary that is 1 exactly when a sum is at least a number, 0 or a small step."""
        low, high = difference.range()
        x, holds = self.expression(difference), self.model.addVar(vtype="B")
        self.model.addCons(x >= least + min(low - least, 0.0) * (1 - holds))
        short = least - STEP
        self.model.addCons(x <= short + max(high - short, 0.0) * holds)
        return holds


def solve(problem, limit):
    translation = Translation(problem)
    model = translation.model
    model.setParam("limits/time", limit)
    model.setParam("parallel/maxnthreads", 1)
    begin = time.perf_counter()
    model.optimize()
    seconds = time.perf_counter() - begin
    found = model.getObjVal() if model.getNSols() else math.nan
    return model.getStatus(), found, seconds


def cardinals(path):
    """Cardinal's figures by instance: found, bound, milliseconds."""
    rows = {}
    if not path:
        return rows
    with open(path, encoding="utf-8") as table:
        for line in table:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 8 and re.fullmatch(r"[\d.]+", cells[7]):
                rows[cells[0]] = (float(cells[4].split()[0]), float(cells[5]), float(cells[7]))
    return rows


def main():
    parser = argparse.ArgumentParser()
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--corpus", default=os.path.join(here, "../../../shared/corpus"))
    parser.add_argument("--beside", default="")
    parser.add_argument("--time-limit", type=float, default=60)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    wanted = [w for w in args.only.split(",") if w]
    beside = cardinals(args.beside)
    print("| instance | optimum | Cardinal ms | Cardinal says | SCIP s | SCIP says | SCIP found |")
    print("| --- | ---: | ---: | --- | ---: | --- | ---: |")
    proven, wrong, times, own = 0, 0, [], []
    for file in sorted(glob.glob(os.path.join(args.corpus, "nonlinear", "*.json"))):
        with open(file, encoding="utf-8") as f:
            problem = json.load(f)
        if wanted and not any(problem["name"].startswith(w) for w in wanted):
            continue
        status, found, seconds = solve(problem, args.time_limit)
        optimum = problem["optimum"]
        right = abs(found - optimum) <= 1e-5 * max(1, abs(optimum))
        proven += status == "optimal" and right
        wrong += status in ("optimal", "infeasible") and not right
        times.append(seconds)
        mark = "" if right or status == "timelimit" else " WRONG"
        cardinal = beside.get(problem["name"])
        if cardinal:
            own.append(cardinal[2])
            is_proven = cardinal[1] - cardinal[0] <= 1e-6 * max(1, abs(cardinal[0]))
            verdict = "optimal" if is_proven else "timelimit"
            if abs(cardinal[0] - optimum) > 1e-6 * max(1, abs(optimum)):
                verdict += " WRONG" if is_proven else ""
            ours = f"{cardinal[2]:.2f} | {verdict}"
        else:
            ours = " | "
        row = f"| {problem['name']} | {optimum:.6f} | {ours} | {seconds:.2f} | {status}{mark} | {found:.6f} |"
        print(row, flush=True)
    times.sort()
    own.sort()
    if times:
        print(
            f"\nSCIP: {proven} of {len(times)} proven within {args.time_limit:g} s, {wrong} wrong; "
            f"median {times[len(times) // 2]:.2f} s, most {times[-1]:.2f} s"
        )
    if own:
        print(f"Cardinal on the same: median {own[len(own) // 2]:.2f} ms, most {own[-1]:.2f} ms")


if __name__ == "__main__":
    main()

"""The SAGE benchmark with CP-SAT: what a good general solver does with the usual model, beside Cardinal's figures.

How to run, from the root of the repository:

    python3 -m venv target/peers
    target/peers/bin/pip install -r benches/peers/requirements.txt
    target/peers/bin/python benches/peers/sage_cpsat.py [--time-limit 60] [--only Wordpress3,Oryx2] [--offers 20,40]
        [--json FILE] [--corpus ../shared/corpus]

It prints a Markdown table, and writes the same figures as JSON when asked. Every optimum is compared with the published
one; the exit status is 1 when a proven one differs. Seconds are wall time of building the model and solving it.

The model is the one that a practitioner writes, indexed by node (Erascu, Micota, Zaharie, JLAMP 2021, doi
10.1016/j.jlamp.2021.100664): x[i, k] is 1 when node k hosts an instance of component i, and node k takes one of the
offers or none. The symmetry between nodes is broken completely by their order: price falling, ties by the set of
components read as a binary number (PRLX there). One worker thread, as Cardinal has.

The number of nodes needs a bound, and a bound that is too small gives a wrong optimum. Here it is proven: see
`nodes_max`.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import statistics
import sys
import time

from ortools.sat.python import cp_model

RESOURCES = [("Compute", "CPU", "cpu"), ("Compute", "Memory", "memory"), ("Storage", "StorageSize", "storage")]


class Application:
    """An application of the benchmark: components by their id, and its restrictions by kind."""

    def __init__(self, path: pathlib.Path) -> None:
        data = json.loads(path.read_text(encoding="utf-8"))
        self.name = path.stem
        self.ids: list[int] = [c["id"] for c in data["components"]]
        self.needs = {
            c["id"]: [c[group][field] for group, field, _ in RESOURCES] for c in data["components"]
        }
        #: Pairs that never share a node.
        self.conflicts: set[tuple[int, int]] = set()
        #: Pairs that are on the same nodes.
        self.together: list[tuple[int, int]] = []
        #: (a, C): every used node hosts a, or exactly one of C and not a.
        self.everywhere: list[tuple[int, list[int]]] = []
        #: Pairs of which exactly one has instances.
        self.alternatives: list[tuple[int, int]] = []
        #: (low, {component: factor}, high) on the numbers of instances; None is no limit.
        self.counts: list[tuple[int | None, dict[int, int], int | None]] = []
        for rule in data["restrictions"]:
            self._restriction(rule)
        optional = {i for pair in self.alternatives for i in pair}
        self.counts += [(1, {i: 1}, None) for i in self.ids if i not in optional]
        systems = {c["id"]: c.get("operatingSystem", "") for c in data["components"]}
        for a in self.ids:
            for b in self.ids:
                if a < b and systems[a] and systems[b] and systems[a] != systems[b]:
                    self.conflicts.add((a, b))

    def _restriction(self, rule: dict) -> None:
        kind, a, b, ids = (rule.get(f) for f in ("type", "alphaCompId", "betaCompId", "compsIdList"))
        if kind == "Conflicts":
            self.conflicts |= {(min(a, c), max(a, c)) for c in ids if c != a}
        elif kind == "OneToOneDependency":
            self.together.append((a, b))
        elif kind == "AlternativeComponents":
            self.alternatives.append((a, b))
        elif kind == "FullDeployment":
            self.everywhere.append((a, ids))
        elif kind in ("LowerBound", "UpperBound", "EqualBound"):
            low = rule["bound"] if kind != "UpperBound" else None
            high = rule["bound"] if kind != "LowerBound" else None
            self.counts.append((low, {i: 1 for i in ids}, high))
        elif kind == "RequireProvideDependency":
            p, q = rule["alphaCompIdInstances"], rule["betaCompIdInstances"]
            self.counts.append((0, {b: q, a: -p}, None))
        elif kind == "OneToManyDependency":
            q = rule["number"]
            self.counts.append((1, {a: q, b: -1}, q))
        else:
            raise ValueError(f"{kind} is no type of restriction")

    def groups(self) -> list[frozenset[int]]:
        """Components that are always together, as sets; a component of its own is a set of one."""
        of = {i: frozenset([i]) for i in self.ids}
        for a, b in self.together:
            union = of[a] | of[b]
            for i in union:
                of[i] = union
        return list(dict.fromkeys(of.values()))


def add_count_rules(model: cp_model.CpModel, app: Application, n: dict) -> None:
    """The restrictions that see only the numbers of instances."""
    for low, terms, high in app.counts:
        total = sum(factor * n[i] for i, factor in terms.items())
        if low is not None:
            model.add(total >= low)
        if high is not None:
            model.add(total <= high)


#: Far above any number of instances that is minimal.
COUNT_LIMIT = 10_000


def nodes_max(app: Application) -> int:
    """A number of nodes that some optimal solution does not exceed.

    Take an optimal solution with the fewest instances. No step that takes instances away can be possible in it, because
    fewer instances never need more capacity nor cost more. Steps are: one instance of each component of a group that is
    always together goes from a node, unless the group matters for a full deployment; a node goes on which nothing is
    but a group that does matter; and two such steps at once. So it is enough to maximise the number of nodes over all
    numbers of instances from which no step leads to allowed ones; how they are placed is left out, which only weakens
    the bound.
    """
    model = cp_model.CpModel()
    n = {i: model.new_int_var(0, COUNT_LIMIT, f"n{i}") for i in app.ids}
    add_count_rules(model, app, n)
    for a, b in app.alternatives:
        runs = {}
        for i in (a, b):
            runs[i] = model.new_bool_var("")
            model.add(n[i] >= 1).only_enforce_if(runs[i])
            model.add(n[i] == 0).only_enforce_if(~runs[i])
        model.add_exactly_one(runs.values())
    for a, b in app.together:
        model.add(n[a] == n[b])

    groups = app.groups()
    of_full = {i for a, others in app.everywhere for i in [a, *others]}
    free = [g for g in groups if not g & of_full]
    bound_groups = [g for g in groups if g & of_full]
    # Each node hosts a group; of those that matter for a full deployment, some nodes may host nothing else.
    first = {g: min(g) for g in groups}
    alone = {g: model.new_int_var(0, COUNT_LIMIT, "") for g in bound_groups}
    if app.everywhere:
        nodes = sum(n[first[g]] for g in bound_groups)
        for g in bound_groups:
            # A node with the group hosts something else too, or it is alone; what else is one of the other groups.
            others = [o for o in groups if o != g and not conflict(app, g, o)]
            model.add(n[first[g]] <= alone[g] + sum(n[first[o]] for o in others))
            model.add(alone[g] <= n[first[g]])
    else:
        nodes = sum(n[first[g]] for g in groups)

    steps = [(g, n[first[g]]) for g in free] + [(g, alone[g]) for g in bound_groups]
    for position, (g, there) in enumerate(steps):
        forbid_step(model, app, n, {i: 1 for i in g}, [(there, 1)])
        for other, also_there in steps[position:]:
            away = {i: (i in g) + (i in other) for i in g | other}
            enough = [(there, 2)] if other == g else [(there, 1), (also_there, 1)]
            forbid_step(model, app, n, away, enough)

    model.maximize(nodes)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    bound = round(solver.best_objective_bound)
    if status != cp_model.OPTIMAL or bound >= COUNT_LIMIT // 10:
        raise ValueError(f"{app.name}: no bound on the number of nodes was found")
    return bound


def conflict(app: Application, one: frozenset[int], other: frozenset[int]) -> bool:
    return any((min(a, b), max(a, b)) in app.conflicts for a in one for b in other)


def forbid_step(model: cp_model.CpModel, app: Application, n: dict, away: dict[int, int], enough: list) -> None:
    """Taking instances away is impossible: too few are there, or a restriction would be violated."""
    reasons = []

    def reason(linear: cp_model.BoundedLinearExpression) -> None:
        literal = model.new_bool_var("")
        model.add(linear).only_enforce_if(literal)
        reasons.append(literal)

    for there, needed in enough:
        reason(there < needed)
    for low, terms, high in app.counts:
        change = sum(factor * away.get(i, 0) for i, factor in terms.items())
        total = sum(factor * n[i] for i, factor in terms.items())
        if low is not None and change > 0:
            reason(total - change < low)
        if high is not None and change < 0:
            reason(total - change > high)
    for pair in app.alternatives:
        # The last instance of an alternative cannot go, and the other one has none that could.
        for i in pair:
            if i in away:
                reason(n[i] <= away[i])
    model.add_bool_or(reasons)


def build(app: Application, offers: list[dict], nodes: int, choice: str) -> tuple[cp_model.CpModel, list]:
    """The model, and the prices of its nodes."""
    model = cp_model.CpModel()
    ids, range_of_nodes = app.ids, range(nodes)
    x = {(i, k): model.new_bool_var(f"x{i}_{k}") for i in ids for k in range_of_nodes}
    used = [model.new_bool_var(f"used{k}") for k in range_of_nodes]
    for k in range_of_nodes:
        model.add_max_equality(used[k], [x[i, k] for i in ids])
        for a, b in app.conflicts:
            model.add_at_most_one(x[a, k], x[b, k])
        for a, b in app.together:
            model.add(x[a, k] == x[b, k])
        for a, others in app.everywhere:
            if others:
                # Exactly one of the others, and then not a; or a.
                model.add(sum(x[c, k] for c in others) == 1).only_enforce_if(used[k], ~x[a, k])
            else:
                model.add(x[a, k] == used[k])

    n = {i: sum(x[i, k] for k in range_of_nodes) for i in ids}
    add_count_rules(model, app, n)
    for a, b in app.alternatives:
        runs = {}
        for i in (a, b):
            runs[i] = model.new_bool_var(f"runs{i}")
            model.add_max_equality(runs[i], [x[i, k] for k in range_of_nodes])
        model.add_exactly_one(runs.values())

    prices = []
    columns = [[offer[field] for offer in offers] for _, _, field in RESOURCES]
    price = [offer["price"] for offer in offers]
    for k in range_of_nodes:
        if choice == "literals":
            taken = [model.new_bool_var("") for _ in offers]
            model.add_exactly_one([*taken, ~used[k]])
            have = [cp_model.LinearExpr.weighted_sum(taken, column) for column in columns]
            prices.append(cp_model.LinearExpr.weighted_sum(taken, price))
        else:
            have = [model.new_int_var(0, max(column), "") for column in columns]
            prices.append(model.new_int_var(0, max(price), f"price{k}"))
            rows = [*zip(*columns, price, [1] * len(offers)), (0, 0, 0, 0, 0)]
            model.add_allowed_assignments([*have, prices[k], used[k]], rows)
        for r, amount in enumerate(have):
            model.add(sum(app.needs[i][r] * x[i, k] for i in ids) <= amount)

    # Any solution can be sorted by this key, and after sorting no two orders of its nodes are left.
    weight = 1 << len(ids)
    keys = [weight * prices[k] + sum((1 << p) * x[i, k] for p, i in enumerate(ids)) for k in range_of_nodes]
    for k in range(1, nodes):
        model.add(keys[k - 1] >= keys[k])
    model.minimize(sum(prices))
    return model, prices


def solve(app: Application, offers: list[dict], args: argparse.Namespace) -> dict:
    begin = time.perf_counter()
    nodes = nodes_max(app)
    model, _ = build(app, offers, nodes, args.choice)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_time_in_seconds = args.time_limit
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return {
        "status": solver.status_name(status).lower(),
        "cost": round(solver.objective_value) if found else None,
        "bound": round(solver.best_objective_bound),
        "nodes_max": nodes,
        "seconds": time.perf_counter() - begin,
    }


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="the SAGE benchmark with CP-SAT")
    parser.add_argument("--corpus", type=pathlib.Path, default=root.parent / "shared" / "corpus")
    parser.add_argument("--time-limit", type=float, default=60, help="seconds for each instance")
    parser.add_argument("--only", default="", help="applications, with commas between")
    parser.add_argument("--offers", default="", help="numbers of offers, with commas between")
    parser.add_argument("--choice", choices=["literals", "table"], default="literals", help="how a node takes an offer")
    parser.add_argument("--json", type=pathlib.Path, help="a file for the same figures")
    args = parser.parse_args()
    if not (args.corpus / "sage").is_dir():
        print(f"there is no corpus in {args.corpus}: give its folder with --corpus", file=sys.stderr)
        return 2
    with open(args.corpus / "sage" / "published.csv", encoding="utf-8", newline="") as file:
        published = list(csv.DictReader(file))
    results = []
    print("| instance | offers | optimum | status | equal | nodes at most | seconds | published s |")
    print("| --- | ---: | ---: | --- | --- | ---: | ---: | ---: |")
    for row in published:
        if args.only and row["app"] not in args.only.split(","):
            continue
        if args.offers and row["offers"] not in args.offers.split(","):
            continue
        app = Application(args.corpus / "sage" / "apps" / f"{row['app']}.json")
        path = args.corpus / "sage" / "offers" / f"offers_{row['offers']}.json"
        result = solve(app, list(json.loads(path.read_text(encoding="utf-8")).values()), args)
        result = {
            "instance": row["app"],
            "offers": int(row["offers"]),
            "published_optimum": int(row["optimal_price"]),
            "published_seconds": float(row["best_published_seconds"]),
            **result,
        }
        result["equal"] = result["cost"] == result["published_optimum"]
        results.append(result)
        print(
            f"| {result['instance']} | {result['offers']} | {result['cost']} | {result['status']} "
            f"| {'yes' if result['equal'] else 'NO'} | {result['nodes_max']} | {result['seconds']:.2f} "
            f"| {result['published_seconds']:.2f} |",
            flush=True,
        )
    if not results:
        print("nothing was asked for", file=sys.stderr)
        return 2
    seconds = [r["seconds"] for r in results]
    proven = sum(r["status"] == "optimal" for r in results)
    print(
        f"\n{proven} of {len(results)} proven, {sum(r['equal'] for r in results)} equal to the published optimum; "
        f"median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s"
    )
    if args.json:
        summary = {"solver": "CP-SAT", "time_limit_s": args.time_limit, "choice": args.choice, "results": results}
        args.json.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return int(any(r["status"] == "optimal" and not r["equal"] for r in results))


if __name__ == "__main__":
    sys.exit(main())

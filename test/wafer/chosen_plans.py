"""Plans that a test chooses instead of the planner: programs are lowered under them, judged as tiles, and run."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
from lowering import lower_rest, run

from wse_mlir.dialects.host import ir
from wse_mlir.frontend.imported import ImportedModel, import_model
from wse_mlir.passes.wafer.shard import wse_partition
from wse_mlir.passes.wafer.shard.choice.grids import Searched
from wse_mlir.passes.wafer.shard.choice.plan import Planner
from wse_mlir.passes.wafer.shard.choice.problem import build_problem
from wse_mlir.passes.wafer.shard.choice.product_options import ProductOptions
from wse_mlir.passes.wafer.shard.choice.shape_options import is_blocks
from wse_mlir.passes.wafer.shard.cost import CostModel
from wse_mlir.passes.wafer.shard.nodes import Node, Option
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.verify.spmd import Interpreter
from wse_mlir.wse_target.layout.mesh import Mesh

Choose = Callable[[list[Node]], tuple[Option, ...]]


def at_random(seed: int, *, split: bool = True) -> Choose:
    """An option of every operation, which gives its results as the readers want them if it can.

    Args:
        split: options that split something go first.
    """
    generator = random.Random(seed)

    def choose(nodes: list[Node]) -> tuple[Option, ...]:
        wanted: dict[ir.Value, Any] = {}
        chosen: list[Option] = []
        for node in reversed(nodes):
            asked = [wanted.get(result) for result in node.op.results]
            fitting = [
                o for o in node.options if all(a in (None, g) for a, g in zip(asked, o.gives, strict=True))
            ]
            several = [
                o
                for o in fitting
                if any(dim.axes for g in (*o.gives, *filter(None, o.needs)) for dim in g.dims)
            ]
            everything = [o for o in node.options if all(map(is_blocks, o.gives))]
            option = generator.choice((several if split else []) or fitting or everything)
            for operand, needed in zip(node.op.operands, option.needs, strict=True):
                if needed is not None:
                    wanted.setdefault(operand, needed)
            chosen.append(option)
        return tuple(reversed(chosen))

    return choose


def lowered(model: Any, args: Sequence[Any], grid: str, choose: Choose) -> ImportedModel:
    """A model at stage `logical`, distributed as is chosen; `tiny` is the machine."""

    def search(
        main: Any,
        meshes: Sequence[Mesh],
        limits: tuple[int, int],
        cost: CostModel,
        free: frozenset[int],
        products: ProductOptions,
        **_: Any,
    ) -> Searched:
        problem = build_problem(main, meshes[0], cost, free, products)
        chosen = choose(list(problem.nodes))
        nodes = tuple(Node(node.op, [option]) for node, option in zip(problem.nodes, chosen, strict=True))
        problem = replace(problem, nodes=nodes)
        plan = Planner(problem, meshes[0], cost).run(width=1)
        assert plan is not None and plan.stuck is None, f"nothing brings operands to {plan.stuck}"
        return Searched(plan, problem, [plan], [])

    imported = import_model(model, args)
    pipeline = named_pipeline("wafer").override(partition=f"wse-partition{{machine=tiny grid={grid}}}")
    names = [stage.name for stage in pipeline.stages]
    with mock.patch.object(wse_partition, "search", search):
        run(imported, [s.text for s in pipeline.stages[: names.index("partition") + 1]])
    return imported


def tiles_give(imported: ImportedModel, args: Sequence[Any]) -> list[np.ndarray]:
    """What a distributed program means, every PE with its own tiles, as `wse verify` reads it."""
    return list(Interpreter(imported.module).run([a.detach().numpy() for a in args]))


def programs(imported: ImportedModel) -> ImportedModel:
    """The rest of the way to programs."""
    return lower_rest(imported, "partition")

"""Waves in a box: a 25-point stencil, of eighth order in space, over many steps in time on a wafer.

    python examples/waves.py        # error against PyTorch, cycles a step and a point, what bounds them
    python examples/waves.py --size 16x16x32 --grid 4x4 --steps 8

Pressure follows u'' = c^2 (u_xx + u_yy + u_zz). A step needs four neighbours on either side along three axes: three
convolutions in one dimension each. Columns along z stay whole on a PE, x and y are split, and PEs exchange the margins
that the convolutions reach into. Steps are written as a loop and are a loop in the PEs' programs.
"""

import argparse

import torch
from torch import nn

import wse_mlir

SECOND_DERIVATIVE = (-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560)


class Waves(nn.Module):
    """From pressures at two times, (x, y, z), and c^2 dt^2 at each point to the pressures so many steps later."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps, self.taps = steps, torch.tensor(SECOND_DERIVATIVE)

    def forward(
        self, now: torch.Tensor, before: torch.Tensor, speed: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        for _ in range(self.steps):
            now, before = 2 * now - before + speed * self.laplacian(now), now
        return now, before

    def laplacian(self, u: torch.Tensor) -> torch.Tensor:
        """Second derivatives along x, y and z, added up; pressure is zero outside of the box."""
        along = [self.taps.view(1, 1, *(9 if axis == d else 1 for d in range(3))) for axis in range(3)]
        parts = [nn.functional.conv3d(u[None, None], taps, padding="same") for taps in along]
        return (parts[0] + parts[1] + parts[2])[0, 0]


def main() -> None:
    """Lets a pulse spread, in PyTorch and on the wafer."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--size", default="8x8x48", help="points along x, y and z")
    parser.add_argument("--steps", type=int, default=6, help="steps in time")
    parser.add_argument("--grid", default="2x2", help="PEs, as WIDTHxHEIGHT")
    options = parser.parse_args()

    size = [int(n) for n in options.size.split("x")]
    axes = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in size), indexing="ij")
    pulse = torch.exp(-8 * sum(axis**2 for axis in axes))
    fields = pulse, pulse.clone(), torch.full(size, 0.05)

    model = Waves(options.steps)
    on_wafer = wse_mlir.compile(model, fields, target="tiny", grid=options.grid)
    wanted, found = model(*fields)[0], on_wafer(*fields)[0]
    print(f"largest difference to PyTorch: {(found - wanted).abs().max() / wanted.abs().max():.1e}")

    report = on_wafer.report
    cycles, roofline = report["cycles"]["makespan"] / options.steps, report["roofline"]
    points = pulse.numel() / report["pes"]
    print(f"{cycles:.0f} cycles a step, {cycles / points:.1f} for each of a PE's {points:.0f} points")
    share = roofline["attained"] / roofline["roof"]
    print(f"{share:.0%} of the roofline, {roofline['roof']:.1f} FLOPs a cycle, bound by {roofline['bound']}")
    for phase in report["phases"]:
        moving = phase["communication"] + phase["waiting"]
        print(f"  {phase['name']:20} {phase['compute']:8.0f} cycles computing, {moving:6.0f} moving")


if __name__ == "__main__":
    main()

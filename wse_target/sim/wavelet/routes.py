"""Routes followed router by router: the channel that a sender's words take in one epoch, and whom a receiver hears."""

from __future__ import annotations

from ...errors import TargetError
from ...image import Program
from ...instructions import Direction
from ...machine import Machine
from ..code import Code, Placement, strided
from .channels import Channel, Delivery, Inbox
from .epochs import switched_positions
from .fabric import Fabric, Gate, Link, OutputPort, RouterNode

DIRECTIONS: tuple[Direction, ...] = ("north", "east", "south", "west", "ramp")
STEP: dict[Direction, tuple[int, int]] = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
OPPOSITE: dict[Direction, Direction] = {"north": "south", "east": "west", "south": "north", "west": "east"}
LINKS = 6  # of a router: to its four neighbours, the ramp down to the core, the ramp up from it
RAMP, UP = 4, 5
REPETITION = 1 << 32  # epochs from one repetition to the next, more than any program has
NEVER = float("inf")
Setting = tuple[Direction, tuple[Direction, ...]]


class Routes:
    """Settings of all routers, the links between them, and the gates of routers that are switched.

    Attributes:
        links: by router * 6 + link.
        gates: by (PE, colour), where the PE switches the colour.
    """

    def __init__(self, program: Program, machine: Machine, placement: Placement, code: Code) -> None:
        self._program = program
        self._machine = machine
        self._placement = placement
        self._settings = _settings(program)
        self._positions = switched_positions(program, code, placement)
        self._at = placement.at.tolist()
        self._routers = (placement.y * placement.width + placement.x).tolist()
        self._switched = {colour for _, colour in self._positions}
        self._known: set[tuple[int, str]] = set()
        self.reset(Fabric(machine.fabric.cycles_per_wavelet))

    def reset(self, fabric: Fabric) -> None:
        """All routers are in their first epoch, no words under way."""
        self.links = [Link() for _ in range(len(self._at) * LINKS)]
        self.gates = {key: Gate(fabric, key[0]) for key in self._positions}
        self._gates_of: dict[int, list[Gate]] = {}
        for gate in self.gates.values():
            self._gates_of.setdefault(gate.pe, []).append(gate)
        self.inboxes: dict[tuple[int, str, int | None], Inbox] = {}

    def inbox(self, pe: int, colour: str, epoch: int) -> Inbox:
        """Where words of a colour arrive at a core. A core that switches the colour keeps its epochs apart."""
        own = epoch if (pe, colour) in self.gates else None
        key = (pe, colour, own)
        if key not in self.inboxes:
            self.inboxes[key] = Inbox(pe, colour, own)
        return self.inboxes[key]

    def set_back(self, pe: int, epoch: int, time: float) -> None:
        """All that a PE switches is back at its initial position."""
        for gate in self._gates_of.get(pe, ()):
            gate.choose(epoch, time)

    def position(self, router: int, colour: str, epoch: int) -> int | None:
        """Position of a router in an epoch; None when its PE switches the colour but never comes to that epoch."""
        chosen = self._positions.get((self._at[router], colour))
        if chosen is None:
            return self._program.positions.get(colour, 0)
        number = epoch % REPETITION
        return chosen[number] if number < len(chosen) else None

    def _setting(self, router: int, colour: str, epoch: int) -> Setting | None:
        position = self.position(router, colour, epoch)
        return None if position is None else self._settings[colour].get((router, position))

    def neighbour(self, router: int, direction: Direction) -> int | None:
        """The router next to one, None beyond the program's edge."""
        width, height = self._placement.width, self._placement.height
        y, x = divmod(router, width)
        dx, dy = STEP[direction]
        inside = 0 <= x + dx < width and 0 <= y + dy < height
        return (y + dy) * width + x + dx if inside else None

    def channel(self, pe: int, colour: str, epoch: int) -> Channel:
        """The channel of a sender in an epoch.

        Raises:
            TargetError: there is no route, it loses words, reaches nobody or a PE without program, or is a ring.
        """
        router = self._routers[pe]
        setting = self._setting(router, colour, epoch)
        if setting is None or setting[0] != "ramp":
            raise no_route(self._placement.name(pe), "sends on", colour)
        channel = Channel(pe, colour, epoch)
        number, latency = self._program.colours[colour], self._machine.fabric.ramp_out
        up, beside = (OutputPort(number, self.links[router * LINKS + UP], latency) for _ in range(2))
        up.router = beside.router = self._node(router, colour, epoch)
        channel.begin_at(up, beside)
        complete = self._grow(channel, router, setting, up.router)
        if complete and not channel.deliveries:
            raise self._lost(channel, "reach no PE")
        return channel

    def _node(self, router: int, colour: str, epoch: int) -> RouterNode:
        gate = self.gates.get((self._at[router], colour))
        if gate is None:
            return RouterNode()
        return RouterNode(gate, NEVER if self.position(router, colour, epoch) is None else epoch)

    def _grow(self, channel: Channel, router: int, setting: Setting, node: RouterNode) -> bool:
        """Follows the settings from the sender's router to all receivers; False where some router never has one."""
        fabric, number = self._machine.fabric, self._program.colours[channel.colour]
        todo, seen, complete = [(router, setting, node, 0)], {router}, True
        while todo:
            router, (came, sends), node, hops = todo.pop()
            for direction in sorted(set(sends), key=DIRECTIONS.index):
                link = self.links[router * LINKS + DIRECTIONS.index(direction)]
                if direction == "ramp":
                    branch = OutputPort(number, link, fabric.ramp_in)
                    branch.receiver = self._delivery(channel, router, hops)
                else:
                    turn = fabric.turn_latency * _turns(came, direction)
                    branch = OutputPort(number, link, fabric.hop_latency + turn)
                    following, there, branch.router = self._follow(channel, router, direction)
                    if following in seen:
                        raise self._ring(channel.colour, following)
                    seen.add(following)
                    if there is not None:
                        todo.append((following, there, branch.router, hops + 1))
                    complete &= there is not None
                node.branches.append(branch)
        return complete

    def _follow(
        self, channel: Channel, router: int, direction: Direction
    ) -> tuple[int, Setting | None, RouterNode]:
        """The next router, its setting (None where the channel's epoch never comes), and its node."""
        following = self.neighbour(router, direction)
        if following is not None:
            node = self._node(following, channel.colour, channel.epoch)
            there = self._setting(following, channel.colour, channel.epoch)
            if node.epoch == NEVER or (there is not None and there[0] == OPPOSITE[direction]):
                return following, there, node
        y, x = divmod(router, self._placement.width)
        raise self._lost(channel, f"go {direction} from PE ({x}, {y}), where no router takes them")

    def _delivery(self, channel: Channel, router: int, hops: int) -> Delivery:
        """The end of a route; capacity is what queues at both ends and routers between hold."""
        pe = self._at[router]
        if pe < 0:
            y, x = divmod(router, self._placement.width)
            raise TargetError(
                f"a route of colour '{channel.colour}' ends at PE ({x}, {y}), which has no program",
                hint="restrict the route to the PEs of a class",
            )
        queues, named = self._machine.queues, self._program.queues.get(channel.colour)
        into = queues.input[named[0]] if named else max(queues.input)
        out = queues.output[named[1]] if named else max(queues.output)
        capacity = into + out + hops * self._machine.fabric.router_words
        delivery = Delivery(channel, self.inbox(pe, channel.colour, channel.epoch), capacity)
        channel.deliveries.append(delivery)
        return delivery

    def root(self, pe: int, colour: str, epoch: int) -> int | None:
        """PE whose words a receive takes, None where it cannot be told: found from the receiver upstream."""
        router, direction = self._routers[pe], DIRECTIONS[RAMP]
        for _ in range(len(self._at) + 1):
            setting = self._setting(router, colour, epoch)
            if setting is None or direction not in setting[1]:
                return None
            came = setting[0]
            if came == "ramp":
                return self._at[router] if self._at[router] >= 0 else None
            direction = OPPOSITE[came]
            upstream = self.neighbour(router, came)
            if upstream is None:
                return None
            router = upstream
        raise self._ring(colour, self._routers[pe])

    def check_incoming(self, pe: int, colour: str, epoch: int) -> None:
        """Raises `TargetError` when no words of a colour can come to a PE.

        PEs that keep their setting while others switch hear whoever is on their way at the time: nothing is checked.
        """
        key = (pe, colour)
        if key in self._known or (colour in self._switched and key not in self.gates):
            return
        if self.root(pe, colour, epoch) is None:
            raise no_route(self._placement.name(pe), "receives", colour)
        if colour not in self._switched:
            self._known.add(key)

    def _lost(self, channel: Channel, how: str) -> TargetError:
        return TargetError(
            f"wavelets of colour '{channel.colour}' from {self._placement.name(channel.pe)} {how}",
            hint="the last router of a route must give to its ramp only",
        )

    def _ring(self, colour: str, router: int) -> TargetError:
        y, x = divmod(router, self._placement.width)
        return TargetError(
            f"the routes of colour '{colour}' form a ring through PE ({x}, {y})",
            hint="a router passes a word on once",
        )


def _settings(program: Program) -> dict[str, dict[tuple[int, int], Setting]]:
    """Settings by colour, then by (router, position)."""
    found: dict[str, dict[tuple[int, int], Setting]] = {colour: {} for colour in program.colours}
    for route in program.routes:
        settings = found[route.colour]
        xs, ys = strided(route.where)
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            key = (y * program.grid[0] + x, route.position)
            if key in settings:
                raise TargetError(
                    f"colour '{route.colour}' has two routes at the router of PE ({x}, {y})",
                    hint="a router takes a colour from one direction at a time; use another colour or position",
                )
            settings[key] = (route.receive, route.send)
    return found


def _turns(came: Direction, goes: Direction) -> bool:
    """Whether a path changes between x and y."""
    return came != "ramp" and DIRECTIONS.index(came) % 2 != DIRECTIONS.index(goes) % 2


def no_route(name: str, verb: str, colour: str) -> TargetError:
    """A transfer on a PE that no route of its colour serves."""
    return TargetError(
        f"{name} {verb} colour '{colour}', for which no route leads there from a sender's ramp",
        hint="add the missing `Route`, or restrict the transfer to PEs that have one",
    )

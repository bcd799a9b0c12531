"""The console scripts without the seconds that each spends on imports: they run in forks of one process.

`python warm_commands.py SOCKET` serves until its standard input ends. A script of the folder that `warm_commands` gives
hands over its arguments, environment, folder and standard streams, and ends as the fork does.
"""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMANDS = ("wse", "wse-opt", "wse-reduce")
CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(json.dumps([{command!r}, sys.argv[1:], dict(os.environ), os.getcwd()]).encode())
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.recv(16) or 70))
"""


@contextmanager
def warm_commands(folder: Path) -> Iterator[Path]:
    """A folder for PATH with the commands, which work as long as the context lasts."""
    address = str(folder / "socket")
    server = subprocess.Popen(
        [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None and server.stdout is not None
    server.stdout.readline()  # it listens
    scripts = folder / "bin"
    scripts.mkdir()
    for command in COMMANDS:
        text = CLIENT.format(python=sys.executable, address=address, command=command)
        (scripts / command).write_text(text)
        (scripts / command).chmod(0o755)
    yield scripts
    server.stdin.close()
    server.wait()


def serve(address: str) -> None:
    """Answers clients, each in a fork."""
    import_what_commands_need()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    print("ready", flush=True)
    running = 0
    while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
        client = ready[0].accept()[0]
        if os.fork() == 0:
            listener.close()
            answer(client)
        client.close()
        running += 1
        while running and os.waitpid(-1, os.WNOHANG)[0]:
            running -= 1
    for _ in range(running):
        os.wait()


def import_what_commands_need() -> None:
    """Imports that commands would make when they run: no more, since tests of start-up times are elsewhere."""
    import onnx  # noqa: F401
    import torch_mlir.fx  # noqa: F401

    from wse_mlir.artifacts.emit import emit  # noqa: F401
    from wse_mlir.frontend import exporting, lowering  # noqa: F401
    from wse_mlir.tools import run, simulate, wse, wse_opt, wse_reduce  # noqa: F401
    from wse_mlir.verify import verify  # noqa: F401


def answer(client: socket.socket) -> None:
    """Runs what a client asks for, in this process, and ends it."""
    streams = socket.recv_fds(client, 1, 3)[1]
    command, arguments, environment, folder = json.loads(client.makefile("rb").read())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [command, *arguments]
    code = run_command(command)
    client.sendall(str(code).encode())
    os._exit(0)


def run_command(command: str) -> int:
    """The exit code of a console script's function."""
    from wse_mlir.tools import wse, wse_opt, wse_reduce

    entries = {"wse": wse.main, "wse-opt": wse_opt.main, "wse-reduce": wse_reduce.main}
    parent = os.getpid()
    try:
        code: object = entries[command]()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    if os.getpid() != parent:  # the fork in which a command works, see own_process.py
        os._exit(code if isinstance(code, int) else 0)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    serve(sys.argv[1])

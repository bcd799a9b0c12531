"""The console scripts without what each spends on imports: they run in forks of one process.

`python warm_commands.py SOCKET MODULE...` imports the modules and serves until its standard input ends. A script of
the folder that `warm_commands` gives hands over its arguments, environment, folder and standard streams, and ends as
the fork does.
"""

import importlib
import json
import os
import pkgutil
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

COMMANDS = {
    "wse": ("wse_mlir.tools.wse", "main"),
    "wse-opt": ("wse_mlir.tools.wse_opt", "main"),
    "wse-reduce": ("wse_mlir.tools.wse_reduce", "main"),
    "filecheck": ("filecheck.main", "main"),
}
# What commands import when they run: no more, since tests of start-up times are elsewhere.
MODELS = (
    "onnx",
    "torch_mlir.fx",
    "wse_mlir.artifacts.emit.emit",
    "wse_mlir.frontend.exporting",
    "wse_mlir.frontend.lowering",
    "wse_mlir.tools.run",
    "wse_mlir.tools.simulate",
    "wse_mlir.tools.wse",
    "wse_mlir.tools.wse_opt",
    "wse_mlir.tools.wse_reduce",
    "wse_mlir.verify.verify",
)
IR = (
    "filecheck.main",
    "wse_mlir.passes.*",
    "wse_mlir.pipelines.*",
    "wse_mlir.tools.opt.*",
    "wse_mlir.reduce.*",
)
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
def warm_commands(folder: Path, modules: Sequence[str] = MODELS) -> Iterator[Path]:
    """A folder for PATH with the commands, which work as long as the context lasts.

    Args:
        folder: where that folder and the socket are made; its path is short, as that of a socket has to be.
        modules: what is imported once for all; `package.*` is everything below a package.
    """
    address = str(folder / "socket")
    server = subprocess.Popen(
        [sys.executable, __file__, address, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None and server.stdout is not None
    assert server.stdout.readline(), "the commands cannot be imported"
    scripts = folder / "bin"
    scripts.mkdir()
    for command in COMMANDS:
        text = CLIENT.format(python=sys.executable, address=address, command=command)
        (scripts / command).write_text(text)
        (scripts / command).chmod(0o755)
    try:
        yield scripts
    finally:
        server.stdin.close()
        server.wait()


def serve(address: str, modules: Sequence[str]) -> None:
    """Answers clients, each in a fork."""
    for module in modules:
        import_all(module)
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


def import_all(module: str) -> None:
    """Imports a module, or everything below a package."""
    package = importlib.import_module(module.removesuffix(".*"))
    if module.endswith(".*"):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)


def answer(client: socket.socket) -> None:
    """Runs what a client asks for, in this process, and ends it."""
    streams = socket.recv_fds(client, 1, 3)[1]
    command, arguments, environment, folder = json.loads(client.makefile("rb").read())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # Anew, as for a new process: what the server has as a file may be a pipe here.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [command, *arguments]
    code = run_command(command)
    client.sendall(str(code).encode())
    os._exit(0)


def run_command(command: str) -> int:
    """The exit code of a console script's function."""
    module, name = COMMANDS[command]
    parent = os.getpid()
    try:
        code: object = getattr(importlib.import_module(module), name)()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    if os.getpid() != parent:  # the fork in which a command works, see own_process.py
        os._exit(code if isinstance(code, int) else 0)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])

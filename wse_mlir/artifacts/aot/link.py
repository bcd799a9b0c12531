"""The files of a library, written into one folder, compiled and linked there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...runtime.native.packed import POOL_RUN
from ...runtime.native.pool import pool_object
from .c_header import ABI_HEADER, exported_symbols, header_text
from .c_source import source_text
from .kernels import LibraryKernel
from .plan import FunctionPlan
from .toolchain import Toolchain
from .weights import WeightLayout

_HERE = Path(__file__).parent
_RUNTIME = _HERE / "runtime"


@dataclass(frozen=True)
class Sources:
    """What a library is made of.

    Attributes:
        compiler: name and version, for people who ask the library.
        weights: "embedded" or "beside".
        main: C sources of an executable's main program.
    """

    name: str
    plans: Sequence[FunctionPlan]
    kernels: Sequence[LibraryKernel]
    layout: WeightLayout
    compiler: str
    weights: str
    main: tuple[Path, ...] = ()

    @property
    def has_threads(self) -> bool:
        """Whether functions share their work among threads, so that the library needs a pool."""
        return any(POOL_RUN.encode() in kernel.code for kernel in self.kernels)

    def write(self, folder: Path) -> list[str]:
        """Writes sources, objects and weights; returns the names of the objects."""
        weights_file = f"{self.name}.weights"
        (folder / f"{self.name}.h").write_text(header_text(self.name, self.plans))
        source = source_text(
            self.name,
            self.plans,
            self.layout,
            self.kernels[0].function.processor,
            self.compiler,
            weights_file,
            embedded=self.weights == "embedded",
        )
        (folder / f"{self.name}.c").write_text(source)
        exported = "".join(f" {symbol};" for symbol in exported_symbols(self.name, self.plans))
        (folder / "exports.map").write_text(f"{{ global:{exported} local: *; }};\n")
        self.layout.write(folder / weights_file)
        objects = {f"{kernel.symbol}.o": kernel.code for kernel in self.kernels}
        if self.has_threads:
            objects[f"{self.name}__pool.o"] = pool_object(f"{self.name}__")
        for file, code in objects.items():
            (folder / file).write_bytes(code)
        return list(objects)

    def keep(self, folder: Path, keep: Path, commands: Sequence[str]) -> None:
        """Copies what the library was made of, but the weights, to `keep`, with the commands."""
        for kernel in self.kernels:
            (keep / f"{kernel.symbol}.ll").write_text(kernel.llvm_ir)
            shutil.copy(folder / f"{kernel.symbol}.o", keep)
        for file in (f"{self.name}.h", f"{self.name}.c", "exports.map"):
            shutil.copy(folder / file, keep)
        for file in sorted(_RUNTIME.iterdir()):
            shutil.copy(file, keep)
        (keep / "commands.txt").write_text("\n".join([*commands, ""]))


def link(
    sources: Sources, kind: str, target: str, folder: Path, toolchain: Toolchain, *, debug: bool
) -> None:
    """Makes the file `target` in `folder`, beside header and weights.

    Raises:
        CompilerError: the C compiler or the linker fails.
    """
    objects = sources.write(folder)
    common = ["-O2", "-fPIC", "-fvisibility=hidden", *_debug_options(folder, debug)]
    made = f"{sources.name}__interface.o"
    c11 = ["-std=c11", "-D_GNU_SOURCE", *common, "-I.", f"-I{_RUNTIME}"]
    toolchain.run(
        [*c11, "-c", f"{sources.name}.c", "-o", made], f"compiling the interface of '{target}'", folder
    )
    objects.append(made)
    c99 = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", *common, f"-I{ABI_HEADER.parent}"]
    for index, program in enumerate(sources.main):
        made = f"main{index}.o"
        where = [f"-I{program.resolve().parent}", "-c", str(program.resolve()), "-o", made]
        toolchain.run([*c99, *where], f"compiling '{program.name}'", folder)
        objects.append(made)
    toolchain.run(
        [*_link_options(kind, target), "-o", target, *objects, *_libraries(kind, sources.has_threads)],
        f"linking '{target}'",
        folder,
    )


def _debug_options(folder: Path, debug: bool) -> list[str]:
    return ["-g", f"-fdebug-prefix-map={folder}=."] if debug else []


def _link_options(kind: str, target: str) -> list[str]:
    if kind == "object":
        return ["-r", "-nostdlib"]
    if kind == "executable":
        return ["-pie", "-Wl,-z,text", "-Wl,-z,relro"]
    named = ["-Wl,-soname," + target, "-Wl,--version-script=exports.map"]
    return ["-shared", *named, "-Wl,-z,text", "-Wl,-z,relro", "-Wl,-Bsymbolic", "-Wl,--no-undefined"]


def _libraries(kind: str, has_threads: bool) -> list[str]:
    if kind == "object":
        return []
    return ["-Wl,--as-needed", "-lm", *(["-pthread"] if has_threads else [])]

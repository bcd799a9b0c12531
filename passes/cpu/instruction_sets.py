"""What LLVM knows about processors: their names, the features they imply, the code generator for one of them.

LLVM's C interface cannot list what a name implies, so its inliner is asked: it inlines a function into another only
where the second one's processor has all instruction sets of the first one's. No table of ours has to be kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import llvmlite.binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager

from ...dialects.fork_lock import ForkLock, LockOrder
from ..infra.native_errors import captured_stderr

LLVM = ForkLock(LockOrder.LLVM, "in LLVM", llvm.ffi.lib._lock._lock)
"""llvmlite's own lock, which it takes for every call of LLVM: a fork has to know of it."""

# Instructions of operating systems and of people who ask for them by name; the code generator never chooses one,
# and virtual machines like to hide them.
_NEVER_CHOSEN = frozenset(
    (
        *(
            "clzero",
            "cldemote",
            "enqcmd",
            "fsgsbase",
            "hreset",
            "invpcid",
            "kl",
            "lwp",
            "movdir64b",
            "movdiri",
        ),
        *(
            "mwaitx",
            "pconfig",
            "pku",
            "prefetchi",
            "ptwrite",
            "rdpid",
            "rdpru",
            "rtm",
            "serialize",
            "sgx",
            "shstk",
        ),
        *("tsxldtrk", "uintr", "usermsr", "waitpkg", "wbnoinvd", "widekl"),
        *("xsave", "xsavec", "xsaveopt", "xsaves"),
    )
)


# What LLVM prints about the names it knows, and about those that it does not.
_HELP = re.compile(r"  \S+\s+- |Available |Use \+feature |For example, |$")
_UNKNOWN = re.compile(r"'.*' is not a recognized (feature|processor) for this target")


@cache
def initialise() -> None:
    """Makes LLVM's code generator for this machine's architecture available."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def architecture() -> str:
    """Of this process, as in LLVM's triples: "x86_64", "aarch64"."""
    return llvm.get_process_triple().split("-")[0]


def create_target_machine(cpu: str, features: str) -> llvm.TargetMachine:
    """LLVM's code generator for a processor: position independent, optimised. Names must be known ones."""
    initialise()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=cpu, features=_for_64_bit(features), opt=3, reloc="pic", codemodel="small"
    )


def run_llvm_passes(
    module: llvm.ModuleRef, machine: llvm.TargetMachine, options: llvm.PipelineTuningOptions
) -> None:
    """Runs LLVM's default passes of the options' level."""
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    passes.run(module, builder)
    # llvmlite's class inherits from two, and what frees the passes is hidden by the first one's: 128 KiB a time.
    NewPassManager._dispose(passes)
    passes.detach()


@cache
def known_names() -> tuple[frozenset[str], frozenset[str]]:
    """Names of processors and of features; LLVM prints them once in a process, so they are kept."""
    initialise()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    with captured_stderr() as said:
        target.create_target_machine(cpu="", features=_for_64_bit("+help"))
    cpus, _, features = said.take(_HELP.match).partition("Available features")
    name = re.compile(r"^  (\S+)\s+- ", re.M)
    return frozenset(name.findall(cpus)), frozenset(name.findall(features))


@cache
def host() -> tuple[str, str]:
    """LLVM's name of this machine's processor, and its features as a list of switches."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@cache
def instruction_sets(cpu: str, features: str) -> frozenset[str]:
    """The instruction sets beyond the architecture's baseline that LLVM may use for a processor.

    An empty name stands for the baseline. On x86 the host query speaks of every instruction set, so all other
    features are advice on tuning.
    """
    asked = _candidates()
    answers = _inlined([((cpu or _baseline(), features), name) for name in asked])
    return frozenset(name for name, has in zip(asked, answers, strict=True) if has)


@cache
def _candidates() -> tuple[str, ...]:
    """Features that are instruction sets beyond the baseline."""
    all_names = _listed(host()[1]) if architecture() == "x86_64" else known_names()[1]
    asked = sorted(all_names - _NEVER_CHOSEN - {"64bit"})
    answers = _inlined([((_baseline(), ""), name) for name in asked])
    return tuple(name for name, common in zip(asked, answers, strict=True) if not common)


def _baseline() -> str:
    """LLVM's name of what every processor of this architecture can do."""
    return "x86-64" if architecture() == "x86_64" else "generic"


def _listed(features: str) -> frozenset[str]:
    """Names in a list of switches, on or off."""
    return frozenset(part[1:] for part in features.split(",") if part)


def _inlined(questions: Sequence[tuple[tuple[str, str], str]]) -> list[bool]:
    """For each ((cpu, features), name): whether LLVM inlines code that needs feature `name` there."""
    lines = []
    for index, ((cpu, features), name) in enumerate(questions):
        lines += [
            f"define internal void @needs{index}(ptr %p) #{2 * index} {{ store volatile i8 0, ptr %p ret void }}",
            f"define void @at{index}(ptr %p) #{2 * index + 1} {{ call void @needs{index}(ptr %p) ret void }}",
            _attributes(2 * index, _baseline(), f"+{name}"),
            _attributes(2 * index + 1, cpu, features),
        ]
    module = llvm.parse_assembly("\n".join(lines), llvm.create_context())
    machine = create_target_machine("", "")
    with captured_stderr() as said:
        run_llvm_passes(module, machine, llvm.create_pipeline_tuning_options(speed_level=2))
    said.take(_UNKNOWN.match)
    bodies = {f.name: str(f) for f in module.functions}
    return [f"@needs{index}(" not in bodies[f"at{index}"] for index in range(len(questions))]


def _attributes(number: int, cpu: str, features: str) -> str:
    target = f'"target-cpu"="{cpu}" "target-features"="{_for_64_bit(features)}"'
    return f"attributes #{number} = {{ {target} }}"


def _for_64_bit(features: str) -> str:
    """LLVM ends the process when 64-bit code is asked of a processor that has none, such as i686."""
    return ",".join(filter(None, ("+64bit" if architecture() == "x86_64" else "", features)))

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the caller passed: read through the return address where debug info and the code prove it, absent elsewhere.

The function `f` at 0x1000 has the parameter p, which was optimized out (DW_OP_GNU_parameter_ref), and q, whose value is
that of rsi on entry.  Its callers are at 0x1100, 0x1200, ...; what calls are is in the code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from localvar.arch import X86_64
from localvar.codegen.callers import called_name, make_called
from localvar.codegen.expr import c_expression
from localvar.diagnostics import Span
from localvar.dwarf.elf import Elf
from localvar.dwarf.scope import chain_at, function_at
from localvar.images import Image as OurImage
from localvar.images import Images
from localvar.model import fold
from localvar.model.calls import Activation, Call
from localvar.model.expr import Binary, Const, Entry, Expr, Extend, Load, Op, Reg, contains
from localvar.model.location import Reason
from localvar.model.path import Path
from localvar.model.plan import How, PlannedUse, Read, ReadPlan, Scalar
from localvar.model.site import Site, SiteKind
from localvar.model.source import Macro, MacroUse
from localvar.plan.caller import by_callers
from localvar.plan.judge import Judge
from localvar.probe.sites import make_site
from tests.compiled import compile_c, function
from tests.dwarfgen import Cie, Die, Fde, Image, Ref, Section, Symbol, Unit, cfa, ctype, nops, op

F, A, B, G, SIZE = 0x1000, 0x1100, 0x1200, 0x1300, 0x80
RBX, RBP, RSP = 3, 6, 7
BODY = F + 0x20
"""Where f has pushed rbx and made room: the CFA is rsp + 32, rbx at CFA - 16."""
LONG = ctype.base("long", 8, "signed")
CIE = Cie((cfa.def_cfa(RSP, 8), cfa.offset(16, 1)))
PUSHED = (cfa.advance(1), cfa.def_cfa_offset(16), cfa.offset(RBX, 2), cfa.advance(4), cfa.def_cfa_offset(32))
CALLS = (cfa.advance(4), cfa.def_cfa_offset(80), cfa.advance(0x11), cfa.def_cfa_offset(8))
"""In the callers: another rule holds behind the call."""


def call(at: int, target: int) -> bytes:
    return b"\xe8" + (target - at - 5).to_bytes(4, "little", signed=True)


def jump(at: int, target: int) -> bytes:
    return b"\xe9" + (target - at - 5).to_bytes(4, "little", signed=True)


def passed(value: object, register: int | None = None, stack: int | None = None) -> Die:
    """A DW_TAG_call_site_parameter: of the parameter p, of a register, of a place above the stack pointer."""
    place: dict[str, Any] = {"call_parameter": Ref("p")}
    if register is not None:
        place = {"location": op.expr(getattr(op, f"reg{register}")())}
    if stack is not None:
        place = {"location": op.expr(op.breg7(stack))}
    return Die("call_site_parameter", call_value=op.expr(value) if isinstance(value, op.Op) else value, **place)


def site_of(at: int, *children: Die, origin: str = "f", **attributes: Any) -> Die:
    """The call site of the call instruction at an address."""
    return Die("call_site", call_return_pc=at + 5, call_origin=Ref(origin), children=children, **attributes)


def caller(name: str, start: int, *children: Die, **attributes: Any) -> Die:
    return Die("subprogram", name=name, label=name, low_pc=start, high_pc=SIZE, frame_base=op.call_frame_cfa(),
               children=children, **attributes)


def called_function(**attributes: Any) -> list[Die]:
    """f, a clone of an abstract one as gcc writes it."""
    abstract = Die("subprogram", name="f", label="abstract f", inline=1, children=[
        Die("formal_parameter", name="p", label="p", type=Ref("long"))])
    parameters = [
        Die("formal_parameter", abstract_origin=Ref("p"), location=op.expr(op.GNU_parameter_ref("p"), op.stack_value())),
        Die("formal_parameter", name="r", type=Ref("int"), location=op.expr(op.fbreg(8))),
        Die("formal_parameter", name="q", type=Ref("long"), location=op.expr(op.entry_value(op.reg4()), op.stack_value())),
    ]
    return [abstract, Die("subprogram", label="f", abstract_origin=Ref("abstract f"), low_pc=F, high_pc=SIZE,
                          frame_base=op.call_frame_cfa(), children=parameters, **attributes)]


class World:
    """A kernel of f, its callers, and code where the test says what it is."""

    def __init__(self, *callers: Die, code: Mapping[int, bytes] | None = None, others: Sequence[Unit] = (),
                 version: int = 5, high: int = 0x1000, frame: Sequence[Any] = PUSHED, cie: Cie = CIE,
                 f: Mapping[str, Any] | None = None, **fields: Any) -> None:
        text = bytearray(nops(0x1000))
        for start in (F, A, B, G):
            text[start + SIZE - 1 - 0x1000] = 0xC3
        for at, raw in (code if code is not None else {A + 0x10: call(A + 0x10, F), B + 0x10: call(B + 0x10, F)}).items():
            text[at - 0x1000 : at - 0x1000 + len(raw)] = raw
        root = Die("compile_unit", name="a.c", low_pc=0x1000, high_pc=high,
                   children=[LONG, ctype.base("int", 4, "signed"), *called_function(**(f or {})), *callers])
        frames = [Fde(cie, F, SIZE, frame), *(Fde(CIE, start, SIZE, CALLS) for start in (A, B, G))]
        image = Image(units=[Unit(root, version=version), *others], text=bytes(text), debug_frame=frames, **fields)
        self.image = OurImage(Elf("image", image.elf()), X86_64)
        self.images = Images(self.image, X86_64, None)
        self.judge = Judge(self.images, X86_64)

    def site(self, pc: int = BODY) -> Site:
        unit = self.image.info.unit_of_pc(pc)
        die = function_at(unit, pc) if unit else None
        assert die is not None
        return make_site(self.image.info, chain_at(die, pc), pc, self.image.resolver.probeable)

    def read(self, name: str = "p", pc: int = BODY) -> Read:
        return self.judge.local(self.site(pc), Path(name))

    def unprobeable(self, name: str = "q") -> Read:
        """A read where no companion probe can be at the function's entry."""
        return self.judge.local(replace(self.site(), entry_why_not=Reason("blacklisted", "it is NOKPROBE")), Path(name))

    def returns(self, name: str = "p") -> list[int]:
        """The return addresses that prove it."""
        found = self.read(name)
        assert found.how is How.CALLER and found.callers is not None, found.reason
        return [address for address, _ in found.callers.calls]

    def why(self, name: str = "p") -> str:
        found = self.read(name)
        assert not found.readable and found.reason is not None and found.reason.slug == "caller-unknown", found
        return found.reason.text


def values(read: Read, returns_to: Sequence[int], registers: Mapping[int, int], memory: bytes = b"", frame: int = 32,
           slide: int = 0) -> list[int | None]:
    """What the compiled C reads with the stack pointer in the memory and each return address in the frame; None where it
    says that the hit is not proven."""
    assert isinstance(read.source, Scalar) and read.callers is not None
    plan = ReadPlan((read.site,), (), (PlannedUse(USE, read.path, ((0, read),)),))
    text = make_called(plan, X86_64).text
    test = function("proven", "u8", f"{called_name(read.callers, X86_64)}(regs)")
    compiled = compile_c([text, function("read", "unsigned long", c_expression(read.source.expr, X86_64)), test])
    compiled.slide(slide)
    stack = compiled.memory_address + 0x1000
    found: list[int | None] = []
    for address in returns_to:
        compiled.fill(bytes(0x1000) + memory.ljust(frame - 8, b"\0") + (address + slide & (1 << 64) - 1).to_bytes(8, "little"))
        proven = compiled.call("proven", {RSP: stack, **registers}, 1)[0]
        value = int.from_bytes(compiled.call("read", {RSP: stack, **registers}, 8), "little")
        found.append(value - stack if proven and value >> 12 == stack >> 12 else value if proven else None)
    return found


USE = MacroUse(Macro.GET_LOCAL_VAR, Span("h.c", 0, 1, 1, 1), (), "h", "regs")
AT_A, AT_B = A + 0x15, B + 0x15


# -- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slide", [0, 0x2000_0000])
def test_each_caller_gives_its_own_value_and_others_are_not_proven(slide: int) -> None:
    """rbx is saved in f's frame, rbp still holds what it held, the caller's stack pointer is f's CFA."""
    world = World(
        caller("a", A, site_of(A + 0x10, passed(op.breg3(5)))), caller("b", B, site_of(B + 0x10, passed(op.breg6(-1)))),
        caller("g", G, site_of(G + 0x10, passed(op.lit7()))),
        code={at + 0x10: call(at + 0x10, F) for at in (A, B, G)})
    read = world.read()
    assert (read.how, read.location_class.value) == (How.CALLER, "entry_value")
    memory = bytes(16) + (1000).to_bytes(8, "little")
    found = values(read, [AT_A, AT_B, G + 0x15, G + 0x14, 0], {RBX: 1, RBP: 2000}, memory, slide=slide)
    assert found == [1005, 1999, 7, None, None]


def test_an_address_in_the_callers_frame_is_found_from_the_called_ones() -> None:
    """At the call the caller's CFA is 80 above its stack pointer, which is f's CFA, 32 above f's stack pointer."""
    world = World(caller("a", A, site_of(A + 0x10, passed(op.fbreg(-40)))))
    assert values(world.read(), [AT_A], {}) == [32 + 80 - 40]


def test_calls_that_pass_the_same_are_read_the_same_way() -> None:
    world = World(*(caller(name, start, site_of(start + 0x10, passed(op.lit7()))) for name, start in (("a", A), ("b", B))))
    read = world.read()
    assert isinstance(read.source, Scalar) and read.source.expr == Const(7)
    assert world.returns() == [AT_A, AT_B]


def test_the_address_of_a_per_cpu_variable_is_passed_as_c_has_it() -> None:
    """Not where the copy of the CPU is that the probe runs on: that is what this_cpu_ptr() makes of it."""
    world = World(caller("a", A, site_of(A + 0x10, passed(op.addr(0x6010)))),
                  sections=[Section(".data..percpu", bytes(0x40), 0x6000)])
    assert values(world.read(), [AT_A], {}, slide=0x1000_0000) == [0x6010]


def test_the_frame_is_that_of_the_probed_address() -> None:
    """At the entry itself nothing is pushed yet: rbx is in its register, the CFA is rsp + 8."""
    world = World(caller("a", A, site_of(A + 0x10, passed(op.breg3(0)))))
    assert values(world.read(pc=F), [AT_A], {RBX: 11}, frame=8) == [11]
    assert values(world.read(), [AT_A], {RBX: 11}, bytes(16) + (12).to_bytes(8, "little")) == [12]


def test_dwarf_4_has_the_same_by_gnu_names() -> None:
    site = Die("GNU_call_site", low_pc=AT_A, abstract_origin=Ref("f"), children=[
        Die("GNU_call_site_parameter", abstract_origin=Ref("p"), GNU_call_site_value=op.expr(op.lit9()))])
    tail = Die("GNU_call_site", low_pc=AT_B, abstract_origin=Ref("f"), GNU_tail_call=True, children=[
        Die("GNU_call_site_parameter", abstract_origin=Ref("p"), GNU_call_site_value=op.expr(op.lit8()))])
    world = World(caller("a", A, site), caller("b", B, tail), version=4)
    assert world.returns() == [AT_A]
    assert values(world.read(), [AT_A, AT_B], {}) == [9, None]


def test_a_function_that_other_units_declare_is_called_from_there() -> None:
    abstract = Die("subprogram", name="f", label="declared", external=True, declaration=True)
    other = Unit(Die("compile_unit", name="b.c", low_pc=0x2000, high_pc=0x100, children=[
        abstract, Die("subprogram", name="far", low_pc=0x1C00, high_pc=SIZE, children=[
            Die("call_site", call_return_pc=0x1C15, call_origin=abstract, children=[
                Die("call_site_parameter", location=op.expr(op.reg4()), call_value=op.expr(op.lit3()))])])]))
    code = {0x1C10: call(0x1C10, F)}
    fields: dict[str, Any] = {"code": code, "others": [other]}
    of_all = World(symbols=[Symbol("f", F, SIZE)], **fields).unprobeable()
    assert of_all.callers is not None and [address for address, _ in of_all.callers.calls] == [0x1C15]
    local = World(symbols=[Symbol("f", F, SIZE, binding="LOCAL")], **fields).unprobeable()
    assert not local.readable


# -- what is no proof -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [
    pytest.param(op.breg5(0), id="a register that calls change"),
    pytest.param(op.expr(op.fbreg(-40), op.deref()), id="memory, which may have changed since"),
    pytest.param(op.expr(op.addr(0x4000), op.deref()), id="memory of a variable"),
    pytest.param(op.expr(op.entry_value(op.reg5())), id="what its own caller passed"),
    pytest.param(op.expr(op.entry_value(op.reg3())), id="what a kept register held on its own entry"),
    pytest.param(op.expr(op.GNU_parameter_ref("p")), id="a parameter of its own"),
    pytest.param(op.expr(op.breg3(0), op.lit4(), op.shr()), id="a shift of unknown width"),
    pytest.param(op.expr(op.reg3()), id="a place, no value"),
    pytest.param(op.expr(op.plus()), id="damage"),
    pytest.param(op.expr(op.form_tls_address()), id="an operation that cannot be read"),
])
def test_a_call_that_states_what_is_lost_states_nothing(value: object) -> None:
    world = World(caller("a", A, site_of(A + 0x10, passed(value))), caller("b", B, site_of(B + 0x10, passed(op.lit7()))))
    assert world.returns() == [AT_B]
    assert values(world.read(), [AT_A, AT_B], {}) == [None, 7]


def test_none_that_states_it_is_a_reason() -> None:
    assert "none of the 1 calls" in World(caller("a", A, site_of(A + 0x10, passed(op.lit7(), 5)))).why()
    assert "describes no call" in World().why()


@pytest.mark.parametrize(("code", "attributes"), [
    pytest.param({A + 0x10: call(A + 0x10, F)}, {"call_tail_call": True}, id="a tail call by its flag"),
    pytest.param({A + 0x10: jump(A + 0x10, F)}, {}, id="a jump"),
    pytest.param({A + 0x10: call(A + 0x10, G)}, {}, id="a call of another function"),
    pytest.param({A + 0x10: call(A + 0x10, F + 4)}, {}, id="a call of the middle"),
    pytest.param({A + 0x13: b"\xff\xd0"}, {}, id="a call through a register"),
    pytest.param({}, {}, id="no call"),
])
def test_only_a_direct_call_of_the_function_counts(code: dict[int, bytes], attributes: dict[str, Any]) -> None:
    world = World(caller("a", A, site_of(A + 0x10, passed(op.lit7()), **attributes)),
                  caller("b", B, site_of(B + 0x10, passed(op.lit8()))), code={**code, B + 0x10: call(B + 0x10, F)})
    assert world.returns() == [AT_B]


def test_a_call_that_the_kernel_may_replace_does_not_count() -> None:
    """arch/x86/include/asm/alternative.h: offset of the code, of what replaces it, flags, lengths."""
    table = (A + 0x10 - 0x5000).to_bytes(4, "little", signed=True) + bytes(4) + bytes(2) + bytes((5, 5))
    world = World(caller("a", A, site_of(A + 0x10, passed(op.lit7()))), caller("b", B, site_of(B + 0x10, passed(op.lit8()))),
                  sections=[Section(".altinstructions", table, 0x5000)])
    assert world.returns() == [AT_B]


def test_a_call_in_code_that_is_freed_after_boot_does_not_count() -> None:
    symbols = [Symbol("__init_begin", A, type="NOTYPE"), Symbol("__init_end", B, type="NOTYPE")]
    world = World(caller("a", A, site_of(A + 0x10, passed(op.lit7()))), caller("b", B, site_of(B + 0x10, passed(op.lit8()))),
                  symbols=symbols)
    assert world.returns() == [AT_B]


@pytest.mark.parametrize(("code", "why"), [
    pytest.param({F + 0x30: jump(F + 0x30, F)}, "f can jump to its beginning", id="itself"),
    pytest.param({F + 0x30: jump(F + 0x30, G), G + 0x10: jump(G + 0x10, F)}, "g can jump to its beginning", id="through another"),
    pytest.param({F + 0x30: jump(F + 0x30, G), G + 8: jump(G + 8, B), B + 8: b"\x74" + bytes((0,)), B + 0x20: jump(B + 0x20, F)},
                 "b can jump to its beginning", id="through two"),
    pytest.param({F + 0x30: b"\xff\xe0"}, "f jumps to where a register or memory says", id="a register"),
    pytest.param({F + 0x30: jump(F + 0x30, G), G + 8: b"\xff\x25" + bytes(4)}, "g jumps to where", id="memory, in another"),
    pytest.param({F + 0x30: jump(F + 0x30, 0x1E00)}, "which is no C function", id="no function"),
    pytest.param({F + 0x30: b"\x0f\x85" + (0x1E00 - F - 0x36).to_bytes(4, "little")}, "no C function", id="conditional"),
    pytest.param({F + SIZE - 1: b"\xe8"}, "cannot be followed", id="code that ends within an instruction"),
])
def test_nothing_is_proven_where_the_function_may_begin_again_in_its_frame(code: dict[int, bytes], why: str) -> None:
    callers = [caller("a", A, site_of(A + 0x10, passed(op.lit7()))), caller("b", B), caller("g", G)]
    assert why in World(*callers, code={A + 0x10: call(A + 0x10, F), **code}).why()


@pytest.mark.parametrize(("language", "followed"), [(0x8001, False), (0x1D, True)])
def test_code_in_assembler_is_not_followed(language: int, followed: bool) -> None:
    """gas describes functions of .S files since binutils 2.35; thunks there put addresses on the stack and return."""
    other = Unit(Die("compile_unit", name="a.S", low_pc=0x1E00, high_pc=0x100, language=language, children=[
        Die("subprogram", name="thunk", low_pc=0x1E00, high_pc=SIZE)]))
    a = caller("a", A, site_of(A + 0x10, passed(op.lit7())))
    code = {A + 0x10: call(A + 0x10, F), F + 0x30: jump(F + 0x30, 0x1E00)}
    assert World(a, code=code, others=[other], high=0xE00).read().readable == followed


def test_a_tail_call_that_does_not_come_back_is_no_matter() -> None:
    thunk = Symbol("__x86_return_thunk", 0x1F00)
    code = {A + 0x10: call(A + 0x10, F), F + 0x30: jump(F + 0x30, G), F + 0x40: call(F + 0x40, F),
            G + 0x10: jump(G + 0x10, 0x1F00)}
    world = World(caller("a", A, site_of(A + 0x10, passed(op.lit7()))), caller("g", G), code=code, symbols=[thunk])
    assert world.returns() == [AT_A]


def test_a_function_that_never_returns_need_not_keep_registers() -> None:
    callers = [caller("a", A, site_of(A + 0x10, passed(op.breg6(0)))), caller("b", B, site_of(B + 0x10, passed(op.breg3(0))))]
    assert World(*callers).returns() == [AT_A, AT_B]
    assert World(*callers, f={"noreturn": True}).returns() == [AT_B], "rbx is saved, of rbp nothing is said"


@pytest.mark.parametrize("rule", [cfa.undefined(RBX), cfa.register(RBX, 12)])
def test_a_register_that_frames_do_not_give_back_is_lost(rule: Any) -> None:
    callers = [caller("a", A, site_of(A + 0x10, passed(op.breg3(0)))), caller("b", B, site_of(B + 0x10, passed(op.lit7())))]
    assert World(*callers, frame=(*PUSHED, rule)).returns() == [AT_B]


def test_a_saved_register_below_the_stack_pointer_is_lost() -> None:
    """As in a function's last instructions: popped, and the rule still names the slot."""
    callers = [caller("a", A, site_of(A + 0x10, passed(op.breg3(0)))), caller("b", B, site_of(B + 0x10, passed(op.lit7())))]
    assert World(*callers, frame=(*PUSHED, cfa.advance(4), cfa.def_cfa_offset(8))).returns() == [AT_B]


def test_a_frame_without_a_place_for_the_return_address_proves_nothing() -> None:
    world = World(caller("a", A, site_of(A + 0x10, passed(op.lit7()))), cie=Cie((cfa.def_cfa(RSP, 8), cfa.undefined(16))))
    assert "return address" in world.why()


@pytest.mark.parametrize("rule", [
    cfa.expression(RBX, op.expr(op.fbreg(8))), cfa.expression(RBX, op.expr(op.call_frame_cfa())),
    cfa.def_cfa_expression(op.expr(op.entry_value(op.breg7(8)))),
])
def test_a_rule_that_refers_to_what_it_is_to_tell_proves_nothing(rule: Any) -> None:
    world = World(caller("a", A, site_of(A + 0x10, passed(op.lit7()))), frame=(*PUSHED, rule))
    assert world.why() and not world.read().readable


def test_realigned_frames_give_registers_by_expressions() -> None:
    world = World(caller("a", A, site_of(A + 0x10, passed(op.breg3(0)))),
                  frame=(*PUSHED, cfa.expression(RBX, op.expr(op.breg7(8)))))
    assert world.image.activation(world.site()).registers[RBX] == Load(fold.add(Reg(RSP), 8), 64, True)  # type: ignore[union-attr]


# -- the ladder -----------------------------------------------------------------------------------------------------


def both() -> World:
    return World(caller("a", A, site_of(A + 0x10, passed(op.lit7(), 4))))


def test_an_entry_value_is_captured_where_that_can_be() -> None:
    read = both().read("q")
    assert read.how is How.ENTRY_CAPTURE and read.callers is None


def test_an_entry_value_is_the_callers_where_no_probe_can_be_at_the_entry() -> None:
    read = both().unprobeable()
    assert read.how is How.CALLER and isinstance(read.source, Scalar) and read.source.expr == Const(7)
    assert read.frame is None


def test_the_reason_is_that_of_the_capture_where_no_caller_says_it() -> None:
    read = World().unprobeable()
    assert read.reason is not None and read.reason.slug == "entry-value"


def test_a_plain_kprobe_takes_the_callers_value_without_a_capture() -> None:
    world = both()
    assert world.judge.without_capture(world.read("q")).how is How.CALLER
    assert World().judge.without_capture(World().read("q")).how is How.ENTRY_CAPTURE
    assert world.judge.without_capture(world.read("p")) == world.read("p")


def test_at_a_return_the_callers_frame_is_not_known() -> None:
    world = World(caller("a", A, site_of(A + 0x10, passed(op.lit7()))))
    read = world.judge.entry(replace(world.site(F), kind=SiteKind.RETURN), Path("p"))
    assert read.reason is not None and read.reason.slug == "caller-unknown"


def test_on_entry_a_parameter_that_was_optimized_out_is_the_same() -> None:
    world = World(caller("a", A, site_of(A + 0x10, passed(op.lit7()))))
    assert world.judge.entry(world.site(), Path("p")).how is How.CALLER


def test_what_was_passed_on_the_stack_is_what_the_call_says() -> None:
    """Memory of the frame may have changed since; at the entry itself it has not."""
    callers = [caller("a", A, site_of(A + 0x10, passed(op.lit7(), stack=8), passed(op.lit9(), stack=0))),
               caller("b", B, site_of(B + 0x10, passed(op.breg3(0), stack=0)))]
    world = World(*callers)
    read = world.judge.entry(world.site(), Path("r"))
    assert (read.how, read.location_class.value) == (How.CALLER, "entry_value")
    assert isinstance(read.source, Scalar) and read.source.expr == Const(7, 32)
    assert read.callers is not None and [address for address, _ in read.callers.calls] == [AT_A]
    here = world.judge.entry(world.site(F), Path("r"))
    assert here.how is How.DIRECT and isinstance(here.source, Scalar)
    assert here.source.expr == Load(fold.add(Reg(RSP), 16), 32, True)
    nobody = World().judge.entry(World().site(), Path("r"))
    assert nobody.reason is not None and nobody.reason.slug == "caller-unknown"


def test_nothing_of_the_callers_memory_is_in_a_value() -> None:
    world = World(caller("a", A, site_of(A + 0x10, passed(op.breg12(0)))))
    read = world.read()
    assert isinstance(read.source, Scalar) and not contains(read.source.expr, Load)
    assert isinstance(world.image.activation(world.site()), Activation)


# -- many calls, and places that they pass ----------------------------------------------------------------------------


def told(passed: Sequence[Expr], source: Expr, address: Expr | None = None) -> Read | Reason:
    """What is read of an expression over rsi on entry, with one call for each value that is passed in it."""
    world = World()
    found = replace(world.read("q"), source=Scalar(source), address=address)
    calls = [Call(A + n, f"a+{n}", {4: value}, {}, {}) for n, value in enumerate(passed)]
    return by_callers(world.site(), found, calls, Activation(fold.add(Reg(RSP), 32), {RBX: Reg(RBX)}), X86_64)


@pytest.mark.parametrize(("different", "readable"), [(32, True), (33, False)])
def test_more_ways_than_a_handler_compares_are_refused(different: int, readable: bool) -> None:
    found = told([Const(n % different) for n in range(100)], Entry(Reg(4)))
    assert isinstance(found, Read) is readable
    assert readable or "33 ways" in str(found)


@pytest.mark.parametrize("value", [
    pytest.param(Binary(Op.SHR, Reg(RBX), Const(16)), id="an int is shifted as 32 bits"),
    pytest.param(Binary(Op.SDIV, Extend(Extend(Reg(RBX), 16, False), 64, True), Const(3)), id="a char is divided as 8 bits"),
])
def test_what_depends_on_the_width_of_the_parameter_is_not_known(value: Expr) -> None:
    """A call site does not say of what type its parameter is."""
    assert isinstance(told([value], Entry(Reg(4))), Reason)
    assert isinstance(told([Binary(Op.SHL, Reg(RBX), Const(16))], Entry(Reg(4))), Read)


def test_the_address_of_what_a_caller_passed_a_pointer_to_is_known() -> None:
    found = told([fold.add(Reg(RBX), 8), fold.add(Reg(RBX), 8)], Load(Entry(Reg(4)), 32), Entry(Reg(4)))
    assert isinstance(found, Read) and found.address == fold.add(Reg(RBX), 8)
    assert found.source == Scalar(Load(fold.add(Reg(RBX), 8), 32))


# -- a function that comes back to its first instruction ------------------------------------------------------------


@pytest.mark.parametrize("jump", [b"\xeb\xce", b"\x75\xce", b"\xff\xe0"], ids=["always", "at times", "nobody knows where to"])
def test_a_hit_at_the_entry_is_no_entry_where_the_code_comes_back_there(jump: bytes) -> None:
    """stpcpy() of 6.1 is a loop from its first instruction on, with no call of the tracer in front: a probe there is hit in
    each round, with other registers."""
    for pc in (F, BODY):
        found = World(code={F + 0x30: jump}).read("q", pc)
        assert not found.readable and found.reason is not None and "jump back there" in found.reason.text
    looping = World(code={F + 0x30: jump})
    found = Judge(looping.images, X86_64, looping.image.intact).local(looping.site(F), Path("q"))
    assert found.how is (How.SAME_PLACE if jump != b"\xff\xe0" else None)
    returns = looping.judge.entry(replace(looping.site(F), kind=SiteKind.RETURN), Path("q"))
    assert not returns.readable and returns.reason is not None and "jump back there" in returns.reason.text


def test_a_jump_elsewhere_leaves_the_entry_what_it_is() -> None:
    world = World(code={F + 0x30: b"\xeb\xcf"})
    assert world.read("q", F).how is How.DIRECT
    assert world.read("q").how is How.ENTRY_CAPTURE


def test_what_is_on_the_stack_at_the_entry_is_read_there_in_the_first_round_only() -> None:
    assert World().judge.entry(World().site(F), Path("r")).how is How.DIRECT
    looping = World(code={F + 0x30: b"\xeb\xce"})
    assert not looping.judge.entry(looping.site(F), Path("r")).readable

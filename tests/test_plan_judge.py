# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge over a locate stage of the test's own: which way of reading is taken, and why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from localvar.arch import X86_64
from localvar.model import fold
from localvar.model.calls import Activation, Call
from localvar.model.ctype import BaseType, CType, Declared, Encoding, Member, Record, Void
from localvar.model.expr import Address, Const, Entry, Expr, Load, Op, Parameter, PerCpu, Reg, contains
from localvar.model.location import EntryValue, Location, Memory, Piece, Pieces, Reason, Register, Value, absent
from localvar.model.path import Path
from localvar.model.plan import How, Read, Scalar, Variable, VariableKind
from localvar.model.site import NOWHERE, Site, SiteKind
from localvar.plan.judge import Judge, entry_registers, needs_entry

AX, BX, SI, DI, SP = 0, 3, 4, 5, 7
LONG = BaseType(1, "long", 8, Encoding.SIGNED)
FRAME = fold.add(Reg(SP), 32)
ENTRY, BODY = 0x1000, 0x1020


def variable(name: str, location: Location, ctype: CType = LONG) -> Variable:
    return Variable(name, VariableKind.PARAMETER, ctype, "f", location, "", 0, Declared(None, 0))


RESULT, TWO, ACTIVATION = variable("return", Register(AX)), Reason("ambiguous", "two"), Activation(FRAME, {BX: Reg(BX)})


@dataclass
class Told:
    """Locations of the judge: what the test says."""

    local: Sequence[Variable] = ()
    on_entry: Sequence[Variable] = ()
    result: Variable = RESULT
    static: Variable | Reason = TWO
    cfa: Expr | Reason = FRAME
    known: tuple[Call, ...] | Reason = ()
    activated: Activation | Reason = ACTIVATION
    once: bool = True
    asked: list[tuple[str, str | None, Sequence[str]]] = field(default_factory=list)

    def variable(self, site: Site, name: str) -> Variable | None:
        return next((one for one in self.local if one.name == name), None)

    def variables(self, site: Site) -> list[Variable]:
        return list(self.local)

    def held(self, site: Site) -> list[Variable]:
        return list(self.local)

    def entry_variable(self, site: Site, name: str) -> Variable | None:
        return next((one for one in self.on_entry if one.name == name), None)

    def entry_variables(self, site: Site) -> list[Variable]:
        return list(self.on_entry)

    def return_value(self, site: Site) -> Variable:
        return self.result

    def static_variable(self, name: str, file: str | None, modules: Sequence[str]) -> Variable | Reason:
        self.asked.append((name, file, modules))
        return self.static

    def frame(self, site: Site) -> Expr | Reason:
        return self.cfa

    def is_writable(self, address: Address | PerCpu) -> bool:
        return True

    def begins_once(self, site: Site) -> bool:
        return self.once

    def calls(self, site: Site) -> tuple[Call, ...] | Reason:
        return self.known

    def activation(self, site: Site) -> Activation | Reason:
        return self.activated


def judge(told: Told, *intact: int) -> Judge:
    return Judge(told, X86_64, lambda site: frozenset(intact))


def site(pc: int = BODY, kind: SiteKind = SiteKind.INSTRUCTION, why_not: Reason | None = None) -> Site:
    return replace(NOWHERE, kind=kind, pc=pc, symbol="f", offset=pc - ENTRY, entry=ENTRY, file="a.c", line=3,
                   entry_why_not=why_not)


RETURN = site(ENTRY, SiteKind.RETURN)
Q = variable("q", EntryValue(Reg(SI)))
R = variable("r", Value(Entry(Load(fold.add(Reg(SP), 8), 64, True))))
P = variable("p", Value(Parameter(7)))


def expr(read: Read) -> Expr:
    assert isinstance(read.source, Scalar), read
    return read.source.expr


def reason(read: Read) -> Reason:
    assert read.reason is not None and not read.readable and read.how is None, read
    return read.reason


# -- names ----------------------------------------------------------------------------------------------------------


def test_a_name_that_is_not_there_is_said_with_the_place() -> None:
    for read in (judge(Told()).local(site(), Path("x")), judge(Told()).entry(site(), Path("x"))):
        assert reason(read).slug == "no-such-variable" and "'x'" in reason(read).text and "f+0x20 (a.c:3)" in reason(read).text
    elsewhere = replace(site(), file=None)
    assert reason(judge(Told()).local(elsewhere, Path("x"))).text.endswith("at f+0x20")


def test_a_local_variable_is_gone_at_a_return() -> None:
    told = Told(local=[variable("x", Register(BX))])
    assert reason(judge(told).local(RETURN, Path("x"))).slug == "return-probe"
    assert expr(judge(told).local(site(), Path("x"))) == Reg(BX)


def test_a_result_is_read_at_a_return_only() -> None:
    assert reason(judge(Told()).returned(site())).slug == "no-return"
    read = judge(Told()).returned(RETURN)
    assert expr(read) == Reg(AX) and read.how is How.DIRECT
    nothing = Told(result=variable("return", absent("void", "nothing"), Void()))
    assert reason(judge(nothing).returned(RETURN)).slug == "void"
    assert reason(judge(Told(result=variable("return", absent("abi", "by other rules")))).returned(RETURN)).slug == "abi"


def test_a_static_variable_is_read_as_it_is_told() -> None:
    told = Told(static=variable("x", Memory(Address(0x4000))))
    read = judge(told).static(Path("x"), "a.c", ["ext4"])
    assert expr(read) == Load(Address(0x4000), 64, True) and read.site == NOWHERE and told.asked == [("x", "a.c", ["ext4"])]
    assert reason(judge(Told()).static(Path("x"), None)).slug == "ambiguous"


def test_all_that_is_known_at_a_return_is_the_result_and_the_parameters() -> None:
    told = Told(local=[variable("x", Register(BX)), Q], on_entry=[Q, R])
    assert [read.path.name for read in judge(told).all(site())] == ["x", "q"]
    assert [read.path.name for read in judge(told).all(RETURN)] == ["return", "q", "r"]


# -- the ladder -----------------------------------------------------------------------------------------------------


def test_at_the_entry_registers_are_those_on_entry() -> None:
    for of, register in ((Q, Reg(SI)), (R, Load(fold.add(Reg(SP), 8), 64, True))):
        read = judge(Told(local=[of])).local(site(ENTRY), Path(of.name))
        assert read.how is How.DIRECT and expr(read) == register
        assert judge(Told(local=[of], once=False)).local(site(ENTRY), Path(of.name)).how is None
        assert judge(Told(on_entry=[of])).entry(RETURN, Path(of.name)).how is (How.ENTRY_CAPTURE if of is Q else None)


def test_a_parameter_that_was_taken_away_is_in_no_register_at_the_entry() -> None:
    assert reason(judge(Told(local=[P])).local(site(ENTRY), Path("p"))).slug == "caller-unknown"
    members = (Member("a", 0, None, None, lambda: LONG), Member("b", 64, None, None, lambda: LONG))
    two = Record(9, "struct", "two", 16, False, Declared(None, 0), "a.c", None, lambda: members)
    in_part = variable("p", Pieces((Piece(Value(Entry(Reg(SI))), 64), Piece(Value(Parameter(7)), 64))), two)
    assert reason(judge(Told(local=[in_part])).local(site(ENTRY), Path("p"))).slug == "caller-unknown"


def test_a_register_that_still_holds_it_is_read_where_all_that_it_takes_do() -> None:
    both = variable("x", Value(fold.binary(Op.ADD, Entry(Reg(SI)), Entry(Reg(DI)))))
    read = judge(Told(local=[both]), SI, DI).local(site(), Path("x"))
    assert read.how is How.SAME_PLACE and not contains(expr(read), Entry) and read.frame is None
    assert judge(Told(local=[both]), SI).local(site(), Path("x")).how is How.ENTRY_CAPTURE
    assert judge(Told(on_entry=[both]), SI, DI).entry(RETURN, Path("x")).how is How.ENTRY_CAPTURE
    assert entry_registers(Scalar(fold.binary(Op.ADD, Entry(Reg(SI)), Reg(DI)))) == {SI}


def test_a_capture_is_found_by_the_frame() -> None:
    read = judge(Told(local=[Q])).local(site(), Path("q"))
    assert (read.how, read.frame, expr(read)) == (How.ENTRY_CAPTURE, FRAME, Entry(Reg(SI)))
    assert judge(Told(on_entry=[Q])).entry(RETURN, Path("q")).frame is None
    direct = judge(Told(local=[Q])).local(site(ENTRY), Path("q"))
    assert needs_entry([read]) and needs_entry([direct, read]) and not needs_entry([direct]) and not needs_entry([])


CALLS = (Call(0x2005, "g+5", {SI: Const(7)}, {7: Const(8)}, {0: Const(9)}),)


@pytest.mark.parametrize(("told", "why_not", "text"), [
    (Told(), Reason("blacklisted", "it is NOKPROBE"), "it is NOKPROBE"),
    (Told(cfa=Reason("no-cfi", "no frame")), None, "no frame"),
    (Told(cfa=Entry(Reg(SP))), None, "the frame itself"), (Told(once=False), None, "jump back there"),
])
def test_where_no_capture_can_be_the_caller_is_asked_and_the_captures_reason_told(
        told: Told, why_not: Reason | None, text: str) -> None:
    read = judge(replace(told, local=[Q])).local(site(why_not=why_not), Path("q"))
    assert reason(read).slug == "entry-value" and text in reason(read).text
    read = judge(replace(told, local=[Q], known=CALLS)).local(site(why_not=why_not), Path("q"))
    assert read.how is How.CALLER and expr(read) == Const(7) and read.callers is not None


@pytest.mark.parametrize(("of", "value"), [(P, 8), (R, 9)])
def test_what_only_a_caller_tells_is_asked_of_it(of: Variable, value: int) -> None:
    read = judge(Told(local=[of], known=CALLS)).local(site(), Path(of.name))
    assert read.how is How.CALLER and expr(read) == Const(value) and read.frame is None
    unknown = Reason("no-cfi", "nobody knows")
    for missing in (Told(known=unknown), Told(known=CALLS, activated=unknown)):
        found = reason(judge(replace(missing, local=[of])).local(site(), Path(of.name)))
        assert found.slug == "caller-unknown" and "nobody knows" in found.text
    assert reason(judge(Told(on_entry=[of], known=CALLS)).entry(RETURN, Path(of.name))).slug == "caller-unknown"


def test_without_a_capture_the_caller_is_asked_first() -> None:
    told = Told(local=[Q, variable("x", Register(BX))], known=CALLS)
    captured, direct = (judge(told).local(site(), Path(name)) for name in ("q", "x"))
    assert judge(told).without_capture(captured).how is How.CALLER and judge(told).without_capture(captured).frame is None
    assert judge(told).without_capture(direct) == direct
    assert judge(replace(told, known=())).without_capture(captured) == captured

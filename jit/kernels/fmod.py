"""The exact remainder of floats as IR: a loop on integers, as no CPU has it as an instruction."""

from __future__ import annotations

#: ``fmod`` of C99, by subtraction of the shifted divisor (as musl's), appended where it is used.
FMOD = """
define internal double @ej_fmod(double %x, double %y) {
entry:
 %xb = bitcast double %x to i64
 %yb = bitcast double %y to i64
 %sign = and i64 %xb, -9223372036854775808
 %a = and i64 %xb, 9223372036854775807
 %b = and i64 %yb, 9223372036854775807
 %xbad = icmp uge i64 %a, 9218868437227405312
 %ynan = icmp ugt i64 %b, 9218868437227405312
 %yzero = icmp eq i64 %b, 0
 %bad0 = or i1 %xbad, %ynan
 %bad = or i1 %bad0, %yzero
 br i1 %bad, label %invalid, label %valid
invalid:
 %product = fmul double %x, %y
 %nan = fdiv double %product, %product
 ret double %nan
valid:
 %less = icmp ult i64 %a, %b
 br i1 %less, label %itself, label %split
itself:
 ret double %x
split:
 %ae0 = lshr i64 %a, 52
 %be0 = lshr i64 %b, 52
 %asub = icmp eq i64 %ae0, 0
 %bsub = icmp eq i64 %be0, 0
 %ae = select i1 %asub, i64 1, i64 %ae0
 %be = select i1 %bsub, i64 1, i64 %be0
 %af = and i64 %a, 4503599627370495
 %bf = and i64 %b, 4503599627370495
 %an = or i64 %af, 4503599627370496
 %bn = or i64 %bf, 4503599627370496
 %am = select i1 %asub, i64 %af, i64 %an
 %bm = select i1 %bsub, i64 %bf, i64 %bn
 br label %step
step:
 %m = phi i64 [%am, %split], [%doubled, %next]
 %e = phi i64 [%ae, %split], [%e1, %next]
 %over = icmp uge i64 %m, %bm
 %reduced = sub i64 %m, %bm
 %r = select i1 %over, i64 %reduced, i64 %m
 %more = icmp ugt i64 %e, %be
 br i1 %more, label %next, label %normalize
next:
 %doubled = shl i64 %r, 1
 %e1 = sub i64 %e, 1
 br label %step
normalize:
 %rz = icmp eq i64 %r, 0
 %lead = call i64 @llvm.ctlz.i64(i64 %r, i1 false)
 %want = sub i64 %lead, 11
 %room = sub i64 %e, 1
 %short = icmp ult i64 %want, %room
 %shift0 = select i1 %short, i64 %want, i64 %room
 %shift = select i1 %rz, i64 0, i64 %shift0
 %moved = shl i64 %r, %shift
 %exp = sub i64 %e, %shift
 %hidden = and i64 %moved, 4503599627370496
 %normal = icmp ne i64 %hidden, 0
 %mantissa = and i64 %moved, 4503599627370495
 %field = shl i64 %exp, 52
 %full = or i64 %field, %mantissa
 %magnitude = select i1 %normal, i64 %full, i64 %moved
 %bits = or i64 %magnitude, %sign
 %result = bitcast i64 %bits to double
 ret double %result
}

declare i64 @llvm.ctlz.i64(i64, i1)
"""

"""What needs a loop of its own: functions as IR, appended to the modules that call them."""

from __future__ import annotations

from jit.kernels.fmod import FMOD

#: The greatest common divisor of unsigned numbers by Euclid's algorithm.
GCD = """
define internal i64 @ej_gcd(i64 %x, i64 %y) {
entry:
 br label %test
test:
 %a = phi i64 [%x, %entry], [%b, %step]
 %b = phi i64 [%y, %entry], [%r, %step]
 %done = icmp eq i64 %b, 0
 br i1 %done, label %exit, label %step
step:
 %r = urem i64 %a, %b
 br label %test
exit:
 ret i64 %a
}
"""
LOOPS = {"ej_fmod": FMOD, "ej_gcd": GCD}

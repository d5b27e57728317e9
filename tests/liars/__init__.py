"""Programs that tracers are known to get wrong, as tables by theme; ``python -m tests.liars``."""

from tests.liars import memory, sizes, state, training, world
from tests.liars.table import Liar

LIARS: tuple[Liar, ...] = (*world.LIARS, *memory.LIARS, *state.LIARS, *sizes.LIARS,
                           *training.LIARS)

/* The entry of a shared object: checks the call, and picks the code of a level that the CPU has. */
#include "ej.h"
#define EXPORT __attribute__((visibility("default")))

typedef int64_t program(const void *weights, void *const *state, void *arena, const void *const *in,
                        void *const *out, const int64_t *dims, ej_pool *pool, ej_error *error);
#define LEVEL(name) extern program name __attribute__((weak, visibility("default")));
LEVEL(ej_program__v2) LEVEL(ej_program__v3) LEVEL(ej_program__v4) LEVEL(ej_program__aarch64)

#if defined(__x86_64__)
static void cpuid(uint32_t leaf, uint32_t *r) {
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}
static int has(uint32_t value, uint32_t mask) { return (value & mask) == mask; }

/* x86-64 psABI micro-architecture levels, with the registers that the system saves. */
static int64_t find_level(void) {
    uint32_t base[4], one[4], seven[4] = {0}, extended[4], low, high;
    cpuid(0, base);
    cpuid(1, one);
    cpuid(0x80000001u, extended);
    if (!has(one[2], 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23) ||
        !has(extended[2], 1u)) return 1;
    if (!has(one[2], 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29) ||
        !has(extended[2], 1u << 5) || base[0] < 7) return 2;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    cpuid(7, seven);
    if (!has(low, 6) || !has(seven[1], 1u << 3 | 1u << 5 | 1u << 8)) return 2;
    if (!has(low, 0xe6) || !has(seven[1], 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31))
        return 3;
    return 4;
}
static int64_t level;
EXPORT int64_t ej_level(void) { return level ? level : (level = find_level()); }

static program *pick(int64_t wanted) {
    program *const levels[] = {ej_program__v2, ej_program__v3, ej_program__v4};
    int64_t most = ej_level();
    if (wanted) return wanted >= 2 && wanted <= most ? levels[wanted - 2] : 0;
    for (int64_t k = most; k >= 2; k--)
        if (levels[k - 2]) return levels[k - 2];
    return 0;
}
#else
EXPORT int64_t ej_level(void) { return 2; }
static program *pick(int64_t wanted) {
    return wanted == 0 || wanted == 2 ? ej_program__aarch64 : 0;
}
#endif

EXPORT int32_t ej_run(const ej_call *c) {
    ej_error own = {0, -1, 0}, *error = &own;
    if (c->size < sizeof *c || c->abi != EJ_ABI) return 1;
    if (c->error) error = c->error;
    error->code = 0, error->node = -1, error->value = 0;
    program *run = pick(c->level);
    if (!run) { error->code = 3; return 3; }
    return (int32_t)run(c->weights, c->state, c->arena, c->in, c->out, c->dims, c->pool, error);
}

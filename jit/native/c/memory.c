/* What every level needs of a C library: LLVM turns loops into these. */
#include <stddef.h>
#include <stdint.h>
#include "ej.h"
#define HIDDEN __attribute__((visibility("hidden")))
typedef uint64_t word __attribute__((aligned(1), may_alias));

HIDDEN void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    unsigned char *d = to;
    const unsigned char *s = from;
    for (; n >= 8; n -= 8, d += 8, s += 8) *(volatile word *)d = *(const word *)s;
    for (; n; n--) *(volatile unsigned char *)d++ = *s++;
    return to;
}

HIDDEN void *memmove(void *to, const void *from, size_t n) {
    unsigned char *d = to;
    const unsigned char *s = from;
    if (d <= s || d >= s + n) return memcpy(to, from, n);
    while (n--) *(volatile unsigned char *)(d + n) = s[n];
    return to;
}

HIDDEN void *memset(void *to, int value, size_t n) {
    unsigned char *d = to;
    uint64_t wide = (unsigned char)value * 0x0101010101010101ull;
    for (; n >= 8; n -= 8, d += 8) *(volatile word *)d = wide;
    for (; n; n--) *(volatile unsigned char *)d++ = (unsigned char)value;
    return to;
}

HIDDEN void ej_parallel_for(ej_pool *pool, ej_task *task, void *table, int64_t ntasks) {
    if (ntasks > 1 && pool) {
        pool->parallel_for(pool, task, table, ntasks);
        return;
    }
    for (int64_t k = 0; k < ntasks; k++) task(table, k, ntasks);
}

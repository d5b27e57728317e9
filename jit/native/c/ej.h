/* The C ABI of a compiled program: one call structure, versioned by its size. */
#ifndef EJ_H
#define EJ_H
#include <stdint.h>

#define EJ_ABI 1

/* code 0: none; 1 abi, 2 arena too small, 3 level not on this CPU, 4 integer division by zero,
   5 float out of range of an integer, 6 index out of range, 7 out of memory. */
typedef struct ej_error { int64_t code, node, value; } ej_error;

typedef void ej_task(void *table, int64_t task, int64_t ntasks);

/* Runs a task ntasks times, in any order; returns when all are done. */
typedef struct ej_pool {
    void (*parallel_for)(struct ej_pool *, ej_task *, void *table, int64_t ntasks);
    int64_t threads;
} ej_pool;

typedef struct ej_call {
    uint32_t size, abi;
    const void *weights;
    void *const *state;
    void *arena;
    int64_t arena_bytes;
    const void *const *in;
    void *const *out;
    const int64_t *dims;
    int64_t *out_dims;
    ej_pool *pool;   /* null: serial */
    ej_error *error;
    int64_t level;   /* 0: the best of this CPU; else 2, 3, 4 */
} ej_call;

int32_t ej_run(const ej_call *);
int64_t ej_level(void);
#endif

/* One Python function for all programs (METH_FASTCALL): NumPy arrays in, NumPy arrays out.

   `self` is an int64 array whose data is the descriptor below.  Exactly what the descriptor
   says is taken; everything else goes to the Python fallback, which converts it or words what is
   wrong.  A run that fails is not run again: its code goes to `failed`, which raises.  No
   address of this process is in the code, so the object can be cached. */
#include "ej.h"
#include <stddef.h>
#define EXPORT __attribute__((visibility("default")))
#define MOST_PORTS 64
#define MOST_DIMS 8

typedef intptr_t L;
typedef struct { L references; void *type; } O;
/* NumPy's array object; the offsets are checked against a known array before this is used. */
typedef struct { O head; char *data; int nd; L *dims, *strides; O *base, *descr; int flags; } A;
typedef struct { L descr, nd, dims[MOST_DIMS]; } Port;   /* a dim: its size, or -1 - k of dims[k] */
typedef struct {
    int32_t (*run)(const ej_call *);
    const void *weights;
    void *const *state;
    void *arena;
    L arena_bytes;
    O *fallback, *failed;
    L busy;
    const L *epoch;      /* counts in-place writes; equal to `seen` while weights are fresh */
    L seen;
    L release_from;      /* product of dims from which the interpreter lock is released */
    ej_pool *pool;
    L level, inputs, outputs, ndims;
    L low[MOST_DIMS], high[MOST_DIMS];
    L roomy[MOST_DIMS];  /* dims up to which the arena is large enough */
    Port ports[];
} Descriptor;

EXPORT struct { void *array_type; O *(*empty)(int, L *, O *, int); } ej_entry_slots;

extern O *PyObject_Vectorcall(O *, O *const *, size_t, O *);
extern void Py_IncRef(O *), Py_DecRef(O *);
extern void *PyEval_SaveThread(void);
extern void PyEval_RestoreThread(void *);
extern O *PyLong_FromLongLong(long long);
extern O *PyTuple_New(L);
extern int PyTuple_SetItem(O *, L, O *);

enum { C_CONTIGUOUS_ALIGNED = 0x101 };

static int fits(const Port *p, const A *a, L *dims, const Descriptor *d) {
    if (a->head.type != ej_entry_slots.array_type || (L)a->descr != p->descr ||
        (a->flags & C_CONTIGUOUS_ALIGNED) != C_CONTIGUOUS_ALIGNED || a->nd != p->nd) return 0;
    for (L k = 0; k < p->nd; k++) {
        L want = p->dims[k], got = a->dims[k];
        if (want >= 0) {
            if (want != got) return 0;
            continue;
        }
        L n = -1 - want;
        if (dims[n] < 0) {
            if (got < d->low[n] || got > d->high[n] || got > d->roomy[n]) return 0;
            dims[n] = got;
        } else if (dims[n] != got) return 0;
    }
    return 1;
}

/* Raises what the error says, by Python's own words. */
static O *fail(const Descriptor *d, int32_t code, const ej_error *error) {
    const int64_t parts[] = {error->code ? error->code : code, error->node, error->value};
    O *args[3], *found = NULL;
    size_t made = 0;
    while (made < 3 && (args[made] = PyLong_FromLongLong(parts[made]))) made++;
    if (made == 3) found = PyObject_Vectorcall(d->failed, args, 3, NULL);
    while (made--) Py_DecRef(args[made]);
    return found;
}

EXPORT O *ej_entry(O *self, O *const *args, L count) {
    Descriptor *d = *(Descriptor **)((char *)self + 16);
    const void *in[MOST_PORTS];
    void *out[MOST_PORTS];
    O *made[MOST_PORTS];
    L dims[MOST_DIMS], work = 1;
    if (count != d->inputs || *d->epoch != d->seen ||
        __atomic_exchange_n(&d->busy, 1, __ATOMIC_ACQUIRE)) goto elsewhere;
    for (L k = 0; k < d->ndims; k++) dims[k] = -1;
    for (L k = 0; k < d->inputs; k++) {
        if (!fits(&d->ports[k], (A *)args[k], dims, d)) goto release;
        in[k] = ((A *)args[k])->data;
    }
    for (L k = 0; k < d->ndims; k++) work *= dims[k];
    for (L k = 0; k < d->outputs; k++) {
        const Port *p = &d->ports[d->inputs + k];
        L shape[MOST_DIMS];
        for (L j = 0; j < p->nd; j++) {
            L size = p->dims[j];
            shape[j] = size < 0 ? dims[-1 - size] : size;
        }
        Py_IncRef((O *)p->descr);
        made[k] = ej_entry_slots.empty((int)p->nd, shape, (O *)p->descr, 0);
        if (!made[k]) {
            while (k--) Py_DecRef(made[k]);
            d->busy = 0;
            return NULL;
        }
        out[k] = ((A *)made[k])->data;
    }
    ej_error error = {0, -1, 0};
    ej_call call = {sizeof call, EJ_ABI, d->weights, d->state, d->arena, d->arena_bytes, in, out,
                    dims, NULL, d->pool, &error, d->level};
    int32_t code;
    if (work < d->release_from) code = d->run(&call);
    else {
        void *thread = PyEval_SaveThread();
        code = d->run(&call);
        PyEval_RestoreThread(thread);
    }
    __atomic_store_n(&d->busy, 0, __ATOMIC_RELEASE);
    if (code) {
        for (L k = 0; k < d->outputs; k++) Py_DecRef(made[k]);
        return fail(d, code, &error);
    }
    if (d->outputs == 1) return made[0];
    O *all = PyTuple_New(d->outputs);
    for (L k = 0; k < d->outputs; k++) {
        if (all) PyTuple_SetItem(all, k, made[k]);
        else Py_DecRef(made[k]);
    }
    return all;
release:
    __atomic_store_n(&d->busy, 0, __ATOMIC_RELEASE);
elsewhere:
    return PyObject_Vectorcall(d->fallback, args, (size_t)count, NULL);
}

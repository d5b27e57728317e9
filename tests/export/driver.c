/* Calls a shared object of an artifact as any C program would.

       driver program.so threads call.bin results.bin

   call.bin is a row of int64: the bytes of the arena, then how many inputs, outputs, dims and
   state tensors there are, then the dims; then the weights, the state tensors and the inputs as
   (bytes, data); then the bytes of each output.  results.bin is the outputs one after another.
   The exit status is ej_run's code. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ej.h"

#define MOST 16

static void *memory(int64_t bytes) {
    void *p = aligned_alloc(64, (size_t)(bytes + 128) / 64 * 64);
    if (!p) exit(100);
    return memset(p, 0, (size_t)bytes);
}

static int64_t number(FILE *file) {
    int64_t value;
    if (fread(&value, sizeof value, 1, file) != 1) exit(101);
    return value;
}

static void *blob(FILE *file) {
    int64_t bytes = number(file);
    void *p = memory(bytes);
    if (bytes && fread(p, (size_t)bytes, 1, file) != 1) exit(102);
    return p;
}

int main(int count, char **words) {
    if (count != 5) return 103;
    void *library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 104;
    }
    int32_t (*run)(const ej_call *) = (int32_t(*)(const ej_call *))dlsym(library, "ej_run");
    ej_pool *(*pool)(int64_t) = (ej_pool * (*)(int64_t)) dlsym(library, "ej_pool_start");
    FILE *file = fopen(words[3], "rb"), *results = fopen(words[4], "wb");
    if (!run || !pool || !file || !results) return 105;

    int64_t arena = number(file), inputs = number(file), outputs = number(file);
    int64_t dims = number(file), states = number(file), sizes[MOST], bytes[MOST];
    void *state[MOST], *in[MOST], *out[MOST];
    if (inputs > MOST || outputs > MOST || dims > MOST || states > MOST) return 106;
    for (int64_t k = 0; k < dims; k++) sizes[k] = number(file);
    void *weights = blob(file);
    for (int64_t k = 0; k < states; k++) state[k] = blob(file);
    for (int64_t k = 0; k < inputs; k++) in[k] = blob(file);
    for (int64_t k = 0; k < outputs; k++) out[k] = memory(bytes[k] = number(file));

    int64_t threads = atoll(words[2]);
    ej_error error = {0, -1, 0};
    ej_call call = {sizeof call, EJ_ABI, weights, state, memory(arena), arena,
                    (const void *const *)in, out, sizes, NULL, threads > 1 ? pool(threads) : NULL,
                    &error, 0};
    int32_t code = run(&call);
    for (int64_t k = 0; k < outputs; k++)
        if (bytes[k] && fwrite(out[k], (size_t)bytes[k], 1, results) != 1) return 107;
    fclose(results);
    return code;
}

"""Below the compiler: the linker, the C ABI, the thread pool, the entry, the loader, the cache."""

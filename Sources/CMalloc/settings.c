#include "CMalloc.h"

// jemalloc looks for this name while it starts, before any code of ours runs: that is why it is C.
//
// Batches are made on one thread and freed on another. Two arenas: with one for each thread several times what is in use
// is kept. Blocks of up to 4 KiB wait for their thread's next use of them, and those that wait are looked through every
// 16 KiB that it takes: 500 connections that have come at once would leave half a mebibyte there. What nobody has used
// for 100 ms goes back.
const char *malloc_conf = "narenas:2,lg_tcache_max:12,tcache_gc_incr_bytes:16384,dirty_decay_ms:100,muzzy_decay_ms:0";

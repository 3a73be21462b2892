#pragma once
// glibc's <malloc.h> would bring <stdio.h> into this module, away from where other modules look for it.
#include <stddef.h>
int mallopt(int parameter, int value);
int malloc_trim(size_t pad);
enum { MALLOC_TRIM_THRESHOLD = -1, MALLOC_TOP_PAD = -2, MALLOC_MMAP_THRESHOLD = -3, MALLOC_ARENA_MAX = -8 };

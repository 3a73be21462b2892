#pragma once
// glibc's <malloc.h> would bring <stdio.h> into this module, away from where other modules look for it.
#include <stddef.h>
int mallopt(int parameter, int value);
int malloc_trim(size_t pad);
enum { MALLOC_ARENA_MAX = -8 };

#pragma once
// glibc's <malloc.h> would bring <stdio.h> into this module, away from where other modules look for it.
int mallopt(int parameter, int value);
enum { MALLOC_ARENA_MAX = -8 };

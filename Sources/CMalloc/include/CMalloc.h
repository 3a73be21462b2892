#pragma once
// jemalloc's own header declares malloc and its like once more, away from where other modules look for them.
#include <stddef.h>

/// Reads, changes or does what the name says: jemalloc(3). Returns 0, or an errno.
int mallctl(const char *name, void *former, size_t *formerLength, void *value, size_t valueLength);

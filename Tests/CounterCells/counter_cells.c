// Between the compiler's counters of branches and libFuzzer. libFuzzer goes over all counters that it has been told of
// after each execution, and clears them before the next; a decoder of a few thousand branches pays for the third of a
// million of the whole program. So what the compiler announces is kept here, and libFuzzer is told of a cell of counters
// when an execution first reaches it, as of a library that is loaded late. No branch that is reached stays unknown.
// In C, since what runs here must not be counted itself, and runs before main.
#include "counter_cells.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Counters of a cell; libFuzzer takes 4,096 announcements at most.
enum { CELL_COUNTERS = 256, CELLS_MAX = 4096 };
// Executions that are each looked at, which covers the inputs that were kept; afterwards one in LOOK_INTERVAL is.
enum { EVERY_EXECUTION_MAX = 4096, LOOK_INTERVAL = 64 };

// The compiler's table of places in the program, one for each counter.
typedef struct {
    uintptr_t pc, flags;
} place;

// The linker's --wrap turns the calls of the program to the first two, and leaves libFuzzer's own as the others.
void __wrap___sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *end);
void __wrap___sanitizer_cov_pcs_init(const place *start, const place *end);
void __real___sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *end);
void __real___sanitizer_cov_pcs_init(const place *start, const place *end);

static uint8_t *counters;
static const place *places;
static size_t counter_count;
static bool is_known[CELLS_MAX];
static uint64_t execution_count;

// Every object file announces the same range: the linker has made one of them.
void __wrap___sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *end) {
    counters = start;
    counter_count = (size_t)(end - start);
    if (counter_count > (size_t)CELL_COUNTERS * CELLS_MAX) __builtin_trap();
}

void __wrap___sanitizer_cov_pcs_init(const place *start, const place *end) {
    places = start;
    if ((size_t)(end - start) != counter_count) __builtin_trap();
}

void counter_cells_register_all(void) {
    memset(is_known, true, sizeof is_known);
    __real___sanitizer_cov_8bit_counters_init(counters, counters + counter_count);
    __real___sanitizer_cov_pcs_init(places, places + counter_count);
}

__attribute__((no_sanitize("address"))) static bool is_touched(const uint8_t *cell, size_t count) {
    uint8_t sum = 0;
    for (size_t index = 0; index < count; index++) sum |= cell[index];
    return sum != 0;
}

void counter_cells_note_execution(void) {
    execution_count++;
    bool looks_at_each = execution_count <= EVERY_EXECUTION_MAX;
    if (!looks_at_each && execution_count % LOOK_INTERVAL != 0) return;
    for (size_t start = 0; start < counter_count; start += CELL_COUNTERS) {
        size_t cell = start / CELL_COUNTERS;
        size_t count = counter_count - start < CELL_COUNTERS ? counter_count - start : CELL_COUNTERS;
        if (is_known[cell] || !is_touched(counters + start, count)) continue;
        is_known[cell] = true;
        // It may have been one of the executions before: the next that gets there is the one to keep.
        if (!looks_at_each) memset(counters + start, 0, count);
        __real___sanitizer_cov_8bit_counters_init(counters + start, counters + start + count);
        __real___sanitizer_cov_pcs_init(places + start, places + start + count);
    }
}

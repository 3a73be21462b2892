#pragma once
#include <stdbool.h>

/// Hands libFuzzer every counter of the program, for what compares the features of many inputs. Call before its driver.
void counter_cells_register_all(void);

/// Hands libFuzzer the cells of counters that an execution was the first to reach. Call after each execution.
void counter_cells_note_execution(void);

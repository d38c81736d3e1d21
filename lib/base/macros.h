/*
 * Compiler attributes used everywhere: must-use results, format checking and
 * scope-bound cleanup. No functions, no state.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_MACROS_H
#define BESOM_BASE_MACROS_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_index, first_index) __attribute__((format(printf, text_index, first_index)))

/* Runs fn(&variable) when the variable goes out of scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Returns from the caller when a status is not OK. */
#define TRY(expression)                         \
    do {                                        \
        enum status try_status_ = (expression); \
        if (try_status_ != STATUS_OK)           \
            return try_status_;                 \
    } while (0)

#endif

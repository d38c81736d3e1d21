/*
 * Results of fallible functions. A function returns a must-use `enum status`
 * and fills a caller-owned `struct err` with the code and a sentence. One
 * table maps each code to its name, gRPC status, exit code of the CLI and
 * whether trying again can help. No thread-local or global state.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_ERR_H
#define BESOM_BASE_ERR_H

#include <stdbool.h>

#include "base/macros.h"

enum status {
    STATUS_OK = 0,
    STATUS_CANCELLED,       /* the caller gave up */
    STATUS_INVALID,         /* the input is wrong whatever the state is */
    STATUS_DEADLINE,        /* no answer in time */
    STATUS_NOT_FOUND,       /* the named thing does not exist */
    STATUS_ALREADY_EXISTS,  /* the named thing exists already */
    STATUS_DENIED,          /* known, but not permitted */
    STATUS_UNAUTHENTICATED, /* no or wrong credentials */
    STATUS_EXHAUSTED,       /* a limit is reached */
    STATUS_PRECONDITION,    /* the state does not allow it */
    STATUS_CONFLICT,        /* a concurrent change won: run the whole transaction again */
    STATUS_UNIMPLEMENTED,   /* this build does not do it */
    STATUS_UNAVAILABLE,     /* a peer or the database is away */
    STATUS_INTERNAL,        /* our bug, or a peer's nonsense */
    STATUS_IO,              /* the operating system refused */
    STATUS_NO_MEMORY,
    STATUS_COUNT
};

#define ERR_TEXT_MAX 1024

struct err {
    enum status code;
    char text[ERR_TEXT_MAX];
};

#define ERR_INIT                      \
    {                                 \
        .code = STATUS_OK, .text = "" \
    }

/* Facts about a code: `name` as printed, `grpc` status number, `exit_code` of the CLI, `retry` if trying
 * again can help. */
struct status_info {
    const char *name;
    int grpc;
    int exit_code;
    bool retry;
};

/* Never NULL; an unknown code is described as STATUS_INTERNAL. */
const struct status_info *status_info(enum status code);

/* The code that stands for a gRPC status number. */
enum status status_from_grpc(int grpc);

/* Sets code and text, returns code. `err` may be NULL. Text beyond ERR_TEXT_MAX is cut. The old
 * text may be among the arguments. */
enum status err_set(struct err *err, enum status code, const char *format, ...) PRINTF_LIKE(3, 4);

/* As err_set, with ": " and the text of errno `number` appended. */
enum status err_set_errno(struct err *err, enum status code, int number, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Puts "context: " before the text, returns the code that was there. */
enum status err_context(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

#ifdef __clang_analyzer__
/* The analyzer sees one file at a time: say that the code given is the code returned. */
#define err_set(err, code, ...) ((void)err_set(err, code, __VA_ARGS__), (code))
#define err_set_errno(err, code, ...) ((void)err_set_errno(err, code, __VA_ARGS__), (code))
#endif

#endif

/*
 * The TCP address that a stack is asked to serve, and another free port when
 * it is taken.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_TCP_H
#define BESOM_CLI_STACK_TCP_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

#define STACK_TCP_DEFAULT "127.0.0.1:7070"

/* `wanted` is HOST:PORT, [HOST]:PORT or PORT (of 127.0.0.1). *moved = the port was taken and *address has
 * another. INVALID, UNAVAILABLE (not this machine's address). */
enum status stack_tcp_choose(struct arena *arena, const char *wanted, const char **address, bool *moved,
                             struct err *err) MUST_USE;

/* True for addresses that only this machine reaches. */
bool stack_tcp_is_loopback(const char *address);

#endif

/*
 * The tokens that a service accepts, read from files. Only keyed hashes are
 * kept and compared in constant time; no token is ever logged. Filled before
 * the server starts, then read by any thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_TOKENS_H
#define BESOM_SERVICES_COMMON_TOKENS_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/err.h"
#include "rpc/server.h"

/* Access bits of methods and tokens; a token needs every bit that the method asks for. */
enum { ACCESS_PUBLIC = 1, ACCESS_SERVICE = 2 };

#define TOKEN_LENGTH_MIN 16
#define TOKEN_LENGTH_MAX 512

struct token_set;

/* NO_MEMORY. */
enum status token_set_new(struct token_set **out, struct err *err) MUST_USE;
void token_set_free(struct token_set *set);

/* `subject` names the token's holder in logs, `scope` the project or sweep that it is bound to ("" = any).
 * INVALID: too short, too long, or holds blanks. */
enum status token_set_add(struct token_set *set, const char *token, const char *subject, unsigned access,
                          const char *scope, struct err *err) MUST_USE;

/* Adds the one token that the file holds; as token_read_file. */
enum status token_set_add_file(struct token_set *set, const char *path, const char *subject, unsigned access,
                               const char *scope, struct err *err) MUST_USE;

size_t token_set_count(const struct token_set *set);

/* The hook for rpc_server_options; `context` is the set. UNAUTHENTICATED, DENIED. */
enum status token_set_check(void *context, const char *token, const char *peer_name, unsigned access,
                            struct rpc_identity *identity, struct err *err) MUST_USE;

/* Appends a secret file's bytes. DENIED when others than its owner may read it (its group may when the owner
 * is root: mounted secrets). As file_read otherwise. */
enum status secret_read_file(const char *path, size_t limit, struct buffer *out, struct err *err) MUST_USE;

/* A token without the blanks around it. As secret_read_file; INVALID as token_set_add. */
enum status token_read_file(const char *path, char out[TOKEN_LENGTH_MAX + 1], struct err *err) MUST_USE;

#endif

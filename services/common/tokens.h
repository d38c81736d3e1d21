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

#define TOKEN_LENGTH_MIN 16
#define TOKEN_LENGTH_MAX 512

struct token_set;

/* NO_MEMORY. */
enum status token_set_new(struct token_set **out, struct err *err) MUST_USE;
void token_set_free(struct token_set *set);

/* `subject` names the token's holder in logs and the audit trail, `role` is a ROLE_ of roles.h.
 * INVALID: too short, too long, or holds blanks. */
enum status token_set_add(struct token_set *set, const char *token, const char *subject, unsigned role,
                          struct err *err) MUST_USE;

/* Adds the one token that the file holds, "file:NAME" with the file's name as its subject; as
 * token_read_file. */
enum status token_set_add_file(struct token_set *set, const char *path, unsigned role,
                               struct err *err) MUST_USE;

size_t token_set_count(const struct token_set *set);

/* The hook for rpc_server_options; `context` is the set, `access` the roles that may call. UNAUTHENTICATED,
 * DENIED. */
enum status token_set_check(void *context, const char *token, const char *peer_name, unsigned access,
                            struct rpc_identity *identity, struct err *err) MUST_USE;

/* Which token it is; its role is not looked at. UNAUTHENTICATED. */
enum status token_set_find(const struct token_set *set, const char *token, struct rpc_identity *identity,
                           struct err *err) MUST_USE;
/* DENIED when it has none of the roles of `access`. */
enum status token_check_role(const struct rpc_identity *identity, unsigned access, struct err *err) MUST_USE;

/* A token without the blanks around it. As file_read_secret; INVALID as token_set_add. */
enum status token_read_file(const char *path, char out[TOKEN_LENGTH_MAX + 1], struct err *err) MUST_USE;

#endif

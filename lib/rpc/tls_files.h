/*
 * Certificate, key and authorities of one end of TLS: read from their files, and again when these change, so
 * that a renewed certificate is shown without a restart. What cannot be used (half written, a key that does
 * not fit) is not taken, and is said once in the log; what was there before stays. Pipes are read once.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_TLS_FILES_H
#define BESOM_RPC_TLS_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

struct tls_files;

/* NULL = none; certificate and key go together. */
struct tls_paths {
    const char *certificate; /* own, then those between it and the authority */
    const char *key;         /* nobody else may read it */
    const char *authorities; /* of the peer's certificate */
};

/* Text in PEM, NULL where there is no file. */
struct tls_pems {
    const char *certificate, *key, *authorities;
};

/* `clock` is borrowed. INVALID (no PEM, a key that does not fit), DENIED, NOT_FOUND, IO. Release with
 * tls_files_free. */
enum status tls_files_open(const struct tls_paths *paths, const struct clock *clock, struct tls_files **out,
                           struct err *err) MUST_USE;
/* NULL is fine. */
void tls_files_free(struct tls_files *files);

/* Which content is there now, a number that grows with each; looks at the files at most once a second. Any
 * thread. */
uint64_t tls_files_generation(struct tls_files *files);

/* The content now goes to `use`, which must not keep the texts, and its generation is returned. Any thread.
 */
typedef void tls_files_use(void *context, const struct tls_pems *pems);
uint64_t tls_files_get(struct tls_files *files, tls_files_use *use, void *context);

/* Whether a path was given. */
bool tls_files_has_authorities(const struct tls_files *files);

/* When the certificate ends, seconds since 1970; 0 without one. Any thread. */
int64_t tls_files_end_s(struct tls_files *files);

#endif

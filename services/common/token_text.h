/*
 * Texts of tokens that a service makes, "besom_<id>_<secret>": the id is for
 * lookup, the secret is 24 random bytes and a tag of the id, in hexadecimal
 * digits, so that a text that was made up is told from one of ours without a
 * database. Stored is only a hash, keyed with a key that is not in the
 * database. Pure but for the reading of key files; filled before use, then
 * read by any thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_TOKEN_TEXT_H
#define BESOM_SERVICES_COMMON_TOKEN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"

#define TOKEN_TEXT_PREFIX "besom_"
#define TOKEN_TEXT_SIZE (sizeof TOKEN_TEXT_PREFIX + ID_LENGTH + 1 + 64)
#define TOKEN_HASH_SIZE 32
#define TOKEN_KEY_ID_SIZE 17

struct token_keys;

/* Without any key nothing is made or known. NO_MEMORY. */
enum status token_keys_new(struct token_keys **out, struct err *err) MUST_USE;
void token_keys_free(struct token_keys *keys);
/* The first key makes tokens, all of them know theirs. The file holds one word as token_read_file has it, of
 * at least 32 characters; DENIED, NOT_FOUND, INVALID. EXHAUSTED beyond 16. */
enum status token_keys_add_file(struct token_keys *keys, const char *path, struct err *err) MUST_USE;
/* A key made of the token that the file holds. */
enum status token_keys_derive(struct token_keys *keys, const char *path, struct err *err) MUST_USE;
size_t token_keys_count(const struct token_keys *keys);

/* A fresh text for the id, its hash, and the key's name. There is a key. */
void token_text_make(const struct token_keys *keys, const char *id, char out[TOKEN_TEXT_SIZE],
                     unsigned char hash[TOKEN_HASH_SIZE], char key_id[TOKEN_KEY_ID_SIZE]);
/* Begins like one of these texts; whether it is one is another question. */
bool token_text_looks_made(const char *text);
/* Gives id and hash of a text that was made with one of the keys, or false. */
bool token_text_read(const struct token_keys *keys, const char *text, char id[ID_SIZE],
                     unsigned char hash[TOKEN_HASH_SIZE]);
/* The id of a text that has the form, for logs; "" otherwise. */
void token_text_id(const char *text, char id[ID_SIZE]);
/* In constant time. */
bool token_hash_equal(const unsigned char a[TOKEN_HASH_SIZE], const unsigned char b[TOKEN_HASH_SIZE]);
bool token_keys_has(const struct token_keys *keys, const char *key_id);

#endif

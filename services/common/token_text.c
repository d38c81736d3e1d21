// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/token_text.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "services/common/tokens.h"

#define KEYS_MAX 16
#define KEY_FILE_LENGTH_MIN 32
#define RANDOM_SIZE 24
#define TAG_SIZE 8
#define PREFIX_LENGTH (sizeof TOKEN_TEXT_PREFIX - 1)
#define SECRET_AT (PREFIX_LENGTH + ID_LENGTH + 1)
#define SECRET_LENGTH ((RANDOM_SIZE + TAG_SIZE) * 2)

struct key {
    unsigned char bytes[crypto_generichash_KEYBYTES];
    char id[TOKEN_KEY_ID_SIZE];
};

struct token_keys {
    struct key keys[KEYS_MAX];
    size_t count;
};

enum status token_keys_new(struct token_keys **out, struct err *err)
{
    *out = NULL;
    if (sodium_init() < 0)
        return err_set(err, STATUS_INTERNAL, "libsodium could not be initialised");
    *out = calloc(1, sizeof **out);
    return *out != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "tokens: out of memory");
}

void token_keys_free(struct token_keys *keys)
{
    if (keys == NULL)
        return;
    sodium_memzero(keys, sizeof *keys);
    free(keys);
}

size_t token_keys_count(const struct token_keys *keys)
{
    return keys->count;
}

/* `purpose` keeps uses of a key apart. */
static void digest(const unsigned char *key, const char *purpose, const char *text, unsigned char *out,
                   size_t size)
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, key, key != NULL ? crypto_generichash_KEYBYTES : 0, size);
    (void)crypto_generichash_update(&state, (const unsigned char *)purpose, strlen(purpose) + 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)text, strlen(text));
    (void)crypto_generichash_final(&state, out, size);
    sodium_memzero(&state, sizeof state);
}

static enum status add(struct token_keys *keys, const char *path, const char *purpose, size_t length_min,
                       struct err *err)
{
    char word[TOKEN_LENGTH_MAX + 1] = "";
    unsigned char name[crypto_generichash_BYTES];
    if (keys->count == KEYS_MAX)
        return err_set(err, STATUS_EXHAUSTED, "more than %d keys of tokens", KEYS_MAX);
    TRY(token_read_file(path, word, err));
    if (strlen(word) < length_min)
        return err_set(err, STATUS_INVALID, "%s: a key has at least %zu characters", path, length_min);
    struct key *key = &keys->keys[keys->count++];
    digest(NULL, purpose, word, key->bytes, sizeof key->bytes);
    digest(key->bytes, "besom key id", "", name, sizeof name);
    (void)sodium_bin2hex(key->id, sizeof key->id, name, sizeof key->id / 2);
    sodium_memzero(word, sizeof word);
    return STATUS_OK;
}

enum status token_keys_add_file(struct token_keys *keys, const char *path, struct err *err)
{
    return add(keys, path, "besom key file", KEY_FILE_LENGTH_MIN, err);
}

enum status token_keys_derive(struct token_keys *keys, const char *path, struct err *err)
{
    return add(keys, path, "besom key of a token", TOKEN_LENGTH_MIN, err);
}

bool token_keys_has(const struct token_keys *keys, const char *key_id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->keys[i].id, key_id) == 0)
            return true;
    return false;
}

/* ---- texts ---- */

static void make_tag(const struct key *key, const char *id, unsigned char out[TAG_SIZE])
{
    unsigned char full[crypto_generichash_BYTES];
    digest(key->bytes, "besom token id", id, full, sizeof full);
    memcpy(out, full, TAG_SIZE);
}

void token_text_make(const struct token_keys *keys, const char *id, char out[TOKEN_TEXT_SIZE],
                     unsigned char hash[TOKEN_HASH_SIZE], char key_id[TOKEN_KEY_ID_SIZE])
{
    assert(keys->keys != NULL); /* a controller has at least one */
    const struct key *key = &keys->keys[0];
    unsigned char secret[RANDOM_SIZE + TAG_SIZE];
    char digits[SECRET_LENGTH + 1];
    randombytes_buf(secret, RANDOM_SIZE);
    make_tag(key, id, secret + RANDOM_SIZE);
    (void)sodium_bin2hex(digits, sizeof digits, secret, sizeof secret);
    (void)snprintf(out, TOKEN_TEXT_SIZE, TOKEN_TEXT_PREFIX "%s_%s", id, digits);
    digest(key->bytes, "besom token", out, hash, TOKEN_HASH_SIZE);
    memcpy(key_id, key->id, TOKEN_KEY_ID_SIZE);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(digits, sizeof digits);
}

bool token_text_looks_made(const char *text)
{
    return strncmp(text, TOKEN_TEXT_PREFIX, PREFIX_LENGTH) == 0;
}

static bool has_form(const char *text)
{
    return token_text_looks_made(text) && strlen(text) == SECRET_AT + SECRET_LENGTH &&
           text[SECRET_AT - 1] == '_' && strspn(text + SECRET_AT, "0123456789abcdef") == SECRET_LENGTH;
}

void token_text_id(const char *text, char id[ID_SIZE])
{
    id[0] = '\0';
    if (!has_form(text))
        return;
    memcpy(id, text + PREFIX_LENGTH, ID_LENGTH);
    id[ID_LENGTH] = '\0';
    if (!id_is_valid(id))
        id[0] = '\0';
}

bool token_text_read(const struct token_keys *keys, const char *text, char id[ID_SIZE],
                     unsigned char hash[TOKEN_HASH_SIZE])
{
    unsigned char shown[TAG_SIZE], tag[TAG_SIZE];
    size_t size = 0;
    token_text_id(text, id);
    if (id[0] == '\0' || sodium_hex2bin(shown, sizeof shown, text + SECRET_AT + (size_t)RANDOM_SIZE * 2,
                                        (size_t)TAG_SIZE * 2, NULL, &size, NULL) != 0)
        return false;
    for (size_t i = 0; i < keys->count; i++) {
        make_tag(&keys->keys[i], id, tag);
        if (sodium_memcmp(shown, tag, TAG_SIZE) != 0)
            continue;
        digest(keys->keys[i].bytes, "besom token", text, hash, TOKEN_HASH_SIZE);
        return true;
    }
    return false;
}

bool token_hash_equal(const unsigned char a[TOKEN_HASH_SIZE], const unsigned char b[TOKEN_HASH_SIZE])
{
    return sodium_memcmp(a, b, TOKEN_HASH_SIZE) == 0;
}

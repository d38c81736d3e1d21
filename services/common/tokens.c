// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/tokens.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "services/common/roles.h"

#define HASH_SIZE 32
#define FILE_NAME_SHOWN 50

struct token {
    unsigned char hash[HASH_SIZE];
    struct rpc_identity identity;
};

struct token_set {
    unsigned char key[crypto_generichash_KEYBYTES]; /* of this process: equal tokens hash apart elsewhere */
    struct token *tokens;                           /* owned */
    size_t count;
};

enum status token_set_new(struct token_set **out, struct err *err)
{
    *out = NULL;
    if (sodium_init() < 0)
        return err_set(err, STATUS_INTERNAL, "libsodium could not be initialised");
    struct token_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return err_set(err, STATUS_NO_MEMORY, "tokens: out of memory");
    crypto_generichash_keygen(set->key);
    *out = set;
    return STATUS_OK;
}

void token_set_free(struct token_set *set)
{
    if (set == NULL)
        return;
    free(set->tokens);
    free(set);
}

size_t token_set_count(const struct token_set *set)
{
    return set->count;
}

static void hash_token(const struct token_set *set, const char *token, unsigned char out[HASH_SIZE])
{
    (void)crypto_generichash(out, HASH_SIZE, (const unsigned char *)token, strlen(token), set->key,
                             sizeof set->key);
}

static enum status check_form(const char *token, struct err *err)
{
    size_t length = strlen(token);
    if (length < TOKEN_LENGTH_MIN || length > TOKEN_LENGTH_MAX)
        return err_set(err, STATUS_INVALID, "a token has %d to %d characters", TOKEN_LENGTH_MIN,
                       TOKEN_LENGTH_MAX);
    for (const char *c = token; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return err_set(err, STATUS_INVALID, "a token is one word of printable ASCII characters");
    return STATUS_OK;
}

enum status token_set_add(struct token_set *set, const char *token, const char *subject, unsigned role,
                          struct err *err)
{
    TRY(check_form(token, err));
    struct token *grown = realloc(set->tokens, (set->count + 1) * sizeof *grown);
    if (grown == NULL)
        return err_set(err, STATUS_NO_MEMORY, "tokens: out of memory");
    set->tokens = grown;
    struct token *added = &grown[set->count++];
    hash_token(set, token, added->hash);
    added->identity = (struct rpc_identity){.access = role};
    (void)snprintf(added->identity.subject, sizeof added->identity.subject, "%s", subject);
    /* no token that was made has such an id */
    (void)snprintf(added->identity.token, sizeof added->identity.token, "file-%zu", set->count);
    return STATUS_OK;
}

enum status token_set_add_file(struct token_set *set, const char *path, unsigned role, struct err *err)
{
    char token[TOKEN_LENGTH_MAX + 1] = "";
    char subject[64];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    (void)snprintf(subject, sizeof subject, "file:%.*s", utf8_fit(name, FILE_NAME_SHOWN), name);
    enum status status = token_read_file(path, token, err);
    if (status == STATUS_OK)
        status = token_set_add(set, token, subject, role, err);
    sodium_memzero(token, sizeof token);
    return status;
}

enum status token_set_find(const struct token_set *set, const char *token, struct rpc_identity *identity,
                           struct err *err)
{
    const struct token *found = NULL;
    unsigned char hash[HASH_SIZE];
    hash_token(set, token, hash);
    /* Every entry is compared, so that the time does not tell which one it was. */
    for (size_t i = 0; i < set->count; i++)
        if (sodium_memcmp(hash, set->tokens[i].hash, HASH_SIZE) == 0)
            found = &set->tokens[i];
    if (found == NULL)
        return err_set(err, STATUS_UNAUTHENTICATED, "the token is not known here");
    *identity = found->identity;
    return STATUS_OK;
}

enum status token_check_role(const struct rpc_identity *identity, unsigned access, struct err *err)
{
    if ((identity->access & access) != 0)
        return STATUS_OK;
    return err_set(err, STATUS_DENIED, "the token %s has the role %s, which does not permit this call",
                   identity->subject, role_name(identity->access));
}

enum status token_set_check(void *context, const char *token, const char *peer_name, unsigned access,
                            struct rpc_identity *identity, struct err *err)
{
    (void)peer_name;
    if (token == NULL)
        return err_set(err, STATUS_UNAUTHENTICATED, "this call needs a token");
    TRY(token_set_find(context, token, identity, err));
    return token_check_role(identity, access, err);
}

/* The text between leading and trailing blanks, nul-terminated in place. */
static char *trim(char *text)
{
    static const char blanks[] = " \t\r\n";
    text += strspn(text, blanks);
    size_t length = strlen(text);
    while (length > 0 && strchr(blanks, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

enum status token_read_file(const char *path, char out[TOKEN_LENGTH_MAX + 1], struct err *err)
{
    struct buffer bytes CLEANUP(buffer_free) = BUFFER_INIT;
    TRY(file_read_secret(path, 4096, &bytes, err));
    if (bytes.data == NULL || strlen(bytes.data) != bytes.length)
        return err_set(err, STATUS_INVALID, "%s: empty, or not a text", path);
    const char *token = trim(bytes.data);
    enum status status = check_form(token, err);
    if (status == STATUS_OK)
        memcpy(out, token, strlen(token) + 1);
    else
        status = err_context(err, "%s", path);
    sodium_memzero(bytes.data, bytes.length);
    return status;
}

// SPDX-License-Identifier: GPL-3.0-or-later
/* Texts of tokens: what is ours, under which key, and what is not. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "services/common/token_text.h"

#define KEY_A "0123456789abcdef0123456789abcdef-a"
#define KEY_B "0123456789abcdef0123456789abcdef-b"

/* A file in /tmp with the word, mode 0600. */
static void write_key(char path[32], const char *word)
{
    (void)snprintf(path, 32, "/tmp/besom-key-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, word, strlen(word)), (ssize_t)strlen(word));
    close(fd);
}

static enum status add(struct token_keys *keys, const char *word, bool derived)
{
    char path[32];
    struct err err = ERR_INIT;
    write_key(path, word);
    enum status status =
        derived ? token_keys_derive(keys, path, &err) : token_keys_add_file(keys, path, &err);
    assert_null(strstr(err.text, word));
    unlink(path);
    return status;
}

static struct token_keys *keys_of(const char *first, const char *second)
{
    struct token_keys *keys;
    struct err err = ERR_INIT;
    assert_int_equal(token_keys_new(&keys, &err), STATUS_OK);
    assert_int_equal(add(keys, first, false), STATUS_OK);
    if (second != NULL)
        assert_int_equal(add(keys, second, false), STATUS_OK);
    return keys;
}

static void a_text_is_known_by_its_key_alone(void **state)
{
    (void)state;
    struct token_keys *a = keys_of(KEY_A, NULL), *b = keys_of(KEY_B, NULL), *both = keys_of(KEY_B, KEY_A);
    char text[TOKEN_TEXT_SIZE], key_id[TOKEN_KEY_ID_SIZE], id[ID_SIZE];
    unsigned char made[TOKEN_HASH_SIZE], read[TOKEN_HASH_SIZE];
    token_text_make(a, "abcd1234", text, made, key_id);
    assert_int_equal(strlen(text), TOKEN_TEXT_SIZE - 1);
    assert_memory_equal(text, "besom_abcd1234_", 15);
    assert_true(token_text_read(a, text, id, read));
    assert_string_equal(id, "abcd1234");
    assert_true(token_hash_equal(made, read));
    assert_false(token_text_read(b, text, id, read));
    assert_true(token_text_read(both, text, id, read));
    assert_true(token_hash_equal(made, read));
    assert_true(token_keys_has(both, key_id));
    assert_false(token_keys_has(b, key_id));
    token_text_make(both, "abcd1234", text, made, key_id);
    assert_true(token_text_read(b, text, id, read));
    assert_false(token_text_read(a, text, id, read));
    token_keys_free(a);
    token_keys_free(b);
    token_keys_free(both);
}

/* Each text differs in one place from one that is right. */
static void what_was_made_up_is_not_known(void **state)
{
    (void)state;
    struct token_keys *keys = keys_of(KEY_A, NULL);
    char text[TOKEN_TEXT_SIZE], other[TOKEN_TEXT_SIZE + 8], key_id[TOKEN_KEY_ID_SIZE], id[ID_SIZE];
    unsigned char made[TOKEN_HASH_SIZE], hash[TOKEN_HASH_SIZE];
    token_text_make(keys, "abcd1234", text, made, key_id);
    for (size_t i = 0; i < TOKEN_TEXT_SIZE - 1; i++) {
        memcpy(other, text, sizeof text);
        other[i] = text[i] == '0' ? '1' : '0';
        /* a wrong secret with the right tag reaches the comparison of hashes, and no further */
        assert_true(!token_text_read(keys, other, id, hash) || !token_hash_equal(hash, made));
    }
    static const char *const forms[] = {"", "besom_", "besom__", "besom_abcd1234_", "besom_ABCD1234_"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        assert_false(token_text_read(keys, forms[i], id, hash));
        assert_string_equal(id, "");
    }
    (void)snprintf(other, sizeof other, "%s0", text);
    assert_false(token_text_read(keys, other, id, hash));
    assert_true(token_text_looks_made(other));
    assert_false(token_text_looks_made("0123456789abcdef"));
    token_keys_free(keys);
}

static void keys_are_long_words(void **state)
{
    (void)state;
    struct token_keys *keys;
    struct err err = ERR_INIT;
    assert_int_equal(token_keys_new(&keys, &err), STATUS_OK);
    assert_int_equal(token_keys_count(keys), 0);
    assert_int_equal(add(keys, "0123456789abcdef", false), STATUS_INVALID);
    assert_int_equal(add(keys, "0123456789abcdef", true), STATUS_OK);
    assert_int_equal(token_keys_add_file(keys, "/nonexistent/key", &err), STATUS_NOT_FOUND);
    for (int i = 1; i < 16; i++)
        assert_int_equal(add(keys, KEY_A, false), STATUS_OK);
    assert_int_equal(add(keys, KEY_A, false), STATUS_EXHAUSTED);
    token_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_known_by_its_key_alone),
        cmocka_unit_test(what_was_made_up_is_not_known),
        cmocka_unit_test(keys_are_long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

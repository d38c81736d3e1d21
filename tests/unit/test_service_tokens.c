// SPDX-License-Identifier: GPL-3.0-or-later
/* Tokens from files: who may call what, and which files are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "services/common/roles.h"
#include "services/common/tokens.h"

#define TOKEN "correct-horse-battery"

static enum status check(struct token_set *set, const char *token, unsigned access, struct rpc_identity *out)
{
    struct err err = ERR_INIT;
    enum status status = token_set_check(set, token, NULL, access, out, &err);
    if (token != NULL)
        assert_null(strstr(err.text, token));
    return status;
}

static void test_a_token_opens_what_its_role_says(void **state)
{
    (void)state;
    struct token_set *set = NULL;
    struct err err = ERR_INIT;
    struct rpc_identity who = {0};
    assert_int_equal(token_set_new(&set, &err), STATUS_OK);
    assert_int_equal(token_set_add(set, TOKEN, "alice", ROLE_WRITER, &err), STATUS_OK);
    assert_int_equal(token_set_add(set, TOKEN "-2", "service", ROLE_SERVICE, &err), STATUS_OK);
    assert_int_equal(token_set_count(set), 2);
    assert_int_equal(check(set, NULL, ROLE_WRITER, &who), STATUS_UNAUTHENTICATED);
    assert_int_equal(check(set, "correct-horse-batterz", ROLE_WRITER, &who), STATUS_UNAUTHENTICATED);
    assert_int_equal(check(set, TOKEN, ROLE_ADMIN | ROLE_SERVICE, &who), STATUS_DENIED);
    assert_int_equal(check(set, TOKEN, ROLE_ADMIN | ROLE_WRITER, &who), STATUS_OK);
    assert_string_equal(who.subject, "alice");
    assert_string_equal(who.token, "file-1");
    assert_int_equal(check(set, TOKEN "-2", ROLE_ADMIN, &who), STATUS_DENIED);
    assert_int_equal(check(set, TOKEN "-2", ROLE_SERVICE, &who), STATUS_OK);
    assert_string_equal(who.subject, "service");
    token_set_free(set);
}

static void test_a_token_is_one_long_word(void **state)
{
    (void)state;
    struct token_set *set = NULL;
    struct err err = ERR_INIT;
    char longest[TOKEN_LENGTH_MAX + 2];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(token_set_new(&set, &err), STATUS_OK);
    assert_int_equal(token_set_add(set, "short", "a", ROLE_ADMIN, &err), STATUS_INVALID);
    assert_int_equal(token_set_add(set, "two words that are long", "a", ROLE_ADMIN, &err), STATUS_INVALID);
    assert_int_equal(token_set_add(set, longest, "a", ROLE_ADMIN, &err), STATUS_INVALID);
    assert_int_equal(token_set_add(set, longest + 1, "a", ROLE_ADMIN, &err), STATUS_OK);
    token_set_free(set);
}

static enum status read_back(const char *content, mode_t mode, char out[TOKEN_LENGTH_MAX + 1])
{
    char path[] = "/tmp/besom-token-XXXXXX";
    struct err err = ERR_INIT;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    enum status status = token_read_file(path, out, &err);
    assert_null(strstr(err.text, TOKEN));
    unlink(path);
    return status;
}

static void test_files_that_others_may_read_are_refused(void **state)
{
    (void)state;
    char token[TOKEN_LENGTH_MAX + 1] = "";
    struct err err = ERR_INIT;
    assert_int_equal(read_back(" \n" TOKEN "\r\n", 0600, token), STATUS_OK);
    assert_string_equal(token, TOKEN);
    assert_int_equal(read_back(TOKEN, 0400, token), STATUS_OK);
    assert_int_equal(read_back(TOKEN, 0604, token), STATUS_DENIED);
    assert_int_equal(read_back(TOKEN, 0640, token), geteuid() == 0 ? STATUS_OK : STATUS_DENIED);
    assert_int_equal(read_back(TOKEN, 0620, token), STATUS_DENIED);
    assert_int_equal(read_back("short\n", 0600, token), STATUS_INVALID);
    assert_int_equal(read_back("", 0600, token), STATUS_INVALID);
    assert_int_equal(read_back(TOKEN "\n" TOKEN, 0600, token), STATUS_INVALID);
    assert_int_equal(token_read_file("/nonexistent/token", token, &err), STATUS_NOT_FOUND);
}

/* The name stands in the audit trail, where half a character would be refused. */
static void test_a_long_name_of_a_file_is_cut_between_characters(void **state)
{
    (void)state;
    char folder[] = "/tmp/besom-token-XXXXXX", path[160];
    struct err err = ERR_INIT;
    struct token_set *set;
    struct rpc_identity identity;
    assert_non_null(mkdtemp(folder));
    int length = snprintf(path, sizeof path, "%s/x", folder);
    for (int i = 0; i < 30; i++)
        length += snprintf(path + length, sizeof path - (size_t)length, "\xc3\xa9");
    assert_int_equal(file_write_atomic(path, TOKEN, strlen(TOKEN), 0600, &err), STATUS_OK);
    assert_int_equal(token_set_new(&set, &err), STATUS_OK);
    assert_int_equal(token_set_add_file(set, path, ROLE_ADMIN, &err), STATUS_OK);
    assert_int_equal(token_set_find(set, TOKEN, &identity, &err), STATUS_OK);
    assert_int_equal(strlen(identity.subject), strlen("file:x") + 48);
    token_set_free(set);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_opens_what_its_role_says),
        cmocka_unit_test(test_a_token_is_one_long_word),
        cmocka_unit_test(test_files_that_others_may_read_are_refused),
        cmocka_unit_test(test_a_long_name_of_a_file_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

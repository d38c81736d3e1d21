// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "services/controller/standbys.h"

static void it_warns_when_no_standby_is_synchronous(void **state)
{
    static const struct {
        struct store_replication found;
        const char *words; /* NULL = silent */
    } rows[] = {
        {{0, 0, 0, "on"}, NULL},
        {{0, 0, 0, "off"}, NULL}, /* nothing to fail over to */
        {{1, 0, 0, "on"}, NULL},
        {{1, 2, 0, "remote_apply"}, NULL},
        {{0, 1, 0, "on"}, "has 1 standby and none is synchronous"},
        {{0, 3, 0, "remote_write"}, "has 3 standbys and none is synchronous"},
        {{0, 2, 0, "off"}, "has 2 standbys and synchronous_commit is off here"},
        {{0, 1, 0, "local"}, "has 1 standby and synchronous_commit is local here"},
        {{0, 0, 2, "on"}, NULL}, /* commits may wait for them: the role cannot see it */
        {{0, 1, 1, "on"}, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[STANDBYS_TEXT_MAX] = "left over";
        standbys_describe(&rows[i].found, text);
        if (rows[i].words == NULL)
            assert_string_equal(text, "");
        else
            assert_non_null(strstr(text, rows[i].words));
        assert_true(strlen(text) < STANDBYS_TEXT_MAX - 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_warns_when_no_standby_is_synchronous)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

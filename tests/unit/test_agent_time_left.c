// SPDX-License-Identifier: GPL-3.0-or-later
/* What SLURM says of the time that is left of a job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "clients/agent/time_left.h"

static void times_of_squeue(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"0:00", 0},
                {"3:04", 184000},
                {"59:59", 3599000},
                {"2:03:04", 7384000},
                {"1-02:03:04", 93784000},
                {"365-00:00:00", 31536000000},
                {"UNLIMITED", TIME_LEFT_UNLIMITED}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = -1;
        struct err err = ERR_INIT;
        assert_int_equal(time_left_parse_slurm(rows[i].text, &ms, &err), STATUS_OK);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",       "INVALID",     "NOT_SET", "12",    "-1:00",          "1:",
        ":1",     "1:2:3:4",     "1-",      "1-2",   "1:00 ",          "1 :00",
        "1.5:00", "1-2-3:00:00", "1:00x",   "1::00", "99999999999:00", "9999999999999999999999:00"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 0;
        struct err err = ERR_INIT;
        assert_int_equal(time_left_parse_slurm(rows[i], &ms, &err), STATUS_INVALID);
    }
}

static void environment_says_when_the_job_ends(void **state)
{
    (void)state;
    int64_t ms = 0;
    struct err err = ERR_INIT;
    char text[32];
    unsetenv("SLURM_JOB_ID");
    assert_int_equal(time_left_ask_slurm(&ms, &err), STATUS_PRECONDITION);
    setenv("SLURM_JOB_ID", "1", 1);
    snprintf(text, sizeof text, "%lld", (long long)(clock_wall_us(&clock_system) / 1000000 + 100));
    setenv("SLURM_JOB_END_TIME", text, 1);
    assert_int_equal(time_left_ask_slurm(&ms, &err), STATUS_OK);
    assert_in_range(ms, 60000, 100000);
    setenv("SLURM_JOB_END_TIME", "soon", 1); /* then squeue is asked, which is not there */
    setenv("PATH", "/nonexistent", 1);
    assert_int_equal(time_left_ask_slurm(&ms, &err), STATUS_PRECONDITION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_squeue),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(environment_says_when_the_job_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

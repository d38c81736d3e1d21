// SPDX-License-Identifier: GPL-3.0-or-later
/* State tables: against the schema's constraints, the orders of users, and what an attempt's end makes of a
 * run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/file.h"
#include "services/controller/end_class.h"
#include "services/controller/run_state.h"
#include "services/controller/sweep_state.h"
#include "spec/spec.h"

#define SQL_LIMIT (1u << 20)

/* The quoted words of the CHECK that follows `column` in the schema, each between spaces. */
static void read_constraint(const char *table, struct buffer *out)
{
    struct buffer sql = BUFFER_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(file_read(BESOM_SCHEMA, SQL_LIMIT, &sql, &err), STATUS_OK);
    const char *at = strstr(buffer_text(&sql), table);
    assert_non_null(at);
    at = strstr(at, "CHECK (state IN (");
    assert_non_null(at);
    const char *end = strstr(at, "))");
    assert_non_null(end);
    buffer_putc(out, ' ');
    for (at = strchr(at, '\''); at != NULL && at < end; at = strchr(at + 1, '\'')) {
        const char *close = strchr(at + 1, '\'');
        buffer_append(out, at + 1, (size_t)(close - at - 1));
        buffer_putc(out, ' ');
        at = close;
    }
    buffer_free(&sql);
}

static size_t count_words(const char *text)
{
    size_t words = 0;
    for (; *text != '\0'; text++)
        words += *text == ' ';
    return words - 1;
}

static void assert_has_word(const struct buffer *words, const char *name)
{
    char word[32] = " ";
    strncat(word, name, 20);
    strncat(word, " ", 2);
    assert_non_null(strstr(buffer_text(words), word));
}

static void sweep_states_are_those_of_the_schema(void **state)
{
    (void)state;
    struct buffer words = BUFFER_INIT;
    read_constraint("CREATE TABLE besom.sweeps", &words);
    assert_int_equal(count_words(buffer_text(&words)), SWEEP_STATE_COUNT);
    for (int i = 0; i < SWEEP_STATE_COUNT; i++) {
        enum sweep_state back;
        assert_has_word(&words, sweep_state_name((enum sweep_state)i));
        assert_true(sweep_state_from_name(sweep_state_name((enum sweep_state)i), &back));
        assert_int_equal(back, i);
    }
    buffer_free(&words);
}

static void run_states_are_those_of_the_schema(void **state)
{
    (void)state;
    struct buffer words = BUFFER_INIT;
    read_constraint("CREATE TABLE besom.runs", &words);
    assert_int_equal(count_words(buffer_text(&words)), RUN_STATE_COUNT);
    for (int i = 0; i < RUN_STATE_COUNT; i++) {
        enum run_state back;
        assert_has_word(&words, run_state_name((enum run_state)i));
        assert_true(run_state_from_name(run_state_name((enum run_state)i), &back));
        assert_int_equal(back, i);
    }
    buffer_free(&words);
}

static void states_have_the_numbers_of_the_contract(void **state)
{
    (void)state;
    assert_int_equal(run_state_to_message("pending"), BESOM__V1__RUN_STATE__RUN_STATE_PENDING);
    assert_int_equal(run_state_to_message("preempting"), BESOM__V1__RUN_STATE__RUN_STATE_PREEMPTING);
    assert_int_equal(run_state_to_message("crashed"), BESOM__V1__RUN_STATE__RUN_STATE_CRASHED);
    assert_int_equal(run_state_to_message("nonsense"), 0);
}

/* reference: W&B's verbs; a dash = refused */
static void orders_do_what_users_know(void **state)
{
    (void)state;
    static const struct {
        enum sweep_order order;
        const char *to[SWEEP_STATE_COUNT]; /* from pending, running, paused, finished, canceled */
    } rows[] = {
        {SWEEP_PAUSE,
         {"paused", "paused", "paused", "Cannot pause finished sweep.", "Cannot pause canceled sweep."}},
        {SWEEP_RESUME, {"pending", "running", "running", "running", "running"}},
        {SWEEP_STOP, {"finished", "finished", "finished", "finished", "Sweep already canceled."}},
        {SWEEP_CANCEL, {"canceled", "canceled", "canceled", "canceled", "canceled"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int from = 0; from < SWEEP_STATE_COUNT; from++) {
            struct err err = ERR_INIT;
            enum sweep_state to;
            enum status status = sweep_state_apply((enum sweep_state)from, rows[i].order, &to, &err);
            assert_string_equal(status == STATUS_OK ? sweep_state_name(to) : err.text, rows[i].to[from]);
            if (status == STATUS_OK && to != (enum sweep_state)from)
                assert_true(sweep_state_may_follow((enum sweep_state)from, to));
        }
}

static void an_ended_run_only_comes_back_when_it_was_lost(void **state)
{
    (void)state;
    for (int from = 0; from < RUN_STATE_COUNT; from++)
        for (int to = 0; to < RUN_STATE_COUNT; to++)
            if (run_state_is_ended((enum run_state)from) &&
                run_state_may_follow((enum run_state)from, (enum run_state)to))
                assert_true(from == RUN_CRASHED && to == RUN_RUNNING);
}

static void ends_become_states(void **state)
{
    (void)state;
#define END(name) BESOM__V1__END_CLASS__END_CLASS_##name
    static const struct {
        struct end_facts facts;
        const char *state, *reason;
        unsigned retry_class;
    } rows[] = {
        {{END(EXITED), 0, 0, "", false}, "finished", "", 0},
        {{END(EXITED), 0, 0, "stop_early", true}, "finished", "", 0},
        {{END(EXITED), 3, 0, "", false}, "failed", "exit 3", SPEC_RETRY_FAILED},
        {{END(EXITED), 3, 0, "", true}, "crashed", "preempted", SPEC_RETRY_PREEMPTED},
        {{END(SIGNALED), 0, 9, "", false}, "crashed", "signal 9", SPEC_RETRY_CRASHED},
        {{END(SIGNALED), 0, 15, "", true}, "crashed", "preempted", SPEC_RETRY_PREEMPTED},
        {{END(DIRECTED), 0, 15, "stop_early", false}, "stopped", "early_stop", 0},
        {{END(DIRECTED), 0, 15, "stop_user", false}, "killed", "user", 0},
        {{END(DIRECTED), 0, 9, "kill", false}, "killed", "user", 0},
        {{END(USER), 0, 2, "", false}, "killed", "user", 0},
        {{END(PREEMPTED), 1, 0, "", false}, "crashed", "preempted", SPEC_RETRY_PREEMPTED},
        {{END(START_FAILED), 0, 0, "", false}, "failed", "could not start", 0},
        {{END(LOST), 0, 0, "", false}, "crashed", "lost", SPEC_RETRY_LOST},
        /* what was ordered to end does not come back, whatever became of its agent meanwhile */
        {{END(LOST), 0, 0, "stop_early", false}, "stopped", "early_stop", 0},
        {{END(LOST), 0, 0, "stop_user", false}, "killed", "user", 0},
        {{END(LOST), 0, 0, "kill", false}, "killed", "user", 0},
        {{END(PREEMPTED), 0, 15, "stop_early", false}, "stopped", "early_stop", 0},
        {{END(PREEMPTED), 0, 15, "stop_user", false}, "killed", "user", 0},
        {{END(SIGNALED), 0, 9, "stop_user", false}, "crashed", "signal 9", 0},
        {{END(EXITED), 3, 0, "stop_user", true}, "crashed", "preempted", 0},
    };
#undef END
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct end_verdict verdict;
        struct err err = ERR_INIT;
        assert_int_equal(end_class_judge(&rows[i].facts, &verdict, &err), STATUS_OK);
        assert_string_equal(run_state_name(verdict.state), rows[i].state);
        assert_string_equal(verdict.reason, rows[i].reason);
        assert_int_equal(verdict.retry_class, rows[i].retry_class);
        if (end_class_is_plain(rows[i].facts.end_class, rows[i].facts.exit_code))
            assert_string_equal(rows[i].state, "finished");
    }
}

static void an_unknown_class_is_refused(void **state)
{
    (void)state;
    const struct end_facts facts = {.directive = ""};
    struct end_verdict verdict;
    struct err err = ERR_INIT;
    assert_int_equal(end_class_judge(&facts, &verdict, &err), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep_states_are_those_of_the_schema),
        cmocka_unit_test(run_states_are_those_of_the_schema),
        cmocka_unit_test(states_have_the_numbers_of_the_contract),
        cmocka_unit_test(orders_do_what_users_know),
        cmocka_unit_test(an_ended_run_only_comes_back_when_it_was_lost),
        cmocka_unit_test(ends_become_states),
        cmocka_unit_test(an_unknown_class_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

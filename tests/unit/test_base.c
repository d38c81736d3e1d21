// SPDX-License-Identifier: GPL-3.0-or-later
/* err, arena, buffer, id, clock: what their headers promise. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/utf8.h"

static void err_carries_code_and_text(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(err_set(&err, STATUS_NOT_FOUND, "no sweep %s", "ab12"), STATUS_NOT_FOUND);
    assert_int_equal(err.code, STATUS_NOT_FOUND);
    assert_int_equal(err_context(&err, "sweep %d", 7), STATUS_NOT_FOUND);
    assert_string_equal(err.text, "sweep 7: no sweep ab12");
    assert_int_equal(err_set(&err, STATUS_INVALID, "again: %s", err.text), STATUS_INVALID);
    assert_string_equal(err.text, "again: sweep 7: no sweep ab12");
    assert_int_equal(err_set_errno(&err, STATUS_IO, ENOENT, "open"), STATUS_IO);
    assert_string_equal(err.text, "open: No such file or directory");
    assert_int_equal(err_set(NULL, STATUS_IO, "nobody reads it"), STATUS_IO);
}

static void err_cuts_long_text(void **state)
{
    (void)state;
    char word[2 * ERR_TEXT_MAX];
    memset(word, 'x', sizeof word);
    word[sizeof word - 1] = '\0';
    struct err err = ERR_INIT;
    (void)err_set(&err, STATUS_IO, "%s", word);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    (void)err_context(&err, "%s", word);
    (void)err_context(&err, "%s", word);
    assert_true(strlen(err.text) < ERR_TEXT_MAX);
    (void)err_set_errno(&err, STATUS_IO, EIO, "%s", word);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

/* Exit codes are a promise to scripts, gRPC numbers to other implementations. */
static void status_table_keeps_its_promises(void **state)
{
    (void)state;
    static const struct {
        enum status code;
        int grpc, exit_code;
        bool retry;
    } rows[] = {
        {STATUS_OK, 0, 0, false},
        {STATUS_INVALID, 3, 2, false},
        {STATUS_NOT_FOUND, 5, 3, false},
        {STATUS_UNAVAILABLE, 14, 4, true},
        {STATUS_UNAUTHENTICATED, 16, 5, false},
        {STATUS_DENIED, 7, 5, false},
        {STATUS_EXHAUSTED, 8, 1, true},
        {STATUS_PRECONDITION, 9, 1, false},
        {STATUS_CONFLICT, 10, 1, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct status_info *info = status_info(rows[i].code);
        assert_int_equal(info->grpc, rows[i].grpc);
        assert_int_equal(info->exit_code, rows[i].exit_code);
        assert_int_equal(info->retry, rows[i].retry);
        assert_int_equal(status_from_grpc(rows[i].grpc), rows[i].code);
    }
    for (int code = 0; code < STATUS_COUNT; code++)
        assert_non_null(status_info((enum status)code)->name);
    assert_string_equal(status_info((enum status)999)->name, "internal");
    assert_int_equal(status_from_grpc(2), STATUS_INTERNAL);
}

static void arena_aligns_and_keeps_what_it_gave(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    char *texts[200];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        texts[i] = arena_printf(&arena, "text number %zu %*s", i, (int)i * 10, "");
        assert_non_null(texts[i]);
        assert_int_equal((uintptr_t)texts[i] % 16, 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(strtoul(texts[i] + strlen("text number "), NULL, 10), i);
    int *zeros = arena_calloc(&arena, 100, sizeof *zeros);
    assert_non_null(zeros);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeros[i], 0);
    assert_string_equal(arena_strndup(&arena, "besom", 3), "bes");
    assert_string_equal(arena_strdup(&arena, ""), "");
    assert_non_null(arena_alloc(&arena, 5u << 20));
}

static void arena_holds_its_limit(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(1000);
    assert_non_null(arena_alloc(&arena, 600));
    assert_null(arena_alloc(&arena, 600));
    assert_non_null(arena_alloc(&arena, 300));
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(arena_alloc(&arena, 600));
    volatile size_t huge = SIZE_MAX / 2;
    assert_null(arena_calloc(&arena, huge, 4));
    assert_null(arena_alloc(&arena, huge * 2));
}

static void buffer_grows_and_hands_over(void **state)
{
    (void)state;
    struct buffer buffer CLEANUP(buffer_free) = BUFFER_INIT;
    assert_string_equal(buffer_text(&buffer), "");
    for (int i = 0; i < 1000; i++)
        buffer_printf(&buffer, "%d,", i);
    buffer_putc(&buffer, '.');
    buffer_puts(&buffer, "end");
    buffer_append(&buffer, "\0tail", 5);
    assert_int_equal(buffer.length, 3890 + 4 + 5);
    assert_memory_equal(buffer.data + 3890, ".end\0tail", 10);
    char *taken = buffer_take(&buffer);
    assert_non_null(taken);
    assert_null(buffer.data);
    free(taken);
    char *empty = buffer_take(&buffer);
    assert_string_equal(empty, "");
    free(empty);
}

static void buffer_errors_stick(void **state)
{
    (void)state;
    struct buffer buffer CLEANUP(buffer_free) = BUFFER_INIT;
    volatile size_t huge = SIZE_MAX / 2;
    buffer_puts(&buffer, "kept");
    buffer_append(&buffer, "x", huge);
    assert_true(buffer.failed);
    buffer_puts(&buffer, "ignored");
    assert_string_equal(buffer_text(&buffer), "kept");
    assert_null(buffer_take(&buffer));
    buffer_clear(&buffer);
    assert_false(buffer.failed);
    assert_string_equal(buffer_text(&buffer), "");
}

struct byte_queue {
    uint64_t next;
};

static void count_up(void *context, void *bytes, size_t length)
{
    struct byte_queue *queue = context;
    assert_int_equal(length, sizeof queue->next);
    memcpy(bytes, &queue->next, length);
    queue->next++;
}

static void ids_come_from_the_source(void **state)
{
    (void)state;
    struct byte_queue queue = {.next = 36 * 1000};
    struct random_source source = {.fill = count_up, .context = &queue};
    char id[ID_SIZE];
    id_make(&source, id);
    assert_string_equal(id, "01234567");
    char first[ID_SIZE], second[ID_SIZE];
    id_make(&random_system, first);
    id_make(&random_system, second);
    assert_true(id_is_valid(first) && id_is_valid(second));
    assert_string_not_equal(first, second);
    static const char *const wrong[] = {"", "abc", "ABCDEFGH", "abcdefg-", "abcdefghi"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(id_is_valid(wrong[i]));
}

static int64_t fixed_us(void *context)
{
    return *(int64_t *)context;
}

static void clock_can_be_replaced(void **state)
{
    (void)state;
    int64_t now_us = 1234567;
    struct clock clock = {.wall_us = fixed_us, .monotonic_us = fixed_us, .context = &now_us};
    assert_int_equal(clock_wall_us(&clock), 1234567);
    assert_int_equal(clock_monotonic_ms(&clock), 1234);
    int64_t before = clock_monotonic_us(&clock_system);
    assert_true(clock_monotonic_us(&clock_system) >= before);
    assert_true(clock_wall_us(&clock_system) > INT64_C(1600000000000000));
}

static void cond_wait_times_out(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    clock_cond_init(&cond);
    pthread_mutex_lock(&mutex);
    int64_t start = clock_monotonic_us(&clock_system);
    assert_int_equal(clock_cond_wait(&cond, &mutex, 5), ETIMEDOUT);
    assert_true(clock_monotonic_us(&clock_system) - start >= 5000);
    assert_int_equal(clock_cond_wait(&cond, &mutex, -1), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static void texts_are_cut_between_characters(void **state)
{
    (void)state;
    static const char two[] = "a\xc3\xa9\xc3\xa9", four[] = "\xf0\x9f\x90\x9d\xf0\x9f\x90\x9d";
    static const int of_two[] = {0, 1, 1, 3, 3, 5, 5, 5}, of_four[] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8};
    for (size_t most = 0; most < ARRAY_LEN(of_two); most++)
        assert_int_equal(utf8_fit(two, most), of_two[most]);
    for (size_t most = 0; most < ARRAY_LEN(of_four); most++)
        assert_int_equal(utf8_fit(four, most), of_four[most]);
    assert_int_equal(utf8_fit("", 5), 0);
    assert_int_equal(utf8_fit("abc", 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_carries_code_and_text),
        cmocka_unit_test(err_cuts_long_text),
        cmocka_unit_test(status_table_keeps_its_promises),
        cmocka_unit_test(arena_aligns_and_keeps_what_it_gave),
        cmocka_unit_test(arena_holds_its_limit),
        cmocka_unit_test(buffer_grows_and_hands_over),
        cmocka_unit_test(buffer_errors_stick),
        cmocka_unit_test(ids_come_from_the_source),
        cmocka_unit_test(clock_can_be_replaced),
        cmocka_unit_test(cond_wait_times_out),
        cmocka_unit_test(texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

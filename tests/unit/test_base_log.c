// SPDX-License-Identifier: GPL-3.0-or-later
/* Log lines, read back through a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

struct capture {
    int read_fd, write_fd;
    char text[8192];
};

static struct capture capture;

static int start_capture(void **state)
{
    (void)state;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    capture = (struct capture){.read_fd = fds[0], .write_fd = fds[1]};
    log_set_fd(capture.write_fd);
    log_set_level(LOG_LEVEL_INFO);
    return log_set_format("text", NULL) == STATUS_OK ? 0 : -1;
}

static int end_capture(void **state)
{
    (void)state;
    log_set_fd(2);
    close(capture.read_fd);
    close(capture.write_fd);
    return 0;
}

/* What was logged since the last call. */
static const char *logged(void)
{
    ssize_t got = read(capture.read_fd, capture.text, sizeof capture.text - 1);
    capture.text[got > 0 ? got : 0] = '\0';
    return capture.text;
}

static const char *after_time(const char *line)
{
    const char *space = strchr(line, ' ');
    assert_non_null(space);
    return space + 1;
}

static void line_has_time_level_subsystem_event_and_fields(void **state)
{
    (void)state;
    log_info("controller", "claimed_run", LOG_TEXT("run", "ef56ab78"), LOG_INT("attempt", -1),
             LOG_REAL("loss", 0.25), LOG_BOOL("first", true));
    regex_t stamp;
    assert_int_equal(
        regcomp(&stamp, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z ", REG_EXTENDED),
        0);
    const char *line = logged();
    assert_int_equal(regexec(&stamp, line, 0, NULL, 0), 0);
    regfree(&stamp);
    assert_string_equal(after_time(line),
                        "info controller claimed_run run=ef56ab78 attempt=-1 loss=0.25 first=true\n");
}

static void event_needs_no_field(void **state)
{
    (void)state;
    log_warn("agent", "drained");
    assert_string_equal(after_time(logged()), "warn agent drained\n");
}

/* A value cannot end its line, its quotes or look like another field. */
static void values_are_quoted_where_needed(void **state)
{
    (void)state;
    static const struct {
        const char *value, *line;
    } rows[] = {
        {"plain/value:1", "v=plain/value:1"},
        {"", "v=\"\""},
        {NULL, "v=\"\""},
        {"two words", "v=\"two words\""},
        {"a=b", "v=\"a=b\""},
        {"say \"so\"", "v=\"say \\\"so\\\"\""},
        {"back\\slash", "v=\"back\\\\slash\""},
        {"x\ninfo agent forged", "v=\"x\\ninfo agent forged\""},
        {"bell\a\x7f", "v=\"bell\\x07\\x7f\""},
        {"na\xc3\xafve", "v=na\xc3\xafve"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        log_error("x", "e", LOG_TEXT("v", rows[i].value));
        char expected[128];
        snprintf(expected, sizeof expected, "error x e %s\n", rows[i].line);
        assert_string_equal(after_time(logged()), expected);
    }
}

static void levels_drop_what_is_below(void **state)
{
    (void)state;
    log_debug("x", "hidden");
    assert_string_equal(logged(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("x", "shown");
    assert_string_equal(after_time(logged()), "debug x shown\n");
    log_set_level(LOG_LEVEL_OFF);
    log_error("x", "hidden");
    assert_string_equal(logged(), "");
    assert_false(log_enabled(LOG_LEVEL_ERROR));
}

static void long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    char word[6000];
    memset(word, 'x', sizeof word);
    word[sizeof word - 1] = '\0';
    log_info("x", "long", LOG_TEXT("word", word));
    const char *line = logged();
    size_t length = strlen(line);
    assert_true(length > 4000 && length <= 4096);
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
}

static void errors_are_two_fields(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    (void)err_set(&err, STATUS_NOT_FOUND, "no run ab");
    log_info("x", "failed", LOG_ERR(&err));
    assert_string_equal(after_time(logged()), "info x failed status=\"not found\" error=\"no run ab\"\n");
}

static void errno_survives_and_a_full_log_does_not_block(void **state)
{
    (void)state;
    errno = EDOM;
    for (int i = 0; i < 5000; i++)
        log_info("x", "flood", LOG_INT("i", i));
    assert_int_equal(errno, EDOM);
}

/* ---- JSON ---- */

static const char *after_head(const char *line)
{
    const char *level = strstr(line, "\"level\"");
    assert_memory_equal(line, "{\"time\":\"2", 10);
    assert_non_null(level);
    return level;
}

static void a_line_is_a_json_object(void **state)
{
    (void)state;
    assert_int_equal(log_set_format("json", NULL), STATUS_OK);
    log_info("controller", "claimed_run", LOG_TEXT("run", "ef56ab78"), LOG_INT("attempt", -1),
             LOG_REAL("loss", 0.25), LOG_REAL("none", NAN), LOG_BOOL("first", true));
    assert_string_equal(after_head(logged()),
                        "\"level\":\"info\",\"subsystem\":\"controller\",\"event\":\"claimed_run\","
                        "\"run\":\"ef56ab78\",\"attempt\":-1,\"loss\":0.25,\"none\":null,\"first\":true}\n");
}

static void json_texts_are_escaped_and_utf8(void **state)
{
    (void)state;
    assert_int_equal(log_set_format("json", NULL), STATUS_OK);
    static const char *const rows[][2] = {
        {"say \"so\" \\", "say \\\"so\\\" \\\\"},      {"x\n\a\x7f", "x\\u000a\\u0007\\u007f"},
        {"na\xc3\xafve \xf0\x9f\x99\x82", NULL},       {"cut \xc3", "cut ?"},
        {"over \xc0\xaf \xed\xa0\x80", "over ?? ???"}, {"\xf4\x90\x80\x80", "????"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char expected[128];
        log_error("x", "e", LOG_TEXT("v", rows[i][0]));
        snprintf(expected, sizeof expected, "\"v\":\"%s\"}\n", rows[i][1] != NULL ? rows[i][1] : rows[i][0]);
        assert_string_equal(strstr(logged(), "\"v\""), expected);
    }
}

static void a_long_json_line_is_cut_and_still_an_object(void **state)
{
    (void)state;
    assert_int_equal(log_set_format("json", NULL), STATUS_OK);
    char word[6000];
    memset(word, 'x', sizeof word);
    word[sizeof word - 1] = '\0';
    for (size_t cut = 0; cut < 80; cut++) {
        word[4200 - cut] = '\0';
        log_info("x", "long", LOG_TEXT("word", word + 200), LOG_TEXT("other", "y"), LOG_INT("n", 1));
        const char *line = logged();
        size_t length = strlen(line);
        assert_true(length > 3900 && length <= 4096);
        assert_string_equal(line + length - 3 + (line[length - 3] == '1'),
                            line[length - 3] == '1' ? "}\n" : "\"}\n");
        word[4200 - cut] = 'x';
    }
}

static void a_thread_names_its_request(void **state)
{
    (void)state;
    assert_null(log_set_request("abc-1"));
    log_info("x", "e", LOG_INT("n", 1));
    assert_string_equal(after_time(logged()), "info x e request=abc-1 n=1\n");
    assert_string_equal(log_request(), "abc-1");
    assert_string_equal(log_set_request(NULL), "abc-1");
    log_info("x", "e");
    assert_string_equal(after_time(logged()), "info x e\n");
}

static void unknown_formats_are_refused(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(log_set_format("xml", &err), STATUS_INVALID);
    assert_string_equal(err.text, "unknown log format 'xml' (text or json)");
}

static void level_names_are_parsed(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    enum log_level level = LOG_LEVEL_INFO;
    assert_int_equal(log_parse_level("debug", &level, &err), STATUS_OK);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_parse_level("loud", &level, &err), STATUS_INVALID);
    assert_string_equal(err.text, "unknown log level 'loud' (debug, info, warn, error or off)");
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, start_capture, end_capture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(line_has_time_level_subsystem_event_and_fields),
        CAPTURED(event_needs_no_field),
        CAPTURED(values_are_quoted_where_needed),
        CAPTURED(levels_drop_what_is_below),
        CAPTURED(long_line_is_cut_and_still_ends),
        CAPTURED(errors_are_two_fields),
        CAPTURED(errno_survives_and_a_full_log_does_not_block),
        CAPTURED(level_names_are_parsed),
        CAPTURED(a_line_is_a_json_object),
        CAPTURED(json_texts_are_escaped_and_utf8),
        CAPTURED(a_long_json_line_is_cut_and_still_an_object),
        CAPTURED(a_thread_names_its_request),
        CAPTURED(unknown_formats_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
/* Files made to be dear: each is answered, rightly, within two seconds of processor time and 256 MiB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "spec/spec.h"

#define SECONDS_MAX 2.0
#define MEMORY_MAX_KB (256L * 1024)

/* gcc tells of its sanitizers by macros, clang by features. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
#define SLOWER 10
#else
#define SLOWER 1
#endif

#define RANDOM "method: random\nprogram: t.py\n"
#define GRID "method: grid\nprogram: t.py\n"

static struct spec_problems problems;

/* Parses and checks that it costs little. `part` is of the first error, NULL for a file that is right. */
static void assert_cheap(const char *name, const char *text, size_t length, const char *part)
{
    spec_problems_init(&problems);
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    clock_t start = clock();
    enum status status = spec_parse(text, length, "f", NULL, &spec, &problems, &err);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    spec_free(spec);
    spec_problems_free(&problems);
    if ((status == STATUS_OK) != (part == NULL) || (part != NULL && strstr(err.text, part) == NULL))
        fail_msg("%s: %s", name, status == STATUS_OK ? "accepted" : err.text);
    if (seconds > SECONDS_MAX * SLOWER)
        fail_msg("%s: took %.2f s", name, seconds);
}

/* `before`, then `unit` `count` times with its number for each %d (at most two), then `after`. */
struct bomb {
    const char *name, *before, *unit;
    int count;
    const char *after;
    const char *part;
};

static void write_unit(struct buffer *out, const char *unit, int number)
{
    const char *mark;
    while ((mark = strstr(unit, "%d")) != NULL) {
        bool before = mark > unit && mark[-1] == '~'; /* ~%d: the number before */
        buffer_append(out, unit, (size_t)(mark - unit) - (before ? 1 : 0));
        buffer_printf(out, "%d", before ? number - 1 : number);
        unit = mark + 2;
    }
    buffer_puts(out, unit);
}

static void assert_bombs(const struct bomb *bombs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
        buffer_puts(&text, bombs[i].before);
        for (int k = 1; k <= bombs[i].count && text.length < SPEC_FILE_MAX - 64; k++)
            write_unit(&text, bombs[i].unit, k);
        buffer_puts(&text, bombs[i].after);
        assert_true(text.length <= SPEC_FILE_MAX);
        assert_cheap(bombs[i].name, buffer_text(&text), text.length, bombs[i].part);
    }
}

#define TAIL "\nparameters: {a: {value: 1}}\n"
#define DEEP "nested more than 100 deep"

static void test_depth(void **state)
{
    (void)state;
    static const struct bomb bombs[] = {
        {"lists", "", "[", 10000, "", DEEP},
        {"maps", "", "{a: ", 10000, "", DEEP},
        {"items", "", "- ", 10000, "", DEEP},
        {"keys", "", "? ", 10000, "", DEEP},
        {"groups", RANDOM "parameters: ", "{g: {parameters: ", 10000, "", DEEP},
        {"lists through aliases", "x0: &x0 [1]\n", "x%d: &x%d [*x~%d]\n", 35000, "", DEEP},
        {"maps through aliases", "x0: &x0 {a: 1}\n", "x%d: &x%d {a: *x~%d}\n", 35000, "", DEEP},
        {"groups through aliases", "x0: &x0 {a: {value: 1}}\n", "x%d: &x%d {a: {parameters: *x~%d}}\n", 20000,
         "", DEEP},
    };
    assert_bombs(bombs, ARRAY_LEN(bombs));
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    for (int i = 0; i < 1400; i++)
        buffer_printf(&text, "%*sa:\n", i, "");
    assert_cheap("indentation", buffer_text(&text), text.length, DEEP);
}

static void test_repeats_and_merges(void **state)
{
    (void)state;
    static const struct bomb bombs[] = {
        {"the same key", "", "a: 1\n", 200000, "", "too many values"},
        {"the same key, otherwise", "", "a: %d\n", 90000, "", "is there twice"},
        {"a million keys", "", "%d:\n", 1000000, "", "too many values"},
        {"keys of a value", RANDOM "parameters: {a: {value: {", "k%d: 1,", 90000, "}}}\n", NULL},
        {"a chain of merges", "m0: &m0 {a0: 1}\n", "m%d: &m%d {<<: *m~%d, a%d: 1}\n", 20000, "",
         "merge keys make the file too large"},
        {"a list of merges", "m: &m {a: 1}\nl: {<<: [", "*m,", 190000, "]}\n" RANDOM TAIL, NULL},
        {"a long list of merges", "m: &m {a: 1, b: 2}\nl: {<<: [", "*m,", 190000, "]}\n",
         "merge keys make the file too large"},
        {"anchors", "l:\n", "- &a%d 1\n", 70000, RANDOM TAIL, NULL},
        {"one anchor again and again", "l:\n", "- &a 1\n", 90000, RANDOM TAIL, NULL},
        {"directives", "", "%TAG !a%d! tag:x\n", 50000, "--- a\n", "too many directives"},
        {"directives of a second document", "a: 1\n...\n", "%TAG !a%d! tag:x\n", 50000, "--- a\n",
         "too many directives"},
    };
    assert_bombs(bombs, ARRAY_LEN(bombs));
}

static void test_long_scalars(void **state)
{
    (void)state;
    static const struct bomb bombs[] = {
        {"digits", RANDOM "parameters: {a: {value: ", "9", 1000000, "}}\n", "beyond 64 bits"},
        {"digits of a count", RANDOM "run_cap: ", "9", 1000000, TAIL, "at least 1"},
        {"digits of a seed", RANDOM "seed: ", "9", 1000000, TAIL, "seed must be"},
        {"sixtieths", RANDOM "parameters: {a: {min: 1", ":1", 500000, ", max: 2}}\n", "must be a number"},
        {"an exponent", RANDOM "parameters: {a: {min: 1e", "9", 1000000, ", max: 2}}\n", "must be a number"},
        {"a fraction", RANDOM "parameters: {a: {min: 1.", "9", 1000000, ", max: 2}}\n", "must be a number"},
        {"underscores", RANDOM "parameters: {a: {min: 1", "_", 1000000, "1, max: 12}}\n", NULL},
        {"a text", RANDOM "parameters: {a: {value: \"", "x", 1000000, "\"}}\n", NULL},
        {"escapes", RANDOM "parameters: {a: {value: \"", "\\x41", 200000, "\"}}\n", NULL},
        {"a name", RANDOM "parameters: {? ", "x", 1000000, " : {value: 1}}\n", "may have 256 bytes"},
        {"a name in a condition", RANDOM "parameters: {a: {value: 1, when: {? ", "x", 1000000, " : 1}}}\n",
         "unknown parameter"},
        {"lines of text", RANDOM "notes: |\n", " x\n", 300000, TAIL, NULL},
        {"blanks", "", " ", 1000000, "", "the file is empty"},
        {"lines", "", "\n", 1000000, "", "the file is empty"},
        {"a comment", "", "#", 1000000, "", "the file is empty"},
        {"quotes", "", "''", 500000, "", "must be a map"},
        {"colons", "a", ": a", 300000, "", "not allowed here"},
        {"tags", "", "! ", 500000, "", "f:1:"},
        {"anchors of nothing", "", "&a ", 300000, "", "f:1:"},
        {"an unknown key", RANDOM "? ", "k", 1000000, "\n: 1" TAIL, NULL},
    };
    assert_bombs(bombs, ARRAY_LEN(bombs));
}

static void test_many_of_everything(void **state)
{
    (void)state;
    static const struct bomb bombs[] = {
        {"parameters", RANDOM "parameters:\n", " p%d: {value: 1}\n", 49000, "", NULL},
        {"parameters of a grid", GRID "parameters:\n", " p%d: {values: [1]}\n", 39000, "", NULL},
        {"values", RANDOM "parameters: {a: {values: [", "%d,", 140000, "]}}\n", NULL},
        {"equal values", GRID "parameters: {a: {values: [", "1,", 190000, "]}}\n", NULL},
        {"reals", RANDOM "parameters: {a: {values: [", "0.%d123456789,", 50000, "]}}\n", NULL},
        {"warnings", RANDOM "parameters: {a: {values: [", "%de1,", 120000, "]}}\n", NULL},
        {"unknown keys", RANDOM, "key_of_no_use_%d: 1\n", 10000, TAIL, NULL},
        {"faults", RANDOM "parameters:\n", " p%d: {distribution: unifrm}\n", 10000, "",
         "did you mean uniform"},
        {"items of a command", RANDOM "command: [", "x,", 190000, "]" TAIL, NULL},
        {"tags", RANDOM "tags: [", "a,", 190000, "]" TAIL, NULL},
    };
    assert_bombs(bombs, ARRAY_LEN(bombs));
}

static void test_conditions(void **state)
{
    (void)state;
    static const char *const many = "too many combinations";
    static const struct bomb bombs[] = {
        {"a chain", RANDOM "parameters:\n p0: {values: [0, 1]}\n",
         " p%d: {values: [0, 1], when: {p~%d: 1}}\n", 8000, "", NULL},
        {"a chain in a grid", GRID "parameters:\n p0: {values: [0, 1]}\n",
         " p%d: {values: [0, 1], when: {p~%d: 1}}\n", 8000, "", many},
        {"a short chain in a grid", GRID "parameters:\n p0: {values: [0, 1]}\n",
         " p%d: {values: [0, 1], when: {p~%d: 1}}\n", 1000, "", NULL},
        {"one parent", GRID "parameters:\n a: {min: 1, max: 9999999}\n", " p%d: {value: 1, when: {a: %d}}\n",
         1000, "", NULL},
        {"one parent of too many", GRID "parameters:\n a: {min: 1, max: 9999999}\n",
         " p%d: {value: 1, when: {a: %d}}\n", 8000, "", many},
        {"many allowed values", GRID "parameters:\n a: {min: 1, max: 9999999}\n b: {value: 1, when: {a: [",
         "%d,", 60000, "]}}\n", NULL},
        {"unknown parents", RANDOM "parameters:\n", " parameter_%d: {value: 1, when: {paramter_%d: 1}}\n",
         17000, "", "did you mean parameter_"},
        {"a long circle", RANDOM "parameters:\n p0: {value: 1, when: {p8000: 1}}\n",
         " p%d: {value: 1, when: {p~%d: 1}}\n", 8000, "", "goes in a circle"},
        {"groups", GRID "parameters:\n g0: {parameters: {a: {values: [0, 1]}}}\n",
         " g%d: {parameters: {a: {values: [0, 1]}}, when: {g~%d.a: 1}}\n", 6000, "", many},
    };
    assert_bombs(bombs, ARRAY_LEN(bombs));
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    buffer_puts(&text, GRID "parameters:\n z: {parameters: {");
    for (int i = 0; i < 8000; i++)
        buffer_printf(&text, "x%d: {value: 1},", i);
    buffer_puts(&text, "}, when: {");
    for (int i = 0; i < 4000; i++)
        buffer_printf(&text, "b%d: 1,", i);
    buffer_puts(&text, "}}\n");
    for (int i = 0; i < 4000; i++)
        buffer_printf(&text, " b%d: {values: [0, 1]}\n", i);
    assert_cheap("a group on everything", buffer_text(&text), text.length, many);
}

/* Never read: the pages of a new mapping cost nothing until they are. */
static void test_hundred_megabytes(void **state)
{
    (void)state;
    size_t length = (size_t)100 << 20;
    char *text = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(text != MAP_FAILED);
    assert_cheap("100 MiB", text, length, "the file has 104857600 bytes: a sweep file may have 1048576");
    munmap(text, length);
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *part;
    } files[] = {
        {"a: 1\nb: \0", 9, "f:2:4: the file holds a control character"},
        {"a: 1\nb: \x7f", 9, "control character"},
        {"a: 1\nb: \xff", 9, "f:2:4: the file is not valid UTF-8 here"},
        {"a: \xc0\x80", 5, "not valid UTF-8"},                 /* NUL in two bytes */
        {"a: \xed\xa0\x80", 6, "f:1:4:"},                      /* half of a surrogate pair */
        {"a: \xf5\x80\x80\x80", 7, "no character of Unicode"}, /* beyond Unicode */
        {"a: \xe2\x82", 5, "not valid UTF-8"},                 /* cut short */
        {"\xff\xfe\x00\xd8\x00\xd8", 6, "not valid UTF-16"},   /* UTF-16 with lone halves */
        {"\xff\xfe"
         "a",
         3, "f:1:"},                              /* UTF-16 of an odd length */
        {"\xef\xbb\xbf", 3, "the file is empty"}, /* a mark alone */
        {"a: \"\\ud800\"", 11, "f:1:"},           /* half a pair as an escape */
        {"a: \"\\0\"", 7, "NUL"},
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        assert_cheap(files[i].part, files[i].bytes, files[i].length, files[i].part);
    assert_cheap("a mark", "\xef\xbb\xbf" RANDOM TAIL, strlen("\xef\xbb\xbf" RANDOM TAIL), NULL);
    char *zeros = calloc(1, SPEC_FILE_MAX);
    assert_non_null(zeros);
    assert_cheap("zeros", zeros, SPEC_FILE_MAX, "control character");
    memset(zeros, 0xd8, SPEC_FILE_MAX);
    memcpy(zeros, "\xff\xfe", 2);
    assert_cheap("halves of pairs", zeros, SPEC_FILE_MAX, "f:1:");
    free(zeros);
}

/* Of the whole program, whose files so far were all hostile. */
/* An empty field of a message is no memory at all. */
static void test_no_bytes(void **state)
{
    (void)state;
    assert_cheap("NULL", NULL, 0, "f");
    assert_cheap("empty", "", 0, "f");
}

static void test_memory_stays_small(void **state)
{
    (void)state;
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    print_message("at most %ld KiB were used\n", usage.ru_maxrss);
    if (SLOWER == 1)
        assert_true(usage.ru_maxrss < MEMORY_MAX_KB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_repeats_and_merges),
        cmocka_unit_test(test_long_scalars),
        cmocka_unit_test(test_many_of_everything),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_hundred_megabytes),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_no_bytes),
        cmocka_unit_test(test_memory_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

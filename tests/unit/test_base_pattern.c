// SPDX-License-Identifier: GPL-3.0-or-later
/* What patterns are reckoned to cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/pattern.h"

static void test_usual_patterns_are_small(void **state)
{
    (void)state;
    static const char *const small[] = {"",
                                        "([a-z_]+): ([-+]?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?)",
                                        "[]{]+[[:alpha:]{}]",
                                        "\\{[0-9]+\\}",
                                        "(a|b|(c|d+)*)?",
                                        "(.*?)=(.*?), *(.*?) +(.*?)[.]?(.*?)",
                                        "a?b?c?d?e?f?g?h?i?j?k?l?m?n?o?p?",
                                        "(x(.*)?)+(y(.*)?)+",
                                        "(",
                                        "\\"};
    for (size_t i = 0; i < ARRAY_LEN(small); i++) {
        struct pattern_cost cost = pattern_reckon(small[i]);
        assert_false(cost.too_large || cost.refers || cost.counts);
    }
}

static void test_what_repeats_itself_is_large(void **state)
{
    (void)state;
    static const char *const large[] = {"x++++++++++++++++++++++++++",
                                        "((((x{10}){10}){10}){10})",
                                        "x{1000}{5}",
                                        "(((((((((((((x+)+)+)+)+)+)+)+)+)+)+)+)+)",
                                        "x{99999}",
                                        "x{5000,}",
                                        "x??????+++++",
                                        "x*?x*?x*?x*?x*?x*?x*?x*?x*?x*?x*?x*?x*?",
                                        "((x*|y)?(x*|y)?(x*|y)?(x*|y)?(x*|y)?(x*|y)?(x*|y)?)+",
                                        "((((((((((((((x*)*)*)*)*)*)*)*)*)*)*)*)*)*"};
    for (size_t i = 0; i < ARRAY_LEN(large); i++)
        assert_true(pattern_reckon(large[i]).too_large);
    assert_false(pattern_reckon("x{10}{10}").too_large);
}

static void test_references_and_counts_are_seen(void **state)
{
    (void)state;
    assert_true(pattern_reckon("(a)=\\1").refers);
    assert_true(pattern_reckon("\\0").refers);
    assert_false(pattern_reckon("[\\1]\\\\1").refers);
    assert_true(pattern_reckon("a{2}").counts);
    assert_true(pattern_reckon("[[:digit:]]{2,}").counts);
    assert_false(pattern_reckon("a\\{2\\}[{]").counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_patterns_are_small),
        cmocka_unit_test(test_what_repeats_itself_is_large),
        cmocka_unit_test(test_references_and_counts_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
/* The language of --filter: what it takes, what it means, and how it says what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <string.h>

#include "clients/cli/filter.h"

#define NOW_US INT64_C(1795284000000000) /* 2026-11-21T18:00:00Z */

static const char *const states[] = {"running", "finished", "failed", NULL};
static const struct filter_field fields[] = {{.name = "state", .kind = FILTER_KIND_WORD, .words = states},
                                             {.name = "runtime", .kind = FILTER_KIND_DURATION},
                                             {.name = "created", .kind = FILTER_KIND_TIME},
                                             {.name = "id"},
                                             {.name = "tags"}};

static const struct filter_field *find_field(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

/* The thing that is asked about: "scope.name" or "name" of this object. */
static const char thing[] =
    "{\"state\":\"finished\",\"runtime\":90,\"created\":1795276800,\"id\":\"00000123\",\"tags\":[\"a\","
    "\"good one\"],"
    "\"val_loss\":0.25,\"val/"
    "acc\":0.9,\"best.acc\":0.95,\"epochs\":10,\"big\":9007199254740993,\"bad\":\"NaN\","
    "\"optimizer\":\"adam\",\"on\":true,\"off\":false,\"none\":null,\"odd "
    "name\":1,\"layers\":[64,32],\"text5\":\"5\","
    "\"größe\":2,\"params.x\":1,\"summary.x\":2,\"config.x\":3,\"run.x\":4,\"empty\":\"\"}";

static struct value get(void *context, const struct filter_name *name)
{
    static const char *const prefixes[] = {"", "run.", "params.", "summary.", "config."};
    char key[128];
    snprintf(key, sizeof key, "%s%s", prefixes[name->scope], name->text);
    return value_of_summary(json_object_get(context, key));
}

static bool matches(const char *text)
{
    struct filter *filter CLEANUP(filter_free_at) = NULL;
    struct err err = ERR_INIT;
    json_t *object = json_loads(thing, 0, NULL);
    assert_non_null(object);
    if (filter_parse(text, find_field, NOW_US, &filter, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.text);
    bool result = filter_matches(filter, get, object);
    json_decref(object);
    return result;
}

static void check_all(const char *const *texts, size_t count, bool wanted)
{
    for (size_t i = 0; i < count; i++)
        if (matches(texts[i]) != wanted)
            fail_msg("%s: not %s", texts[i], wanted ? "true" : "false");
}

static void what_holds(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "val_loss == 0.25",
        "val_loss = 2.5e-1",
        "val_loss<0.3",
        "val_loss <= .25",
        "val_loss > -1",
        "val_loss >= 0.25",
        "val_loss != 0.3",
        "val/acc > 0.8",
        "best.acc == 0.95",
        "epochs == 10",
        "epochs == 10.0",
        "big == 9007199254740993",
        "big != 9007199254740992",
        "optimizer == adam",
        "optimizer == 'adam'",
        "optimizer = \"adam\"",
        "optimizer in (sgd, adam)",
        "optimizer not in (sgd, 'rms prop')",
        "epochs in (1, 10)",
        "optimizer ~ ^ad",
        "optimizer ~ 'd.m$'",
        "optimizer =~ m",
        "optimizer !~ sgd",
        "epochs ~ '^1'",
        "optimizer < b",
        "on",
        "on == true",
        "not off",
        "!off",
        "off == false",
        "on != 1",
        "none == null",
        "`odd name` == 1",
        "odd` `name == 1",
        "größe == 2",
        "layers == 64",
        "layers in (1, 32)",
        "tags == 'good one'",
        "tags ~ '^good'",
        "tags != b",
        "text5 == 5",
        "text5 == '5'",
        "bad == nan",
        "bad == NaN",
        "not bad < 1",
        "not bad > 1",
        "state == finished",
        "state in (failed, finished)",
        "runtime == 1.5m",
        "runtime < 2m",
        "runtime >= 90",
        "created > 2026-11-21",
        "created == '2026-11-21 16:00'",
        "created < 2026-11-21T16:00:00.5Z",
        "created >= -2h",
        "created < -90m",
        "id == 00000123",
        "id ~ ^0+123$",
        "params.x == 1",
        "summary.x == 2",
        "config.x == 3",
        "true_ == null",
        "val_loss < `val/acc`",
        "val_loss < 1 and epochs == 10",
        "val_loss > 1 or epochs == 10",
        "val_loss > 1 and epochs == 1 or optimizer == adam",
        "not (val_loss > 1 or epochs == 1)",
        "not val_loss > 1 and on",
        "val_loss<1&&epochs==10||off",
        "VAL_LOSS == 1 OR On == null OR on AND NOT off",
        "optimizer == a or optimizer == b or optimizer == adam",
        "empty == ''",
    };
    check_all(texts, ARRAY_LEN(texts), true);
}

static void what_does_not_hold(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "val_loss == 0.3",
        "val_loss < 0.25",
        "val_loss == '0.25'",
        "val_loss == true",
        "on == 1",
        "off",
        "none",
        "empty",
        "optimizer == Adam",
        "optimizer ~ ^d",
        "optimizer !~ a",
        "optimizer > b",
        "bad < 1",
        "bad >= nan and bad < nan",
        "bad != nan",
        "val_loss == nan",
        "state == failed",
        "runtime > 90s",
        "created < 2026-11-21",
        "tags == good",
        "tags != a",
        "tags !~ good",
        "tags not in (a)",
        "layers < 100 and layers > 100",
        "not not off",
        "none == 0",
        "optimizer in (sgd)",
        "none != null",
    };
    check_all(texts, ARRAY_LEN(texts), false);
}

static void what_is_missing_compares_false(void **state)
{
    (void)state;
    static const char *const wrong[] = {"nix == 1",    "nix < 1",          "nix >= 1",
                                        "nix ~ .",     "nix in (1, a)",    "nix",
                                        "nix != null", "val_loss < `nix`", "params.val_loss == 0.25"};
    static const char *const right[] = {
        "nix != 1", "nix !~ .",         "nix not in (1)",          "nix == null",
        "not nix",  "nix in (null, 1)", "params.val_loss != 0.25", "val_loss != `nix`"};
    check_all(wrong, ARRAY_LEN(wrong), false);
    check_all(right, ARRAY_LEN(right), true);
}

static void mistakes_are_told_with_their_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"", "column 1: expected a name, found the end (such as val_loss < 0.3)"},
        {"val_loss <", "column 11: expected a value, found the end"},
        {"val_loss < 1 adn on",
         "column 14: expected an operator, and, or, found 'adn' (did you mean 'and'?)"},
        {"a == b c", "column 8: expected an operator, and, or, found 'c' (quote texts that have spaces)"},
        {"größe == 1 )", "column 12: expected and, or, found ')'"},
        {"(a == 1", "column 8: expected and, or or ')', found the end"},
        {"a === 1", "column 3: unknown operator '===' (did you mean '=='?)"},
        {"a <> 1", "column 3: unknown operator '<>' (did you mean '!='?)"},
        {"a & b", "column 3: unknown operator '&' (did you mean 'and'?)"},
        {"0.5 < a", "column 1: expected a name, found '0.5' (the name comes first: val_loss < 0.3)"},
        {"< 5", "column 1: expected a name, found '<' (the name comes first: val_loss < 0.3)"},
        {"\"a b\" == 1",
         "column 1: expected a name, found 'a b' (quote names with ` `, texts with ' ' or \" \")"},
        {"a == 'b", "column 6: this ' is never closed"},
        {"`a == 'b", "column 1: this ` is never closed"},
        {"a in b", "column 6: expected '(' after in, found 'b' (optimizer in (adam, sgd))"},
        {"a in (b c)", "column 9: expected ',' or ')', found 'c'"},
        {"a in ()", "column 7: expected a value, found ')'"},
        {"a not b", "column 7: expected in after not, found 'b'"},
        {"a == and", "column 6: expected a value, found 'and' (quote words such as and, or, not, in)"},
        {"a ~ '('", "column 5: '(' is no regular expression: Unmatched ( or \\("},
        {"a ~ 'x{1000}{5}'", "column 5: this pattern is too large"},
        {"a ~ x++++++++++++++++", "column 5: this pattern is too large"},
        {"a ~ '((((x{10}){10}){10}){10})'", "column 5: this pattern is too large"},
        {"a ~ '(x)\\1'",
         "column 5: this pattern is no extended regular expression: it refers back to a group"},
        {"state == finishd", "column 10: state is never 'finishd' (did you mean 'finished'?)"},
        {"state in (running, xyzzy)", "column 20: state is never 'xyzzy' (one of running, finished, failed)"},
        {"runtime > soon", "column 11: runtime is a time, 'soon' is none (90s, 10m, 2h, 1d)"},
        {"created > soon",
         "column 11: created is a time, 'soon' is none (2026-11-21, 2026-11-21T17:54, or -2h for two "
         "hours ago)"},
        {"run.nix == 1", "column 1: a run has no field 'nix'"},
        {"params. == 1", "column 1: 'params.' is no whole name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct filter *filter = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(filter_parse(rows[i].text, find_field, NOW_US, &filter, &err), STATUS_INVALID);
        assert_null(filter);
        assert_string_equal(err.text, rows[i].wanted);
    }
}

static void depth_and_length_are_bounded(void **state)
{
    (void)state;
    char text[FILTER_TEXT_MAX + 10];
    struct filter *filter = NULL;
    struct err err = ERR_INIT;
    memset(text, '(', 1000);
    text[1000] = '\0';
    assert_int_equal(filter_parse(text, find_field, 0, &filter, &err), STATUS_INVALID);
    assert_string_equal(err.text, "column 65: nested too deep");
    for (size_t i = 0; i < 1000; i++)
        memcpy(text + 4 * i, "not ", 5);
    assert_int_equal(filter_parse(text, find_field, 0, &filter, &err), STATUS_INVALID);
    memset(text, 'a', FILTER_TEXT_MAX + 1);
    text[FILTER_TEXT_MAX + 1] = '\0';
    assert_int_equal(filter_parse(text, find_field, 0, &filter, &err), STATUS_INVALID);
}

static void names_that_nobody_has_are_known(void **state)
{
    (void)state;
    struct filter *filter CLEANUP(filter_free_at) = NULL;
    struct err err = ERR_INIT;
    json_t *object = json_loads(thing, 0, NULL);
    assert_int_equal(
        filter_parse("epochs == 3 and (params.val_los < 1 or state == failed)", find_field, 0, &filter, &err),
        STATUS_OK);
    assert_false(filter_matches(filter, get, object));
    assert_string_equal(filter_unknown_name(filter)->spelled, "params.val_los");
    json_decref(object);
}

static void lists_of_names(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct filter_name *names = NULL;
    struct err err = ERR_INIT;
    size_t count = 0;
    assert_int_equal(
        filter_parse_names("id, val/acc,params.`a,b`,`params.x`,-lr", &arena, &names, &count, &err),
        STATUS_OK);
    assert_int_equal(count, 5);
    assert_string_equal(names[1].text, "val/acc");
    assert_int_equal(names[2].scope, FILTER_PARAMS);
    assert_string_equal(names[2].text, "a,b");
    assert_string_equal(names[2].spelled, "params.a,b");
    assert_int_equal(names[3].scope, FILTER_ANY);
    assert_string_equal(names[3].text, "params.x");
    assert_int_equal(filter_parse_names("a b", &arena, &names, &count, &err), STATUS_INVALID);
    assert_string_equal(err.text, "column 3: expected ',' between names");
    assert_int_equal(filter_parse_names("a,,b", &arena, &names, &count, &err), STATUS_INVALID);
    assert_int_equal(filter_parse_names("", &arena, &names, &count, &err), STATUS_INVALID);
}

static void values_have_an_order(void **state)
{
    (void)state;
    json_t *list = json_loads("[-1, 2.5, 3, \"a\", \"b\", false, true, [], null]", 0, NULL);
    struct value last = VALUE_INIT;
    for (size_t i = 0; i + 1 < json_array_size(list); i++) {
        struct value a = value_of_json(json_array_get(list, i)),
                     b = value_of_json(json_array_get(list, i + 1));
        assert_true(value_order(&a, &b) < 0);
        assert_true(value_order(&b, &a) > 0);
        assert_int_equal(value_order(&a, &a), 0);
        assert_true(value_order(&b, &last) < 0);
    }
    json_t *text = json_string("NaN");
    struct value nan = value_of_summary(text), three = value_of_json(json_array_get(list, 2));
    assert_true(value_order(&three, &nan) < 0);
    json_decref(text);
    json_decref(list);
}

static void values_at_dotted_places(void **state)
{
    (void)state;
    json_t *object =
        json_loads("{\"a\":{\"b.c\":1,\"b\":{\"d\":2}},\"a.e\":{\"f\":3},\"a.b\":{\"x\":4}}", 0, NULL);
    assert_int_equal(json_integer_value(value_at(object, "a.b.c")), 1);
    assert_int_equal(json_integer_value(value_at(object, "a.b.d")), 2);
    assert_int_equal(json_integer_value(value_at(object, "a.e.f")), 3);
    assert_int_equal(json_integer_value(value_at(object, "a.b.x")), 4);
    assert_null(value_at(object, "a.b.y"));
    assert_null(value_at(object, ""));
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds),
        cmocka_unit_test(what_does_not_hold),
        cmocka_unit_test(what_is_missing_compares_false),
        cmocka_unit_test(mistakes_are_told_with_their_column),
        cmocka_unit_test(depth_and_length_are_bounded),
        cmocka_unit_test(names_that_nobody_has_are_known),
        cmocka_unit_test(lists_of_names),
        cmocka_unit_test(values_have_an_order),
        cmocka_unit_test(values_at_dotted_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

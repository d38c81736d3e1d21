// SPDX-License-Identifier: GPL-3.0-or-later
#include "filter_literal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/config.h"

#define WORDS_MAX 32

static bool read_odd_number(const char *text, double *out)
{
    static const struct {
        const char *text;
        double value;
    } odd[] = {{"nan", (double)NAN},
               {"inf", (double)INFINITY},
               {"+inf", (double)INFINITY},
               {"-inf", (double)-INFINITY},
               {"infinity", (double)INFINITY},
               {"+infinity", (double)INFINITY},
               {"-infinity", (double)-INFINITY}};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        if (strcasecmp(odd[i].text, text) != 0)
            continue;
        *out = odd[i].value;
        return true;
    }
    return false;
}

static bool read_number(const char *text, struct value *out)
{
    double odd = 0;
    if (read_odd_number(text, &odd)) {
        *out = value_real(odd);
        return true;
    }
    if (strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    char *end = NULL;
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0) {
        *out = value_integer(whole);
        return true;
    }
    *out = value_real(strtod(text, &end));
    return end != text && *end == '\0';
}

static struct value read_any(const char *text)
{
    struct value value = value_text(text);
    if (read_number(text, &value))
        return value;
    if (strcmp(text, "null") == 0)
        value.type = VALUE_NULL;
    if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0)
        value = value_bool(true);
    if (strcmp(text, "false") == 0 || strcmp(text, "False") == 0)
        value = value_bool(false);
    return value;
}

static enum status read_word(const struct filter_token *token, const struct filter_field *field,
                             struct value *out, struct err *err)
{
    size_t count = 0;
    for (; field->words[count] != NULL && count < WORDS_MAX; count++)
        if (strcmp(field->words[count], token->text) == 0) {
            *out = value_text(token->text);
            return STATUS_OK;
        }
    struct buffer all CLEANUP(buffer_free) = BUFFER_INIT;
    for (size_t i = 0; i < count; i++)
        buffer_printf(&all, "%s%s", i > 0 ? ", " : "", field->words[i]);
    const char *meant = config_suggest(token->text, field->words, count);
    return err_set(err, STATUS_INVALID, "column %zu: %s is never '%.60s' (%s%s%s)", token->column,
                   field->name, token->text, meant != NULL ? "did you mean '" : "one of ",
                   meant != NULL ? meant : buffer_text(&all), meant != NULL ? "'?" : "");
}

static enum status read_duration(const struct filter_token *token, const struct filter_field *field,
                                 struct value *out, struct err *err)
{
    int64_t ms = 0;
    if (read_number(token->text, out))
        return STATUS_OK;
    if (config_parse_duration(token->text, &ms, NULL) != STATUS_OK)
        return err_set(err, STATUS_INVALID, "column %zu: %s is a time, '%.60s' is none (90s, 10m, 2h, 1d)",
                       token->column, field->name, token->text);
    *out = value_real((double)ms / 1000);
    return STATUS_OK;
}

/* A date, with or without a time of day, in UTC. */
static bool read_date(const char *text, struct value *out)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                          "%Y-%m-%d %H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct tm parts = {.tm_mday = 1};
        const char *rest = strptime(text, formats[i], &parts);
        if (rest == NULL)
            continue;
        *out = value_real(0);
        size_t digits = i < 2 && *rest == '.' ? strspn(rest + 1, "0123456789") : 0;
        if (digits > 0)
            out->number = strtold(rest, NULL);
        rest += digits > 0 ? digits + 1 : 0;
        if (*rest != '\0' && strcmp(rest, "Z") != 0)
            continue;
        out->number += (long double)timegm(&parts);
        return true;
    }
    return false;
}

static enum status read_time(const struct filter_token *token, const struct filter_field *field,
                             int64_t now_us, struct value *out, struct err *err)
{
    int64_t ms = 0;
    const char *text = token->text;
    if (*text == '-' && config_parse_duration(text + 1, &ms, NULL) == STATUS_OK) {
        *out = value_real(0);
        out->number = (long double)(now_us - ms * 1000) / 1000000;
        return STATUS_OK;
    }
    if (read_date(text, out) || read_number(text, out))
        return STATUS_OK;
    return err_set(
        err, STATUS_INVALID,
        "column %zu: %s is a time, '%.60s' is none (2026-11-21, 2026-11-21T17:54, or -2h for two hours ago)",
        token->column, field->name, text);
}

enum status filter_literal_read(const struct filter_lexer *lexer, const struct filter_field *field,
                                int64_t now_us, struct value *out, struct err *err)
{
    const struct filter_token *token = &lexer->token;
    enum filter_kind kind = field != NULL ? field->kind : FILTER_KIND_ANY;
    enum status status = STATUS_OK;
    if (token->type == FILTER_WORD && strcmp(token->text, "null") == 0)
        *out = (struct value){.type = VALUE_NULL};
    else if (kind == FILTER_KIND_WORD)
        status = read_word(token, field, out, err);
    else if (kind == FILTER_KIND_DURATION)
        status = read_duration(token, field, out, err);
    else if (kind == FILTER_KIND_TIME)
        status = read_time(token, field, now_us, out, err);
    else
        *out = token->type == FILTER_WORD ? read_any(token->text) : value_text(token->text);
    out->text = token->text;
    return status;
}

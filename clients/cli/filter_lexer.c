// SPDX-License-Identifier: GPL-3.0-or-later
#include "filter_lexer.h"

#include <ctype.h>
#include <string.h>

#define NO_QUOTE ((size_t)-1)

/* One character of UTF-8 more is read. */
static void step(struct filter_lexer *lexer)
{
    lexer->next++;
    while (((unsigned char)*lexer->next & 0xc0) == 0x80)
        lexer->next++;
    lexer->column++;
}

static enum status keep(struct filter_lexer *lexer, struct buffer *text, struct err *err)
{
    lexer->token.text = arena_strndup(lexer->arena, buffer_text(text), text->length);
    if (text->failed || lexer->token.text == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

/* Inside quotes: up to the same quote; a backslash takes the special sense of that quote and of itself. */
static enum status read_quoted(struct filter_lexer *lexer, struct buffer *out, struct err *err)
{
    char quote = *lexer->next;
    size_t column = lexer->column;
    step(lexer);
    while (*lexer->next != quote) {
        if (*lexer->next == '\0')
            return err_set(err, STATUS_INVALID, "column %zu: this %c is never closed", column, quote);
        if (*lexer->next == '\\' && (lexer->next[1] == quote || lexer->next[1] == '\\'))
            step(lexer);
        const char *begin = lexer->next;
        step(lexer);
        buffer_append(out, begin, (size_t)(lexer->next - begin));
    }
    step(lexer);
    return STATUS_OK;
}

static enum status read_text(struct filter_lexer *lexer, struct err *err)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    lexer->token.type = FILTER_TEXT;
    TRY(read_quoted(lexer, &text, err));
    return keep(lexer, &text, err);
}

static bool is_word(char c)
{
    return c != '\0' && strchr(" \t\r\n(),'\"=!<>~&|`", c) == NULL;
}

static enum status read_word(struct filter_lexer *lexer, struct err *err)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    lexer->token.type = FILTER_WORD;
    while (is_word(*lexer->next) || *lexer->next == '`') {
        if (*lexer->next == '`') {
            if (lexer->token.quoted_at == NO_QUOTE)
                lexer->token.quoted_at = text.length;
            TRY(read_quoted(lexer, &text, err));
            continue;
        }
        const char *begin = lexer->next;
        step(lexer);
        buffer_append(&text, begin, (size_t)(lexer->next - begin));
    }
    return keep(lexer, &text, err);
}

static enum status read_sign(struct filter_lexer *lexer, struct err *err)
{
    /* longer ones first; what is taken for what */
    static const struct {
        const char *sign, *means, *instead;
    } signs[] = {{"===", NULL, "=="}, {"!==", NULL, "!="}, {"<>", NULL, "!="}, {"=>", NULL, ">="},
                 {"=<", NULL, "<="},  {"==", "==", NULL},  {"=~", "~", NULL},  {"!=", "!=", NULL},
                 {"!~", "!~", NULL},  {"<=", "<=", NULL},  {">=", ">=", NULL}, {"&&", "and", NULL},
                 {"||", "or", NULL},  {"=", "==", NULL},   {"<", "<", NULL},   {">", ">", NULL},
                 {"~", "~", NULL},    {"!", "not", NULL},  {"&", NULL, "and"}, {"|", NULL, "or"}};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        size_t length = strlen(signs[i].sign);
        if (strncmp(lexer->next, signs[i].sign, length) != 0)
            continue;
        if (signs[i].means == NULL)
            return err_set(err, STATUS_INVALID, "column %zu: unknown operator '%s' (did you mean '%s'?)",
                           lexer->column, signs[i].sign, signs[i].instead);
        lexer->next += length;
        lexer->column += length;
        lexer->token.text = signs[i].means;
        lexer->token.type = islower((unsigned char)signs[i].means[0]) ? FILTER_WORD : FILTER_SIGN;
        return STATUS_OK;
    }
    return err_set(err, STATUS_INTERNAL, "column %zu: cannot be read", lexer->column);
}

static enum status read_token(struct filter_lexer *lexer, struct err *err)
{
    static const struct {
        char character;
        enum filter_token_type type;
    } marks[] = {{'(', FILTER_OPEN}, {')', FILTER_CLOSE}, {',', FILTER_COMMA}};
    char c = *lexer->next;
    if (c == '\0')
        return STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (marks[i].character != c)
            continue;
        lexer->token.type = marks[i].type;
        step(lexer);
        return STATUS_OK;
    }
    if (c == '"' || c == '\'')
        return read_text(lexer, err);
    return is_word(c) || c == '`' ? read_word(lexer, err) : read_sign(lexer, err);
}

enum status filter_lexer_advance(struct filter_lexer *lexer, struct err *err)
{
    while (*lexer->next != '\0' && strchr(" \t\r\n", *lexer->next) != NULL)
        step(lexer);
    lexer->token =
        (struct filter_token){.type = FILTER_END, .text = "", .quoted_at = NO_QUOTE, .column = lexer->column};
    enum status status = read_token(lexer, err);
    lexer->token.after = lexer->column;
    return status;
}

enum status filter_lexer_begin(struct filter_lexer *lexer, struct arena *arena, const char *text,
                               struct err *err)
{
    *lexer = (struct filter_lexer){.arena = arena, .next = text, .column = 1};
    if (strlen(text) > FILTER_TEXT_MAX)
        return err_set(err, STATUS_INVALID, "longer than %d bytes", FILTER_TEXT_MAX);
    return filter_lexer_advance(lexer, err);
}

enum status filter_lexer_name(struct filter_lexer *lexer, struct filter_name *out, struct err *err)
{
    static const struct {
        const char *prefix;
        enum filter_scope scope;
    } scopes[] = {{"run.", FILTER_RUN},
                  {"params.", FILTER_PARAMS},
                  {"param.", FILTER_PARAMS},
                  {"summary.", FILTER_SUMMARY},
                  {"config.", FILTER_CONFIG}};
    const struct filter_token *token = &lexer->token;
    *out = (struct filter_name){.scope = FILTER_ANY, .text = token->text, .spelled = token->text};
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        size_t length = strlen(scopes[i].prefix);
        if (strncmp(token->text, scopes[i].prefix, length) != 0 || length > token->quoted_at)
            continue;
        out->scope = scopes[i].scope;
        out->text = token->text + length;
        break;
    }
    if (*out->text == '\0')
        return err_set(err, STATUS_INVALID, "column %zu: '%.60s' is no whole name", token->column,
                       token->text);
    return STATUS_OK;
}

enum status filter_parse_names(const char *text, struct arena *arena, struct filter_name **out, size_t *count,
                               struct err *err)
{
    struct filter_lexer lexer;
    size_t most = 1;
    for (const char *c = text; *c != '\0'; c++)
        most += *c == ',';
    *count = 0;
    *out = arena_calloc(arena, most, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(filter_lexer_begin(&lexer, arena, text, err));
    for (;;) {
        if (lexer.token.type != FILTER_WORD)
            return err_set(err, STATUS_INVALID,
                           "column %zu: expected a name (names with odd characters stand in ` `)",
                           lexer.token.column);
        TRY(filter_lexer_name(&lexer, &(*out)[(*count)++], err));
        TRY(filter_lexer_advance(&lexer, err));
        if (lexer.token.type == FILTER_END)
            return STATUS_OK;
        if (lexer.token.type != FILTER_COMMA)
            return err_set(err, STATUS_INVALID, "column %zu: expected ',' between names", lexer.token.column);
        TRY(filter_lexer_advance(&lexer, err));
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/config.h"
#include "filter_lexer.h"
#include "filter_literal.h"
#include "filter_pattern.h"
#include "filter_tree.h"

#define DEPTH_MAX 64

struct parser {
    struct filter *filter;
    struct filter_lexer lexer;
    filter_find_field *find;
    int64_t now_us;
    int depth;
};

static bool is_keyword(const struct filter_token *token, const char *word)
{
    return token->type == FILTER_WORD && token->quoted_at == (size_t)-1 && strcasecmp(token->text, word) == 0;
}

static bool is_any_keyword(const struct filter_token *token)
{
    return is_keyword(token, "and") || is_keyword(token, "or") || is_keyword(token, "not") ||
           is_keyword(token, "in");
}

static enum status new_node(struct parser *parser, enum filter_node_type type, struct filter_node **out,
                            struct err *err)
{
    *out = arena_calloc(&parser->filter->arena, 1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    (*out)->type = type;
    return STATUS_OK;
}

/* What stands at the current token, for messages. */
static const char *found(const struct parser *parser, char text[80])
{
    const struct filter_token *token = &parser->lexer.token;
    static const char *const marks[] = {
        [FILTER_END] = "the end", [FILTER_OPEN] = "'('", [FILTER_CLOSE] = "')'", [FILTER_COMMA] = "','"};
    if (token->type == FILTER_WORD || token->type == FILTER_SIGN || token->type == FILTER_TEXT)
        snprintf(text, 80, "'%.60s'", token->text);
    else
        snprintf(text, 80, "%s", marks[token->type]);
    return text;
}

static enum status refuse(const struct parser *parser, struct err *err, const char *wanted, const char *hint)
{
    char text[80];
    return err_set(err, STATUS_INVALID, "column %zu: expected %s, found %s%s%s%s", parser->lexer.token.column,
                   wanted, found(parser, text), hint != NULL ? " (" : "", hint != NULL ? hint : "",
                   hint != NULL ? ")" : "");
}

static enum status parse_name(struct parser *parser, struct filter_node *node, struct err *err)
{
    const struct filter_token *token = &parser->lexer.token;
    if (token->type == FILTER_TEXT)
        return refuse(parser, err, "a name", "quote names with ` `, texts with ' ' or \" \"");
    if (token->type == FILTER_SIGN)
        return refuse(parser, err, "a name", "the name comes first: val_loss < 0.3");
    if (token->type != FILTER_WORD || is_any_keyword(token))
        return refuse(parser, err, "a name", "such as val_loss < 0.3");
    TRY(filter_lexer_name(&parser->lexer, &node->name, err));
    char *end = NULL;
    (void)strtod(token->text, &end);
    bool is_number =
        token->quoted_at == (size_t)-1 && *end == '\0' && strspn(token->text, "0123456789+-.") > 0;
    if (is_number)
        return refuse(parser, err, "a name", "the name comes first: val_loss < 0.3");
    if (node->name.scope == FILTER_RUN || node->name.scope == FILTER_ANY)
        node->field = parser->find(node->name.text);
    if (node->name.scope == FILTER_RUN && node->field == NULL)
        return err_set(err, STATUS_INVALID, "column %zu: a run has no field '%.60s'", token->column,
                       node->name.text);
    return filter_lexer_advance(&parser->lexer, err);
}

static enum status parse_operand(struct parser *parser, const struct filter_node *node,
                                 struct filter_operand **out, struct err *err)
{
    const struct filter_token *token = &parser->lexer.token;
    struct filter_operand *operand = arena_calloc(&parser->filter->arena, 1, sizeof *operand);
    if (operand == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    if ((token->type != FILTER_WORD && token->type != FILTER_TEXT) || is_any_keyword(token))
        return refuse(parser, err, "a value",
                      is_any_keyword(token) ? "quote words such as and, or, not, in" : NULL);
    operand->is_name = token->type == FILTER_WORD && token->quoted_at != (size_t)-1;
    if (operand->is_name)
        TRY(filter_lexer_name(&parser->lexer, &operand->name, err));
    else
        TRY(filter_literal_read(&parser->lexer,
                                node->operation == OP_MATCH || node->operation == OP_NO_MATCH ? NULL
                                                                                              : node->field,
                                parser->now_us, &operand->value, err));
    *out = operand;
    return filter_lexer_advance(&parser->lexer, err);
}

static enum status compile_pattern(struct parser *parser, struct filter_node *node, size_t column,
                                   struct err *err)
{
    const char *text = node->operands->value.text;
    if (node->operands->is_name)
        return err_set(err, STATUS_INVALID, "column %zu: a pattern stands in ' ' or \" \"", column);
    node->pattern = arena_calloc(&parser->filter->arena, 1, sizeof *node->pattern);
    if (node->pattern == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    if (filter_pattern_compile(text, node->pattern, err) == STATUS_OK)
        return STATUS_OK;
    node->pattern = NULL;
    return err_context(err, "column %zu", column);
}

static enum status parse_list(struct parser *parser, struct filter_node *node, struct err *err)
{
    struct filter_operand **last = &node->operands;
    if (parser->lexer.token.type != FILTER_OPEN)
        return refuse(parser, err, "'(' after in", "optimizer in (adam, sgd)");
    do {
        TRY(filter_lexer_advance(&parser->lexer, err));
        TRY(parse_operand(parser, node, last, err));
        last = &(*last)->next;
    } while (parser->lexer.token.type == FILTER_COMMA);
    if (parser->lexer.token.type != FILTER_CLOSE)
        return refuse(parser, err, "',' or ')'", NULL);
    return filter_lexer_advance(&parser->lexer, err);
}

static enum filter_operation operation_of(const char *sign)
{
    static const struct {
        const char *sign;
        enum filter_operation operation;
    } signs[] = {{"==", OP_EQUAL},  {"!=", OP_UNEQUAL},       {"<", OP_LESS},  {"<=", OP_LESS_EQUAL},
                 {">", OP_GREATER}, {">=", OP_GREATER_EQUAL}, {"~", OP_MATCH}, {"!~", OP_NO_MATCH}};
    enum filter_operation found = OP_EQUAL;
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (strcmp(signs[i].sign, sign) == 0)
            found = signs[i].operation;
    return found;
}

static enum status parse_comparison(struct parser *parser, struct filter_node **out, struct err *err)
{
    struct filter_node *node = NULL;
    TRY(new_node(parser, NODE_COMPARE, &node, err));
    node->operation = OP_TRUTH;
    node->comparison = parser->filter->comparisons;
    parser->filter->comparisons = node;
    *out = node;
    TRY(parse_name(parser, node, err));
    const struct filter_token *token = &parser->lexer.token;
    bool negated = is_keyword(token, "not");
    if (negated)
        TRY(filter_lexer_advance(&parser->lexer, err));
    if (negated && !is_keyword(token, "in"))
        return refuse(parser, err, "in after not", NULL);
    if (is_keyword(token, "in")) {
        node->operation = negated ? OP_NOT_IN : OP_IN;
        TRY(filter_lexer_advance(&parser->lexer, err));
        return parse_list(parser, node, err);
    }
    if (token->type != FILTER_SIGN)
        return STATUS_OK;
    node->operation = operation_of(token->text);
    TRY(filter_lexer_advance(&parser->lexer, err));
    size_t column = token->column;
    TRY(parse_operand(parser, node, &node->operands, err));
    return node->operation == OP_MATCH || node->operation == OP_NO_MATCH
               ? compile_pattern(parser, node, column, err)
               : STATUS_OK;
}

static enum status parse_joined(struct parser *parser, enum filter_node_type type, struct filter_node **out,
                                struct err *err);

static enum status parse_inner(struct parser *parser, struct filter_node **out, struct err *err)
{
    if (is_keyword(&parser->lexer.token, "not")) {
        TRY(filter_lexer_advance(&parser->lexer, err));
        TRY(new_node(parser, NODE_NOT, out, err));
        if (++parser->depth > DEPTH_MAX)
            return err_set(err, STATUS_INVALID, "column %zu: nested too deep", parser->lexer.token.column);
        enum status status = parse_inner(parser, &(*out)->first, err);
        parser->depth--;
        return status;
    }
    if (parser->lexer.token.type != FILTER_OPEN)
        return parse_comparison(parser, out, err);
    if (++parser->depth > DEPTH_MAX)
        return err_set(err, STATUS_INVALID, "column %zu: nested too deep", parser->lexer.token.column);
    TRY(filter_lexer_advance(&parser->lexer, err));
    TRY(parse_joined(parser, NODE_ANY, out, err));
    parser->depth--;
    if (parser->lexer.token.type != FILTER_CLOSE)
        return refuse(parser, err, "and, or or ')'", NULL);
    return filter_lexer_advance(&parser->lexer, err);
}

/* Parts joined by `or`, or by `and`. */
static enum status parse_joined(struct parser *parser, enum filter_node_type type, struct filter_node **out,
                                struct err *err)
{
    struct filter_node **last = NULL;
    TRY(new_node(parser, type, out, err));
    last = &(*out)->first;
    for (;;) {
        TRY(type == NODE_ANY ? parse_joined(parser, NODE_ALL, last, err) : parse_inner(parser, last, err));
        if (!is_keyword(&parser->lexer.token, type == NODE_ANY ? "or" : "and"))
            return STATUS_OK;
        last = &(*last)->next;
        TRY(filter_lexer_advance(&parser->lexer, err));
    }
}

static enum status parse_whole(struct parser *parser, struct err *err)
{
    static const char *const words[] = {"and", "or", "not", "in"};
    TRY(parse_joined(parser, NODE_ANY, &parser->filter->root, err));
    const struct filter_token *token = &parser->lexer.token;
    if (token->type == FILTER_END)
        return STATUS_OK;
    const char *meant =
        token->type == FILTER_WORD ? config_suggest(token->text, words, ARRAY_LEN(words)) : NULL;
    char hint[40];
    snprintf(hint, sizeof hint, "did you mean '%s'?", meant != NULL ? meant : "");
    bool after_name = token->type == FILTER_WORD || token->type == FILTER_TEXT;
    return refuse(parser, err, after_name ? "an operator, and, or" : "and, or",
                  meant != NULL ? hint : (after_name ? "quote texts that have spaces" : NULL));
}

enum status filter_parse(const char *text, filter_find_field *find, int64_t now_us, struct filter **out,
                         struct err *err)
{
    struct filter *filter CLEANUP(filter_free_at) = calloc(1, sizeof *filter);
    *out = NULL;
    if (filter == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    filter->arena = arena_make(0);
    struct parser parser = {.filter = filter, .find = find, .now_us = now_us};
    TRY(filter_lexer_begin(&parser.lexer, &filter->arena, text, err));
    TRY(parse_whole(&parser, err));
    *out = filter;
    filter = NULL;
    return STATUS_OK;
}

void filter_free(struct filter *filter)
{
    if (filter == NULL)
        return;
    for (struct filter_node *node = filter->comparisons; node != NULL; node = node->comparison)
        if (node->pattern != NULL)
            regfree(node->pattern);
    arena_free(&filter->arena);
    free(filter);
}

void filter_free_at(struct filter **filter)
{
    filter_free(*filter);
    *filter = NULL;
}

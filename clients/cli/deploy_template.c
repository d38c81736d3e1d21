// SPDX-License-Identifier: GPL-3.0-or-later
#include "deploy_template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MARK "# besom: agent"

struct deploy_place deploy_place_of(const char *text, size_t offset)
{
    struct deploy_place place = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

/* ---- words of a shell ---- */

enum token_kind { TOKEN_END, TOKEN_NEWLINE, TOKEN_WORD, TOKEN_REDIRECTION, TOKEN_OPERATOR, TOKEN_COMMENT };

struct token {
    enum token_kind kind;
    struct deploy_span span;
};

struct lexer {
    const char *text;
    size_t length, at;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Behind the sign that closes what is open at `at`; right behind the opening where nothing closes it, which
 * is an apostrophe in a text. */
static size_t skip_quoted(const struct lexer *lexer, size_t at, char closing)
{
    for (size_t i = at; i < lexer->length; i++) {
        if (lexer->text[i] == '\\' && closing != '\'')
            i++;
        else if (lexer->text[i] == closing)
            return i + 1;
    }
    return at;
}

/* Behind the ")" of a "$(" before `at`. */
static size_t skip_substitution(const struct lexer *lexer, size_t at)
{
    size_t depth = 1;
    for (size_t i = at; i < lexer->length; i++) {
        depth += lexer->text[i] == '(';
        depth -= lexer->text[i] == ')';
        if (depth == 0)
            return i + 1;
    }
    return at;
}

static size_t word_end(const struct lexer *lexer, size_t at)
{
    while (at < lexer->length) {
        char c = lexer->text[at], next = at + 1 < lexer->length ? lexer->text[at + 1] : '\0';
        if (isspace((unsigned char)c) || strchr(";&|<>()", c) != NULL || (c == '\\' && next == '\n'))
            break;
        if (c == '\\' && next != '\0')
            at += 2;
        else if (c == '\'' || c == '"' || c == '`')
            at = skip_quoted(lexer, at + 1, c);
        else if (c == '$' && next == '{')
            at = skip_quoted(lexer, at + 2, '}');
        else if (c == '$' && next == '(')
            at = skip_substitution(lexer, at + 2);
        else
            at++;
    }
    return at;
}

static void skip_blanks(struct lexer *lexer)
{
    while (lexer->at < lexer->length) {
        bool joined = lexer->text[lexer->at] == '\\' && lexer->at + 1 < lexer->length &&
                      lexer->text[lexer->at + 1] == '\n';
        if (!joined && !is_blank(lexer->text[lexer->at]))
            return;
        lexer->at += joined ? 2 : 1;
    }
}

/* "2" of "2>&1" belongs to the redirection. */
static bool is_descriptor(const struct lexer *lexer, size_t start, size_t end)
{
    for (size_t i = start; i < end; i++)
        if (!isdigit((unsigned char)lexer->text[i]))
            return false;
    return end > start && end < lexer->length && strchr("<>", lexer->text[end]) != NULL;
}

static struct token next_token(struct lexer *lexer)
{
    skip_blanks(lexer);
    struct token token = {.kind = TOKEN_END, .span = {lexer->at, lexer->at}};
    if (lexer->at >= lexer->length)
        return token;
    char c = lexer->text[lexer->at];
    size_t end = word_end(lexer, lexer->at);
    if (c == '#') {
        const char *line_end = memchr(lexer->text + lexer->at, '\n', lexer->length - lexer->at);
        token.kind = TOKEN_COMMENT;
        end = line_end != NULL ? (size_t)(line_end - lexer->text) : lexer->length;
    } else if (isspace((unsigned char)c)) {
        token.kind = TOKEN_NEWLINE;
        end = lexer->at + 1;
    } else if (c == '<' || c == '>' || is_descriptor(lexer, lexer->at, end)) {
        token.kind = TOKEN_REDIRECTION;
        while (end < lexer->length && lexer->text[end] != '\0' && strchr("<>&|", lexer->text[end]) != NULL)
            end++;
    } else if (end == lexer->at) {
        token.kind = TOKEN_OPERATOR;
        end++;
    } else {
        token.kind = TOKEN_WORD;
    }
    lexer->at = token.span.end = end;
    return token;
}

static bool span_is(const struct lexer *lexer, struct deploy_span span, const char *text)
{
    size_t length = strlen(text);
    return span.end - span.start == length && memcmp(lexer->text + span.start, text, length) == 0;
}

/* The file's name of a word that is a path, without quotes. */
static struct deploy_span base_name(const struct lexer *lexer, struct deploy_span word)
{
    for (size_t i = word.start; i < word.end; i++)
        if (lexer->text[i] == '/')
            word.start = i + 1;
    while (word.start < word.end && strchr("\"'", lexer->text[word.start]) != NULL)
        word.start++;
    while (word.end > word.start && strchr("\"'", lexer->text[word.end - 1]) != NULL)
        word.end--;
    return word;
}

/* ---- the line that runs an agent ---- */

struct agent_call {
    bool found;
    struct deploy_span program, argument;
    const char *with;
};

/* Of an agent's options, Besom's and W&B's. All others take the word behind them. */
static bool stands_alone(const struct lexer *lexer, struct deploy_span word)
{
    static const char *const flags[] = {"--forward-signals",
                                        "--wandb",
                                        "--ignore-quarantine",
                                        "--quiet",
                                        "--tls",
                                        "--insecure",
                                        "--help",
                                        "-f",
                                        "-q",
                                        "-h",
                                        "--"};
    const char *text = lexer->text + word.start;
    size_t length = word.end - word.start;
    if (memchr(text, '=', length) != NULL || (length > 5 && memcmp(text, "--no-", 5) == 0))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (span_is(lexer, word, flags[i]))
            return true;
    return text[1] != '-' && length > 2; /* "-j4" */
}

/* The first word behind the options; *out stays where there is none. */
static void find_argument(struct lexer lexer, struct deploy_span *out)
{
    struct token token = next_token(&lexer);
    while (token.kind == TOKEN_WORD || token.kind == TOKEN_REDIRECTION) {
        bool is_option = token.kind == TOKEN_WORD && lexer.text[token.span.start] == '-' &&
                         token.span.end > token.span.start + 1;
        if (token.kind == TOKEN_WORD && !is_option) {
            *out = token.span;
            return;
        }
        if (is_option && span_is(&lexer, token.span, "--"))
            return;
        if (!is_option || !stands_alone(&lexer, token.span))
            (void)next_token(&lexer);
        token = next_token(&lexer);
    }
}

/* Whether the word that was just read runs an agent. */
static bool read_call(struct lexer lexer, struct deploy_span word, struct agent_call *out)
{
    struct deploy_span name = base_name(&lexer, word);
    struct token last = {.kind = TOKEN_WORD, .span = word};
    bool is_wandb = span_is(&lexer, name, "wandb");
    if (!span_is(&lexer, name, "besom-agent")) {
        if (!is_wandb && !span_is(&lexer, name, "besom"))
            return false;
        last = next_token(&lexer);
        if (last.kind != TOKEN_WORD || !span_is(&lexer, last.span, "agent"))
            return false;
    }
    *out = (struct agent_call){.found = true,
                               .program = word,
                               .argument = {last.span.end, last.span.end},
                               .with = is_wandb ? "besom" : NULL};
    find_argument(lexer, &out->argument);
    return true;
}

struct search {
    struct lexer lexer;
    struct agent_call last, chosen; /* chosen: its line has the mark */
    struct token mark;              /* on a line of its own; TOKEN_END = none */
    size_t marks, marked_line;
    /* of the line, and of the command, that is being read */
    size_t words;
    bool line_calls;
    bool is_text; /* echo and the like */
    struct deploy_span before[2];
};

static enum status complain(struct search *search, size_t offset, struct deploy_place *place, struct err *err,
                            const char *text)
{
    *place = deploy_place_of(search->lexer.text, offset);
    return err_set(err, STATUS_INVALID, "%s", text);
}

static bool is_mark(const struct lexer *lexer, struct deploy_span comment)
{
    while (comment.end > comment.start && isspace((unsigned char)lexer->text[comment.end - 1]))
        comment.end--;
    return span_is(lexer, comment, MARK);
}

static enum status take_mark(struct search *search, struct token token, struct deploy_place *place,
                             struct err *err)
{
    if (search->marks++ > 0)
        return complain(search, token.span.start, place, err,
                        "a second '" MARK "': a script has one place for its agent (delete one)");
    search->marked_line = deploy_place_of(search->lexer.text, token.span.start).line;
    if (search->line_calls)
        search->chosen = search->last;
    else if (search->words > 0)
        return complain(search, token.span.start, place, err,
                        "'" MARK "' stands behind something that runs no agent (give it a line of its own)");
    else
        search->mark = token;
    return STATUS_OK;
}

static void take_word(struct search *search, struct deploy_span word)
{
    struct lexer *lexer = &search->lexer;
    struct agent_call call = {.found = false};
    if (search->words++ == 0)
        search->is_text = span_is(lexer, word, "echo") || span_is(lexer, word, "printf");
    if (!search->is_text && read_call(*lexer, word, &call)) {
        bool by_python = call.with != NULL && span_is(lexer, search->before[1], "-m") &&
                         lexer->length - base_name(lexer, search->before[0]).start > 6 &&
                         memcmp(lexer->text + base_name(lexer, search->before[0]).start, "python", 6) == 0;
        if (by_python) /* python -m wandb agent */
            call.program.start = search->before[0].start;
        search->last = call;
        search->line_calls = true;
    }
    search->before[0] = search->before[1];
    search->before[1] = word;
}

static enum status search_agent(struct search *search, struct deploy_place *place, struct err *err)
{
    struct token token = next_token(&search->lexer);
    for (; token.kind != TOKEN_END; token = next_token(&search->lexer)) {
        if (token.kind == TOKEN_WORD) {
            take_word(search, token.span);
        } else if (token.kind == TOKEN_REDIRECTION) {
            (void)next_token(&search->lexer);
        } else if (token.kind == TOKEN_COMMENT && is_mark(&search->lexer, token.span)) {
            TRY(take_mark(search, token, place, err));
        } else if (token.kind != TOKEN_COMMENT) {
            search->line_calls = search->line_calls && token.kind != TOKEN_NEWLINE;
            search->words = 0;
            search->before[0] = search->before[1] = (struct deploy_span){0, 0};
        }
    }
    return STATUS_OK;
}

static enum status choose_agent(struct search *search, struct deploy_template *out,
                                struct deploy_place *place, struct err *err)
{
    bool is_marked = search->mark.kind == TOKEN_COMMENT;
    if (is_marked && search->last.found) {
        *place = deploy_place_of(search->lexer.text, search->last.program.start);
        return err_set(err, STATUS_INVALID,
                       "this runs an agent, and line %zu is marked '" MARK
                       "': which is meant? (delete the mark, "
                       "or put it at the end of this line)",
                       search->marked_line);
    }
    if (!is_marked && !search->last.found)
        return complain(search, 0, place, err,
                        "no line runs 'besom agent' or 'wandb agent' (write one, or a line '" MARK
                        "' where it belongs)");
    const struct agent_call *call = search->chosen.found ? &search->chosen : &search->last;
    out->program = is_marked ? search->mark.span : call->program;
    out->with = is_marked ? "besom agent" : call->with;
    out->argument = is_marked ? (struct deploy_span){out->program.end, out->program.end} : call->argument;
    return STATUS_OK;
}

/* ---- directives ---- */

/* Digits; -1 for none and for more than an array can have. */
static int64_t read_index(const char **at)
{
    char *end = NULL;
    int64_t value = isdigit((unsigned char)**at) ? strtoll(*at, &end, 10) : -1;
    if (value >= 0)
        *at = end;
    return value <= INT32_MAX ? value : -1;
}

/* "3", "0-9", "0-9:2"; 0 = it is none of them. */
static int64_t read_range(const char **at)
{
    int64_t first = read_index(at), last = first, step = 1;
    if (**at == '-') {
        ++*at;
        last = read_index(at);
    }
    if (**at == ':') {
        ++*at;
        step = read_index(at);
    }
    return first < 0 || last < first || step < 1 ? 0 : (last - first) / step + 1;
}

int64_t deploy_array_tasks(const char *text, size_t length)
{
    char copy[200] = "";
    const char *at = copy;
    int64_t tasks = 0, limit = INT32_MAX;
    if (length >= sizeof copy)
        return 0;
    memcpy(copy, text, length);
    for (bool more = true; more; at += more) {
        int64_t some = read_range(&at);
        if (some == 0)
            return 0;
        tasks += some;
        more = *at == ',';
    }
    if (*at == '%') {
        at++;
        limit = read_index(&at);
    }
    if (*at != '\0' || limit < 1)
        return 0;
    return tasks < limit ? tasks : limit;
}

static void take_array(struct deploy_template *out, size_t offset, struct deploy_span value)
{
    out->array_line = deploy_place_of(out->text, offset).line;
    out->array_tasks = deploy_array_tasks(out->text + value.start, value.end - value.start);
}

static void read_directive(struct deploy_template *out, size_t start, size_t end)
{
    static const char *const forms[] = {"--array=", "--array", "-a"};
    struct lexer lexer = {.text = out->text, .length = end, .at = start};
    struct token token;
    while ((token = next_token(&lexer)).kind == TOKEN_WORD) {
        struct deploy_span value = token.span;
        for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
            size_t length = strlen(forms[i]), held = token.span.end - token.span.start;
            if (held < length || memcmp(out->text + token.span.start, forms[i], length) != 0)
                continue;
            value.start += length;
            if (value.start == value.end)
                value = next_token(&lexer).span;
            take_array(out, token.span.start, value);
            break;
        }
    }
}

/* As sbatch reads them: up to the first line that is neither blank nor a comment. */
static enum status read_directives(struct deploy_template *out, struct deploy_place *place, struct err *err)
{
    size_t at = 0;
    *place = (struct deploy_place){1, 1};
    if (out->length < 2 || memcmp(out->text, "#!", 2) != 0)
        return err_set(err, STATUS_INVALID,
                       "a batch script begins with '#!' and its shell (put #!/bin/sh into the first line)");
    const char *bad = memchr(out->text, '\r', out->length);
    if (bad == NULL)
        bad = memchr(out->text, '\0', out->length);
    if (bad != NULL) {
        *place = deploy_place_of(out->text, (size_t)(bad - out->text));
        return err_set(err, STATUS_INVALID,
                       *bad == '\0' ? "a null byte: this is no script"
                                    : "a line break of DOS, which sbatch refuses (dos2unix takes them out)");
    }
    while (at < out->length) {
        const char *line_end = memchr(out->text + at, '\n', out->length - at);
        size_t end = line_end != NULL ? (size_t)(line_end - out->text) : out->length;
        size_t next = line_end != NULL ? end + 1 : end, first = at;
        while (first < end && is_blank(out->text[first]))
            first++;
        if (first < end && out->text[first] != '#')
            break;
        bool is_directive = end - at > 7 && memcmp(out->text + at, "#SBATCH", 7) == 0;
        if (is_directive)
            read_directive(out, at + 7, end);
        if (is_directive || at == 0)
            out->directives_end = next;
        at = next;
    }
    return STATUS_OK;
}

/* ---- in and out ---- */

enum status deploy_template_read(const char *text, size_t length, struct deploy_template *out,
                                 struct deploy_place *place, struct err *err)
{
    *out = (struct deploy_template){.text = text, .length = length};
    struct search search = {.lexer = {.text = text, .length = length}};
    TRY(read_directives(out, place, err));
    TRY(search_agent(&search, place, err));
    return choose_agent(&search, out, place, err);
}

void deploy_template_write(const struct deploy_template *template, const char *sweep_id, int64_t nodes,
                           struct buffer *out)
{
    const char *text = template->text;
    const struct deploy_span *program = &template->program, *argument = &template->argument;
    buffer_append(out, text, template->directives_end);
    if (nodes > 0)
        buffer_printf(out, "#SBATCH --array=0-%lld\n", (long long)nodes - 1);
    buffer_append(out, text + template->directives_end, program->start - template->directives_end);
    if (template->with != NULL)
        buffer_puts(out, template->with);
    else
        buffer_append(out, text + program->start, program->end - program->start);
    buffer_append(out, text + program->end, argument->start - program->end);
    if (argument->start == argument->end)
        buffer_putc(out, ' ');
    buffer_puts(out, sweep_id);
    buffer_append(out, text + argument->end, template->length - argument->end);
}

// SPDX-License-Identifier: Apache-2.0
#include <besom/command.h>
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "internal.h"
#include "python_text.h"

struct expansion {
    const besom_command_input *input;
    json_t *params; /* owned */
    char **argv;    /* owned, with its items */
    size_t count, capacity;
    bool needs_file;
    bool no_memory;
};

/* How one parameter becomes arguments. */
struct args_form {
    const char *prefix;
    const char *equals; /* NULL: the value is an item of its own */
    bool bare_booleans;
};

struct macro {
    const char *name;
    void (*expand)(struct expansion *expansion, const struct macro *macro);
    const char *text;
    struct args_form form;
};

/* Takes the text over. */
static void add_owned(struct expansion *expansion, char *item)
{
    if (expansion->count + 2 > expansion->capacity) {
        size_t capacity = expansion->capacity == 0 ? 16 : expansion->capacity * 2;
        char **grown = realloc(expansion->argv, capacity * sizeof *grown);
        if (grown == NULL) {
            expansion->no_memory = true;
            free(item);
            return;
        }
        expansion->argv = grown;
        expansion->capacity = capacity;
    }
    expansion->no_memory = expansion->no_memory || item == NULL;
    expansion->argv[expansion->count] = item;
    expansion->count += item != NULL ? 1 : 0;
    expansion->argv[expansion->count] = NULL;
}

static void add_item(struct expansion *expansion, const char *item)
{
    add_owned(expansion, strdup(item));
}

/* Takes the buffer's text over. */
static void add_buffer(struct expansion *expansion, struct buffer *text)
{
    buffer_append(text, "", 0);
    if (text->data == NULL && !text->failed)
        add_item(expansion, "");
    else
        add_owned(expansion, buffer_take(text));
}

static void expand_text(struct expansion *expansion, const struct macro *macro)
{
    add_item(expansion, macro->text);
}

static void expand_interpreter(struct expansion *expansion, const struct macro *macro)
{
    (void)macro;
    const char *interpreter = expansion->input->interpreter;
    add_item(expansion, interpreter != NULL ? interpreter : "python");
}

static void expand_program(struct expansion *expansion, const struct macro *macro)
{
    (void)macro;
    const char *program = expansion->input->program;
    if (program != NULL && *program != '\0')
        add_item(expansion, program);
}

static void expand_parameter(struct expansion *expansion, const struct args_form *form, const char *name,
                             const json_t *value)
{
    if (form->bare_booleans && json_is_false(value))
        return;
    struct buffer item = BUFFER_INIT;
    buffer_puts(&item, form->prefix);
    buffer_puts(&item, name);
    if (form->bare_booleans && json_is_true(value)) {
        add_buffer(expansion, &item);
        return;
    }
    if (form->equals != NULL)
        buffer_puts(&item, form->equals);
    else
        add_buffer(expansion, &item);
    if (form->equals == NULL)
        item = (struct buffer)BUFFER_INIT;
    python_str(&item, value);
    add_buffer(expansion, &item);
}

static void expand_args(struct expansion *expansion, const struct macro *macro)
{
    for (void *i = json_object_iter(expansion->params); i != NULL;
         i = json_object_iter_next(expansion->params, i))
        expand_parameter(expansion, &macro->form, json_object_iter_key(i), json_object_iter_value(i));
}

static void expand_args_json(struct expansion *expansion, const struct macro *macro)
{
    (void)macro;
    struct buffer item = BUFFER_INIT;
    python_json(&item, expansion->params);
    add_buffer(expansion, &item);
}

static void expand_args_json_file(struct expansion *expansion, const struct macro *macro)
{
    (void)macro;
    expansion->needs_file = true;
    add_item(expansion, expansion->input->params_file != NULL ? expansion->input->params_file : "");
}

static const struct macro macros[] = {
    {.name = "env", .expand = expand_text, .text = "/usr/bin/env"},
    {.name = "interpreter", .expand = expand_interpreter},
    {.name = "program", .expand = expand_program},
    {.name = "args", .expand = expand_args, .form = {"--", "=", false}},
    {.name = "args_no_equals", .expand = expand_args, .form = {"--", NULL, false}},
    {.name = "args_no_hyphens", .expand = expand_args, .form = {"", "=", false}},
    {.name = "args_no_boolean_flags", .expand = expand_args, .form = {"--", "=", true}},
    {.name = "args_json", .expand = expand_args_json},
    {.name = "args_json_file", .expand = expand_args_json_file},
    {.name = "args_append_hydra", .expand = expand_args, .form = {"+", "=", false}},
    {.name = "args_override_hydra", .expand = expand_args, .form = {"++", "=", false}},
};

static const char *const default_items[] = {"${env}", "${interpreter}", "${program}", "${args}"};

/* The length of NAME when the item is wholly ${NAME}, else 0. */
static size_t macro_length(const char *item)
{
    if (strncmp(item, "${", 2) != 0)
        return 0;
    size_t length = 0;
    while (isalnum((unsigned char)item[2 + length]) || item[2 + length] == '_')
        length++;
    return strcmp(item + 2 + length, "}") == 0 ? length : 0;
}

static enum status expand_macro(struct expansion *expansion, const char *name, size_t length, struct err *err)
{
    const char *names[ARRAY_LEN(macros)];
    for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
        names[i] = macros[i].name;
        if (strlen(macros[i].name) != length || strncmp(macros[i].name, name, length) != 0)
            continue;
        macros[i].expand(expansion, &macros[i]);
        return STATUS_OK;
    }
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), name);
    const char *near = config_suggest(word, names, ARRAY_LEN(macros));
    return err_set(err, STATUS_INVALID, "command: unknown macro ${%s}%s%s%s", word,
                   near != NULL ? " (did you mean ${" : "", near != NULL ? near : "",
                   near != NULL ? "}?)" : "");
}

/* What must not get into a command line. */
static bool is_secret(const char *name)
{
    static const char *const secrets[] = {"BESOM_TOKEN",     "BESOM_DATABASE_URL", "BESOM_CA_FILE",
                                          "BESOM_CERT_FILE", "BESOM_KEY_FILE",     "BESOM_TOKEN_FILE"};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (strcmp(secrets[i], name) == 0)
            return true;
    return false;
}

/* Appends what ${envvar:NAME} stands for: the value, or, as W&B has it, NAME when it is not set. */
static void put_variable(struct buffer *out, const char *name, size_t length)
{
    char word[256];
    snprintf(word, sizeof word, "%.*s", (int)(length < 255 ? length : 255), name);
    const char *value = is_secret(word) ? NULL : getenv(word);
    if (value != NULL)
        buffer_puts(out, value);
    else
        buffer_append(out, name, length);
}

static void expand_variables(struct expansion *expansion, const char *item)
{
    static const char opening[] = "${envvar:";
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    struct buffer out = BUFFER_INIT;
    while (*item != '\0') {
        const char *name = item + sizeof opening - 1;
        size_t length = strncmp(item, opening, sizeof opening - 1) == 0 ? strspn(name, allowed) : 0;
        if (strncmp(item, opening, sizeof opening - 1) == 0 && name[length] == '}') {
            put_variable(&out, name, length);
            item = name + length + 1;
        } else {
            buffer_putc(&out, *item++);
        }
    }
    add_buffer(expansion, &out);
}

static enum status expand_items(struct expansion *expansion, struct err *err)
{
    const besom_command_input *input = expansion->input;
    const char *const *items = input->item_count > 0 ? input->items : default_items;
    size_t count = input->item_count > 0 ? input->item_count : ARRAY_LEN(default_items);
    for (size_t i = 0; i < count; i++) {
        size_t length = macro_length(items[i]);
        if (length > 0)
            TRY(expand_macro(expansion, items[i] + 2, length, err));
        else
            expand_variables(expansion, items[i]);
    }
    if (expansion->no_memory)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    if (expansion->count == 0)
        return err_set(err, STATUS_INVALID, "command: nothing is left of it");
    return STATUS_OK;
}

static enum status load_params(const char *text, json_t **out, struct err *err)
{
    json_error_t problem;
    *out = json_loads(text != NULL ? text : "{}", JSON_ALLOW_NUL, &problem);
    if (json_is_object(*out))
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "parameters are no JSON object: %s",
                   *out == NULL ? problem.text : "another type");
}

besom_status besom_command_expand(const besom_command_input *input, char ***argv, int *needs_file,
                                  besom_error *error)
{
    struct expansion expansion = {.input = input};
    struct err err = ERR_INIT;
    *argv = NULL;
    enum status status = load_params(input->params_json, &expansion.params, &err);
    if (status == STATUS_OK)
        status = expand_items(&expansion, &err);
    json_decref(expansion.params);
    if (needs_file != NULL)
        *needs_file = expansion.needs_file;
    if (status != STATUS_OK) {
        besom_command_free(expansion.argv);
        return error_export(error, &err);
    }
    *argv = expansion.argv;
    return BESOM_OK;
}

void besom_command_free(char **argv)
{
    for (char **item = argv; item != NULL && *item != NULL; item++)
        free(*item);
    free(argv);
}

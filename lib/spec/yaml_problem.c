// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/yaml_problem.h"

#include <string.h>

struct place yaml_problem_place(yaml_mark_t mark)
{
    return (struct place){.line = mark.line + 1, .column = mark.column + 1};
}

struct explanation {
    const char *problem; /* how libyaml's text begins */
    const char *plain;
};

static const struct explanation explanations[] = {
    {"did not find expected ',' or ']'", "expected a comma or the closing ] of this list"},
    {"did not find expected ',' or '}'", "expected a comma or the closing } of this map"},
    {"did not find expected key",
     "expected a key here: check the indentation, which differs from the lines above"},
    {"did not find expected '-' indicator",
     "expected another \"- item\" of this list: check the indentation"},
    {"mapping values are not allowed",
     "a \": \" is not allowed here: check the indentation, or quote the text"},
    {"could not find expected ':'", "expected a \":\" after this key"},
    {"found character that cannot start any token",
     "this character cannot start a value: quote the text, and indent with spaces, not tabs"},
    {"found a tab character", "a tab is not allowed for indentation: use spaces"},
    {"found unexpected end of stream", "the file ends inside a quoted text"},
    {"found undefined anchor", "this alias has no anchor of that name above it"},
    {"block sequence entries are not allowed",
     "a \"- item\" is not allowed here: put it on a line of its own"},
    {"did not find expected <document start>", "the document ended before this: check the indentation"},
    {"invalid Unicode character", "this is no character of Unicode"},
    {"incomplete UTF-16", "the file is not valid UTF-16 here"},
    {"expected low surrogate area", "the file is not valid UTF-16 here"},
    {"unexpected low surrogate area", "the file is not valid UTF-16 here"},
    {"control characters are not allowed", "the file holds a control character"},
    {"did not find expected alphabetic or numeric character",
     "* and & start aliases and anchors: quote text that begins with them"},
};

static const char *explain(const char *problem)
{
    for (size_t i = 0; i < sizeof explanations / sizeof explanations[0]; i++)
        if (strncmp(problem, explanations[i].problem, strlen(explanations[i].problem)) == 0)
            return explanations[i].plain;
    return problem;
}

/* What libyaml was reading, in plain words; NULL when that says nothing. */
static const char *collection_of(const char *context)
{
    if (context == NULL)
        return NULL;
    if (strstr(context, "mapping") != NULL)
        return "map";
    if (strstr(context, "sequence") != NULL || strstr(context, "collection") != NULL)
        return "list";
    return strstr(context, "scalar") != NULL ? "text" : NULL;
}

/* The reader's errors carry a byte offset only. */
static struct place place_of_offset(const char *bytes, size_t offset)
{
    struct place place = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        bool newline = bytes[i] == '\n';
        place.line += newline;
        place.column = newline ? 1 : place.column + (((unsigned char)bytes[i] & 0xC0) != 0x80);
    }
    return place;
}

void yaml_problem_report(struct reader *reader, const yaml_parser_t *parser, const char *bytes, size_t length)
{
    if (parser->error == YAML_MEMORY_ERROR || parser->problem == NULL) {
        reader->out_of_memory = true;
        return;
    }
    struct place place = yaml_problem_place(parser->problem_mark);
    if (parser->error == YAML_READER_ERROR)
        place = place_of_offset(bytes, parser->problem_offset < length ? parser->problem_offset : length);
    if (parser->error == YAML_READER_ERROR && strstr(parser->problem, "UTF-8") != NULL)
        problems_add(reader->problems, SPEC_ERROR, place, "the file is not valid UTF-8 here");
    else if (collection_of(parser->context) != NULL && parser->context_mark.line + 1 != place.line)
        problems_add(reader->problems, SPEC_ERROR, place, "%s (in the %s that begins on line %zu)",
                     explain(parser->problem), collection_of(parser->context), parser->context_mark.line + 1);
    else
        problems_add(reader->problems, SPEC_ERROR, place, "%s", explain(parser->problem));
}
